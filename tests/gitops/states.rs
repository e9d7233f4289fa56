//! Connections in every state that there is, made by the real operator on a real API server.

use clickup_simulator::{
    client::Account,
    fault::Fault,
    state::{Channel, Member, Refusal, Role, Token, User, Workspace},
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use test_support::{
    case::{Case, SOON, is},
    control_plane::{ControlPlane, Options},
    operator::{OperatorOptions, OperatorProcess},
    simulator::{SimulatorOptions, SimulatorProcess},
    stack, wait,
};

const OPERATOR: &str = env!("CARGO_BIN_EXE_clickup-operator");
const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");
/// What a check takes that does not end as long as somebody looks.
const LONG: Duration = Duration::from_secs(120);

// The rows of the table of docs/gitops.md.
pub const NEW: &str = "not checked yet";
pub const EDITED: &str = "edited, not checked since";
pub const VERIFIED: &str = "everything asked for works";
pub const GRACE: &str = "verified, ClickUp cannot be asked now";
pub const STALLED: &str = "only an edit of the connection or of its Secret helps";
pub const REFUSED: &str = "something is missing or refused";
pub const OPEN: &str = "cannot be asked, and nothing verified stands";
pub const SUSPENDED: &str = "suspended, verified before";
pub const SUSPENDED_REFUSED: &str = "suspended, missing or refused before";
pub const SUSPENDED_STALLED: &str = "suspended, stalled before";
pub const SUSPENDED_OPEN: &str = "suspended before a check";

/// A connection as the API server had it.
pub struct State {
    /// The row that it belongs to.
    pub row: &'static str,
    pub object: Value,
}

impl State {
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    /// Status and reason of `Ready`.
    pub fn ready(&self) -> (&str, &str) {
        is(&self.object["status"], "Ready")
    }
}

/// Makes all of them, in half a minute.
pub async fn all() -> Vec<State> {
    let ground = Ground::start().await;
    ground.before_the_operator().await;
    let operator = ground.operator(&ground.simulator.endpoints().clickup_url).await;
    tokio::join!(
        ground.tokens(),
        ground.workspaces(),
        ground.channels_and_access(),
        ground.others_tokens(),
        ground.outages(),
        ground.edits(),
        ground.suspended(),
    );
    ground.unreadable_secret().await;
    operator.stop().await.unwrap();
    ground.broken_tls().await;
    let Ground { simulator, control_plane, states, .. } = ground;
    simulator.stop().await.unwrap();
    control_plane.stop().await.unwrap();
    states.into_inner().unwrap()
}

/// What the connections are made on, and those made so far.
struct Ground {
    simulator: SimulatorProcess,
    control_plane: ControlPlane,
    kubeconfig: std::path::PathBuf,
    namespace: String,
    states: std::sync::Mutex<Vec<State>>,
}

impl Ground {
    async fn start() -> Self {
        let control_plane = ControlPlane::start(Options::default()).await.unwrap();
        let binary = Path::new(OPERATOR).with_file_name("clickup-simulator");
        let options = SimulatorOptions { binary, ..SimulatorOptions::default() };
        let simulator = SimulatorProcess::start(options, control_plane.scratch()).await.unwrap();
        let kubeconfig = stack::install_rbac(&control_plane, Path::new(CHECKOUT)).await.unwrap();
        let namespace = control_plane.fresh_namespace("gitops").await.unwrap();
        Self { simulator, control_plane, kubeconfig, namespace, states: std::sync::Mutex::default() }
    }

    async fn operator(&self, clickup_url: &str) -> OperatorProcess {
        let options = OperatorOptions {
            binary: OPERATOR.into(),
            clickup_url: clickup_url.to_owned(),
            kubeconfig: self.kubeconfig.clone(),
            log_level: "debug".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
        };
        OperatorProcess::start(options, self.control_plane.scratch()).await.unwrap()
    }

    async fn case(&self) -> Case<'_> {
        Case::in_namespace(self.namespace.clone(), &self.control_plane, &self.simulator).await
    }

    fn keep(&self, row: &'static str, object: Value) {
        self.states.lock().unwrap().push(State { row, object });
    }

    /// Waits until Ready is so, and keeps the connection.
    async fn until(&self, case: &Case<'_>, row: &'static str, name: &str, ready: (&str, &str)) {
        let object = case.until_ready(name, ready.0, ready.1).await;
        self.keep(row, object);
    }

    /// What is stored before the schema forbids it, and what nobody has seen yet.
    async fn before_the_operator(&self) {
        stack::install_loose_crd(&self.control_plane, Path::new(CHECKOUT)).await.unwrap();
        let case = self.case().await;
        case.connection("invalid", json!({"interval": "soon"})).await;
        stack::install_crd(&self.control_plane, Path::new(CHECKOUT)).await.unwrap();
        case.connection("created", json!({})).await;
        self.keep(NEW, case.get("created").await);
    }

    /// What a Secret can hold that is no good token.
    async fn tokens(&self) {
        let case = self.case().await;
        let rows = [
            ("empty", json!({"token": " \n"}), "TokenEmpty"),
            ("malformed", json!({"token": "Bearer pk_1_A"}), "TokenMalformed"),
            ("mismatch", json!({"token": "hunter2"}), "TokenTypeMismatch"),
            ("rejected", json!({"token": "pk_1_NOBODYKNOWSTHIS"}), "TokenRejected"),
            ("other-key", json!({"other": "pk_1_A"}), "SecretKeyNotFound"),
        ];
        for (name, data, _) in &rows {
            case.secret_with(name, json!({"stringData": data})).await;
            case.connection(name, json!({})).await;
        }
        case.connection("missing", json!({})).await;
        for (name, _, reason) in &rows {
            let row = if *name == "other-key" { REFUSED } else { STALLED };
            self.until(&case, row, name, ("False", reason)).await;
        }
        self.until(&case, REFUSED, "missing", ("False", "SecretNotFound")).await;
        self.until(&case, STALLED, "invalid", ("False", "InvalidSpec")).await;
    }

    async fn workspaces(&self) {
        let case = self.case().await;
        let lonely = case.clickup.add_user(User::default()).await.unwrap();
        let lonely = case.clickup.add_token(Token::personal(lonely)).await.unwrap();
        case.secret("lonely", &lonely.value).await;
        case.connection("lonely", json!({})).await;

        let account = case.account().await;
        for _ in 0..2 {
            let members = vec![Member::new(account.user, Role::OWNER)];
            let twin = Workspace { name: "Twin".into(), members, ..Workspace::default() };
            case.clickup.add_workspace(twin).await.unwrap();
        }
        let (refused, unpaid) = (case.account().await, case.account().await);
        case.clickup.refuse(&refused.token.name, Refusal::by(refused.workspace)).await.unwrap();
        let spaces = format!("/v2/team/{}/space", unpaid.workspace);
        let plan = Fault::for_token(&unpaid.token.name).on(&spaces).plan_required();
        case.clickup.add_fault(plan).await.unwrap();

        let rows = [
            ("verified", &account, json!({}), "Verified"),
            ("nowhere", &account, json!({"defaultWorkspace": {"name": "Nowhere"}}), "WorkspaceNotFound"),
            ("ambiguous", &account, json!({"defaultWorkspace": {"name": "Twin"}}), "WorkspaceAmbiguous"),
            ("not-selected", &account, json!({"channel": {"name": "general"}}), "WorkspaceNotSelected"),
            ("refused", &refused, json!({}), "WorkspaceAccessDenied"),
            ("unpaid", &unpaid, json!({}), "PlanRequired"),
        ];
        for (name, account, spec, _) in &rows {
            demand(&case, name, account, spec.clone()).await;
        }
        self.until(&case, REFUSED, "lonely", ("False", "NoWorkspaces")).await;
        for (name, _, _, reason) in &rows {
            let (row, status) = if *reason == "Verified" { (VERIFIED, "True") } else { (REFUSED, "False") };
            self.until(&case, row, name, (status, reason)).await;
        }
    }

    async fn channels_and_access(&self) {
        let case = self.case().await;
        let channels = vec![Channel::named("twin"), Channel::named("twin")];
        let workspace = Workspace { name: "Chatty".into(), channels, ..Workspace::default() };
        let account = case.clickup.add_account_with(workspace, |_| {}).await.unwrap();
        let silent = case.account().await;
        case.clickup.refuse(&silent.token.name, Refusal::by_chat_of(silent.workspace)).await.unwrap();
        let guest = case.account().await;
        let member = Member::new(guest.user, Role::GUEST);
        case.clickup.put_member(guest.workspace, member).await.unwrap();
        let rows = [
            ("no-channel", &account, json!({"channel": {"name": "nope"}}), "ChannelNotFound"),
            ("two-channels", &account, json!({"channel": {"name": "twin"}}), "ChannelAmbiguous"),
            ("no-chat", &silent, json!({"channel": {"name": "general"}}), "ChannelAccessDenied"),
            ("no-list", &account, json!({"access": [{"list": {"id": "7"}}]}), "AccessDenied"),
            ("guest", &guest, json!({"minimumRole": "Admin"}), "RoleTooLow"),
        ];
        for (name, account, spec, _) in &rows {
            demand(&case, name, account, spec.clone()).await;
        }
        for (name, _, _, reason) in &rows {
            self.until(&case, REFUSED, name, ("False", reason)).await;
        }
    }

    /// Connections that use the token of another.
    async fn others_tokens(&self) {
        let case = self.case().await;
        case.connection("owner-without-secret", json!({})).await;
        for (name, owner, reason) in [
            ("not-shared", "nobody", "ConnectionNotShared"),
            ("owner-not-ready", "owner-without-secret", "ConnectionNotReady"),
        ] {
            case.connection(name, json!({"connectionRef": case.reference(owner)})).await;
            self.until(&case, REFUSED, name, ("False", reason)).await;
        }
    }

    /// ClickUp cannot be asked, from the first check on, or after a good one.
    async fn outages(&self) {
        let case = self.case().await;
        let down = || Fault::for_token("").error(503, "", "down");
        let rows = [
            ("server-error", down(), "ServerError"),
            ("portal", Fault::for_token("").html(200), "UnexpectedResponse"),
            ("reset", Fault::for_token("").reset(), "ConnectFailed"),
            ("request-refused", Fault::for_token("").error(403, "", "no"), "RequestRefused"),
            ("slow", Fault::for_token("").delay(LONG), "TimedOut"),
            ("limited", Fault::for_token("").rate_limited().set_header("retry-after", "60"), "RateLimited"),
        ];
        for (name, fault, reason) in rows {
            let account = case.account().await;
            let fault = Fault { token: Some(account.token.name.clone()), ..fault };
            case.clickup.add_fault(fault.on("/v2/user")).await.unwrap();
            demand(&case, name, &account, json!({"timeout": "1s"})).await;
            self.until(&case, OPEN, name, ("Unknown", reason)).await;
        }
        for (name, grace, row, status) in
            [("within-grace", "30m", GRACE, "True"), ("after-grace", "0s", OPEN, "Unknown")]
        {
            let account = case.verified(name, json!({"outageGracePeriod": grace})).await;
            let fault = Fault { token: Some(account.token.name.clone()), ..down() };
            case.clickup.add_fault(fault).await.unwrap();
            case.annotate(name, "1").await;
            let object = case.until_handled(name, "1").await;
            assert_eq!(is(&object["status"], "Ready").0, status, "{name}");
            assert_eq!(is(&object["status"], "Reachable"), ("False", "ServerError"), "{name}");
            self.keep(row, object);
        }
        let account = case.verified("rate-limited", json!({})).await;
        let limited = Fault::for_token(&account.token.name).rate_limited().set_header("retry-after", "60");
        case.clickup.add_fault(limited).await.unwrap();
        case.annotate("rate-limited", "1").await;
        let object = case.until("rate-limited", "limited", |s| is(s, "RateLimited").0 == "True").await;
        self.keep(GRACE, object);
    }

    /// A check is under way.
    async fn edits(&self) {
        let case = self.case().await;
        let account = case.account().await;
        let slow = |account: &Account| Fault::for_token(&account.token.name).on("/v2/user").delay(LONG);
        case.clickup.add_fault(slow(&account)).await.unwrap();
        demand(&case, "checking", &account, json!({"timeout": "2m"})).await;
        self.until(&case, NEW, "checking", ("Unknown", "Checking")).await;

        for (name, before) in [("edited-good", "True"), ("edited-bad", "False")] {
            let account = case.account().await;
            let workspace = if before == "True" { case.namespace.as_str() } else { "Nowhere" };
            demand(&case, name, &account, json!({"timeout": "2m", "defaultWorkspace": {"name": workspace}}))
                .await;
            case.until(name, before, |s| is(s, "Ready").0 == before).await;
            case.clickup.add_fault(slow(&account)).await.unwrap();
            // What is known of the workspaces for a minute does not tell about a list.
            let lists = Fault::for_token(&account.token.name).on("/v2/list/*").delay(LONG);
            case.clickup.add_fault(lists).await.unwrap();
            case.edit(name, json!({"spec": {"access": [{"list": {"id": "7"}}], "tokenType": "Personal"}}))
                .await;
            let object = case.get(name).await;
            assert_eq!(object["status"]["observedGeneration"], 1, "{name}: the check does not end so soon");
            self.keep(EDITED, object);
        }
    }

    async fn suspended(&self) {
        let case = self.case().await;
        case.verified("paused", json!({})).await;
        let account = case.account().await;
        demand(&case, "paused-refused", &account, json!({"defaultWorkspace": {"name": "Nowhere"}})).await;
        case.until_ready("paused-refused", "False", "WorkspaceNotFound").await;
        case.secret("paused-stalled", "pk_1_NOBODYKNOWSTHISEITHER").await;
        case.connection("paused-stalled", json!({})).await;
        case.until_ready("paused-stalled", "False", "TokenRejected").await;
        for (name, row) in [
            ("paused", SUSPENDED),
            ("paused-refused", SUSPENDED_REFUSED),
            ("paused-stalled", SUSPENDED_STALLED),
        ] {
            case.edit(name, json!({"spec": {"suspend": true}})).await;
            let object = case.until(name, "suspended", |s| s["observedGeneration"] == 2).await;
            self.keep(row, object);
        }
        demand(&case, "born-paused", &account, json!({"suspend": true})).await;
        case.connection("of-paused", json!({"connectionRef": case.reference("born-paused")})).await;
        for name in ["born-paused", "of-paused"] {
            self.until(&case, SUSPENDED_OPEN, name, ("Unknown", "Suspended")).await;
        }
    }

    /// The API server refuses the operator the Secret.
    async fn unreadable_secret(&self) {
        let case = self.case().await;
        let roles: Api<k8s_openapi::api::rbac::v1::ClusterRole> = Api::all(case.client.clone());
        let mut role = roles.get("clickup-operator").await.unwrap();
        for rule in role.rules.iter_mut().flatten() {
            if rule.resources.iter().flatten().any(|resource| resource == "secrets") {
                rule.verbs.retain(|verb| verb != "get");
            }
        }
        let patch = Patch::Merge(json!({"rules": role.rules}));
        roles.patch("clickup-operator", &PatchParams::default(), &patch).await.unwrap();
        // The API server follows its roles with a delay.
        let account = "--as=system:serviceaccount:clickup-operator:clickup-operator";
        let can_i = ["auth", "can-i", "get", "secrets", "--namespace", &self.namespace, account];
        wait::until(SOON, "the right to go", || async {
            // Ends with 1 for No.
            let answer = self.control_plane.run_kubectl(can_i).await;
            answer.map_or_else(|_| Ok(()), Err)
        })
        .await
        .unwrap();
        case.connection("unreadable", json!({})).await;
        self.until(&case, OPEN, "unreadable", ("Unknown", "SecretAccessDenied")).await;
        stack::install_rbac(&self.control_plane, Path::new(CHECKOUT)).await.unwrap();
    }

    /// Another operator, for whom ClickUp does not speak TLS.
    async fn broken_tls(&self) {
        let case = self.case().await;
        let plain = &self.simulator.endpoints().clickup_url;
        let operator = self.operator(&plain.replace("http:", "https:")).await;
        let account = case.account().await;
        demand(&case, "tls", &account, json!({})).await;
        self.until(&case, OPEN, "tls", ("Unknown", "TLSFailed")).await;
        operator.stop().await.unwrap();
    }
}

/// A Secret and a connection.
async fn demand(case: &Case<'_>, name: &str, account: &Account, spec: Value) {
    case.secret(name, &account.token.value).await;
    case.connection(name, spec).await;
}
