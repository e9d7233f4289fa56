//! Some minutes with everything in them that a dashboard is looked at for.

use std::time::Duration;

use clickup_simulator::client::Account;
use clickup_simulator::state::{Channel, List, Space, Workspace};
use serde_json::{Value, json};
use test_support::case::Case;
use test_support::stack::Stack;
use tokio::time::{Instant, sleep_until};

use crate::Failure;

const NAMESPACES: [&str; 4] = ["platform", "payments", "data", "docs"];
const NAMES: [&str; 5] = ["release-bot", "reports", "sync", "alerts", "archive"];
/// Requests a minute, as ClickUp grants them to most.
const LIMIT: u64 = 100;

/// What happens, at which part of the time.
#[derive(Clone, Copy)]
enum Happening {
    Suspend,
    Revoke,
    SecretGone,
    UsedUp,
    WorkspaceGone,
    OutageBegins,
    OutageEnds,
    SecretBack,
    Replace,
}

const STORY: [(f64, Happening); 11] = [
    (0.15, Happening::Suspend),
    (0.20, Happening::Revoke),
    (0.25, Happening::SecretGone),
    (0.30, Happening::UsedUp),
    (0.40, Happening::WorkspaceGone),
    (0.50, Happening::OutageBegins),
    (0.66, Happening::OutageEnds),
    (0.72, Happening::UsedUp),
    (0.78, Happening::SecretBack),
    (0.84, Happening::Replace),
    (0.96, Happening::UsedUp),
];

/// Lives for so long.
pub(crate) async fn live(stack: &Stack, lasting: Duration) -> Result<(), Failure> {
    let begin = Instant::now();
    stack.simulator.client()?.set_latency(Duration::from_millis(20)).await?;
    let mut cases = Vec::new();
    for name in NAMESPACES {
        cases.push(Case::new(name, &stack.control_plane, &stack.simulator).await);
    }
    let mut accounts = Vec::new();
    for case in &cases {
        for (n, name) in NAMES.into_iter().enumerate() {
            accounts.push(settle(case, n, name).await?);
        }
    }
    // One team uses another's token.
    cases[1].connection("borrowed", json!({"connectionRef": cases[0].reference(NAMES[0])})).await;
    for (part, happening) in STORY {
        sleep_until(begin + lasting.mul_f64(part)).await;
        let (case, account) = (&cases[2], |n: usize| &accounts[2 * NAMES.len() + n]);
        match happening {
            Happening::Suspend => cases[3].edit("archive", json!({"spec": {"suspend": true}})).await,
            Happening::Revoke => case.clickup.revoke(&account(1).token.name).await?,
            Happening::SecretGone => cases[1].no_secret("alerts").await,
            Happening::UsedUp => case.clickup.spend(&account(2).token.name, LIMIT - 10).await?,
            Happening::WorkspaceGone => case.clickup.remove_workspace(account(3).workspace).await?,
            Happening::OutageBegins => case.clickup.set_up(false).await?,
            Happening::OutageEnds => case.clickup.set_up(true).await?,
            Happening::SecretBack => {
                let back = cases[1].account().await;
                cases[1].secret("alerts", &back.token.value).await;
            }
            Happening::Replace => {
                let replaced = case.clickup.regenerate(&account(1).token.name).await?;
                case.secret(NAMES[1], &replaced.value).await;
            }
        }
        if matches!(happening, Happening::UsedUp) {
            case.annotate(NAMES[2], &format!("at {part}")).await;
        }
    }
    sleep_until(begin + lasting).await;
    Ok(())
}

/// A connection with all that can be asked for, checked as often as may be.
async fn settle(case: &Case<'_>, n: usize, name: &str) -> Result<Account, Failure> {
    let workspace = Workspace { name: format!("{} {name}", case.namespace), ..Workspace::default() };
    let account = case.clickup.add_account_with(workspace, |token| token.limit = Some(LIMIT)).await?;
    let space = Space { name: "Engineering".to_owned(), ..Space::default() };
    let space = case.clickup.add_space(account.workspace, space).await?;
    let list = List { name: "Inbox".to_owned(), ..List::default() };
    let list = case.clickup.add_list_to_space(space, list).await?;
    case.clickup
        .add_channel(account.workspace, Channel { name: "releases".to_owned(), ..Channel::default() })
        .await?;
    case.secret(name, &account.token.value).await;
    let mut spec: Value = json!({"interval": "1m", "outageGracePeriod": "40s",
        "defaultWorkspace": {"id": account.workspace.to_string()}});
    if n == 0 {
        spec["sharing"] = json!({"scope": "Cluster"});
        spec["channel"] = json!({"name": "releases"});
        spec["outageGracePeriod"] = json!("30m");
    }
    if n == 2 {
        spec["access"] = json!([{"space": {"name": "Engineering"}}, {"list": {"id": list.to_string()}}]);
    }
    case.connection(name, spec).await;
    Ok(account)
}
