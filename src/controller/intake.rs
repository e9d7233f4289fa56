//! What the watch of connections shows, before a pass sees it: memory and indexes follow, and who is concerned is woken.

use super::{ConnectionRef, connection_ref, context::Context, lock};
use crate::{api::StoredConnection, connection::uses_selector};
use jiff::Timestamp;
use kube::runtime::watcher::Event;
use std::collections::HashSet;
use tracing::info;

/// Takes in an event; the store holds it already.
pub(super) fn take_in(context: &Context, event: &Event<StoredConnection>) {
    match event {
        Event::Apply(stored) | Event::InitApply(stored) => {
            let listing = matches!(event, Event::InitApply(_));
            context.registry.see(stored, listing, Timestamp::now());
            refers(context, stored);
        }
        Event::Delete(stored) => {
            let connection = connection_ref(&stored.metadata);
            lock(&context.index).forget(&connection);
            context.registry.forget(stored.metadata.uid.as_deref().unwrap_or_default());
            let mut referrers = lock(&context.referrers);
            referrers.refer(&connection, None);
            context.namespaces.want(referrers.select(&connection, false));
            context.wake_all(referrers.changed(&connection, None));
        }
        Event::Init => {}
        Event::InitDone => {
            let store = &context.store;
            let uids: HashSet<_> = store.state().iter().filter_map(|c| c.metadata.uid.clone()).collect();
            context.registry.listed(|uid| uids.contains(uid), Timestamp::now());
            let is_there = |connection: &ConnectionRef| store.get(connection).is_some();
            lock(&context.index).retain(is_there);
            context.namespaces.want(lock(&context.referrers).retain(is_there));
            // With several watches there is one such event, at the begin: then each tells what has changed.
            if !context.listed.borrow().is_empty() {
                info!("the watch of ClickUpConnections has shown them all again");
                // A pass that ran during the list saw what was there before it.
                context.wake_all(store.state().iter().map(|stored| connection_ref(&stored.metadata)));
            }
        }
    }
}

/// Notes which Secret and which connection a connection refers to, and wakes those who refer to it.
fn refers(context: &Context, stored: &StoredConnection) {
    let connection = connection_ref(&stored.metadata);
    let spec = stored.spec.as_ref().ok();
    match spec.and_then(|spec| spec.token_secret_ref.as_ref()) {
        // Of what is suspended, nothing is asked.
        Some(secret) if !(context.polls && spec.is_some_and(|spec| spec.suspend)) => {
            lock(&context.index).refer(&connection, &secret.name);
        }
        _ => lock(&context.index).forget(&connection),
    }
    let owner = spec.and_then(|spec| spec.connection_ref.as_ref());
    let mut referrers = lock(&context.referrers);
    referrers.refer(&connection, owner.map(|r| ConnectionRef::new(&r.name).within(&r.namespace)));
    context.namespaces.want(referrers.select(&connection, spec.is_some_and(uses_selector)));
    let uid = stored.metadata.uid.as_deref().unwrap_or_default();
    context.wake_all(referrers.changed(&connection, Some((uid, stored.generation()))));
}
