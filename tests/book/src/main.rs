//! `make docs` and the part of `make generate` that writes pages.

use book::{Error, reference, rendered, stage};
use clap::Parser;
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The documentation as a book.
#[derive(Parser)]
enum Arguments {
    /// Write what is generated in the pages of docs/
    Generate,
    /// Make the book with mdBook, and see where its links lead
    Build {
        /// The program mdbook
        #[arg(long, value_name = "FILE")]
        mdbook: PathBuf,
        /// Folder that gets the copy of the pages that mdBook reads, and below it, in html, the book
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
}

fn main() -> ExitCode {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ended = match Arguments::parse() {
        Arguments::Generate => reference::write(&checkout),
        Arguments::Build { mdbook, to } => build(&checkout, &mdbook, &to),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("book: {error}");
            if let Some(cause) = std::error::Error::source(&error) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build(checkout: &Path, mdbook: &Path, to: &Path) -> Result<(), Error> {
    stage::write(checkout, to)?;
    match Command::new(mdbook).arg("build").arg(to).status() {
        Ok(status) if status.success() => {}
        Ok(_) => return Err(Error::MdBook(None)),
        Err(error) => return Err(Error::MdBook(Some(error))),
    }
    let html = to.join("html");
    let wrong = rendered::broken(&html)?;
    if !wrong.is_empty() {
        return Err(Error::Links(wrong));
    }
    println!("The book: {}", html.join("index.html").display());
    Ok(())
}
