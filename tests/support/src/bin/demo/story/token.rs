//! Third chapter: the token dies and is replaced.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use test_support::connection::{self, Connection};

use super::super::manifests;
use super::super::sighting::Sighting;
use super::{
    AT_ONCE, BOT, BOT_SECRET, DemoError, INVOICES, NO_SECRET, PASTED, Story, Subject, TOKEN, require,
};

/// Before it a second rejection would be no second one.
const SECOND_REJECTION_AFTER: Duration = Duration::from_secs(10);

impl Story<'_, '_> {
    /// Returns when the check was asked for.
    pub(super) async fn regenerate(&mut self) -> Result<Instant, DemoError> {
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
        self.note("10 to 15 s after the first. Until then Ready stays True.");
        self.scene.check(BOT, &[("Ready", "True", "Verified")]).await?;
        Ok(asked)
    }

    pub(super) async fn mistakes(&mut self) -> Result<(), DemoError> {
        self.step(
            "Meanwhile, two everyday mistakes: a forgotten Secret, and a token pasted with \"Bearer \"",
        );
        let token = self.scene.simulator.token("linus").await?.value;
        let parts = [
            manifests::connection(NO_SECRET.name, "forgotten"),
            manifests::secret("pasted", &format!("Bearer {token}")),
            manifests::connection(PASTED.name, "pasted"),
        ];
        self.scene.write("mistakes.yaml", &parts.join("---\n"))?;
        self.run("grep -e SecretRef -e token: mistakes.yaml").await?;
        self.run("kubectl apply -f mistakes.yaml").await?;
        let names = format!("{NO_SECRET} {}", PASTED.name);
        self.run(&format!("kubectl wait --for=condition=Ready=False {names} --timeout=30s")).await?;
        let columns = r#"NAME:.metadata.name,MESSAGE:.status.conditions[?(@.type=="Ready")].message"#;
        self.run(&format!("kubectl get cuc -o custom-columns='{columns}'")).await?;
        for (subject, reason) in [(NO_SECRET, "SecretNotFound"), (PASTED, "TokenMalformed")] {
            let wanted = [("Ready", "False", reason), ("TokenAvailable", "False", reason)];
            self.scene.check(subject, &wanted).await?;
        }
        self.note("Nothing was sent to ClickUp for these, and no message holds a part of the token.");
        let requests = self.scene.simulator.counts(Some("linus")).await?;
        require(requests.is_empty(), "no request with that token", format!("{requests:?}"))?;
        let pasted = self.scene.connections(PASTED).get(PASTED.name).await?;
        let status = serde_json::to_string(&pasted.status).unwrap_or_default();
        require(!status.contains(&token), "a status without the token", "the token in the status")
    }

    pub(super) async fn rejected(&mut self, asked: Instant) -> Result<(), DemoError> {
        self.step("Back to the regenerated token: the second rejection");
        let what = "waiting for the second rejection (10 to 15 s after the first)";
        self.wait_long(BOT, "Ready=False", what).await?;
        let took = asked.elapsed();
        self.conditions(BOT, &["TokenRejected"]).await?;
        let wanted = [("Ready", "False", "TokenRejected"), ("Authenticated", "False", "TokenRejected")];
        self.scene.check(BOT, &wanted).await?;
        let wanted = format!("a verdict not before {SECOND_REJECTION_AFTER:?} have passed");
        require(took >= SECOND_REJECTION_AFTER, wanted, format!("one after {took:?}"))?;
        self.note("The other team holds the same token, and knows at once:");
        self.wait(INVOICES, "Ready=False").await?;
        self.scene.check(INVOICES, &[("Ready", "False", "TokenRejected")]).await?;

        self.note("There is an Event too, for whoever watches these:");
        let events: Api<Event> = Api::default_namespaced(self.scene.client.clone());
        self.scene.soon("an Event about TokenRejected", || event_of(&events, BOT, "TokenRejected")).await?;
        let events = format!("kubectl events --for cuc/{} | grep -e REASON -e TokenRejected", BOT.name);
        self.shows(&events, &["Warning", "TokenRejected"]).await
    }

    pub(super) async fn rotate(&mut self) -> Result<(), DemoError> {
        self.step("The new token goes into the Secret");
        let token = self.scene.simulator.token(TOKEN).await?.value;
        self.scene.write("secret.yaml", &manifests::secret(BOT_SECRET, &token))?;
        self.run("grep token: secret.yaml").await?;
        let secrets: Api<Secret> = Api::default_namespaced(self.scene.client.clone());
        let old = secrets.get(BOT_SECRET).await?.metadata.resource_version;
        let edited = move |secret: &Secret| secret.metadata.resource_version != old;
        let edit = Sighting::of(secrets, BOT_SECRET, edited);
        let ready = |bot: &Connection| connection::has(bot, "Ready", "True", "Verified");
        let effect = Sighting::of(self.scene.connections(BOT), BOT.name, ready);
        self.run("kubectl apply -f secret.yaml").await?;
        self.wait(BOT, "Ready").await?;
        self.wait(INVOICES, "Ready").await?;
        let took = Sighting::between(edit, effect).await?;
        self.note(&format!(
            "Ready again {} ms after the edit: the operator watches its Secrets. The other team has nothing to do.",
            took.as_millis()
        ));
        require(took < AT_ONCE, format!("Ready within {AT_ONCE:?}"), format!("{took:?}"))?;
        self.run("kubectl get cuc -A").await?;
        self.scene.check(BOT, &[("Ready", "True", "Verified")]).await?;
        self.scene.check(INVOICES, &[("Ready", "True", "Verified")]).await.map(drop)
    }
}

async fn event_of(events: &Api<Event>, subject: Subject, reason: &str) -> Result<(), String> {
    let found = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let regards = |event: &Event| {
        event.reason.as_deref() == Some(reason)
            && event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(subject.name))
    };
    if found.iter().any(regards) { Ok(()) } else { Err(format!("{} other Events", found.items.len())) }
}
