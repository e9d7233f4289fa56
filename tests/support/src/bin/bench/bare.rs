//! The bare loop of DESIGN.md §7: for each connection the requests that nobody can do without, and nothing else, over one
//! HTTP/2 connection to the API server. No watch, no Event, no decision, and nothing is kept. It runs in a process of its
//! own, so that what it uses can be told apart.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use test_support::process::{Guarded, Launch};

use crate::Failure;
use crate::fleet::{Place, connections, each};
use crate::ground::Ground;
use crate::measure::connections_to;
use crate::phases::Used;

/// As many as the operator works on by default.
const CONCURRENCY: usize = 32;
/// The operator's, so that the bookkeeping of owned fields costs the same.
const FIELD_MANAGER: &str = "clickup-operator";
const DONE: &str = "all written";
const LOOK: Duration = Duration::from_millis(20);

/// What the process is told.
#[derive(Serialize, Deserialize)]
struct Plan {
    kubeconfig: std::path::PathBuf,
    clickup_url: String,
    /// A status that the operator wrote.
    template: Value,
    places: Vec<Place>,
}

/// Runs it to its end and returns what it used.
pub(crate) async fn measure(
    ground: &Ground,
    places: &[Place],
    template: &Value,
    patience: Duration,
) -> Result<Used, Failure> {
    let scratch = ground.control_plane.scratch();
    let plan = Plan {
        kubeconfig: ground.kubeconfig.clone(),
        clickup_url: ground.clickup_url().to_owned(),
        template: template.clone(),
        places: places.to_vec(),
    };
    let path = scratch.join("bare-loop.json");
    std::fs::write(&path, serde_json::to_vec(&plan)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--bare-loop").arg(path);
    let log = scratch.join("bare-loop.log");
    let grace = Duration::from_secs(1);
    let began = Instant::now();
    let process = Guarded::start(Launch { name: "bare-loop", command, log, scratch: Some(scratch), grace })?;
    while !process.log().contains(DONE) {
        if let Some(exit) = process.exited() {
            return Err(format!("the bare loop ended with {exit}: {}", process.log_tail(5)).into());
        }
        if began.elapsed() > patience {
            return Err(format!("the bare loop is not done after {} s", patience.as_secs()).into());
        }
        tokio::time::sleep(LOOK).await;
    }
    let used = Used { usage: process.usage()?, api_connections: connections_to(ground, process.pid())? };
    process.stop().await?;
    Ok(used)
}

/// The process itself. When all is written it says so and waits for its end, so that its use can be read.
pub(crate) async fn run(plan: &Path) -> Result<(), Failure> {
    let plan: Plan = serde_json::from_slice(&std::fs::read(plan)?)?;
    test_support::install_crypto_provider();
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(CONCURRENCY).build()?;
    let bare = Arc::new(Bare { cluster: Cluster::of(&plan.kubeconfig).await?, http, plan });
    let (count, all) = (bare.plan.places.len(), bare.clone());
    each(count, CONCURRENCY, None, move |index| {
        let bare = all.clone();
        async move { bare.check(&bare.plan.places[index]).await }
    })
    .await?;
    println!("{DONE}");
    let () = std::future::pending().await;
    // Until here its connections stay open, to be counted.
    drop(bare);
    Ok(())
}

/// The API server.
struct Cluster {
    url: String,
    http: reqwest::Client,
    token: String,
}

impl Cluster {
    async fn of(kubeconfig: &Path) -> Result<Cluster, Failure> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let roots = config.root_cert.unwrap_or_default();
        let roots: Result<Vec<_>, _> = roots.iter().map(|der| reqwest::Certificate::from_der(der)).collect();
        // All requests share one connection from the first on.
        let http =
            reqwest::Client::builder().no_proxy().http2_prior_knowledge().tls_certs_only(roots?).build()?;
        let user = serde_json::to_value(&config.auth_info)?;
        let token = user["token"].as_str().ok_or("the kubeconfig has no token")?.to_owned();
        let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        Ok(Cluster { url, http, token })
    }

    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Failure> {
        Ok(request.bearer_auth(&self.token).send().await?.error_for_status()?.json().await?)
    }
}

struct Bare {
    cluster: Cluster,
    http: reqwest::Client,
    plan: Plan,
}

