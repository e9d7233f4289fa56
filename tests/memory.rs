//! What a large answer costs: ClickUp inlines all members of a workspace, and only one of them matters.
//!
//! One test, because it counts what the whole process allocates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

use clickup_operator::api::{TokenType, WorkspaceRole};
use clickup_operator::clickup::{Answer, Client, ClientOptions, Token};
use clickup_simulator::client::Account;
use clickup_simulator::messages::WorkspaceChange;
use clickup_simulator::{Fault, SimulatorClient};
use peak_alloc::PeakAlloc;
use std::path::Path;
use test_support::scratch::ScratchDir;
use test_support::simulator::{SimulatorOptions, SimulatorProcess};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MEMBERS: u64 = 10_000;
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn ten_thousand_members_add_less_than_a_mebibyte() {
    test_support::install_crypto_provider();
    let scratch = ScratchDir::create("memory").unwrap();
    // In a process of its own: only the client is to be measured.
    let binary = Path::new(env!("CARGO_BIN_EXE_clickup-operator")).with_file_name("clickup-simulator");
    let options = SimulatorOptions { binary, ..SimulatorOptions::default() };
    let simulator = SimulatorProcess::start(options, &scratch).await.unwrap();
    let control = simulator.client().unwrap();
    let url = simulator.endpoints().clickup_url.clone();
    let client = Client::new(ClientOptions {
        url: url.parse().unwrap(),
        allow_insecure_http: true,
        ca_file: None,
        proxy: None,
        max_body: 64 * MIB as u64,
        connections: 4,
    });
    let client = client.unwrap();

    let small = control.add_account("Small").await.unwrap();
    measure(&client, &small).await;

    let large = control.add_account("Large").await.unwrap();
    let members = WorkspaceChange { extra_members: Some(MEMBERS), ..WorkspaceChange::default() };
    control.change_workspace(large.workspace, members).await.unwrap();
    let bytes = size_of_answer(&url, &large).await;
    assert!((4_000_000..6_000_000).contains(&bytes), "{bytes} bytes");

    for kind in ["plain", "gzip"] {
        if kind == "gzip" {
            pack(&control, &large).await;
        }
        let (peak, left) = measure(&client, &large).await;
        println!("{kind}: {bytes} bytes of JSON add {} KiB at most; {left} bytes stay", peak / 1024);
        assert!(peak < MIB, "{kind}: {peak} bytes for an answer of {bytes}");
        assert!(left < MIB / 4, "{kind}: {left} bytes stay");
    }
    simulator.stop().await.unwrap();
}

/// How many bytes more than before were in use at most while the workspaces were asked for, and after it.
async fn measure(client: &Client, account: &Account) -> (usize, usize) {
    let token = Token::parse(account.token.value.as_bytes(), TokenType::Personal).unwrap();
    let user = account.user.to_string();
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let reply = client.workspaces(&token, &user).await;
    let peak = HEAP.peak_usage().saturating_sub(before);
    let Answer::Good(workspaces) = reply.answer else { panic!("{:?}", reply.answer) };
    assert_eq!(workspaces[0].role, Some(WorkspaceRole::Owner));
    drop(workspaces);
    (peak, HEAP.current_usage().saturating_sub(before))
}

async fn size_of_answer(url: &str, account: &Account) -> usize {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.get(format!("{url}/v2/team")).header("authorization", &account.token.value);
    request.send().await.unwrap().bytes().await.unwrap().len()
}

async fn pack(control: &SimulatorClient, account: &Account) {
    control.add_fault(Fault::for_token(&account.token.name).gzip()).await.unwrap();
}
