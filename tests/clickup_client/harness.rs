//! One simulator for all tests; each has an account of its own in it.

use clickup_operator::api::TokenType;
use clickup_operator::clickup::{
    Client, ClientOptions, NoVerdict, NodeKind, NodeVerdict, Reply, Token, TokenVerdict, judge_node,
    judge_token,
};
use clickup_simulator::messages::LogQuery;
use clickup_simulator::state::{
    Channel, Folder, Kind, List, Member, Role, Space, Task, Token as SimulatedToken, User, Workspace,
};
use clickup_simulator::{Fault, Options, Simulator, SimulatorClient, TlsEndpoints};
use reqwest::Url;
use std::fmt::Debug;
use std::sync::OnceLock;

/// What a call of a test may take at most.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

pub fn simulator() -> &'static Simulator {
    static SHARED: OnceLock<Simulator> = OnceLock::new();
    SHARED.get_or_init(|| Simulator::start_on_own_thread(Options::default().with_tls()).unwrap())
}

pub fn tls_endpoints() -> &'static TlsEndpoints {
    simulator().endpoints().tls.as_ref().unwrap()
}

/// For a base URL, with nothing special.
pub fn options(url: &str) -> ClientOptions {
    ClientOptions {
        url: Url::parse(url).unwrap(),
        allow_insecure_http: true,
        ca_file: None,
        proxy: None,
        max_body: 64 * 1024 * 1024,
        connections: 4,
    }
}

pub fn client_for(options: ClientOptions) -> Client {
    test_support::install_crypto_provider();
    Client::new(options).unwrap()
}

/// A client of the simulator.
pub fn client() -> Client {
    client_for(options(simulator().clickup_url()))
}

/// A call of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    User,
    Team,
    Spaces,
    Channels,
    Node(NodeKind),
}

pub const NODES: [NodeKind; 4] = [NodeKind::Space, NodeKind::Folder, NodeKind::List, NodeKind::Task];

impl Call {
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Team,
        Self::Spaces,
        Self::Channels,
        Self::Node(NodeKind::Space),
        Self::Node(NodeKind::Folder),
        Self::Node(NodeKind::List),
        Self::Node(NodeKind::Task),
    ];

    /// Not about an id.
    pub fn is_about_the_token(self) -> bool {
        matches!(self, Self::User | Self::Team)
    }
}

/// A user with a workspace that has one of everything, and a token without a limit worth speaking of.
pub struct Account {
    pub control: SimulatorClient,
    pub user: u64,
    pub workspace: String,
    pub space: String,
    pub folder: String,
    pub list: String,
    pub task: String,
    pub channel: String,
    /// What faults and the log call the token.
    pub name: String,
    pub value: String,
    pub token: Token,
}

impl Account {
    pub async fn new() -> Self {
        Self::with(Kind::Personal).await
    }

    pub async fn with(kind: Kind) -> Self {
        let control = simulator().client().unwrap();
        let user = control.add_user(User::default()).await.unwrap();
        let members = vec![Member::new(user, Role::OWNER)];
        let workspace = Workspace { name: "Acme".to_owned(), members, ..Workspace::default() };
        let workspace = control.add_workspace(workspace).await.unwrap();
        let space = Space { name: "Engineering".to_owned(), ..Space::default() };
        let space = control.add_space(workspace, space).await.unwrap();
        let folder = control.add_folder(space, Folder::default()).await.unwrap();
        let list = control.add_list_to_folder(folder, List::default()).await.unwrap();
        let task = control.add_task(list, Task::default()).await.unwrap();
        let channel = control.add_channel(workspace, Channel::named("releases")).await.unwrap();
        let (simulated, kind) = match kind {
            Kind::Personal => (SimulatedToken::personal(user), TokenType::Personal),
            Kind::Oauth => (SimulatedToken::oauth(user), TokenType::OAuth),
        };
        let simulated = SimulatedToken { limit: Some(1_000_000), ..simulated };
        let added = control.add_token(simulated).await.unwrap();
        let token = Token::parse(added.value.as_bytes(), kind).unwrap();
        let [workspace, space, folder, list] = [workspace, space, folder, list].map(|id| id.to_string());
        let (name, value) = (added.name, added.value);
        Self { control, user, workspace, space, folder, list, task, channel, name, value, token }
    }

    /// The id of the node that it has of this kind.
    pub fn node(&self, kind: NodeKind) -> &str {
        match kind {
            NodeKind::Space => &self.space,
            NodeKind::Folder => &self.folder,
            NodeKind::List => &self.list,
            NodeKind::Task => &self.task,
        }
    }

