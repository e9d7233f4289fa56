//! The story: one function per step, in the order in which it is told.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use kube::runtime::wait::await_condition;
use test_support::connection::{self, Connection};

use super::manifests;
use super::stage::{DemoError, Scene, Stage, require};

/// The connection that the story follows, its Secret, and the token's name in the simulator.
const BOT: &str = "release-bot";
const BOT_SECRET: &str = "clickup-release-bot";
const TOKEN: &str = "ada";
/// Before it a second rejection would be no second one.
const SECOND_REJECTION_AFTER: Duration = Duration::from_secs(10);
/// How soon an edited Secret is to show.
const ROTATED_WITHIN: Duration = Duration::from_secs(1);

const CRD_FILE: &str = "crds/clickupconnections.yaml";
const CRD: &str = "crd/clickupconnections.clickup-operator.dev";
const REQUEST: &str = "clickup-operator.dev/reconcile-requested-at";

/// Tells all of it. Ends with the first step that does not show what it should.
pub async fn tell(stage: &mut Stage) -> Result<(), DemoError> {
    let terminal = stage.terminal;
    terminal.say(terminal.bold("The clickup-operator: is this ClickUp token good, and what does it reach?"));
    terminal.say(
        "Here are a real Kubernetes API server and the operator, and a simulated ClickUp. Behind each $ is a",
    );
    terminal.say(
        "command that is run now, with its own output. The tokens are made up; nothing leaves this machine.",
    );
    let start = Instant::now();
    let mut scene =
        terminal.waiting("starting the API server and the simulated ClickUp", stage.start()).await?;
    terminal.say(
        terminal.dim(format!("API server and ClickUp are up after {:.1} s.", start.elapsed().as_secs_f64())),
    );

    Story { say: terminal, scene: &mut scene, step: 0 }.tell().await
}

struct Story<'a, 's> {
    say: test_support::terminal::Terminal,
    scene: &'a mut Scene<'s>,
    step: u32,
}

impl Story<'_, '_> {
    async fn tell(&mut self) -> Result<(), DemoError> {
        self.install().await?;
        self.good_connection().await?;
        self.describe().await?;
        let asked = self.regenerate().await?;
        self.missing_secret().await?;
        self.bearer().await?;
        self.rejected(asked).await?;
        self.rotate().await?;
        self.outage().await?;
        self.recovery().await
    }

    async fn install(&mut self) -> Result<(), DemoError> {
        self.step("Install the resource ClickUpConnection and the operator");
        self.run(&format!("kubectl apply -f {CRD_FILE}")).await?;
        self.run(&format!("kubectl wait --for=condition=Established {CRD} --timeout=30s")).await?;
        self.note("The operator's namespace and account, and the few rights that it needs:");
        let base = "deploy/base";
        let files = format!("-f {base}/namespace.yaml -f {base}/serviceaccount.yaml -f {base}/rbac.yaml");
        self.run(&format!("kubectl apply {files}")).await?;
        // Asked first, because the API server refuses watches while it sets up the storage of a new resource.
        self.run("kubectl get clickupconnections").await?;
        let took = self.scene.start_operator().await?;
        self.note(&format!(
            "The operator runs with just these rights; it was ready after {} ms.",
            took.as_millis()
        ));
        Ok(())
    }

    async fn good_connection(&mut self) -> Result<(), DemoError> {
        self.step("A token in a Secret, and a connection that names it");
        let token = self.scene.simulator.token(TOKEN).await?.value;
        self.scene.write("secret.yaml", &manifests::secret(BOT_SECRET, &token))?;
        self.scene.write("release-bot.yaml", manifests::RELEASE_BOT)?;
        self.run("cat secret.yaml").await?;
        self.run("cat release-bot.yaml").await?;
        self.run("kubectl apply -f secret.yaml -f release-bot.yaml").await?;
        self.note("The operator asks ClickUp whether the token works, and which workspaces it reaches:");
        self.run(&format!("kubectl wait --for=condition=Ready clickupconnection/{BOT} --timeout=30s"))
            .await?;
        let table = self.run("kubectl get clickupconnections").await?;

        let bot = self.scene.check(BOT, &[("Ready", "True", "Verified")]).await?;
        let status = bot.status.clone().unwrap_or_default();
        let workspace = status.default_workspace.map(|workspace| workspace.name).unwrap_or_default();
        require(workspace == "Acme", "Acme as the default workspace", workspace)?;
        require(
            status.workspace_count == Some(2),
            "two workspaces",
            format!("{:?}", status.workspace_count),
        )?;
        let row = ["release-bot", "True", "Verified", "Acme"];
        require(row.iter().all(|word| table.contains(word)), format!("a row with {row:?}"), table)
    }

