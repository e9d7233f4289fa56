//! What the links of a page lead to.

use crate::{Error, pages};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

fn parser(page: &str) -> Parser<'_> {
    Parser::new_ext(page, Options::ENABLE_TABLES)
}

/// The targets of all links and images that lead to another place of the checkout, as they are written.
#[must_use]
pub fn relative(page: &str) -> BTreeSet<String> {
    parser(page)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.to_string())
            }
            _ => None,
        })
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The anchors that the headings of a page get, on GitHub and in the book.
#[must_use]
pub fn anchors(page: &str) -> BTreeSet<String> {
    let (mut heading, mut seen, mut anchors) = (None::<String>, BTreeMap::new(), BTreeSet::new());
    for event in parser(page) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let before = seen.entry(anchor.clone()).or_insert(0);
                anchors.insert(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
                *before += 1;
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let lower = heading.trim().to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || "- _".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The path in the checkout of what a page names by a relative one; None where that leads out of the checkout.
#[must_use]
pub fn resolved(page: &str, relative: &str) -> Option<String> {
    if relative.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in relative.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// What is wrong with the links of a page, a line for each that leads nowhere.
///
/// # Errors
/// The page cannot be read.
pub fn broken(checkout: &Path, page: &str) -> Result<Vec<String>, Error> {
    let mut wrong = Vec::new();
    for target in relative(&pages::read(checkout, page)?) {
        let (path, fragment) = target.split_once('#').unwrap_or((&target, ""));
        let Some(file) = resolved(page, path).filter(|file| checkout.join(file).exists()) else {
            wrong.push(format!("{page}: the link to {target} leads nowhere"));
            continue;
        };
        if !fragment.is_empty() && !anchors(&pages::read(checkout, &file)?).contains(fragment) {
            wrong.push(format!("{page}: {target} has no such heading"));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_those_of_the_text_and_not_of_code() {
        let page = "[a](b.md#c), `[no](no.md)`, [web](https://example.com), ![plot](d/e.svg)\n\n\
                    | [t](u.md) | x |\n| --- | --- |\n| y | [v](w.md) |\n\n\
                    ```yaml\n[no](no.md)\n```\n";
        assert_eq!(relative(page), ["b.md#c", "d/e.svg", "u.md", "w.md"].map(str::to_owned).into());
    }

    #[test]
    fn a_heading_that_is_there_twice_gets_two_anchors() {
        let page = "# Who may, and `when`\n\n## Pitfalls\n\ntext\n\n## Pitfalls\n\n```\n# no heading\n```\n";
        assert_eq!(anchors(page), ["who-may-and-when", "pitfalls", "pitfalls-1"].map(str::to_owned).into());
    }

    #[test]
    fn paths_are_relative_to_the_page() {
        for (page, path, file) in [
            ("docs/sharing.md", "binding.md", Some("docs/binding.md")),
            ("docs/sharing.md", "../deploy/base", Some("deploy/base")),
            ("docs/gitops/flux.md", "./../conditions.md", Some("docs/conditions.md")),
            ("docs/sharing.md", "", Some("docs/sharing.md")),
            ("README.md", "../elsewhere", None),
        ] {
            assert_eq!(resolved(page, path).as_deref(), file, "{page} {path}");
        }
    }
}
