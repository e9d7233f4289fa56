//! The pages, and what is read out of their Markdown.

use std::{fs, path::Path};

pub const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// What users read: the README, what belongs to a release, and every page of `docs/`.
pub fn for_users() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned(), "SECURITY.md".to_owned()];
    pages.extend(book::pages::of_docs(Path::new(CHECKOUT)).unwrap());
    pages
}

/// What developers read too.
pub fn all_pages() -> Vec<String> {
    book::pages::all(Path::new(CHECKOUT)).unwrap()
}

pub fn read(path: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The rows of all tables whose first column is headed so, each with the second-level heading above it.
pub fn rows(page: &str, first_column: &str) -> Vec<(String, Vec<String>)> {
    let (mut section, mut within, mut rows) = (String::new(), false, Vec::new());
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |")) else {
            within = false;
            continue;
        };
        let cells: Vec<_> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells[0] == first_column {
            within = true;
        } else if within && !cells[0].starts_with("---") {
            rows.push((section.clone(), cells));
        }
    }
    rows
}

pub fn unquoted(cell: &str) -> &str {
    cell.trim_matches('`')
}

/// What stands between backticks, and every line of code blocks; those that end with a backslash with the next.
pub fn code(page: &str) -> Vec<String> {
    let (mut fenced, mut continued) = (false, false);
    let mut found: Vec<String> = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continued = false;
        } else if fenced || line.starts_with("    ") {
            let (text, goes_on) = line.trim().strip_suffix('\\').map_or((line.trim(), false), |t| (t, true));
            match found.last_mut().filter(|_| continued) {
                Some(command) => command.push_str(text),
                None => found.push(text.to_owned()),
            }
            continued = goes_on;
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// What is no code: neither in a fence nor indented as a block.
pub fn prose(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    });
    lines.collect()
}

pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| c.is_whitespace() || "=,;()[]\"'".contains(c)).filter(|word| !word.is_empty())
}
