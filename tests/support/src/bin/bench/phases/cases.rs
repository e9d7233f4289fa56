//! What happens seldom: Secrets of others, tokens that ClickUp refuses, one token for all.

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, PostParams};

use super::{Bench, side};
use crate::measure::Meter;
use crate::report::{Cases, Rejected, Round, Side, Unrelated};
use crate::{Failure, progress};

const UNRELATED: usize = 5000;
const UNRELATED_BYTES: usize = 50_000;

impl Bench {
    /// All of them.
    pub(crate) async fn cases(&self) -> Result<Cases, Failure> {
        let unrelated = self.unrelated().await?;
        let rejected = self.rejected().await?;
        let one_token = self.one_token().await?;
        Ok(Cases { size: u32::try_from(self.size())?, unrelated, rejected, one_token })
    }

    /// Without, with, with, without: an API server changes with its age.
    async fn unrelated(&self) -> Result<Unrelated, Failure> {
        let (mut without, mut with) = (vec![self.start_once().await?], Vec::new());
        self.fleet.add_unrelated(UNRELATED, UNRELATED_BYTES).await?;
        for _ in 0..2 {
            with.push(self.start_once().await?);
        }
        self.fleet.remove_unrelated().await?;
        without.push(self.start_once().await?);
        Ok(Unrelated { secrets: UNRELATED, bytes_each: UNRELATED_BYTES, without, with })
    }

    async fn start_once(&self) -> Result<Side, Failure> {
        let (side, operator) = self.operator().await?;
        operator.stop().await?;
        Ok(side)
    }

    async fn rejected(&self) -> Result<Rejected, Failure> {
        progress("revoking all tokens");
        for token in &self.ground.tokens {
            self.ground.clickup.revoke(&token.name).await?;
        }
        self.afresh().await?;
        progress("measuring the operator with tokens that ClickUp refuses");
        let meter = Meter::start(&self.ground).await?;
        let operator = self.program.start(&self.ground).await?;
        operator.until(self.size(), self.patience, "connections not Ready", |m| m.connections("0")).await?;
        operator.until(self.size(), self.patience, "Events done with", |m| m.events()[0]).await?;
        let used = operator.used(&self.ground)?;
        let cost = meter.stop(&self.ground, used.usage.cpu).await?;
        let [events, events_sent] = operator.metrics().await?.events();
        operator.stop().await?;
        let events_apiserver_cpu_seconds = self.events_alone(events_sent).await?;
        let events_lost = events - events_sent;
        Ok(Rejected { side: side(cost, used), events_sent, events_lost, events_apiserver_cpu_seconds })
    }

    /// What it costs the API server to take as many Events like those that the operator wrote.
    async fn events_alone(&self, count: u64) -> Result<f64, Failure> {
        let client = self.ground.control_plane.client_for(&self.ground.kubeconfig).await?;
        let all: Api<Event> = Api::all(self.ground.admin.clone());
        let of_the_operator = ListParams::default().fields("reason=TokenRejected").limit(1);
        let Some(mut event) = all.list(&of_the_operator).await?.items.pop() else {
            return Err("the operator wrote no Event about a token that ClickUp refuses".into());
        };
        let namespace = event.metadata.namespace.take().unwrap_or_default();
        event.metadata = Default::default();
        self.ground.quiet().await?;
        progress("measuring as many Events by themselves");
        let meter = Meter::start(&self.ground).await?;
        let api: Api<Event> = Api::namespaced(client, &namespace);
        for number in 0..count {
            event.metadata.name = Some(format!("bench-{number}"));
            api.create(&PostParams::default(), &event).await?;
        }
        Ok(meter.stop(&self.ground, std::time::Duration::ZERO).await?.apiserver_cpu_seconds)
    }

    async fn one_token(&self) -> Result<Round, Failure> {
        progress("giving all Secrets one token");
        let token = self.ground.generate("shared", 1).await?.remove(0);
        self.fleet.share(token.value).await?;
        let bare = self.bare().await?;
        let (operator, running) = self.operator().await?;
        running.stop().await?;
        Ok(Round { bare_first: true, bare, operator })
    }
}
