//! The documentation as a book. The pages are the Markdown files as they lie in the checkout, and read the same there; here
//! is what is generated in them, what their links lead to, and how mdBook gets them.

pub mod links;
pub mod pages;
pub mod reference;
pub mod rendered;
pub mod stage;
pub mod summary;

use std::{io, path::PathBuf};

/// Why the book cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The CRD's file is none.
    #[error("the CRD cannot be read: {0}")]
    Crd(String),
    /// A page has no place for what is generated.
    #[error("{page}: there is no block from <!-- generated: {block} --> to <!-- end of {block} -->")]
    NoBlock {
        /// The page.
        page: String,
        /// The block.
        block: &'static str,
    },
    /// Links lead nowhere.
    #[error("links that lead nowhere:\n{}", .0.join("\n"))]
    Links(Vec<String>),
    /// mdBook did not make the book.
    #[error("mdBook failed, or cannot be run; `make docs` builds it and makes the book")]
    MdBook(#[source] Option<io::Error>),
}

impl Error {
    /// For `map_err`: the file at fault.
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File(path, error)
    }
}
