//! What large answers cost: ClickUp inlines all members of a workspace, and only one of them matters; of spaces and channels
//! their ids and names do; of a folder with all its lists, that there is one.
//!
//! One test, because it counts what the whole process allocates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

use clickup_operator::api::{StandardRole, TokenType};
use clickup_operator::clickup::{Answer, Client, ClientOptions, NodeKind, Reply, Role, Token};
use clickup_simulator::client::Account;
use clickup_simulator::messages::WorkspaceChange;
use clickup_simulator::state::{Channel, Folder, List, Space, Workspace};
use clickup_simulator::{Fault, SimulatorClient};
use peak_alloc::PeakAlloc;
use std::path::Path;
use test_support::scratch::ScratchDir;
use test_support::simulator::{SimulatorOptions, SimulatorProcess};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MEMBERS: u64 = 10_000;
const SPACES: usize = 10_000;
const CHANNELS: usize = 5_000;
const LISTS: usize = 20_000;
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn large_answers_add_little() {
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

    // What stays of a first call, connections and the like, belongs to no answer.
    let small = control.add_account("Small").await.unwrap();
    members(&client, &small).await;
    spaces(&client, &small).await;

    let large = add_large_account(&control).await;
    for kind in ["plain", "gzip"] {
        let packed = kind == "gzip";
        let report = |what: &str, bytes: usize, cost: &Cost| {
            let Cost { peak, left } = *cost;
            println!(
                "{what}, {kind}: {bytes} bytes of JSON add {} KiB at most; {left} bytes stay",
                peak / 1024
            );
        };

        let bytes = size_of_answer(&url, &large, "team").await;
        assert!((4_000_000..6_000_000).contains(&bytes), "{bytes} bytes");
        pack(&control, &large, packed).await;
        let cost = members(&client, &large).await;
        report("10,000 members", bytes, &cost);
        assert!(cost.peak < MIB, "{kind}: {} bytes for an answer of {bytes}", cost.peak);
        assert!(cost.left < MIB / 4, "{kind}: {} bytes stay", cost.left);

        let bytes = size_of_answer(&url, &large, &format!("team/{}/space", large.workspace)).await;
        assert!(bytes > 7_000_000, "{bytes} bytes");
        pack(&control, &large, packed).await;
        let cost = spaces(&client, &large).await;
        report("10,000 spaces", bytes, &cost);
        // Their ids and names, which is what they were asked for.
        assert!(cost.peak < 3 * MIB, "{kind}: {} bytes for an answer of {bytes}", cost.peak);
        assert!(cost.left < MIB / 4, "{kind}: {} bytes stay", cost.left);

        let folder = large_folder(&control, &large).await;
        let bytes = size_of_answer(&url, &large, &format!("folder/{folder}")).await;
        assert!((4_500_000..8_000_000).contains(&bytes), "{bytes} bytes");
        pack(&control, &large, packed).await;
        let token = token(&large);
        let cost = measure(client.node(&token, NodeKind::Folder, &folder), |()| {}).await;
        report("a folder of 20,000 lists", bytes, &cost);
        assert!(cost.peak < MIB, "{kind}: {} bytes for an answer of {bytes}", cost.peak);
        assert!(cost.left < MIB / 4, "{kind}: {} bytes stay", cost.left);
    }
    let cost = channels(&client, &large).await;
    println!(
        "{CHANNELS} channels, page by page, add {} KiB at most; {} bytes stay",
        cost.peak / 1024,
        cost.left
    );
    assert!(cost.peak < MIB, "{} bytes", cost.peak);
    assert!(cost.left < MIB / 4, "{} bytes stay", cost.left);
    simulator.stop().await.unwrap();
}

/// How many bytes more than before were in use: at most, and in the end.
struct Cost {
    peak: usize,
    left: usize,
}

impl Cost {
    fn since(before: usize) -> Self {
        let now = HEAP.current_usage();
        Self { peak: HEAP.peak_usage().saturating_sub(before), left: now.saturating_sub(before) }
    }
}

async fn measure<T>(call: impl Future<Output = Reply<T>>, check: impl FnOnce(T)) -> Cost {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    match call.await.answer {
        Answer::Good(value) => check(value),
        Answer::Error { status, body } => panic!("{status} {body:?}"),
        Answer::Unusable(unusable) => panic!("{unusable:?}"),
        Answer::Failed(failure) => panic!("{failure:?}"),
    }
    Cost::since(before)
}

async fn members(client: &Client, account: &Account) -> Cost {
    let (token, user) = (token(account), account.user.to_string());
    let owner = Some(Role::Standard(StandardRole::Owner));
    measure(client.workspaces(&token, &user), |workspaces| assert_eq!(workspaces[0].role, owner)).await
}

async fn spaces(client: &Client, account: &Account) -> Cost {
    let (token, workspace) = (token(account), account.workspace.to_string());
    measure(client.spaces(&token, &workspace), |spaces| assert!([0, SPACES].contains(&spaces.len()))).await
}

/// All pages, of which none is kept.
async fn channels(client: &Client, account: &Account) -> Cost {
    let (token, workspace) = (token(account), account.workspace.to_string());
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let Answer::Good(page) = client.channels(&token, &workspace, cursor.as_deref()).await.answer else {
            panic!("no page after {count} channels")
        };
        count += page.channels.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(count, CHANNELS);
    Cost::since(before)
}

fn token(account: &Account) -> Token {
    Token::parse(account.token.value.as_bytes(), TokenType::Personal).unwrap()
}

async fn add_large_account(control: &SimulatorClient) -> Account {
    let named = |number: usize| format!("The name of number {number}");
    let spaces = (0..SPACES).map(|number| Space { name: named(number), ..Space::default() });
    let channels = (0..CHANNELS).map(|number| Channel::named(named(number)));
    let workspace =
        Workspace { spaces: spaces.collect(), channels: channels.collect(), ..Workspace::default() };
    let account = control.add_account_with(workspace, |token| token.limit = Some(1_000_000)).await.unwrap();
    let members = WorkspaceChange { extra_members: Some(MEMBERS), ..WorkspaceChange::default() };
    control.change_workspace(account.workspace, members).await.unwrap();
    account
}

/// A folder with many lists in a space that the account does not have yet.
async fn large_folder(control: &SimulatorClient, account: &Account) -> String {
    let space = Space { archived: true, ..Space::default() };
    let space = control.add_space(account.workspace, space).await.unwrap();
    let list = |number: usize| List { name: format!("List {number}"), ..List::default() };
    let folder = Folder { lists: (0..LISTS).map(list).collect(), ..Folder::default() };
    control.add_folder(space, folder).await.unwrap().to_string()
}

async fn size_of_answer(url: &str, account: &Account, path: &str) -> usize {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.get(format!("{url}/v2/{path}")).header("authorization", &account.token.value);
    request.send().await.unwrap().bytes().await.unwrap().len()
}

async fn pack(control: &SimulatorClient, account: &Account, packed: bool) {
    if packed {
        let fault = Fault::for_token(&account.token.name).gzip().times(1);
        control.add_fault(fault).await.unwrap();
    }
}
