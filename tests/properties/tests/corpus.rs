//! Every input that is checked in keeps its property; those that a fuzzer once broke one with are among them.

#![allow(clippy::unwrap_used, reason = "the lints know tests, but not their helper functions")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const LARGEST: u64 = 4096;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// One test: heap is measured.
#[test]
fn checked_in_inputs_keep_their_properties() {
    for (name, property) in properties::ALL {
        let inputs = entries(&fuzz().join("corpus").join(name));
        assert!(inputs.len() >= 10, "{name} has {} inputs", inputs.len());
        for input in &inputs {
            // Shown when it fails.
            println!("{}", input.display());
            let bytes = fs::read(input).unwrap();
            assert!(bytes.len() as u64 <= LARGEST, "it is too large to be checked in");
            property(&bytes);
        }
        println!("{name}: {} inputs", inputs.len());
    }
}

#[test]
fn each_property_has_a_target_and_a_corpus() {
    let known = BTreeSet::from(properties::ALL.map(|(name, _)| name.to_owned()));
    for folder in ["corpus", "fuzz_targets"] {
        let there = entries(&fuzz().join(folder));
        let there = there.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
        assert_eq!(there.collect::<BTreeSet<_>>(), known, "fuzz/{folder}");
    }
}
