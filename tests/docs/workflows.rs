//! The workflows of GitHub: what they pin, what they may, and what they run. `make lint-workflows` does the rest.

use crate::pages::{CHECKOUT, read};
use serde_json::Value;
use std::{fs, path::Path};

/// Each workflow by its path, as text and as YAML.
fn workflows() -> Vec<(String, String, Value)> {
    let folder = ".github/workflows";
    let files = fs::read_dir(Path::new(CHECKOUT).join(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let workflows: Vec<_> = names
        .map(|name| {
            let path = format!("{folder}/{name}");
            let text = read(&path);
            let parsed = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
            (path, text, parsed)
        })
        .collect();
    assert!(workflows.len() > 1, "{workflows:?}");
    workflows
}

#[test]
fn every_action_is_pinned_by_commit_and_says_which_version_that_is() {
    for (path, text, _) in workflows() {
        let uses: Vec<_> = text.lines().filter_map(|line| line.split_once("uses: ")).collect();
        assert!(!uses.is_empty(), "{path}");
        for (_, action) in uses {
            let (reference, version) = action.split_once(" # ").unwrap_or((action, ""));
            let commit = reference.split_once('@').map(|(_, commit)| commit).unwrap_or_default();
            let pinned = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(pinned && version.starts_with('v'), "{path}: {action}");
        }
    }
}

#[test]
fn permissions_are_named_for_each_job_and_nothing_is_left_to_the_default() {
    for (path, _, workflow) in workflows() {
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{path}");
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["permissions"].is_object(), "{path}, {name}: no permissions");
            assert!(job["timeout-minutes"].is_u64(), "{path}, {name}: no timeout");
            for step in job["steps"].as_array().unwrap() {
                let checks_out =
                    step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/checkout@"));
                assert!(
                    !checks_out || step["with"]["persist-credentials"] == false,
                    "{path}, {name}: the token stays in the checkout"
                );
            }
        }
    }
}

#[test]
fn what_they_run_is_there() {
    let makefile = read("Makefile");
    let (mut targets, mut files) = (0, 0);
    for (path, text, workflow) in workflows() {
        for line in text.lines() {
            let command = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
            if let Some(arguments) = command.strip_prefix("make ") {
                let target = arguments.split_whitespace().find(|word| !word.starts_with('-')).unwrap();
                assert!(makefile.contains(&format!("\n{target}:")), "{path}: there is no `make {target}`");
                targets += 1;
            }
        }
        for job in workflow["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().unwrap() {
                if let Some(file) = step["with"]["go-version-file"].as_str() {
                    assert!(Path::new(CHECKOUT).join(file).is_file(), "{path}: there is no {file}");
                    files += 1;
                }
            }
        }
    }
    assert!(targets > 1 && files > 1, "{targets} targets, {files} files");
    assert!(read(".github/workflows/ci.yaml").contains("run: bash .ci/run"));
}
