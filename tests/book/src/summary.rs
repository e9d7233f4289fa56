//! The book's table of contents.

use crate::{Error, links, pages};
use std::path::Path;

/// Where it stands. Its links are relative to it, so they lead to the same places on GitHub.
pub const PATH: &str = "docs/SUMMARY.md";

/// The chapters, by their paths in the checkout, each with the part of the book that it stands in.
///
/// # Errors
/// The table of contents cannot be read.
pub fn chapters(checkout: &Path) -> Result<Vec<(String, String)>, Error> {
    let (mut part, mut chapters) = (String::new(), Vec::new());
    for line in pages::read(checkout, PATH)?.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            part = title.to_owned();
        }
        chapters.extend(target(line).and_then(|t| links::resolved(PATH, t)).map(|page| (page, part.clone())));
    }
    Ok(chapters)
}

/// Where a line of it leads to.
pub(crate) fn target(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("](")?;
    rest.strip_suffix(')')
}
