//! Where forges keep the file that says who owns which code, and how large it may be: known here, because a bot knows no
//! vendor.

/// Where GitHub looks for it at the base branch of a change: the first that is there counts.
/// <https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners>
pub const CODE_OWNERS_PATHS: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// GitHub loads only a file below this size: "under 3 MB".
pub const CODE_OWNERS_BYTES_MAX: usize = 3_000_000;
