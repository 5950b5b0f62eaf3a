//! The rules of the file, pattern by pattern and line by line.

use proptest::prelude::*;

use super::*;

/// Which of the paths a pattern matches.
fn matched<'p>(pattern: &str, paths: &[&'p str]) -> Vec<&'p str> {
    let pattern = Pattern::parse(pattern).unwrap();
    paths.iter().copied().filter(|path| pattern.matches(&pattern::names(path))).collect()
}

/// Pattern, paths that it matches, paths that it does not match.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// The examples of the forge's documentation: "About code owners".
const DOCUMENTED: &[Row] = &[
    ("*", &["README.md", "src/main.rs", "a/b/c/d"], &[]),
    ("*.js", &["app.js", "src/deep/app.js"], &["app.jsx", "app.ts", "js"]),
    ("/build/logs/", &["build/logs/a.log", "build/logs/deep/a.log"], &["src/build/logs/a.log", "build/logs"]),
    ("docs/*", &["docs/getting-started.md"], &["docs/build-app/troubleshooting.md", "src/docs/a.md"]),
    ("apps/", &["apps/a", "apps/deep/a", "src/apps/a"], &["apps", "src/apps", "myapps/a"]),
    ("/docs/", &["docs/a.md", "docs/deep/a.md"], &["src/docs/a.md"]),
    ("/scripts/", &["scripts/build.sh"], &["scripts.sh", "src/scripts/build.sh"]),
    ("**/logs", &["logs/a", "build/logs/a", "deeply/nested/logs/a", "logs"], &["build/catalogs/a"]),
    ("/apps/github", &["apps/github", "apps/github/a"], &["apps/gitlab", "apps/github2/a", "x/apps/github/a"]),
];

/// What gitignore says of the rest; `git check-ignore` agrees but for `/*` and `**/` at the end, where forges differ.
const CORNERS: &[Row] = &[
    ("name", &["name", "name/a", "a/name", "a/name/b"], &["name.txt", "a/rename", "a/b"]),
    ("/name", &["name", "name/a/b"], &["a/name", "name.txt"]),
    ("/name/", &["name/a", "name/a/b"], &["name", "a/name/b"]),
    ("a/name", &["a/name", "a/name/b"], &["a/names", "b/a/name"]),
    ("a/name/", &["a/name/b"], &["a/name", "b/a/name/c"]),
    ("/*", &["a", "README.md"], &["a/b"]),
    ("/*/", &["a/b", "a/b/c"], &["a"]),
    ("/f*", &["foo", "foo/a"], &["a/foo", "off"]),
    ("f*/", &["foo/a", "a/foo/b"], &["foo", "a/foo"]),
    ("f*o", &["fo", "foo", "frodo/a"], &["fob", "f/o"]),
    ("*a*b*", &["ab", "xaybz", "aab", "aabb/c"], &["ba", "a/b"]),
    ("f?o", &["foo", "a/fäo"], &["fo", "fooo", "f/o"]),
    ("a/*.txt", &["a/b.txt", "a/.txt"], &["a/b/c.txt", "b/a/c.txt", "a/b.txt2"]),
    ("a/*/c", &["a/b/c", "a/x/c/d"], &["a/c", "a/b/b/c", "a/b"]),
    ("**/a/b", &["a/b", "x/a/b", "x/y/a/b/c"], &["a/x/b", "xa/b"]),
    ("**/*bar*", &["bar", "a/rebar", "a/b/barrio"], &["a/ba", "b/ar"]),
    ("a/**", &["a/b", "a/b/c"], &["a", "b/a/c"]),
    ("a/**/b", &["a/b", "a/x/b", "a/x/y/b/c"], &["a", "a/xb", "x/a/b"]),
    ("a/**/b/c*", &["a/b/c", "a/x/b/cd", "a/b/b/c"], &["a/b", "a/b/x/c", "a/b/x"]),
    ("a/**/", &["a/b", "a/b/c"], &["a", "b/a/c"]),
    ("a/**/*", &["a/b", "a/b/c"], &["a", "b/a"]),
    ("**", &["a", "a/b"], &[]),
    ("/**/b", &["b", "a/b"], &["a/c"]),
    ("a**b", &["ab", "axxb"], &["a/b"]),
    (".*", &[".gitignore", "a/.env"], &["a.b"]),
    ("/a.b", &["a.b"], &["axb"]),
    (r"f\*o", &["f*o"], &["foo"]),
    (r"f\?o", &["f?o"], &["foo"]),
    (r"my\ file", &["my file", "a/my file/b"], &["my", "file"]),
    (r"C\#", &["C#/a"], &["C"]),
    ("C#", &["C#", "C#/a"], &["C"]),
    ("Makefile", &["Makefile"], &["makefile"]),
    ("dépôt/", &["dépôt/a"], &["depot/a"]),
    ("/", &[], &["a", "a/b"]),
    ("a//b", &[], &["a/b"]),
    ("(a|b)+$", &["(a|b)+$"], &["a", "b"]),
];

#[test]
fn patterns_match_as_documented() {
    for (pattern, yes, no) in DOCUMENTED.iter().chain(CORNERS) {
        let paths: Vec<&str> = yes.iter().chain(*no).copied().collect();
        assert_eq!(matched(pattern, &paths), *yes, "{pattern}");
    }
    let pairs: usize = DOCUMENTED.iter().chain(CORNERS).map(|(_, yes, no)| yes.len() + no.len()).sum();
    assert!(pairs >= 40, "{pairs}");
}

