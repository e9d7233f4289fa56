//! The connections and Secrets in the API server, with their tokens in ClickUp, and the comparison with the model.

use std::collections::HashMap;

use clickup_simulator::SimulatorClient;
use clickup_simulator::state::{Channel, List, Space, Workspace};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use test_support::case::is;
use test_support::invariants;

use crate::Failure;
use crate::model::{Ailment, CHANNEL, Role, SPACE, Slot, Token, expected, spec};

const NAMESPACES: usize = 10;
const MANAGER: &str = "soak";
/// Requests per minute, as ClickUp grants them.
const SMALL_LIMIT: u64 = 100;
const LARGE_LIMIT: u64 = 1000;

/// All of it.
pub(crate) struct Fleet {
    client: Client,
    pub(crate) clickup: SimulatorClient,
    pub(crate) slots: Vec<Slot>,
}

impl Fleet {
    /// The namespaces are made, the connections not yet.
    pub(crate) async fn new(client: Client, clickup: SimulatorClient, size: usize) -> Result<Fleet, Failure> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        for index in 0..NAMESPACES {
            let name = namespace(index);
            let metadata = json!({"name": name, "labels": {"soak": "yes"}});
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
            namespaces.patch(&name, &PatchParams::apply(MANAGER), &Patch::Apply(namespace)).await?;
        }
        let slot = |index| {
            let role = Role::of(index);
            let holder = match role {
                Role::Referrer(other) | Role::Twin(other) => other,
                _ => index,
            };
            let (namespace, token) = (namespace(index), Token::default());
            Slot {
                role,
                namespace,
                name: String::new(),
                lives: 0,
                holder,
                token,
                ailment: Some(Ailment::Gone),
            }
        };
        Ok(Fleet { client, clickup, slots: (0..size).map(slot).collect() })
    }

    fn connections(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind())
    }

    fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes a connection, with a token and a name that were never there before. What others refer to keeps both.
    pub(crate) async fn make(&mut self, index: usize) -> Result<(), Failure> {
        let Slot { role, lives, holder, .. } = self.slots[index];
        // First, so that another attempt is another life.
        self.slots[index].lives += 1;
        let kept = matches!(role, Role::Owner { .. }) && lives > 0;
        let shared = self.slots.iter().any(|slot| slot.role == Role::Twin(index)) && lives > 0;
        let token = if holder == index && !kept && !shared {
            Some(self.account(index, &format!("soak-{index}-{lives}")).await?)
        } else {
            None
        };
        let slot = &mut self.slots[index];
        if !kept {
            slot.name = format!("connection-{index}-{lives}");
        }
        slot.token = token.unwrap_or_else(|| std::mem::take(&mut slot.token));
        if !matches!(role, Role::Referrer(_)) {
            self.put_secret(index).await?;
        }
        let slot = &self.slots[index];
        let spec = spec(slot, &self.slots[holder]);
        let object = json!({"apiVersion": kind().api_version, "kind": kind().kind,
            "metadata": {"name": slot.name, "namespace": slot.namespace}, "spec": spec});
        let (params, apply) = (PatchParams::apply(MANAGER).force(), Patch::Apply(object));
        self.connections(&slot.namespace).patch(&slot.name, &params, &apply).await?;
        self.slots[index].ailment = None;
        Ok(())
    }

    async fn account(&self, index: usize, name: &str) -> Result<Token, Failure> {
        let role = self.slots[index].role;
        let plain = role == Role::Plain && !self.slots.iter().any(|slot| slot.role == Role::Twin(index));
        let limit = if plain { SMALL_LIMIT } else { LARGE_LIMIT };
        let workspace = Workspace { name: format!("Workspace {name}"), ..Workspace::default() };
        let account = self.clickup.add_account_with(workspace, |token| {
            token.name = Some(name.to_owned());
            token.limit = Some(limit);
        });
        let account = account.await?;
        let space = Space { name: SPACE.to_owned(), ..Space::default() };
        let space = self.clickup.add_space(account.workspace, space).await?;
        let list = self
            .clickup
            .add_list_to_space(space, List { name: "Inbox".to_owned(), ..List::default() })
            .await?;
        let channel = Channel { name: CHANNEL.to_owned(), ..Channel::default() };
        Ok(Token {
            name: account.token.name,
            value: account.token.value,
            revoked: false,
            workspace: account.workspace.to_string(),
            list: list.to_string(),
            channel: self.clickup.add_channel(account.workspace, channel).await?,
        })
    }

    /// The id of the workspace that the token sees.
    pub(crate) fn workspace(&self, index: usize) -> String {
        self.slots[self.slots[index].holder].token.workspace.clone()
    }

    /// Writes the Secret with the token's current value, unless it is not to be there.
    pub(crate) async fn write_secret(&self, index: usize) -> Result<(), Failure> {
        let Slot { role, ailment, .. } = &self.slots[index];
        let absent = matches!(ailment, Some(Ailment::Gone | Ailment::SecretGone));
        if absent || matches!(role, Role::Referrer(_)) { Ok(()) } else { self.put_secret(index).await }
    }

    /// Writes it in any case.
    pub(crate) async fn put_secret(&self, index: usize) -> Result<(), Failure> {
        let Slot { namespace, name, holder, .. } = &self.slots[index];
        let token = &self.slots[*holder].token.value;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"token": token}});
        let params = PatchParams::apply(MANAGER).force();
        self.secrets(namespace).patch(name, &params, &Patch::Apply(secret)).await?;
        Ok(())
    }

    /// Removes the Secret, if it is there.
    pub(crate) async fn remove_secret(&self, index: usize) -> Result<(), Failure> {
        let Slot { namespace, name, .. } = &self.slots[index];
        gone(self.secrets(namespace).delete(name, &DeleteParams::default()).await)
    }

    /// Removes the connection, if it is there.
    pub(crate) async fn remove_connection(&self, index: usize) -> Result<(), Failure> {
        let Slot { namespace, name, .. } = &self.slots[index];
        gone(self.connections(namespace).delete(name, &DeleteParams::default()).await)
    }

    /// Merges into a connection.
    pub(crate) async fn edit(&self, index: usize, patch: Value) -> Result<(), Failure> {
        let Slot { namespace, name, .. } = &self.slots[index];
        self.connections(namespace).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Connections that are to be there.
    pub(crate) fn present(&self) -> usize {
        self.slots.iter().filter(|slot| slot.ailment != Some(Ailment::Gone)).count()
    }

    /// What is not as it must be, one line each.
    pub(crate) async fn mismatches(&self) -> Result<Vec<String>, Failure> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind());
        let mut there: HashMap<_, _> = all
            .list(&ListParams::default())
            .await?
            .into_iter()
            .map(|object| ((object.metadata.namespace.clone(), object.metadata.name.clone()), object))
            .collect();
        let mut found = Vec::new();
        for slot in &self.slots {
            let Slot { namespace, name, .. } = slot;
            let object = there.remove(&(Some(namespace.clone()), Some(name.clone())));
            let object = object.map(serde_json::to_value).transpose()?;
            let seen = object.as_ref().map(|object| is(&object["status"], "Ready"));
            let expected = expected(slot, &self.slots[slot.holder]);
            if seen != expected {
                found.push(format!("{namespace}/{name} is {seen:?}, not {expected:?}"));
            }
            if let Some(Err(broken)) = object.as_ref().map(invariants::check) {
                found.push(format!("{namespace}/{name}: {broken}"));
            }
        }
        found.extend(there.into_keys().map(|(_, name)| format!("{name:?} should not be there")));
        Ok(found)
    }
}

fn namespace(index: usize) -> String {
    format!("soak-{}", index % NAMESPACES)
}

/// The resource, without its Rust types, as its users see it.
fn kind() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection"))
}

/// That it is gone already is as good.
fn gone<T>(deleted: kube::Result<T>) -> Result<(), Failure> {
    match deleted {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
