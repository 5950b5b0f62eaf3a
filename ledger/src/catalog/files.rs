//! Reads catalog files from disk: the only I/O of the catalog.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Catalog, CatalogError, CatalogSettings};

/// Name of a catalog file in a directory that is searched.
const FILE_NAME: &str = "catalog-info.yaml";

/// Directories are searched this deep: a monorepo's `group/service/part/catalog-info.yaml` and some room.
const DEPTH_MAX: usize = 6;

/// More files than this mean that a wrong directory was given.
const FILES_MAX: usize = 10_000;

/// A larger file is no catalog file: a hundred entities are about 100 kB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A catalog file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFile {
    /// Where it was found.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Builds the catalog of settings and of the files that they name.
///
/// # Errors
/// If a file cannot be read, or an entry cannot stand.
pub fn load(settings: &CatalogSettings) -> Result<Catalog, CatalogError> {
    Catalog::build(settings, &read(Path::new(""), &settings.files)?)
}

/// Reads the files of the setting `files`, in the order of their paths: a file, a directory that is searched for
/// `catalog-info.yaml`, or either with a `*` standing for any name between slashes. Relative paths are below `base`.
///
/// # Errors
/// If a path does not exist or a file cannot be read. A pattern that matches nothing is no error.
pub fn read(base: &Path, files: &[PathBuf]) -> Result<Vec<CatalogFile>, CatalogError> {
    let mut paths = Vec::new();
    for pattern in files {
        for root in expand(&base.join(pattern))? {
            search(&root, 0, &mut paths)?;
        }
    }
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| read_one(&path).map(|text| CatalogFile { path, text })).collect()
}

fn read_one(path: &Path) -> Result<String, CatalogError> {
    let failed = |source| CatalogError::File { path: path.display().to_string(), source };
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(failed(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
    }
    fs::read_to_string(path).map_err(failed)
}

/// The paths that a pattern stands for.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        let text = part.to_string_lossy();
        if text.contains('*') {
            let mut next = Vec::new();
            for directory in &found {
                let names = entries(directory)?;
                let fits =
                    |path: &PathBuf| path.file_name().is_some_and(|name| matches(&text, &name.to_string_lossy()));
                next.extend(names.into_iter().filter(fits));
            }
            found = next;
        } else {
            // Below a pattern, only some of the directories have the rest of the path.
            let certain = found.len() == 1;
            found = found.iter().map(|path| path.join(part)).filter(|path| certain || path.exists()).collect();
        }
    }
    Ok(found)
}

/// Whether a name fits a pattern, where `*` stands for any text.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => {
            let Some(name) = name.strip_prefix(start) else { return false };
            let starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            starts.filter_map(|at| name.get(at..)).any(|name| matches(rest, name))
        }
    }
}

/// Adds a file, or the catalog files below a directory.
fn search(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CatalogError> {
    let failed = |source| CatalogError::File { path: path.display().to_string(), source };
    let is_directory = fs::metadata(path).map_err(failed)?.is_dir();
    if !is_directory {
        if found.len() >= FILES_MAX {
            return Err(failed(io::Error::other(format!("there are more than {FILES_MAX} catalog files"))));
        }
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in entries(path)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        // A link may lead back up; hidden directories hold no catalog files.
        let is_link = entry.is_symlink();
        let goes_down = entry.is_dir() && !is_link && depth < DEPTH_MAX && !name.starts_with('.');
        if goes_down || (name == FILE_NAME && entry.is_file()) {
            search(&entry, depth + 1, found)?;
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let failed = |source| CatalogError::File { path: directory.display().to_string(), source };
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    fs::read_dir(here).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_names(files: &[&str]) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        for path in ["shop/catalog-info.yaml", "shop/a/catalog-info.yaml", "blog/catalog-info.yaml", "blog/other.yaml"]
        {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "kind: Group").unwrap();
        }
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let found = read(directory.path(), &files).map_err(|why| why.to_string())?;
        let below = |file: &CatalogFile| file.path.strip_prefix(directory.path()).unwrap().display().to_string();
        Ok(found.iter().map(below).collect())
    }

    #[test]
    fn files_directories_and_patterns_are_read_once_each_in_order() {
        assert_eq!(read_names(&["blog/other.yaml"]).unwrap(), ["blog/other.yaml"]);
        assert_eq!(read_names(&["shop"]).unwrap(), ["shop/a/catalog-info.yaml", "shop/catalog-info.yaml"]);
        let both = ["blog/catalog-info.yaml", "shop/catalog-info.yaml"];
        assert_eq!(read_names(&["*/catalog-info.yaml", "shop/catalog-info.yaml"]).unwrap(), both);
        assert_eq!(read_names(&["*/*.yml"]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        assert!(read_names(&["nowhere/catalog-info.yaml"]).unwrap_err().contains("nowhere"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("*[bot]", "release[bot]"));
        assert!(matches("a*c*", "abcd"));
        assert!(!matches("*-bot", "robot"));
        assert!(matches("*", ""));
    }
}
