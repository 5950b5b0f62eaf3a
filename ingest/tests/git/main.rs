//! The import of git histories, held against git itself: what `git log`, `git diff` and `git rev-list` say of a
//! generated repository is what the import must say of it.

#[cfg(test)]
mod against_git;
#[cfg(test)]
mod events;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod story;
#[cfg(test)]
mod told;
#[cfg(test)]
mod wrong;