    async fn describe(&mut self) -> Result<(), DemoError> {
        self.step("What the operator found out, with a reason for each of it");
        let status = format!("kubectl describe clickupconnection {BOT} | sed -n '/^Status:/,$p'");
        let shown = self.run(&status).await?;
        let words = ["TokenAccepted", "WorkspacesFound", "Acme Labs", "Verified"];
        require(words.iter().all(|word| shown.contains(word)), format!("a status with {words:?}"), shown)
    }

    /// Returns when the check was asked for.
    async fn regenerate(&mut self) -> Result<Instant, DemoError> {
        self.step("Somebody regenerates the token in ClickUp: the one in the Secret is dead now");
        self.scene.simulator.regenerate(TOKEN).await?;
        self.note(
            "The operator would find out within spec.interval (10m). An annotation asks it to look now:",
        );
        let asked = Instant::now();
        self.request_check().await?;
        self.note(
            "A token that worked is not called dead for one strange answer: it takes a second rejection,",
        );
        self.note(
            "10 to 15 s after the first. Until then Ready stays True. Meanwhile, two everyday mistakes:",
        );
        self.scene.check(BOT, &[("Ready", "True", "Verified")]).await?;
        Ok(asked)
    }

    async fn missing_secret(&mut self) -> Result<(), DemoError> {
        self.step("A connection whose Secret is not there");
        self.scene.write("no-secret.yaml", &manifests::connection("no-secret", "forgotten"))?;
        self.run("grep Secret no-secret.yaml").await?;
        self.run("kubectl apply -f no-secret.yaml").await?;
        self.note(
            "(From here on conditions.tmpl prints type, status, reason and message of the conditions.)",
        );
        self.not_ready("no-secret", "SecretNotFound").await
    }

    async fn bearer(&mut self) -> Result<(), DemoError> {
        self.step("A token pasted with \"Bearer \", as it stands in many examples");
        let token = self.scene.simulator.token("linus").await?.value;
        let secret = manifests::secret("pasted", &format!("Bearer {token}"));
        self.scene
            .write("pasted.yaml", &format!("{secret}---\n{}", manifests::connection("pasted", "pasted")))?;
        self.run("cat pasted.yaml | grep token:").await?;
        self.run("kubectl apply -f pasted.yaml").await?;
        self.not_ready("pasted", "TokenMalformed").await?;
        self.note("Nothing was sent to ClickUp for it, and the message holds no part of the token.");
        let requests = self.scene.simulator.counts(Some("linus")).await?;
        require(requests.is_empty(), "no request with that token", format!("{requests:?}"))?;
        let pasted = self.scene.connections().get("pasted").await?;
        let status = serde_json::to_string(&pasted.status).unwrap_or_default();
        require(!status.contains(&token), "a status without the token", "the token in the status")
    }

    async fn rejected(&mut self, asked: Instant) -> Result<(), DemoError> {
        self.step("Back to the regenerated token: the second rejection");
        let wait = format!("kubectl wait --for=condition=Ready=False clickupconnection/{BOT} --timeout=40s");
        self.scene
            .shell
            .run_waiting(&wait, "waiting for the second rejection (10 to 15 s after the first)")
            .await?;
        let took = asked.elapsed();
        self.conditions(BOT).await?;
        let wanted = [("Ready", "False", "TokenRejected"), ("Authenticated", "False", "TokenRejected")];
        self.scene.check(BOT, &wanted).await?;
        let wanted = format!("a verdict not before {SECOND_REJECTION_AFTER:?} have passed");
        require(took >= SECOND_REJECTION_AFTER, wanted, format!("one after {took:?}"))?;

        self.note("There is an Event too, for whoever watches these:");
        let events: Api<Event> = Api::default_namespaced(self.scene.client.clone());
        self.scene.soon("an Event about TokenRejected", || event_of(&events, BOT, "TokenRejected")).await?;
        let shown = self.run(&format!("kubectl events --for clickupconnection/{BOT}")).await?;
        require(shown.contains("TokenRejected"), "an Event about TokenRejected", shown)
    }

