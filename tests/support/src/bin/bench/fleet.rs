//! The Secrets and connections that both sides work on, made and removed outside of what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clickup_simulator::messages::GeneratedToken;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Failure, progress};

const UNRELATED: &str = "bench=unrelated";
const NAMESPACES: usize = 10;
const WORKERS: usize = 16;
const TOLD_EVERY: Duration = Duration::from_secs(5);
const PAGE: u32 = 500;

/// A connection, and the Secret of the same name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// All of them.
pub(crate) struct Fleet {
    client: Client,
    pub(crate) places: Arc<Vec<Place>>,
}

/// The resource, without its Rust types: the benchmark must not depend on what it measures.
pub(crate) fn connections() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection"))
}

impl Fleet {
    /// Makes the namespaces and the Secrets.
    pub(crate) async fn create(client: Client, tokens: &[GeneratedToken]) -> Result<Fleet, Failure> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        for index in 0..NAMESPACES {
            let namespace = serde_json::from_value(json!({"metadata": {"name": namespace(index)}}))?;
            namespaces.create(&PostParams::default(), &namespace).await?;
        }
        let place = |index| Place { namespace: namespace(index), name: format!("connection-{index}") };
        let places: Arc<Vec<Place>> = Arc::new((0..tokens.len()).map(place).collect());
        let (of, api, tokens) = (places.clone(), client.clone(), Arc::new(tokens.to_vec()));
        each(places.len(), WORKERS, Some("Secrets made"), move |index| {
            let (Place { namespace, name }, token) = (of[index].clone(), tokens[index].value.clone());
            let api: Api<Secret> = Api::namespaced(api.clone(), &namespace);
            async move {
                let secret = json!({"metadata": {"name": name}, "stringData": {"token": token}});
                api.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
                Ok(())
            }
        })
        .await?;
        Ok(Fleet { client, places })
    }

    /// Makes the first so many connections. None has a status.
    pub(crate) async fn connect(&self, count: usize) -> Result<(), Failure> {
        let (places, client) = (self.places.clone(), self.client.clone());
        each(count, WORKERS, Some("connections made"), move |index| {
            let Place { namespace, name } = places[index].clone();
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &connections());
            async move {
                let spec = json!({"tokenSecretRef": {"name": name}});
                let object = DynamicObject::new(&name, &connections()).data(json!({"spec": spec}));
                api.create(&PostParams::default(), &object).await?;
                Ok(())
            }
        })
        .await
    }

    /// Removes all connections and waits until they are gone.
    pub(crate) async fn disconnect(&self) -> Result<(), Failure> {
        progress("removing the connections");
        let client = self.client.clone();
        each(NAMESPACES, NAMESPACES, None, move |index| {
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), &namespace(index), &connections());
            async move { clear(api, &ListParams::default()).await }
        })
        .await
    }

    /// Changes the first so many connections by merging in what `with` says for each.
    pub(crate) async fn edit(
        &self,
        count: usize,
        with: impl Fn(usize) -> Value + Clone + Send + 'static,
    ) -> Result<(), Failure> {
        let (places, client) = (self.places.clone(), self.client.clone());
        each(count, WORKERS, Some("connections edited"), move |index| {
            let Place { namespace, name } = places[index].clone();
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &connections());
            let patch = Patch::Merge(with(index));
            async move {
                api.patch(&name, &PatchParams::default(), &patch).await?;
                Ok(())
            }
        })
        .await
    }

    /// Puts one token into all Secrets.
    pub(crate) async fn share(&self, token: String) -> Result<(), Failure> {
        let (places, client) = (self.places.clone(), self.client.clone());
        each(places.len(), WORKERS, Some("Secrets edited"), move |index| {
            let Place { namespace, name } = places[index].clone();
            let api: Api<Secret> = Api::namespaced(client.clone(), &namespace);
            let patch = Patch::Merge(json!({"stringData": {"token": token}}));
            async move {
                api.patch(&name, &PatchParams::default(), &patch).await?;
                Ok(())
            }
        })
        .await
    }

    /// Makes Secrets of this size that no connection refers to, in the same namespaces.
    pub(crate) async fn add_unrelated(&self, count: usize, bytes: usize) -> Result<(), Failure> {
        let (client, ballast) = (self.client.clone(), Arc::new("x".repeat(bytes)));
        each(count, WORKERS, Some("unrelated Secrets made"), move |index| {
            let (api, ballast): (Api<Secret>, _) =
                (Api::namespaced(client.clone(), &namespace(index)), ballast.clone());
            async move {
                let metadata =
                    json!({"name": format!("unrelated-{index}"), "labels": {"bench": "unrelated"}});
                let secret = json!({"metadata": metadata, "stringData": {"ballast": *ballast}});
                api.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
                Ok(())
            }
        })
        .await
    }

    /// Removes them.
    pub(crate) async fn remove_unrelated(&self) -> Result<(), Failure> {
        progress("removing the unrelated Secrets");
        let client = self.client.clone();
        each(NAMESPACES, 1, None, move |index| {
            let api: Api<Secret> = Api::namespaced(client.clone(), &namespace(index));
            async move { clear(api, &ListParams::default().labels(UNRELATED)).await }
        })
        .await
    }

    /// The status of the first connection.
    pub(crate) async fn first_status(&self) -> Result<Value, Failure> {
        let Place { namespace, name } = &self.places[0];
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &connections());
        Ok(api.get(name).await?.data.get("status").cloned().unwrap_or_default())
    }

    /// Makes sure that every connection says that it is Ready, with a status of the template's shape.
    pub(crate) async fn verify(&self, template: &Value) -> Result<(), Failure> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &connections());
        let wanted = shape(template);
        let (mut page, mut seen) = (ListParams::default().limit(PAGE), 0);
        loop {
            let list = api.list(&page).await?;
            for object in &list.items {
                let status = object.data.get("status").cloned().unwrap_or_default();
                if shape(&status) != wanted {
                    let name = object.metadata.name.as_deref().unwrap_or_default();
                    return Err(format!("{name} has not the status that it should have: {status}").into());
                }
            }
            seen += list.items.len();
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None if seen == self.places.len() => return Ok(()),
                None => return Err(format!("{seen} of {} connections are there", self.places.len()).into()),
            }
        }
    }
}

