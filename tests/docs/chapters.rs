//! The book: its table of contents, its links, and what is generated in it.

use crate::pages::{CHECKOUT, read};
use book::{links, pages, reference, stage, summary};
use std::{collections::BTreeSet, path::Path};
use test_support::scratch::ScratchDir;

fn checkout() -> &'static Path {
    Path::new(CHECKOUT)
}

#[test]
fn every_page_is_in_the_table_of_contents_once() {
    let chapters: Vec<_> = summary::chapters(checkout()).unwrap().into_iter().map(|(page, _)| page).collect();
    let listed: BTreeSet<_> = chapters.iter().cloned().collect();
    assert_eq!(listed.len(), chapters.len(), "{} names a page twice", summary::PATH);
    // What a page links to is part of the book too; other files come along by themselves.
    let mut needed: BTreeSet<_> = pages::of_docs(checkout()).unwrap().into_iter().collect();
    for page in &chapters {
        let targets = links::relative(&read(page));
        let paths = targets.iter().filter_map(|t| links::resolved(page, t.split('#').next().unwrap()));
        needed.extend(paths.filter(|path| path.ends_with(".md")));
    }
    let missing: Vec<_> = needed.difference(&listed).collect();
    assert!(missing.is_empty(), "give each of these a line in {}: {missing:#?}", summary::PATH);
}

#[test]
fn every_relative_link_resolves() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages::all(checkout()).unwrap() {
        seen += links::relative(&read(&page)).len();
        wrong.extend(links::broken(checkout(), &page).unwrap());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 100, "only {seen} links found");
}

#[test]
fn what_is_generated_is_up_to_date() {
    for (page, text) in reference::pages(checkout()).unwrap() {
        assert!(read(page) == text, "{page} differs from what is generated: `make generate`");
    }
}

/// The rest, mdBook's part, `make docs` does.
#[test]
fn the_copy_for_mdbook_has_every_page_and_all_that_it_links_to() {
    let scratch = ScratchDir::create("book").unwrap();
    stage::write(checkout(), scratch.path()).unwrap();
    let source = scratch.join("src");
    for (page, _) in summary::chapters(checkout()).unwrap() {
        let text = pages::read(&source, &page).unwrap();
        for target in links::relative(&text) {
            let path = target.split('#').next().unwrap();
            let file = links::resolved(&page, path).unwrap();
            // The page of this name is the one that a folder shows.
            let file = file.replace("index.md", "README.md");
            assert!(source.join(&file).is_file(), "{page}: {target}");
        }
    }
    assert!(source.join("deploy/base/index.html").is_file(), "the README links to the folder");
}
