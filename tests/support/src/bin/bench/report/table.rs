//! A table of rows and columns, as text for a terminal and as Markdown.

use std::fmt::Write;

use super::Report;
use super::{aims, sheets};

/// Cells under heads; the first column names the row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(super) title: String,
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<H: Into<String>>(
        title: impl Into<String>,
        heads: impl IntoIterator<Item = H>,
    ) -> Table {
        Table { title: title.into(), heads: heads.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, label: &str, cells: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(label.to_owned()).chain(cells).collect());
    }

    /// Columns as wide as they must be; all but the first are flush right.
    pub(super) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.lines().filter_map(move |line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.heads.len()).map(width).collect();
        let mut text = format!("\n{}\n", self.title);
        for line in self.lines() {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
            text.push_str(cells.collect::<String>().trim_end());
            text.push('\n');
        }
        text
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        for (at, line) in self.lines().enumerate() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if at == 0 {
                let _ = writeln!(text, "| --- |{}", " ---: |".repeat(self.heads.len() - 1));
            }
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.heads).chain(&self.rows)
    }
}

/// Everything, for people.
pub(crate) fn text(report: &Report) -> String {
    let mut tables = vec![sheets::machine(report)];
    tables.extend(report.sizes.iter().map(|size| sheets::cold(&size.cold)));
    tables.extend((!report.sizes.is_empty()).then(|| sheets::afterwards(report)));
    tables.extend((report.growth().len() > 1).then(|| sheets::growth(report)));
    tables.extend(report.cases.iter().flat_map(sheets::cases));
    tables.push(aims::table(report));
    let mut text: String = tables.iter().map(Table::text).collect();
    for note in sheets::disturbances(report) {
        text.push_str(&format!("\n{note}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Title", ["what", "aaa", "bb"]);
        table.row("first", ["1".into(), "22".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(table().text(), "\nTitle\n  what   aaa  bb\n  first    1  22\n");
    }

    #[test]
    fn markdown_has_a_line_under_its_heads() {
        assert_eq!(table().markdown(), "| what | aaa | bb |\n| --- | ---: | ---: |\n| first | 1 | 22 |\n");
    }
}