/// Removes these objects and waits until they are gone.
async fn clear<K>(api: Api<K>, which: &ListParams) -> Result<(), Failure>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    // A large collection outlasts one request.
    while !api.list_metadata(&which.clone().limit(1)).await?.items.is_empty() {
        if let Err(error) = api.delete_collection(&DeleteParams::default(), which).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
            progress(format_args!("removing them takes longer: {error}"));
        }
    }
    Ok(())
}

fn namespace(index: usize) -> String {
    format!("bench-{}", index % NAMESPACES)
}

/// The fields that a status has, and what its conditions say.
fn shape(status: &Value) -> (Vec<String>, Vec<[String; 3]>) {
    let fields = status.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let says = |condition: &Value| ["type", "status", "reason"].map(|field| text(&condition[field]));
    (fields, conditions.map(says).collect())
}

/// Does `work` for 0 to `count`, `workers` at a time, each on a task of its own so that all cores serve. The first
/// failure ends it.
pub(crate) async fn each<Work, Working>(
    count: usize,
    workers: usize,
    what: Option<&str>,
    work: Work,
) -> Result<(), Failure>
where
    Work: Fn(usize) -> Working + Clone + Send + 'static,
    Working: Future<Output = Result<(), Failure>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let (next, work) = (next.clone(), work.clone());
        tasks.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok::<(), Failure>(());
                }
                work(index).await?;
            }
        });
    }
    let mut tick = tokio::time::interval(TOLD_EVERY);
    tick.tick().await;
    loop {
        let done = || next.load(Ordering::Relaxed).saturating_sub(workers).min(count);
        tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(ended) => ended??,
                None => break,
            },
            _ = tick.tick() => if let Some(what) = what {
                progress(format_args!("  {} of {count} {what}", done()));
            },
        }
    }
    if let Some(what) = what {
        progress(format_args!("{count} {what}"));
    }
    Ok(())
}