#[derive(Deserialize)]
struct UserAnswer {
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: u64,
}

#[derive(Deserialize)]
struct TeamsAnswer {
    teams: Vec<Team>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
    name: String,
}

impl Bare {
    async fn check(&self, place: &Place) -> Result<(), Failure> {
        let Place { namespace, name } = place;
        let Cluster { url, http, .. } = &self.cluster;
        let get = http.get(format!("{url}/api/v1/namespaces/{namespace}/secrets/{name}"));
        let secret: Secret = self.cluster.ask(get).await?;
        let data: BTreeMap<_, _> = secret.data.unwrap_or_default();
        let token = data.get("token").ok_or("the Secret has no token")?;
        let token = std::str::from_utf8(&token.0)?;
        let UserAnswer { user } = self.ask("user", token).await?;
        let TeamsAnswer { teams } = self.ask("team", token).await?;
        let team = teams.first().ok_or("the token sees no workspace")?;
        let IgnoredAny = self.ask(&format!("team/{}/space?archived=false", team.id), token).await?;
        let version = secret.metadata.resource_version.unwrap_or_default();
        self.write(place, adapt(&self.plan.template, &user, team, &version, Timestamp::now())).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, token: &str) -> Result<T, Failure> {
        let url = format!("{}/v2/{path}", self.plan.clickup_url);
        let answer = self.http.get(url).header(reqwest::header::AUTHORIZATION, token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn write(&self, place: &Place, status: Value) -> Result<(), Failure> {
        let Place { namespace, name } = place;
        let kind = connections();
        let apply = json!({
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": namespace},
            "status": status,
        });
        let Cluster { url, http, .. } = &self.cluster;
        let api = format!("{url}/apis/{}/namespaces/{namespace}/{}", kind.api_version, kind.plural);
        let patch = http.patch(format!("{api}/{name}/status?fieldManager={FIELD_MANAGER}&force=true"));
        let patch = patch.header(reqwest::header::CONTENT_TYPE, "application/apply-patch+yaml");
        let IgnoredAny = self.cluster.ask(patch.body(serde_json::to_vec(&apply)?)).await?;
        Ok(())
    }
}

/// The template, as it would be for this connection.
fn adapt(template: &Value, user: &User, team: &Team, secret: &str, now: Timestamp) -> Value {
    let mut status = template.clone();
    let now = json!(Timestamp::from_second(now.as_second()).unwrap_or(now));
    let of_template = |field: &str| template["workspaces"][0][field].as_str().unwrap_or_default().to_owned();
    let (old_id, old_name) = (of_template("id"), of_template("name"));
    let named = json!({"id": team.id, "name": team.name});
    for place in ["/workspaces/0", "/defaultWorkspace"] {
        for field in ["id", "name"] {
            // What the operator leaves out stays out.
            if let Some(value) = status.pointer_mut(&format!("{place}/{field}")) {
                *value = named[field].clone();
            }
        }
    }
    status["user"]["id"] = json!(user.id.to_string());
    status["secretResourceVersion"] = json!(secret);
    status["lastVerifiedTime"] = now.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = now.clone();
        if let Some(message) = condition["message"].as_str() {
            condition["message"] = json!(message.replace(&old_name, &team.name).replace(&old_id, &team.id));
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_adapted_to_its_connection() {
        let then = "2026-11-23T10:00:00Z";
        let status = |workspace: &str, name: &str, user: &str, version: &str, time: &str| {
            json!({
                "observedGeneration": 1,
                "conditions": [{"type": "Ready", "message": format!("{name} ({workspace})"), "lastTransitionTime": time}],
                "user": {"id": user},
                "secretResourceVersion": version,
                "workspaces": [{"id": workspace, "name": name, "role": "Member"}],
                "defaultWorkspace": {"id": workspace, "name": name},
                "lastVerifiedTime": time,
            })
        };
        let team = Team { id: "22".into(), name: "Two".into() };
        let now: Timestamp = "2026-11-23T10:00:07.5Z".parse().unwrap();
        let adapted = adapt(&status("11", "One", "1", "5", then), &User { id: 2 }, &team, "6", now);
        assert_eq!(adapted, status("22", "Two", "2", "6", "2026-11-23T10:00:07Z"));
    }
}
