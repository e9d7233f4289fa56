//! What a run came to.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{checker::footprint::Footprint, plan::Plan};

/// One step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// What it was about.
    pub title: String,
    /// From the beginning of the fault to its end.
    pub lasted: Duration,
    /// From there until everything was as it must be.
    pub settled: Duration,
    /// Conditions that were not True meanwhile, and how often each was written.
    pub seen: BTreeMap<String, usize>,
    /// Whether the operator was killed at the write that was wanted.
    pub struck: bool,
    /// Whether it only put things back.
    pub restores: bool,
    /// Wrong answers of ClickUp's, and the condition that each turned False.
    pub dealt: Vec<(String, String)>,
}

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the plan was made from.
    pub seed: u64,
    /// At the beginning.
    pub connections: usize,
    /// In their order.
    pub steps: Vec<StepReport>,
    /// Statuses that were compared with those of a fresh operator.
    pub compared: usize,
    /// Of the operator's last process: at its beginning, and at the end.
    pub footprints: Option<(Footprint, Footprint)>,
    /// All in all.
    pub took: Duration,
}

/// The page could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the table to {page}")]
pub struct WriteDocs {
    /// Which.
    pub page: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// Between these lines of a page stands the table.
const MARKERS: [&str; 2] = ["<!-- measured: chaos -->\n", "<!-- end of chaos -->"];

/// Steps of the same kind.
#[derive(Default)]
struct Row {
    count: usize,
    settled: Vec<Duration>,
    seen: BTreeMap<String, usize>,
}

impl Report {
    /// Of a run that has not begun.
    pub fn of(plan: &Plan) -> Report {
        Report { seed: plan.seed, connections: plan.world.connections.len(), ..Report::default() }
    }

    /// Adds a step.
    pub fn add(&mut self, step: StepReport) {
        self.steps.push(step);
    }

    /// Writes the report between the markers of a page.
    ///
    /// # Errors
    /// It cannot be read or written, or has no markers.
    pub fn write_docs(&self, page: &Path) -> Result<(), WriteDocs> {
        let failed = |source| WriteDocs { page: page.to_owned(), source };
        let text = fs::read_to_string(page).map_err(failed)?;
        let between = text.split_once(MARKERS[0]).and_then(|(head, rest)| {
            let (_, tail) = rest.split_once(MARKERS[1])?;
            Some((head, tail))
        });
        let no_markers = || io::Error::other(format!("it lacks the lines {MARKERS:?}"));
        let (head, tail) = between.ok_or_else(no_markers).map_err(failed)?;
        fs::write(page, format!("{head}{}\n{self}{}{tail}", MARKERS[0], MARKERS[1])).map_err(failed)
    }

    /// The table of ClickUp's wrong answers, in Markdown.
    fn answers(&self) -> String {
        let mut rows: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (trouble, seen) in self.steps.iter().flat_map(|step| &step.dealt) {
            *rows.entry(trouble).or_default().entry(seen).or_default() += 1;
        }
        let mut table =
            String::from("| ClickUp's answer | times | what it turned False |\n| --- | ---: | --- |\n");
        for (trouble, seen) in rows {
            let times: usize = seen.values().sum();
            let seen: Vec<_> = seen.iter().map(|(what, times)| format!("`{what}` {times}")).collect();
            let _ = writeln!(table, "| {trouble} | {times} | {} |", seen.join(", "));
        }
        table
    }

    /// The table of steps, in Markdown.
    fn table(&self) -> String {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| !step.restores) {
            let row = rows.entry(&step.title).or_default();
            row.count += 1;
            row.settled.push(step.settled);
            for (seen, times) in &step.seen {
                *row.seen.entry(seen.clone()).or_default() += times;
            }
        }
        let mut table =
            String::from("| step | times | settled after: median | longest | seen besides True |\n");
        table.push_str("| --- | ---: | ---: | ---: | --- |\n");
        for (title, mut row) in rows {
            row.settled.sort_unstable();
            let at = |n: usize| row.settled.get(n).map_or(0.0, Duration::as_secs_f64);
            let (median, longest) = (at(row.settled.len() / 2), at(row.settled.len().saturating_sub(1)));
            let mut seen: Vec<_> = row.seen.into_iter().collect();
            seen.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
            let seen: Vec<_> = seen.iter().map(|(what, times)| format!("`{what}` {times}")).collect();
            let seen = if seen.is_empty() { "nothing".to_owned() } else { seen.join(", ") };
            // Writing to a text cannot fail.
            let _ = writeln!(table, "| {title} | {} | {median:.1} s | {longest:.1} s | {seen} |", row.count);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, connections, steps, compared, footprints, took } = self;
        let minutes = took.as_secs_f64() / 60.0;
        writeln!(f, "seed {seed}, {connections} connections, {} steps, {minutes:.1} minutes", steps.len())?;
        writeln!(f, "{compared} statuses are those that a fresh operator gives.")?;
        if let Some((before, after)) = footprints {
            writeln!(f, "The operator's process: {before} at its beginning, {after} at the end.")?;
        }
        write!(f, "\n{}\n{}", self.table(), self.answers())
    }
}

impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StepReport { title, lasted, settled, seen, .. } = self;
        write!(f, "{title}: {:.1} s, settled after {:.1} s", lasted.as_secs_f64(), settled.as_secs_f64())?;
        for (what, times) in seen {
            write!(f, ", {what} {times}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let step = |title: &str, seconds, seen: &str| StepReport {
            title: title.to_owned(),
            lasted: Duration::from_secs(9),
            settled: Duration::from_secs(seconds),
            seen: [(seen.to_owned(), 2)].into(),
            struck: false,
            restores: title == "restored",
            dealt: vec![("500".to_owned(), "Reachable=False/ServerError".to_owned())],
        };
        let mut report = Report::default();
        for (title, seconds) in [("etcd", 1), ("etcd", 7), ("etcd", 2), ("restored", 99)] {
            report.add(step(title, seconds, "Ready=False/SecretNotFound"));
        }
        report
    }

    #[test]
    fn steps_of_a_kind_are_one_row() {
        let text = report().to_string();
        assert!(text.contains("| etcd | 3 | 2.0 s | 7.0 s | `Ready=False/SecretNotFound` 6 |"), "{text}");
        assert!(text.contains("| 500 | 4 | `Reachable=False/ServerError` 4 |"), "{text}");
        assert!(!text.contains("99.0 s"), "{text}");
    }

    #[test]
    fn a_page_keeps_all_but_what_is_between_the_markers() {
        let page = std::env::temp_dir().join(format!("chaos-report-{}.md", std::process::id()));
        fs::write(&page, format!("before\n{}old\n{}\nafter\n", MARKERS[0], MARKERS[1])).unwrap();
        report().write_docs(&page).unwrap();
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, "no markers").unwrap();
        assert!(report().write_docs(&page).unwrap_err().source.to_string().contains("measured: chaos"));
        fs::remove_file(&page).unwrap();
        assert!(
            text.starts_with("before\n") && text.ends_with("\nafter\n") && !text.contains("old"),
            "{text}"
        );
    }
}
