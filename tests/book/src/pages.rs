//! Which pages there are.

use crate::Error;
use std::{fs, path::Path};

/// All Markdown files for people, by their paths in the checkout: at its root, in `docs/`, `deploy/` and `tests/`.
///
/// # Errors
/// A directory cannot be read.
pub fn all(checkout: &Path) -> Result<Vec<String>, Error> {
    let mut pages = Vec::new();
    for name in names(checkout)? {
        if is_page(&name) {
            pages.push(name);
        }
    }
    for folder in ["deploy", "docs", "tests"] {
        walk(checkout, folder, &mut pages)?;
    }
    pages.sort();
    Ok(pages)
}

/// The pages of `docs/`, in whatever folder, without the table of contents.
///
/// # Errors
/// A directory cannot be read.
pub fn of_docs(checkout: &Path) -> Result<Vec<String>, Error> {
    let mut pages = Vec::new();
    walk(checkout, "docs", &mut pages)?;
    pages.retain(|page| page != crate::summary::PATH);
    pages.sort();
    Ok(pages)
}

/// Reads a file of the checkout.
///
/// # Errors
/// It is not there, or no text.
pub fn read(checkout: &Path, page: &str) -> Result<String, Error> {
    let path = checkout.join(page);
    fs::read_to_string(&path).map_err(Error::file(path))
}

fn is_page(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "md")
}

fn walk(checkout: &Path, folder: &str, pages: &mut Vec<String>) -> Result<(), Error> {
    for name in names(&checkout.join(folder))? {
        let path = format!("{folder}/{name}");
        // Not what links point to: a folder could lead round in circles.
        if fs::symlink_metadata(checkout.join(&path)).is_ok_and(|file| file.is_dir()) {
            walk(checkout, &path, pages)?;
        } else if is_page(&name) {
            pages.push(path);
        }
    }
    Ok(())
}

/// The names of what is in a directory, in order. No name of the project's is anything but text.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut names: Vec<String> = entries
        .map_err(Error::file(folder))?
        .into_iter()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
