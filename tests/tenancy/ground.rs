//! The API server and ClickUp that all tests share, and the operators that each test starts in a role of its own.

use crate::OPERATOR;
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    core::v1::{Namespace, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt::Debug,
    path::{Path, PathBuf},
};
use test_support::{
    case::{Case, SOON},
    control_plane::{ControlPlane, Options, audit::AuditEvent},
    operator::{OperatorOptions, OperatorProcess},
    scratch::ScratchDir,
    simulator::{SimulatorOptions, SimulatorProcess},
    stack, wait,
};
use tokio::sync::OnceCell;

/// Where the ServiceAccounts are.
const HOME: &str = "clickup-operator";

pub(crate) struct Ground {
    pub(crate) control_plane: ControlPlane,
    pub(crate) simulator: SimulatorProcess,
}

static GROUND: OnceCell<Ground> = OnceCell::const_new();

/// Started by the first who asks; it ends with this process.
pub(crate) async fn ground() -> &'static Ground {
    GROUND
        .get_or_init(|| async {
            let control_plane = ControlPlane::start(Options::default()).await.unwrap();
            let simulator = SimulatorOptions {
                binary: Path::new(OPERATOR).with_file_name("clickup-simulator"),
                ..SimulatorOptions::default()
            };
            let simulator = SimulatorProcess::start(simulator, control_plane.scratch()).await.unwrap();
            stack::install_crd(&control_plane, Path::new(env!("CARGO_MANIFEST_DIR"))).await.unwrap();
            let namespaces: Api<Namespace> = Api::all(control_plane.client().await.unwrap());
            put(namespaces, "v1", HOME, json!({})).await;
            Ground { control_plane, simulator }
        })
        .await
}

pub(crate) async fn case(name: &str) -> Case<'static> {
    let ground = ground().await;
    Case::new(name, &ground.control_plane, &ground.simulator).await
}

