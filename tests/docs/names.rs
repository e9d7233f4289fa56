//! Commands, flags and paths that pages name.

use crate::pages::{CHECKOUT, all_pages, code, for_users, prose, read, words};
use std::{collections::BTreeSet, path::Path, process::Command};

#[test]
fn every_make_target_exists() {
    let makefile = read("Makefile");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':').filter(|(_, rest)| !rest.starts_with('=')))
        .map(|(target, _)| target)
        .collect();
    let mut named = BTreeSet::new();
    for page in all_pages() {
        for line in &code(&read(&page)) {
            let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            assert!(targets.contains(target), "{page}: `make {target}` is not in the Makefile");
            named.insert(target.to_owned());
        }
    }
    for target in ["demo", "try", "dev", "test", "install", "uninstall", "image"] {
        assert!(named.contains(target), "nothing is said about `make {target}`");
    }
}

#[test]
fn every_flag_and_its_variable_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_clickup-operator")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let is_ours = |word: &str| {
        let flag =
            word.strip_prefix("--").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        flag || word.starts_with("CLICKUP_OPERATOR_")
    };
    let known: BTreeSet<_> = words(&help).map(|word| word.trim_end_matches([':', '.'])).collect();
    let mut seen = 0;
    for page in for_users() {
        // Flags of other programs stand behind their names.
        let code = code(&read(&page));
        let ours = code.iter().filter(|c| is_ours(c) || c.contains("clickup-operator run"));
        let words = ours.flat_map(|code| words(code)).map(|word| word.trim_end_matches(':'));
        for word in words.filter(|word| is_ours(word)) {
            seen += 1;
            assert!(known.contains(word), "{page}: `clickup-operator run --help` does not know {word}");
        }
    }
    assert!(seen > 5, "only {seen} flags found");
}

#[test]
fn every_path_named_exists() {
    let mut seen = 0;
    for page in all_pages() {
        for path in code(&read(&page)) {
            let ours =
                ["src/", "tests/", "deploy/", "docs/", "crds/"].iter().any(|folder| path.starts_with(folder));
            if ours && !path.contains(char::is_whitespace) {
                seen += 1;
                assert!(Path::new(CHECKOUT).join(&path).exists(), "{page}: there is no {path}");
            }
        }
    }
    assert!(seen > 10, "only {seen} paths found");
}

/// A line that lost its indent is set as prose, and cannot be copied.
#[test]
fn commands_and_queries_stand_in_blocks_of_code() {
    let begins = ["kubectl ", "helm ", "curl ", "clickup_operator_", "(time()", "time()", "sum ", "rate("];
    for page in all_pages() {
        for line in prose(&read(&page)) {
            let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
            assert!(begins.iter().all(|begin| !line.starts_with(begin)), "{page}: {line}");
        }
    }
}

/// Who pastes a block pastes it into one place: a shell, or Prometheus.
#[test]
fn no_block_mixes_commands_and_queries() {
    let mut seen = 0;
    for page in all_pages() {
        let text = read(&page);
        for block in text.split("\n\n").filter(|block| block.starts_with("    ")) {
            let commands = block.lines().filter(|line| line.trim_start().starts_with("kubectl ")).count();
            let queries = block.matches("clickup_operator_").count();
            assert!(commands == 0 || queries == 0, "{page}:\n{block}");
            seen += commands + queries;
        }
    }
    assert!(seen > 10, "only {seen} found");
}

/// Of several replicas one works, and kubectl would choose any.
#[test]
fn no_command_looks_at_one_replica_of_many() {
    let mut seen = 0;
    for page in all_pages() {
        for line in code(&read(&page)) {
            if ["kubectl logs", "kubectl port-forward", "kubectl exec"]
                .iter()
                .any(|verb| line.starts_with(verb))
            {
                assert!(!line.contains("deployment/"), "{page}: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen > 4, "only {seen} found");
}
