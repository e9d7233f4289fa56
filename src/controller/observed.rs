//! What a scrape of the metrics finds out about the controller.

use super::{context::Context, registry::Memory};
use crate::{
    api::StoredConnection,
    observe::{Gauges, Observed, Pulse},
};
use jiff::Timestamp;
use std::{
    num::NonZeroI64,
    sync::{Arc, Weak},
};

/// The controller as long as it lives.
pub(super) struct Observable(pub(super) Weak<Context>);

impl Observed for Observable {
    fn connections(&self) -> Vec<Arc<StoredConnection>> {
        self.0.upgrade().map(|context| context.store.state()).unwrap_or_default()
    }

    fn gauges(&self, connection: &StoredConnection) -> Option<Gauges> {
        self.0.upgrade()?.registry.entry(connection).map(|entry| entry.gauges())
    }

    fn pulse(&self) -> Pulse {
        let Some(context) = self.0.upgrade() else { return Pulse::default() };
        Pulse {
            lag: context.registry.lag(Timestamp::now()).unsigned_abs(),
            outage: context.checks.is_outage(),
            tokens: context.checks.tokens(),
        }
    }
}

/// What a pass leaves to be told of its connection. Of another's token nothing is: its limit and age are its owner's.
pub(super) fn gauges(stored: &StoredConnection, memory: &Memory) -> Gauges {
    let Memory { session, token, token_written, .. } = memory;
    let own = stored.spec.as_ref().is_ok_and(|spec| spec.connection_ref.is_none());
    let (limit, remaining) = token.as_ref().filter(|_| own).map(|token| token.limit()).unwrap_or_default();
    let interval = if session.is_suspended() { Some(0) } else { session.interval().map(|i| i.as_secs()) };
    Gauges {
        last_verified: session.last_verdict().and_then(milliseconds),
        interval: interval.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        token_written: token_written.filter(|_| own && token.is_some()).and_then(milliseconds),
        limit,
        remaining,
    }
}

/// Of a connection that no pass has seen yet: what its status says.
pub(super) fn recalled(last_verified: Option<Timestamp>) -> Gauges {
    Gauges { last_verified: last_verified.and_then(milliseconds), ..Gauges::default() }
}

fn milliseconds(at: Timestamp) -> Option<NonZeroI64> {
    NonZeroI64::new(at.as_millisecond())
}