const EXAMPLE: &str = r"# The owners of everything else.
*       @global-owner1 @global-owner2

*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/	@doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
  /scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
with\ space/ @octocat
";

/// The line and the owners that decide about a path.
fn of(text: &str, path: &str) -> String {
    match CodeOwners::parse(text).rule_of(path) {
        Some(rule) => format!("{}: {:?}", rule.line, rule.owners),
        None => "nothing is said".to_owned(),
    }
}

#[test]
fn the_last_line_that_matches_decides() {
    let paths = [
        "README.md",
        "web/app.js",
        "main.go",
        "notes.txt",
        "build/logs/a.js",
        "docs/a.md",
        "docs/deep/a.js",
        "src/apps/a.rs",
        "scripts/build.sh",
        "apps/main.rs",
        "apps/github/main.rs",
        "with space/a",
    ];
    let told: Vec<String> = paths.iter().map(|path| format!("{path}  {}", of(EXAMPLE, path))).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    README.md  2: [Person("global-owner1"), Person("global-owner2")]
    web/app.js  4: [Person("js-owner")]
    main.go  5: [Email]
    notes.txt  6: [Team("octo-org/octocats")]
    build/logs/a.js  12: [Person("octocat")]
    docs/a.md  10: [Person("doctocat")]
    docs/deep/a.js  10: [Person("doctocat")]
    src/apps/a.rs  9: [Person("octocat")]
    scripts/build.sh  11: [Person("doctocat"), Person("octocat")]
    apps/main.rs  13: [Person("octocat")]
    apps/github/main.rs  14: []
    with space/a  15: [Person("octocat")]
    "#);
    assert_eq!(of("/a @a", "b"), "nothing is said");
}

#[test]
fn a_line_that_cannot_be_read_is_skipped_and_told() {
    let text =
        "* @all\n!a @x\n[ab] @x\n\\#a @x\na @x y\na @\na @x/\na @x/y/z\na x@y\na***b @x\na\\\n# a\n\n   \nb @bob\n";
    let read = CodeOwners::parse(text);
    let skipped: Vec<String> = read.skipped.iter().map(|skipped| format!("{} {}", skipped.line, skipped.why)).collect();
    insta::assert_snapshot!(skipped.join("\n"), @r"
    2 a pattern cannot be negated with !
    3 ranges of characters in [ ] are not known
    4 a pattern cannot begin with #
    5 an owner is @handle, @organisation/team or an e-mail address
    6 an owner is @handle, @organisation/team or an e-mail address
    7 an owner is @handle, @organisation/team or an e-mail address
    8 an owner is @handle, @organisation/team or an e-mail address
    9 an owner is @handle, @organisation/team or an e-mail address
    10 three asterisks in a row mean nothing
    11 a backslash stands before nothing
    ");
    assert_eq!(CodeOwners::parse(&"a".repeat(5_000)).skipped.len(), 1);
    assert_eq!(of(text, "a"), r#"1: [Person("all")]"#);
    assert_eq!(of(text, "b"), r#"15: [Person("bob")]"#);
}

#[test]
fn line_endings_and_a_byte_order_mark_do_not_matter() {
    assert_eq!(of("\u{feff}/a @x\r\n/b @y\r\n", "a"), r#"1: [Person("x")]"#);
    assert_eq!(of("\u{feff}/a @x\r\n/b @y\r\n", "b"), r#"2: [Person("y")]"#);
}

/// Slow, and plainly the meaning: a run is tried with every length.
fn matches_slowly(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| matches_slowly(rest, &text[taken..])),
        Some((c, rest)) => {
            text.split_first().is_some_and(|(t, others)| (c == t || *c == '?') && matches_slowly(rest, others))
        }
    }
}

proptest! {
    #[test]
    fn of_the_lines_that_match_the_last_decides(
        lines in proptest::collection::vec(("/?[abc*]{1,2}(/[abc*]{1,2}){0,2}/?", "[a-e]"), 0..12),
        path in "[abc](/[abc]){0,3}",
    ) {
        let text: String = lines.iter().map(|(pattern, owner)| format!("{pattern} @{owner}\n")).collect();
        let last = (1..).zip(&lines).filter(|(_, (pattern, _))| !matched(pattern, &[&path]).is_empty()).last();
        let wanted = last.map(|(line, (_, owner))| (line, vec![CodeOwner::Person(owner.clone())]));
        let found = CodeOwners::parse(&text).rule_of(&path).map(|rule| (rule.line, rule.owners.clone()));
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn asterisks_and_question_marks_match_every_length(pattern in "[ab?]{0,3}(\\*[ab?]{1,2}){0,3}\\*?", name in "[ab]{1,8}") {
        prop_assume!(!pattern.is_empty() && pattern != "**");
        let letters: (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
        let wanted = matches_slowly(&letters.0, &letters.1);
        prop_assert_eq!(!matched(&format!("/{pattern}"), &[&name]).is_empty(), wanted);
    }

    #[test]
    fn any_text_can_be_read(text in "(?s).{0,200}", path in "[ -~]{1,40}") {
        CodeOwners::parse(&text).rule_of(&path);
    }
}
