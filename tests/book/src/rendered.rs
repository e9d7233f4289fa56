//! What the links of the rendered book lead to.

use crate::{Error, links, pages};
use std::{collections::BTreeSet, fs, path::Path};

/// Pages of mdBook's own: the first is for any path, the second is a list for browsers without scripts.
const NOT_OURS: [&str; 2] = ["404.html", "toc.html"];

/// What is wrong with the links of all pages, a line for each that leads nowhere.
///
/// # Errors
/// A page cannot be read.
pub fn broken(html: &Path) -> Result<Vec<String>, Error> {
    let (mut found, mut wrong) = (Vec::new(), BTreeSet::new());
    walk(html, "", &mut found)?;
    for page in &found {
        let text = pages::read(html, page)?;
        for target in attributes(&text, "href").chain(attributes(&text, "src")) {
            let target = target.replace("&amp;", "&");
            if target.contains(':') {
                continue;
            }
            let (path, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let path = path.split('?').next().unwrap_or_default();
            let file = links::resolved(page, path).filter(|file| html.join(file).is_file());
            let leads = match file {
                None => false,
                Some(_) if fragment.is_empty() => true,
                Some(file) => attributes(&pages::read(html, &file)?, "id").any(|id| id == fragment),
            };
            if !leads {
                wrong.insert(format!("{page}: {target}"));
            }
        }
    }
    Ok(wrong.into_iter().collect())
}

/// The values of an attribute, in all tags.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let before = format!(" {name}=\"");
    let parts: Vec<_> = html.split(&before).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    parts.into_iter()
}

fn walk(html: &Path, folder: &str, found: &mut Vec<String>) -> Result<(), Error> {
    for name in pages::names(&html.join(folder))? {
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if fs::metadata(html.join(&path)).is_ok_and(|file| file.is_dir()) {
            walk(html, &path, found)?;
        } else if path.ends_with(".html") && !NOT_OURS.contains(&path.as_str()) {
            found.push(path);
        }
    }
    Ok(())
}
