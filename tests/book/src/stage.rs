//! A copy of the pages as mdBook wants them: all in one folder, in the folders of the checkout, with what they link to. So
//! each link leads to the same thing as in the checkout.

use crate::{Error, links, pages, summary};
use std::{collections::BTreeSet, fmt::Write, fs, io, path::Path};

/// mdBook's settings, and what it adds to its own looks.
const SETTINGS: [&str; 2] = ["book.toml", "book.css"];

/// Writes the copy into this folder, in place of what was there.
///
/// # Errors
/// Links of the table of contents or of the pages lead nowhere, or a file cannot be read or written.
pub fn write(checkout: &Path, folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::File(folder.into(), error));
        }
        _ => {}
    }
    let chapters: BTreeSet<_> = summary::chapters(checkout)?.into_iter().map(|(page, _)| page).collect();
    let mut wrong = links::broken(checkout, summary::PATH)?;
    for page in &chapters {
        wrong.extend(links::broken(checkout, page)?);
    }
    if !wrong.is_empty() {
        return Err(Error::Links(wrong));
    }
    let source = folder.join("src");
    for name in SETTINGS {
        put(&folder.join(name), &pages::read(checkout, &format!("docs/{name}"))?)?;
    }
    put(&source.join("SUMMARY.md"), &contents(checkout)?)?;
    for page in &chapters {
        let mut text = pages::read(checkout, page)?;
        for target in links::relative(&text) {
            let (path, _) = target.split_once('#').unwrap_or((&target, ""));
            let Some(file) = links::resolved(page, path) else { continue };
            if chapters.contains(&file) {
                // The page of this name becomes the one that a folder shows.
                if path.ends_with("README.md") {
                    let index = target.replacen("README.md", "index.md", 1);
                    text = text.replace(&format!("]({target})"), &format!("]({index})"));
                }
            } else if checkout.join(&file).is_dir() {
                copy_folder(checkout, &file, &source)?;
                let index = format!("{}/index.html", path.trim_end_matches('/'));
                text = text.replace(&format!("]({target})"), &format!("]({index})"));
            } else {
                copy(checkout, &file, &source)?;
            }
        }
        put(&source.join(page), &text)?;
    }
    Ok(())
}

/// The table of contents, with paths from the checkout's root.
fn contents(checkout: &Path) -> Result<String, Error> {
    let mut contents = String::new();
    for line in pages::read(checkout, summary::PATH)?.lines() {
        let target = summary::target(line);
        let path = target.and_then(|target| links::resolved(summary::PATH, target));
        match target.zip(path) {
            Some((target, path)) => {
                contents.push_str(&line.replace(&format!("]({target})"), &format!("]({path})")));
            }
            None => contents.push_str(line),
        }
        contents.push('\n');
    }
    Ok(contents)
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    make_parent(path)?;
    fs::write(path, text).map_err(Error::file(path))
}

fn copy(checkout: &Path, file: &str, source: &Path) -> Result<(), Error> {
    let to = source.join(file);
    make_parent(&to)?;
    fs::copy(checkout.join(file), &to).map(drop).map_err(Error::file(to))
}

fn make_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(Error::file(parent))
}

/// A folder that a page links to: what is in it, and a page that lists that.
fn copy_folder(checkout: &Path, folder: &str, source: &Path) -> Result<(), Error> {
    let mut list = format!(
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>{folder}</title>\n<h1>{folder}</h1>\n<ul>\n"
    );
    for name in pages::names(&checkout.join(folder))? {
        let path = format!("{folder}/{name}");
        let to = if checkout.join(&path).is_dir() {
            copy_folder(checkout, &path, source)?;
            format!("{name}/index.html")
        } else if name.ends_with(".md") {
            // As plain text: mdBook leaves out Markdown that is no chapter.
            let text = format!("{name}.txt");
            put(&source.join(folder).join(&text), &pages::read(checkout, &path)?)?;
            text
        } else {
            copy(checkout, &path, source)?;
            name.clone()
        };
        let _ = writeln!(list, "<li><a href=\"{to}\">{name}</a></li>");
    }
    list.push_str("</ul>\n");
    put(&source.join(folder).join("index.html"), &list)
}