    async fn rotate(&mut self) -> Result<(), DemoError> {
        self.step("The new token goes into the Secret");
        let token = self.scene.simulator.token(TOKEN).await?.value;
        self.scene.write("secret.yaml", &manifests::secret(BOT_SECRET, &token))?;
        self.run("grep token: secret.yaml").await?;
        let secrets: Api<Secret> = Api::default_namespaced(self.scene.client.clone());
        let old = secrets.get(BOT_SECRET).await?.metadata.resource_version;
        let is_new = move |secret: Option<&Secret>| {
            secret.is_some_and(|secret| secret.metadata.resource_version != old)
        };
        let is_ready = |bot: Option<&Connection>| {
            bot.is_some_and(|bot| connection::has(bot, "Ready", "True", "Verified"))
        };
        // Both watches run before the edit: they tell the operator's time apart from kubectl's.
        let edited = tokio::spawn(time_of(await_condition(secrets, BOT_SECRET, is_new)));
        let ready = tokio::spawn(time_of(await_condition(self.scene.connections(), BOT, is_ready)));
        self.run("kubectl apply -f secret.yaml").await?;
        self.run(&format!("kubectl wait --for=condition=Ready clickupconnection/{BOT} --timeout=10s"))
            .await?;
        let (edited, ready) = (moment(edited).await?, moment(ready).await?);
        let took = ready.saturating_duration_since(edited);
        self.note(&format!(
            "Ready again {} ms after the edit: the operator watches its Secrets.",
            took.as_millis()
        ));
        require(took < ROTATED_WITHIN, format!("Ready within {ROTATED_WITHIN:?}"), format!("{took:?}"))?;
        self.run("kubectl get clickupconnections").await?;
        self.scene.check(BOT, &[("Ready", "True", "Verified")]).await.map(drop)
    }

    async fn outage(&mut self) -> Result<(), DemoError> {
        self.step("ClickUp is down");
        self.scene.simulator.set_up(false).await?;
        self.note("The simulator closes its port, and the operator is asked to look:");
        self.request_check().await?;
        let wait = "kubectl wait --for=condition=Reachable=False";
        self.run(&format!("{wait} clickupconnection/{BOT} --timeout=30s")).await?;
        self.conditions(BOT).await?;
        self.note("Not being able to ask is not a No: Ready stays True for spec.outageGracePeriod (30m).");
        self.scene
            .check(BOT, &[("Ready", "True", "Verified"), ("Reachable", "False", "ConnectFailed")])
            .await
            .map(drop)
    }

    async fn recovery(&mut self) -> Result<(), DemoError> {
        self.step("ClickUp is back");
        self.scene.simulator.set_up(true).await?;
        self.note("Nobody has to do anything; the operator tries again, the first time after 5 to 10 s:");
        let wait = format!("kubectl wait --for=condition=Reachable clickupconnection/{BOT} --timeout=40s");
        self.scene.shell.run_waiting(&wait, "waiting for the operator's next try").await?;
        self.run("kubectl get clickupconnections").await?;
        let wanted = [("Ready", "True", "Verified"), ("Reachable", "True", "ResponseReceived")];
        self.scene.check(BOT, &wanted).await?;
        self.scene.check("no-secret", &[("Ready", "False", "SecretNotFound")]).await?;
        self.scene.check("pasted", &[("Ready", "False", "TokenMalformed")]).await.map(drop)
    }

    /// Waits until a connection is not ready, shows why, and checks the reason.
    async fn not_ready(&self, name: &str, reason: &str) -> Result<(), DemoError> {
        let wait = "kubectl wait --for=condition=Ready=False";
        self.run(&format!("{wait} clickupconnection/{name} --timeout=30s")).await?;
        self.conditions(name).await?;
        self.scene
            .check(name, &[("Ready", "False", reason), ("TokenAvailable", "False", reason)])
            .await
            .map(drop)
    }

    async fn conditions(&self, name: &str) -> Result<(), DemoError> {
        let get = format!("kubectl get clickupconnection {name} -o go-template-file=conditions.tmpl");
        self.run(&get).await.map(drop)
    }

    async fn request_check(&self) -> Result<(), DemoError> {
        let annotate = format!("kubectl annotate --overwrite clickupconnection/{BOT} {REQUEST}=\"$(date)\"");
        self.run(&annotate).await.map(drop)
    }

    async fn run(&self, line: &str) -> Result<String, DemoError> {
        Ok(self.scene.shell.run(line).await?)
    }

    fn step(&mut self, title: &str) {
        self.step += 1;
        self.say.heading(format!("{}. {title}", self.step));
    }

    fn note(&self, text: &str) {
        self.say.say(text);
    }
}

async fn event_of(events: &Api<Event>, name: &str, reason: &str) -> Result<(), String> {
    let found = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let regards = |event: &Event| {
        event.reason.as_deref() == Some(reason)
            && event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name))
    };
    if found.iter().any(regards) { Ok(()) } else { Err(format!("{} other Events", found.items.len())) }
}

async fn time_of<T, E>(future: impl Future<Output = Result<T, E>>) -> Result<Instant, E> {
    future.await.map(|_| Instant::now())
}

async fn moment<E: ToString>(
    task: tokio::task::JoinHandle<Result<Instant, E>>,
) -> Result<Instant, DemoError> {
    let failed =
        |seen: String| DemoError::Differs { wanted: "to see the edit and its effect".to_string(), seen };
    let seen = tokio::time::timeout(Duration::from_secs(10), task).await;
    seen.map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}
