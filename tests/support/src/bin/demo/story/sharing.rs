//! Second chapter: another team uses the token without getting it. The withdrawal comes later.

use super::super::manifests;
use super::super::sighting::Sighting;
use super::{AT_ONCE, BOT, DemoError, INVOICES, Story, TOKEN, require};
use test_support::connection::{Connection, has};

/// What of the status only the owner's side is told.
const OWNERS: [&str; 3] = ["user", "rateLimit", "secretResourceVersion"];

impl Story<'_, '_> {
    pub(super) async fn refer(&mut self) -> Result<(), DemoError> {
        self.step("Another team, in a namespace of its own, wants to use this token");
        self.scene.write("invoices.yaml", manifests::INVOICES)?;
        self.run("kubectl create namespace payments").await?;
        self.run("cat invoices.yaml").await?;
        self.run("kubectl apply -f invoices.yaml").await?;
        self.wait(INVOICES, "Ready=False").await?;
        self.conditions(INVOICES, &["ConnectionNotShared"]).await?;
        self.note("A connection is its own namespace's until its owner shares it; others are not even told that it is there.");
        let wanted =
            [("TokenAvailable", "False", "ConnectionNotShared"), ("Ready", "False", "ConnectionNotShared")];
        self.scene.check(INVOICES, &wanted).await.map(drop)
    }

    pub(super) async fn share(&mut self) -> Result<(), DemoError> {
        self.step("The owner of the token shares the connection with that namespace");
        let patch = "spec: {sharing: {scope: Namespaces, namespaces: [payments]}}";
        self.run(&format!("kubectl patch {BOT} --type=merge --patch '{patch}'")).await?;
        self.wait(INVOICES, "Ready").await?;
        self.shows("kubectl get cuc -A", &["release-bot", "invoices"]).await?;
        self.note("The team gets an answer, never the token. It does not even see whose it is, or where else it works:");
        self.found(INVOICES, &["Acme"]).await?;

        let invoices = self.scene.check(INVOICES, &[("Ready", "True", "Verified")]).await?;
        let status = invoices.status.unwrap_or_default();
        let user = self.scene.simulator.token(TOKEN).await?.user.to_string();
        let told =
            OWNERS.iter().any(|field| status.others.contains_key(*field)) || status.workspace_count.is_some();
        let text = serde_json::to_string(&status).unwrap_or_default();
        let named = ["Labs", &user].iter().any(|word| text.contains(word));
        require(!told && !named, "a status without the user and Acme Labs", text)?;
        self.one_check().await
    }

    /// Shows what ClickUp was asked up to here.
    async fn one_check(&self) -> Result<(), DemoError> {
        self.note("One token, one check: all of this cost one look at the user and the workspaces. ClickUp's log of it:");
        let mut counts = self.scene.simulator.counts(Some(TOKEN)).await?;
        counts.sort_by_key(|count| (count.path.len(), count.path.clone()));
        for count in &counts {
            self.say.output(&format!("{} x GET {}", count.requests, count.path));
        }
        for path in ["/v2/user", "/v2/team"] {
            let once = counts.iter().any(|count| count.path == path && count.requests == 1);
            require(once, format!("one request to {path}"), format!("{counts:?}"))?;
        }
        Ok(())
    }

    pub(super) async fn withdraw(&mut self) -> Result<(), DemoError> {
        self.step("The owner stops sharing");
        let before = self.scene.connections(BOT).get(BOT.name).await?.metadata.generation;
        let edited = move |bot: &Connection| bot.metadata.generation != before;
        let edit = Sighting::of(self.scene.connections(BOT), BOT.name, edited);
        let refused = |it: &Connection| has(it, "Ready", "False", "ConnectionNotShared");
        let effect = Sighting::of(self.scene.connections(INVOICES), INVOICES.name, refused);
        self.run(&format!("kubectl patch {BOT} --type=merge --patch 'spec: {{sharing: null}}'")).await?;
        self.wait(INVOICES, "Ready=False").await?;
        let took = Sighting::between(edit, effect).await?;
        self.shows("kubectl get cuc -n payments", &["ConnectionNotShared"]).await?;
        self.note(&format!("The other team was out {} ms after the edit.", took.as_millis()));
        require(took < AT_ONCE, format!("ConnectionNotShared within {AT_ONCE:?}"), format!("{took:?}"))?;
        self.scene.check(BOT, &[("Ready", "True", "Verified")]).await.map(drop)
    }
}
