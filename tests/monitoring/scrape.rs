//! A scrape, taken apart.

use crate::stack;
use std::collections::{BTreeMap, BTreeSet};

/// A sample's labels and value.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A family: its type and its samples, those of a histogram together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// What a scrape in Prometheus' own format holds.
pub(crate) fn parse(text: &str) -> BTreeMap<String, Family> {
    let (mut families, mut current) = (BTreeMap::<String, Family>::new(), String::new());
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' ')) {
            current = name.to_owned();
            let family = Family { kind: kind.to_owned(), samples: Vec::new() };
            assert!(families.insert(current.clone(), family).is_none(), "{name} comes twice");
        } else if !line.starts_with('#') {
            let (name, sample) = sample(line);
            assert!(name.starts_with(&current), "{name} stands below {current}");
            families.get_mut(&current).unwrap_or_else(|| panic!("{name} has no type")).samples.push(sample);
        }
    }
    families
}

/// Values of ours hold neither commas nor quotes.
fn sample(line: &str) -> (&str, Sample) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, value) = label.split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    (name, Sample { labels: labels.collect(), value: value.parse().unwrap() })
}

/// The operator's families now.
pub(crate) async fn families() -> BTreeMap<String, Family> {
    parse(&stack().await.operator.metrics().await.unwrap())
}

impl Family {
    /// The labels that its samples have; the buckets of a histogram are its own matter.
    pub(crate) fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|sample| sample.labels.keys().map(String::as_str));
        labels.filter(|label| *label != "le").collect()
    }

    /// The value for a connection.
    pub(crate) fn of(&self, namespace: &str, name: &str) -> Option<f64> {
        let is = |sample: &&Sample| sample.labels["namespace"] == namespace && sample.labels["name"] == name;
        self.samples.iter().find(is).map(|sample| sample.value)
    }
}
