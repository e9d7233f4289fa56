//! One simulator for all tests; each has an account of its own in it.

use clickup_operator::api::TokenType;
use clickup_operator::clickup::{
    Client, ClientOptions, NoVerdict, NodeVerdict, Reply, Token, TokenVerdict, judge_node, judge_token,
};
use clickup_simulator::state::{Kind, Member, Role, Token as SimulatedToken, User, Workspace};
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

/// A user with a workspace and a token without a limit worth speaking of.
pub struct Account {
    pub control: SimulatorClient,
    pub user: u64,
    pub workspace: String,
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
        let workspace = control.add_workspace(workspace).await.unwrap().to_string();
        let (simulated, kind) = match kind {
            Kind::Personal => (SimulatedToken::personal(user), TokenType::Personal),
            Kind::Oauth => (SimulatedToken::oauth(user), TokenType::OAuth),
        };
        let simulated = SimulatedToken { limit: Some(1_000_000), ..simulated };
        let added = control.add_token(simulated).await.unwrap();
        let token = Token::parse(added.value.as_bytes(), kind).unwrap();
        Self { control, user, workspace, name: added.name, value: added.value, token }
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

    /// How the three calls end with this fault, each in a word, and what no verdict says.
    pub async fn ends(&self, client: &Client, fault: impl Fn(Fault) -> Fault) -> Ends {
        self.arm(&fault).await;
        let user = on_token(client.user(&self.token).await);
        self.disarm().await;
        self.arm(&fault).await;
        let team = on_token(client.workspaces(&self.token, &self.user.to_string()).await);
        self.disarm().await;
        self.arm(&fault).await;
        let probe = on_node(&client.probe_workspace(&self.token, &self.workspace).await);
        self.disarm().await;
        Ends { user: user.0, team: team.0, probe: probe.0, messages: [user.1, team.1, probe.1] }
    }
}

/// How `/user`, `/team` and the probe of a workspace ended.
#[derive(Debug)]
pub struct Ends {
    pub user: String,
    pub team: String,
    pub probe: String,
    /// Of each that ended without a verdict.
    pub messages: [String; 3],
}

impl Ends {
    /// Compares with what the token's calls and the probe should end in.
    pub fn assert(&self, token: &str, probe: &str, row: impl Debug) {
        let ends = [self.user.as_str(), &self.team, &self.probe];
        assert_eq!(ends, [token, token, probe], "{row:?}: {:?}", self.messages);
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
pub fn on_node(reply: &Reply<()>) -> (String, String) {
    match judge_node(&reply.answer, reply.rate_limit.reset_in) {
        NodeVerdict::NoVerdict(NoVerdict { reason, message, .. }) => (reason.to_string(), message),
        verdict => (format!("{verdict:?}"), String::new()),
    }
}