    /// The path of a call about what the account has.
    pub fn path(&self, call: Call) -> String {
        match call {
            Call::User => "/v2/user".to_owned(),
            Call::Team => "/v2/team".to_owned(),
            Call::Spaces => format!("/v2/team/{}/space", self.workspace),
            Call::Channels => format!("/v3/workspaces/{}/chat/channels", self.workspace),
            Call::Node(kind) => format!("/v2/{kind}/{}", self.node(kind)),
        }
    }

    /// Arms a fault for the next request with the token.
    pub async fn arm(&self, fault: impl FnOnce(Fault) -> Fault) {
        let fault = fault(Fault::for_token(&self.name).times(1));
        self.control.add_fault(fault).await.unwrap();
    }

    /// Disarms what was not used up.
    pub async fn disarm(&self) {
        self.control.clear_faults(Some(&self.name)).await.unwrap();
    }

    /// Path and query of what was asked with the token.
    pub async fn asked(&self) -> Vec<(String, String)> {
        let of_token = LogQuery { token: Some(self.name.clone()), ..LogQuery::default() };
        let log = self.control.log(&of_token).await.unwrap();
        log.entries.into_iter().map(|entry| (entry.path, entry.query)).collect()
    }

    /// How a call ends, in a word, and what it says without a verdict.
    pub async fn ask(&self, client: &Client, call: Call) -> (String, String) {
        let token = &self.token;
        match call {
            Call::User => on_token(client.user(token).await),
            Call::Team => on_token(client.workspaces(token, &self.user.to_string()).await),
            Call::Spaces => on_node(client.spaces(token, &self.workspace).await),
            Call::Channels => on_node(client.channels(token, &self.workspace, None).await),
            Call::Node(kind) => on_node(client.node(token, kind, self.node(kind)).await),
        }
    }

    /// How all calls end.
    pub async fn ask_all(&self, client: &Client) -> Ends {
        let mut ends = Ends::default();
        for call in Call::ALL {
            ends.add(call, self.ask(client, call).await);
        }
        ends
    }

    /// How all calls end with this fault.
    pub async fn ends(&self, client: &Client, fault: impl Fn(Fault) -> Fault) -> Ends {
        let mut ends = Ends::default();
        for call in Call::ALL {
            self.arm(&fault).await;
            ends.add(call, self.ask(client, call).await);
            self.disarm().await;
        }
        ends
    }
}

/// How the calls ended.
#[derive(Debug, Default)]
pub struct Ends {
    words: Vec<(Call, String)>,
    /// Of each that ended without a verdict.
    pub messages: Vec<String>,
}

impl Ends {
    fn add(&mut self, call: Call, (word, message): (String, String)) {
        self.words.push((call, word));
        self.messages.push(message);
    }

    /// Compares with what the token's calls and those on an id should end in.
    pub fn assert(&self, token: &str, node: &str, row: impl Debug) {
        for (call, word) in &self.words {
            let expected = if call.is_about_the_token() { token } else { node };
            assert_eq!(word, expected, "{row:?}: {call:?}: {:?}", self.messages);
        }
        for message in &self.messages {
            assert_speakable(message);
        }
    }
}

/// A message for people: one bounded line, and nothing of the server's.
pub fn assert_speakable(message: &str) {
    assert!(message.len() <= 512 && !message.contains(['\n', '<', '{']), "{message}");
    assert!(!message.contains("made up"), "the server's text: {message}");
}

/// How an answer to `/user` or `/team` ends, in a word, and what it says without a verdict.
pub fn on_token<T>(reply: Reply<T>) -> (String, String) {
    match judge_token(reply.answer, reply.rate_limit.reset_in) {
        TokenVerdict::Valid(_) => ("Valid".to_owned(), String::new()),
        TokenVerdict::Rejected => ("Rejected".to_owned(), String::new()),
        TokenVerdict::NoVerdict(NoVerdict { reason, message, .. }) => (reason.to_string(), message),
    }
}

/// The same of a call on an id.
pub fn on_node<T>(reply: Reply<T>) -> (String, String) {
    let word = match judge_node(reply.answer, reply.rate_limit.reset_in).map(drop) {
        NodeVerdict::Granted(()) => "Granted",
        NodeVerdict::NotFound => "NotFound",
        NodeVerdict::Denied => "Denied",
        NodeVerdict::PlanRequired => "PlanRequired",
        NodeVerdict::TokenDead => "TokenDead",
        NodeVerdict::NoVerdict(NoVerdict { reason, message, .. }) => return (reason.to_string(), message),
    };
    (word.to_owned(), String::new())
}
