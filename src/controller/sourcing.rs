//! Where a connection's token comes from: its own Secret, or that of another connection which shares it.

use super::{
    ConnectionRef, connection_ref, context::Context, lock, namespaces::Namespaces, referrers::Referrers,
};
use crate::{
    api::{ClickUpConnectionSpec, StoredConnection},
    connection::{TokenSource, shares},
};
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use std::collections::BTreeSet;

/// Where a connection's token comes from.
pub(super) enum Sourcing {
    /// From there; `None` where the connection that is referred to does not share it.
    Known(Option<TokenSource>),
    /// That depends on labels which are not known yet.
    Open,
}

pub(super) fn source(stored: &StoredConnection, spec: &ClickUpConnectionSpec, context: &Context) -> Sourcing {
    let namespace = stored.metadata.namespace.as_deref().unwrap_or_default();
    let Some(reference) = &spec.connection_ref else {
        return Sourcing::Known(TokenSource::own(namespace, spec));
    };
    let Some(owner) = context.store.get(&ConnectionRef::new(&reference.name).within(&reference.namespace))
    else {
        return Sourcing::Known(None);
    };
    // One that cannot be understood shares with nobody.
    let Ok(shared) = &owner.spec else { return Sourcing::Known(None) };
    let labels = context.namespaces.labels(namespace);
    match shares(shared, &reference.namespace, namespace, labels.as_ref()) {
        Some(true) => {
            let recalled = context.registry.entry(&owner).and_then(|entry| entry.recalled_version.clone());
            Sourcing::Known(TokenSource::lent(&reference.namespace, shared, recalled))
        }
        Some(false) => {
            // One that refers itself has nothing to share, and its owner nothing to correct.
            if shared.connection_ref.is_none() {
                let refused = {
                    let (store, namespaces) = (context.store.clone(), context.namespaces.clone());
                    let (referrers, owner) = (context.referrers.clone(), connection_ref(&owner.metadata));
                    move || refused_namespaces(&owner, &store, &lock(&referrers), &namespaces)
                };
                context.refusals.note(&owner, &context.transitions, Timestamp::now(), refused);
            }
            Sourcing::Known(None)
        }
        // Whom nobody can tell to be selected is not.
        None if context.namespaces.are_denied() => Sourcing::Known(None),
        None => Sourcing::Open,
    }
}

/// The namespaces that refer to a connection without being allowed to.
fn refused_namespaces(
    owner: &ConnectionRef,
    store: &Store<StoredConnection>,
    referrers: &Referrers,
    namespaces: &Namespaces,
) -> BTreeSet<String> {
    let stored = store.get(owner);
    let Some(Ok(spec)) = stored.as_deref().map(|stored| &stored.spec) else { return BTreeSet::new() };
    let place = owner.namespace.as_deref().unwrap_or_default();
    let referring = referrers.of(owner).filter_map(|referrer| referrer.namespace.clone());
    let referring: BTreeSet<_> = referring.collect();
    let is_refused = |namespace: &String| {
        shares(spec, place, namespace, namespaces.labels(namespace).as_ref()) == Some(false)
    };
    referring.into_iter().filter(is_refused).collect()
}
