//! First chapter: a token, and what it is needed for.

use super::super::manifests;
use super::{BOT, BOT_SECRET, DemoError, Story, TOKEN, require};

const CRD_FILE: &str = "crds/clickupconnections.yaml";
const CRD: &str = "crd/clickupconnections.clickup-operator.dev";

impl Story<'_, '_> {
    pub(super) async fn install(&mut self) -> Result<(), DemoError> {
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

    pub(super) async fn slip(&mut self) -> Result<(), DemoError> {
        self.step("A token in a Secret, and a connection that says what it is needed for");
        let token = self.scene.simulator.token(TOKEN).await?.value;
        self.scene.write("secret.yaml", &manifests::secret(BOT_SECRET, &token))?;
        self.scene.write("release-bot.yaml", manifests::RELEASE_BOT)?;
        self.run("cat secret.yaml").await?;
        self.run("cat release-bot.yaml").await?;
        self.run("kubectl apply -f secret.yaml -f release-bot.yaml").await?;
        self.note("The operator asks ClickUp whether the token works and reaches all of this (cuc is the short name):");
        self.wait(BOT, "Ready=False").await?;
        self.run("cat conditions.tmpl").await?;
        self.conditions(BOT, &["AccessGranted", "\"deployments\" (6-901230000002-8)"]).await?;
        self.note("The token is good and reaches the rest. Only the channel's name is not quite right: see the message.");
        let wanted = [
            ("Authenticated", "True", "TokenAccepted"),
            ("WorkspacesResolved", "True", "WorkspacesFound"),
            ("ChannelResolved", "False", "ChannelNotFound"),
            ("AccessVerified", "True", "AccessGranted"),
            ("Ready", "False", "ChannelNotFound"),
        ];
        self.scene.check(BOT, &wanted).await.map(drop)
    }

    pub(super) async fn corrected(&mut self) -> Result<(), DemoError> {
        self.step("The channel's name is corrected");
        let patch = "spec: {channel: {name: deployments}}";
        self.run(&format!("kubectl patch {BOT} --type=merge --patch '{patch}'")).await?;
        self.wait(BOT, "Ready").await?;
        self.shows("kubectl get cuc", &["release-bot", "True", "Verified", "Acme"]).await?;
        self.note("What the operator found out, condition by condition, and the rest of the status:");
        let template =
            "{{range .status.conditions}}\n      {{- printf \"%-18s  %s\\n\" .type .message}}{{end}}";
        let words = ["\"deployments\"", "all 2 nodes", "the role Owner"];
        self.shows(&format!("kubectl get {BOT} -o go-template='{template}'"), &words).await?;
        self.found(BOT, &["User:", "Acme Labs"]).await?;

        let bot = self.scene.check(BOT, &[("Ready", "True", "Verified")]).await?;
        let status = bot.status.unwrap_or_default();
        let names = [status.default_workspace, status.channel].map(|it| it.unwrap_or_default().name);
        require(names == ["Acme", "deployments"], "Acme and its channel deployments", format!("{names:?}"))?;
        let count = status.workspace_count;
        require(count == Some(2), "two workspaces", format!("{count:?}"))
    }
}
