//! Flags that cannot be used: what is said, before anything is started.

use crate::OPERATOR;
use std::process::Command;

#[test]
fn what_cannot_be_used_is_refused_with_a_word_on_what_to_write() {
    for (argument, says) in [
        ("--clickup-url=api.clickup.com", "write one such as https://api.clickup.com/api"),
        ("--metrics-addr=8080", "such as 0.0.0.0:8080"),
        ("--health-addr=localhost:8081", "write an address and a port"),
        ("--watch-namespaces=", "write names of namespaces separated by commas"),
        ("--watch-namespaces=team-a,", "write names of namespaces separated by commas"),
        ("--watch-namespaces=team-a, team-b", "write names of namespaces separated by commas"),
        ("--watch-namespaces=*", "or leave the flag out to watch all"),
        ("--watch-label-selector=", "a requirement is empty"),
        (
            "--watch-label-selector=shard of (a)",
            "write requirements separated by commas, such as \"shard=a\"",
        ),
        ("--secret-access=list", "[possible values: watch, get]"),
        ("--secret-poll-interval=soon", "\"soon\" is not a duration"),
        ("--secret-poll-interval=0s", "write a duration from 1s to 24h"),
        ("--secret-poll-interval=25h", "write a duration from 1s to 24h"),
        ("--leader-election-lease-duration=15", "\"15\" is not a duration"),
        ("--leader-election-lease-duration=2s", "write a duration from 3s to 10m"),
        ("--leader-election-lease-duration=11m", "write a duration from 3s to 10m"),
    ] {
        let (flag, value) = argument.split_once('=').unwrap();
        let variable = format!("CLICKUP_OPERATOR_{}", flag[2..].replace('-', "_").to_uppercase());
        let mut by_flag = Command::new(OPERATOR);
        by_flag.args(["run", argument]);
        let mut by_environment = Command::new(OPERATOR);
        by_environment.arg("run").env(variable, value);
        for mut command in [by_flag, by_environment] {
            let output = command.env("KUBECONFIG", "/dev/null").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{argument}: {said}");
            assert!(said.contains(says) && said.contains(flag), "{argument}: {said}");
        }
    }
}

#[test]
fn the_password_of_a_proxy_is_shown_by_nothing() {
    let variable = "CLICKUP_OPERATOR_PROXY";
    for (proxy, argument, status) in [
        ("http://me:hunter2@proxy:3128", "--help", 0),
        ("//me:hunter2@proxy:3128", "--log-format=text", 1),
        ("me:hunter2@proxy:3128", "--log-format=text", 1),
    ] {
        let mut command = Command::new(OPERATOR);
        command.args(["run", argument]).env(variable, proxy).env("KUBECONFIG", "/dev/null");
        let output = command.output().unwrap();
        let said =
            [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains("--proxy") && !said.contains("hunter2"), "{said}");
    }
}