/// A verb, a resource with its subresource, and its group.
pub(crate) type Right = (&'static str, &'static str, &'static str);

const CONNECTIONS: Right = ("watch", "clickupconnections", "clickup-operator.dev");
const STATUS: Right = ("patch", "clickupconnections/status", "clickup-operator.dev");
const EVENTS: [Right; 2] = [("create", "events", "events.k8s.io"), ("patch", "events", "events.k8s.io")];
pub(crate) const GET_SECRETS: Right = ("get", "secrets", "");
pub(crate) const WATCH_SECRETS: Right = ("watch", "secrets", "");
pub(crate) const LEASES: [Right; 3] = [
    ("create", "leases", "coordination.k8s.io"),
    ("watch", "leases", "coordination.k8s.io"),
    ("patch", "leases", "coordination.k8s.io"),
];
pub(crate) const NAMESPACES: Right = ("watch", "namespaces", "");

/// What every mode needs, and more.
pub(crate) fn rights(more: &[Right]) -> Vec<Right> {
    [CONNECTIONS, STATUS].into_iter().chain(EVENTS).chain(more.iter().copied()).collect()
}

/// As the audit log is to show them.
pub(crate) fn named(rights: &[Right]) -> BTreeSet<String> {
    rights.iter().map(|(verb, resource, group)| format!("{verb} {resource}.{group}")).collect()
}

/// A ServiceAccount with rights, and the operators that run as it.
pub(crate) struct Account {
    name: String,
    client: Client,
    kubeconfig: PathBuf,
}

impl Account {
    /// One without any right.
    pub(crate) async fn new(name: &str) -> Self {
        let control_plane = &ground().await.control_plane;
        let client = control_plane.client().await.unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), HOME);
        put(accounts, "v1", name, json!({})).await;
        let kubeconfig = control_plane.service_account_kubeconfig(HOME, name).await.unwrap();
        Self { name: name.to_owned(), client, kubeconfig }
    }

    /// As the audit log knows it.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{HOME}:{}", self.name)
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Gives it exactly these rights everywhere.
    pub(crate) async fn may_everywhere(&self, rights: &[Right]) {
        const API: &str = "rbac.authorization.k8s.io/v1";
        let roles: Api<ClusterRole> = Api::all(self.client.clone());
        put(roles, API, &self.name, json!({"rules": rules(rights)})).await;
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client.clone());
        put(bindings, API, &self.name, self.binding("ClusterRole")).await;
        self.until_known(None, rights).await;
    }

    /// Gives it exactly these rights in a namespace.
    pub(crate) async fn may_in(&self, namespace: &str, rights: &[Right]) {
        const API: &str = "rbac.authorization.k8s.io/v1";
        let roles: Api<Role> = Api::namespaced(self.client.clone(), namespace);
        put(roles, API, &self.name, json!({"rules": rules(rights)})).await;
        let bindings: Api<RoleBinding> = Api::namespaced(self.client.clone(), namespace);
        put(bindings, API, &self.name, self.binding("Role")).await;
        self.until_known(Some(namespace), rights).await;
    }

    fn binding(&self, kind: &str) -> Value {
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": self.name});
        let subject = json!({"kind": "ServiceAccount", "name": self.name, "namespace": HOME});
        json!({"roleRef": role, "subjects": [subject]})
    }

    /// Waits until the API server knows whether it may get Secrets, and that it has the other rights.
    async fn until_known(&self, namespace: Option<&str>, rights: &[Right]) {
        let get = (GET_SECRETS, rights.contains(&GET_SECRETS));
        for (right, may) in rights.iter().map(|right| (*right, true)).chain([get]) {
            let known = wait::until(SOON, format!("{right:?} to be {may} for {}", self.name), || async {
                let allowed = self.allowed(namespace, right).await;
                if allowed == may { Ok(()) } else { Err(format!("allowed: {allowed}")) }
            });
            known.await.unwrap_or_else(|e| panic!("{e}"));
        }
    }

    async fn allowed(&self, namespace: Option<&str>, (verb, resource, group): Right) -> bool {
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let resource_attributes = ResourceAttributes {
            resource: Some(resource.into()),
            subresource: Some(subresource.into()),
            group: Some(group.into()),
            verb: Some(verb.into()),
            namespace: namespace.map(Into::into),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(self.user()),
            resource_attributes: Some(resource_attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        reviews.create(&Default::default(), &review).await.unwrap().status.is_some_and(|s| s.allowed)
    }

    /// An operator in this role, ready.
    pub(crate) async fn operator(&self, args: &[&str]) -> Running {
        self.operator_by(&self.kubeconfig, args).await
    }

    /// The same by another way to the API server.
    pub(crate) async fn operator_by(&self, kubeconfig: &Path, args: &[&str]) -> Running {
        let scratch = ScratchDir::create(&self.name).unwrap();
        let options = OperatorOptions {
            binary: OPERATOR.into(),
            clickup_url: ground().await.simulator.endpoints().clickup_url.clone(),
            kubeconfig: kubeconfig.to_owned(),
            log_level: "debug".to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: Vec::new(),
        };
        Running { process: OperatorProcess::start(options, &scratch).await.unwrap(), scratch }
    }

    /// What it has asked the API server for.
    pub(crate) async fn requests(&self) -> Vec<AuditEvent> {
        let mut events = ground().await.control_plane.audit_events().unwrap();
        events.retain(|e| e.user == self.user());
        events
    }
}

/// An operator, with a log of its own.
pub(crate) struct Running {
    pub(crate) process: OperatorProcess,
    scratch: ScratchDir,
}

impl Running {
    /// How many lines of its log hold this text.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.process.process().log().lines().filter(|line| line.contains(text)).count()
    }

    pub(crate) async fn stop(self) {
        self.process.stop().await.unwrap();
        self.scratch.remove().await.unwrap();
    }
}

/// Creates or replaces an object.
async fn put<K>(api: Api<K>, version: &str, name: &str, content: Value)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let mut object = json!({"apiVersion": version, "kind": K::kind(&()), "metadata": {"name": name}});
    object.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
}

fn rules(rights: &[Right]) -> Value {
    let rule = |(verb, resource, group): &Right| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
    rights.iter().map(rule).collect()
}
