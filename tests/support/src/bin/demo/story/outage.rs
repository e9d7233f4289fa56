//! Last chapter: ClickUp is away for a while.

use super::{BOT, DemoError, INVOICES, NO_SECRET, PASTED, Story};

impl Story<'_, '_> {
    pub(super) async fn outage(&mut self) -> Result<(), DemoError> {
        self.step("ClickUp is down");
        self.scene.simulator.set_up(false).await?;
        self.note("The simulator closes its port, and the operator is asked to look:");
        self.request_check().await?;
        self.wait(BOT, "Reachable=False").await?;
        self.conditions(BOT, &["ConnectFailed"]).await?;
        self.note("Not being able to ask is not a No: Ready stays True for spec.outageGracePeriod (30m).");
        let wanted = [("Ready", "True", "Verified"), ("Reachable", "False", "ConnectFailed")];
        self.scene.check(BOT, &wanted).await.map(drop)
    }

    pub(super) async fn recovery(&mut self) -> Result<(), DemoError> {
        self.step("ClickUp is back");
        self.scene.simulator.set_up(true).await?;
        self.note("Nobody has to do anything; the operator tries again, the first time after 5 to 10 s:");
        self.wait_long(BOT, "Reachable", "waiting for the operator's next try").await?;
        self.run("kubectl get cuc -A").await?;
        let wanted = [("Ready", "True", "Verified"), ("Reachable", "True", "ResponseReceived")];
        self.scene.check(BOT, &wanted).await?;
        for (subject, reason) in
            [(NO_SECRET, "SecretNotFound"), (PASTED, "TokenMalformed"), (INVOICES, "ConnectionNotShared")]
        {
            self.scene.check(subject, &[("Ready", "False", reason)]).await?;
        }
        Ok(())
    }
}
