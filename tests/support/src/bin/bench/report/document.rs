//! docs/benchmarks.md: the words are written by hand, what stands between its markers comes from the result.

use std::path::{Path, PathBuf};

use super::table::Table;
use super::{Report, aims, plots, sheets};
use crate::Failure;

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PAGE: &str = "docs/benchmarks.md";
const FOLDER: &str = "docs/benchmarks";
const RESULT: &str = "result.json";

/// Writes the page, the plots and the result itself. Returns the files.
pub(crate) fn write(report: &Report) -> Result<Vec<PathBuf>, Failure> {
    let (page, folder) = (Path::new(CHECKOUT).join(PAGE), Path::new(CHECKOUT).join(FOLDER));
    std::fs::create_dir_all(&folder)?;
    let filled = filled(&std::fs::read_to_string(&page)?, &parts(report))?;
    std::fs::write(&page, filled)?;
    let result = folder.join(RESULT);
    std::fs::write(&result, serde_json::to_string_pretty(report)? + "\n")?;
    let mut written = vec![page, result];
    for (name, svg) in plots::all(report)? {
        let file = folder.join(name);
        std::fs::write(&file, svg)?;
        written.push(file);
    }
    Ok(written)
}

/// What stands between which markers.
fn parts(report: &Report) -> Vec<(String, String)> {
    let one = |name: &str, table: Table| (name.to_owned(), table.markdown());
    let mut parts = vec![one("machine", sheets::machine(report)), one("aims", aims::table(report))];
    let titled = |tables: &[Table]| {
        let each = tables.iter().map(|table| format!("### {}\n\n{}", table.title, table.markdown()));
        each.collect::<Vec<_>>().join("\n")
    };
    let cold: Vec<_> = report.sizes.iter().map(|size| sheets::cold(&size.cold)).collect();
    parts.push(("cold".to_owned(), titled(&cold)));
    parts.push(one("afterwards", sheets::afterwards(report)));
    parts.push(one("growth", sheets::growth(report)));
    if let Some(cases) = &report.cases {
        parts.push(("cases".to_owned(), titled(&sheets::cases(cases))));
    }
    let notes: Vec<_> = sheets::disturbances(report).into_iter().map(|note| format!("- {note}\n")).collect();
    let quiet = "- Nobody else used more than a twentieth of the machine.\n".to_owned();
    parts.push(("others".to_owned(), if notes.is_empty() { quiet } else { notes.concat() }));
    parts
}

fn filled(page: &str, parts: &[(String, String)]) -> Result<String, Failure> {
    let mut page = page.to_owned();
    for (name, text) in parts {
        let (begin, end) = (format!("<!-- measured: {name} -->\n"), format!("<!-- end of {name} -->"));
        let missing = || format!("{PAGE} has not the markers {} and {end}", begin.trim());
        let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
        let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
        page = format!("{before}{begin}\n{text}\n{end}{after}");
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_markers_is_replaced() {
        let page = "a\n<!-- measured: x -->\nold\n<!-- end of x -->\nb";
        let parts = [("x".to_owned(), "new".to_owned())];
        let once = filled(page, &parts).unwrap();
        assert_eq!(once, "a\n<!-- measured: x -->\n\nnew\n<!-- end of x -->\nb");
        assert_eq!(filled(&once, &parts).unwrap(), once);
        assert!(filled("a", &parts).unwrap_err().to_string().contains("measured: x"));
    }

    /// Tables and plots are those of the result that lies beside them.
    #[test]
    fn the_page_shows_the_result() {
        let read = |path: &str| std::fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap();
        let result = read(&format!("{FOLDER}/{RESULT}"));
        let report: Report = serde_json::from_str(&result).unwrap();
        let page = read(PAGE);
        // Not by assert_eq!, which would print both.
        let fresh = filled(&page, &parts(&report)).unwrap();
        let differs = fresh.lines().zip(page.lines()).find(|(fresh, page)| fresh != page);
        assert!(fresh == page, "bench --from … --write-docs: {differs:?}");
        for (name, svg) in plots::all(&report).unwrap() {
            assert!(read(&format!("{FOLDER}/{name}")) == svg, "{name}: bench --from … --write-docs");
        }
    }
}
