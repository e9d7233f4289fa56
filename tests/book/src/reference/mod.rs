//! What is generated in the pages: each in a block between two comments, so that people write the rest around it.

mod fields;
mod flags;

use crate::{Error, pages};
use clap::{Args, Command};
use clickup_operator::commands::run::RunArgs;
use serde_json::Value;
use std::{fs, path::Path};

/// The pages that hold generated blocks, as they must read.
///
/// # Errors
/// A page or the CRD cannot be read, or a page has no place for its block.
pub fn pages(checkout: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    let crd: Value = serde_saphyr::from_str(&pages::read(checkout, "crds/clickupconnections.yaml")?)
        .map_err(|error| Error::Crd(error.to_string()))?;
    let version = &crd["spec"]["versions"][0];
    let root = &version["schema"]["openAPIV3Schema"]["properties"];
    let mut resource = pages::read(checkout, "docs/resource.md")?;
    for (block, text) in [
        ("spec", fields::tables("spec", &root["spec"])),
        ("status", fields::tables("status", &root["status"])),
        ("columns", fields::columns(&version["additionalPrinterColumns"])),
    ] {
        resource = with(&resource, "docs/resource.md", block, &text)?;
    }
    let run = RunArgs::augment_args(Command::new("run"));
    let flags =
        with(&pages::read(checkout, "docs/flags.md")?, "docs/flags.md", "flags", &flags::table(&run))?;
    Ok(vec![("docs/resource.md", resource), ("docs/flags.md", flags)])
}

/// Writes them.
///
/// # Errors
/// As for [`pages`], or a page cannot be written.
pub fn write(checkout: &Path) -> Result<(), Error> {
    for (page, text) in pages(checkout)? {
        let path = checkout.join(page);
        fs::write(&path, text).map_err(Error::file(path))?;
    }
    Ok(())
}

/// The page with this text between the comments of the block.
fn with(page: &str, path: &str, block: &'static str, text: &str) -> Result<String, Error> {
    let (begin, end) = (format!("<!-- generated: {block} -->\n"), format!("<!-- end of {block} -->"));
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| Error::NoBlock { page: path.to_owned(), block })?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
