//! The real things behind the world: every change is done to the API server, past the faults, or to the simulator.

mod manifests;

use std::{collections::HashMap, fmt::Display, time::Duration};

use clickup_simulator::{
    SimulatorClient,
    client::ClientError,
    state::{Channel, Folder, Id, List, Member, Role, Space, Task, Token, User, Workspace},
};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::json;
use test_support::wait;

use crate::world::{
    Change, Content, Edit, Key, Node, World, namespace_name, node_id, token_name, user_id, workspace_ids,
};

/// The annotation that asks for a check.
pub const ASK: &str = "clickup-operator.dev/reconcile-requested-at";

const MANAGER: &str = "chaos";
/// For a write while the API server is down.
const PATIENCE: Duration = Duration::from_secs(60);
const AT_ONCE: usize = 12;

/// Acts on the real things.
pub struct Ground {
    /// Straight to the API server.
    pub client: Client,
    /// Control over ClickUp.
    pub clickup: SimulatorClient,
    /// Tokens by account and version.
    tokens: HashMap<(usize, u32), String>,
    /// What must not be seen anywhere.
    secrets: Vec<String>,
    /// The resourceVersion that each Secret has.
    versions: HashMap<Key, String>,
}

/// Something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// To a Kubernetes object.
    #[error(transparent)]
    Object(#[from] wait::TimedOut),
    /// To ClickUp.
    #[error(transparent)]
    ClickUp(#[from] ClientError),
}

/// The connections of all namespaces or of one, undecoded.
pub fn connections(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection");
    let kind = ApiResource::from_gvk(&kind);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    }
}

impl Ground {
    /// Nothing is there yet.
    pub fn new(client: Client, clickup: SimulatorClient) -> Self {
        Self { client, clickup, tokens: HashMap::new(), secrets: Vec::new(), versions: HashMap::new() }
    }

    /// Makes everything that is in the world.
    ///
    /// # Errors
    /// Names what cannot be made.
    pub async fn build(&mut self, world: &World) -> Result<(), GroundError> {
        let clickup = &self.clickup;
        let accounts = world.accounts.iter().enumerate().map(|(number, account)| async move {
            let user = clickup.add_user(User { id: Some(user_id(number)), ..User::default() }).await?;
            let role = if account.member { Role::MEMBER } else { Role::OWNER };
            for (id, name) in workspace_ids(number).into_iter().zip(["Home", "Away"]) {
                let mut workspace = Workspace { name: name.into(), ..Workspace::default() };
                workspace.id = Some(Id(id));
                workspace.members.push(Member::new(user, role));
                if name == "Home" {
                    workspace.spaces.push(space(number));
                    workspace.channels.push(Channel::named("releases"));
                }
                clickup.add_workspace(workspace).await?;
            }
            let token =
                Token { name: Some(token_name(number)), limit: Some(account.limit), ..Token::personal(user) };
            Ok::<_, ClientError>((number, clickup.add_token(token).await?.value))
        });
        let tokens: Vec<_> = stream::iter(accounts).buffer_unordered(AT_ONCE).try_collect().await?;
        for (number, value) in tokens {
            self.issued(number, 0, value);
        }
        for number in 0..world.namespaces.len() {
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(namespace_name(number));
            let api: Api<Namespace> = Api::all(self.client.clone());
            until_done(format!("create {}", namespace_name(number)), || {
                let (api, namespace) = (api.clone(), namespace.clone());
                async move { api.create(&PostParams::default(), &namespace).await }
            })
            .await?;
            self.label(number, world).await?;
        }
        for key in world.secrets.keys() {
            self.put(key, world).await?;
        }
        // Owners and those who refer to them come as they come.
        let this = &*self;
        stream::iter(world.connections.keys().map(|key| this.create(key, world)))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Does to the real things what was done to the world, which is as it is after the change.
    ///
    /// # Errors
    /// Names what cannot be done.
    pub async fn perform(&mut self, change: &Change, world: &World) -> Result<(), GroundError> {
        match change {
            Change::Put(secret, _) => self.put(secret, world).await,
            Change::Remove(secret) => self.remove(secret).await,
            Change::Swap(one, other) => {
                self.put(one, world).await?;
                self.put(other, world).await
            }
            Change::Create(key, _) => self.create(key, world).await,
            Change::Delete(key) => self.delete(key).await,
            Change::Edit(key, edit) => self.edit(key, *edit, world).await,
            Change::Suspend(key, suspended) => self.patch(key, json!({"spec": {"suspend": suspended}})).await,
            Change::Label(namespace, _) => self.label(*namespace, world).await,
            Change::Revoke(account) => Ok(self.clickup.revoke(&token_name(*account)).await?),
            Change::Regenerate(account) => {
                let token = self.clickup.regenerate(&token_name(*account)).await?;
                let version = world.accounts.get(*account).map_or(0, |a| a.version);
                self.issued(*account, version, token.value);
                Ok(())
            }
            Change::Ask(key) => {
                let asked = world.connections.get(key).map_or(0, |c| c.asked);
                self.patch(key, json!({"metadata": {"annotations": {ASK: asked.to_string()}}})).await
            }
        }
    }

    /// Everything that must not be seen anywhere: of tokens the part that is secret. It only grows.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The resourceVersion that a Secret has, if it is there.
    pub fn version_of(&self, secret: &Key) -> Option<&str> {
        self.versions.get(secret).map(String::as_str)
    }

    fn issued(&mut self, account: usize, version: u32, value: String) {
        self.secrets.extend(value.rsplit('_').next().map(str::to_owned));
        self.tokens.insert((account, version), value);
    }

    async fn put(&mut self, key: &Key, world: &World) -> Result<(), GroundError> {
        let token = match world.secrets.get(key) {
            Some(Content::Token { account, version, .. }) => self.tokens.get(&(*account, *version)).cloned(),
            Some(Content::Broken(_)) => None,
            None => return self.remove(key).await,
        };
        let Some(content) = world.secrets.get(key) else { return Ok(()) };
        let (secret, hidden) = manifests::secret(key, *content, token.unwrap_or_default());
        self.secrets.extend(hidden);
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &key.namespace_name());
        let params = PatchParams::apply(MANAGER).force();
        let made = until_done(format!("write the Secret {key}"), || {
            let (api, params, secret) = (api.clone(), params.clone(), secret.clone());
            async move { api.patch(&key.name, &params, &Patch::Apply(&secret)).await }
        })
        .await?;
        self.versions.insert(key.clone(), made.metadata.resource_version.unwrap_or_default());
        Ok(())
    }

    async fn remove(&mut self, key: &Key) -> Result<(), GroundError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &key.namespace_name());
        until_done(format!("delete the Secret {key}"), || {
            let api = api.clone();
            async move { gone(api.delete(&key.name, &DeleteParams::default()).await.map(drop)) }
        })
        .await?;
        self.versions.remove(key);
        Ok(())
    }

    async fn create(&self, key: &Key, world: &World) -> Result<(), GroundError> {
        let Some(connection) = world.connections.get(key) else { return Ok(()) };
        let object = manifests::connection(key, connection);
        let api = connections(&self.client, Some(&key.namespace_name()));
        until_done(format!("create {key}"), || {
            let (api, object) = (api.clone(), object.clone());
            async move {
                let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
                match api.create(&PostParams::default(), &object).await {
                    // The answer to an attempt before was lost.
                    Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
                    other => other.map(drop),
                }
            }
        })
        .await
        .map_err(Into::into)
    }

    async fn delete(&self, key: &Key) -> Result<(), GroundError> {
        let api = connections(&self.client, Some(&key.namespace_name()));
        until_done(format!("delete {key}"), || {
            let api = api.clone();
            async move { gone(api.delete(&key.name, &DeleteParams::default()).await.map(drop)) }
        })
        .await
        .map_err(Into::into)
    }

    async fn edit(&self, key: &Key, edit: Edit, world: &World) -> Result<(), GroundError> {
        let Some(connection) = world.connections.get(key) else { return Ok(()) };
        let spec = manifests::spec(connection);
        let fields: &[&str] = match edit {
            Edit::Description => &["description"],
            Edit::Channel(_) => &["channel"],
            Edit::MissingList(_) => &["access"],
            Edit::Role(_) => &["minimumRole"],
        };
        // What is left out is to be removed.
        let named = fields.iter().map(|field| ((*field).to_owned(), spec[*field].clone()));
        self.patch(key, json!({"spec": named.collect::<serde_json::Map<_, _>>()})).await
    }

    async fn label(&self, number: usize, world: &World) -> Result<(), GroundError> {
        let labelled = world.namespaces.get(number).copied().unwrap_or_default();
        let label = labelled.then_some("shared");
        let patch = Patch::Merge(json!({"metadata": {"labels": {crate::world::LABEL: label}}}));
        let api: Api<Namespace> = Api::all(self.client.clone());
        until_done(format!("label {}", namespace_name(number)), || {
            let (api, patch) = (api.clone(), patch.clone());
            async move { api.patch(&namespace_name(number), &PatchParams::default(), &patch).await }
        })
        .await?;
        Ok(())
    }

    async fn patch(&self, key: &Key, patch: serde_json::Value) -> Result<(), GroundError> {
        let api = connections(&self.client, Some(&key.namespace_name()));
        let patch = Patch::Merge(patch);
        until_done(format!("patch {key}"), || {
            let (api, patch) = (api.clone(), patch.clone());
            async move { api.patch(&key.name, &PatchParams::default(), &patch).await }
        })
        .await?;
        Ok(())
    }
}

/// Tries until it works: the API server may be down.
async fn until_done<T, Doing>(
    what: impl Display,
    mut action: impl FnMut() -> Doing,
) -> Result<T, wait::TimedOut>
where
    Doing: Future<Output = kube::Result<T>>,
{
    wait::until(PATIENCE, what, move || {
        let doing = action();
        async move { doing.await.map_err(|e| e.to_string()) }
    })
    .await
}

fn gone(deleted: kube::Result<()>) -> kube::Result<()> {
    match deleted {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}

fn space(account: usize) -> Space {
    let id = |node| Some(Id(node_id(account, node).parse().unwrap_or_default()));
    let task = Task { id: Some(node_id(account, Node::Task)), name: "Task".into(), ..Task::default() };
    let list = List { id: id(Node::List), name: "List".into(), tasks: vec![task], ..List::default() };
    let folder =
        Folder { id: id(Node::Folder), name: "Folder".into(), lists: vec![list], ..Folder::default() };
    Space { id: id(Node::Space), name: "Engineering".into(), folders: vec![folder], ..Space::default() }
}
