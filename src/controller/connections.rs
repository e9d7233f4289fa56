//! The watches of connections: one of all, or one per namespace. On their way to the controller events fill the store and
//! the indexes.

use super::{
    context::Context,
    intake,
    scope::Scope,
    selector::LabelSelector,
    union::{Said, Shown, Union},
    watches::{self, Trouble},
};
use crate::api::{NamespaceSelector, StoredConnection};
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use kube::{
    Client,
    runtime::{
        WatchStreamExt, reflector,
        watcher::{self, Event, watcher},
    },
};
use std::{collections::HashSet, future::ready, sync::Arc};

/// Follows the connections of these scopes, and shows those that a pass is to look at. Errors stay here: the controller
/// would let every pass wait for the one watch that fails.
pub(super) fn follow(
    client: &Client,
    scopes: &[Scope],
    selector: Option<&LabelSelector>,
    context: Arc<Context>,
    mut writer: reflector::store::Writer<StoredConnection>,
) -> impl Stream<Item = Result<StoredConnection, watcher::Error>> + Send + 'static {
    let mut config = watcher::Config::default().streaming_lists();
    if let Some(selector) = selector {
        config = config.labels(&selector.to_string());
    }
    let watches = scopes.iter().enumerate().map(|(n, scope)| one(client, n, scope, config.clone()));
    let mut union = Union::new(scopes, context.store.clone());
    let mut selectors = (!scopes.contains(&Scope::Cluster)).then(Selectors::default);
    stream::select_all(watches).flat_map(move |(n, said)| stream::iter(union.take_in(n, said))).filter_map(
        move |shown| {
            ready(match shown {
                Shown::Event(mut event) => {
                    if let Some(selectors) = &mut selectors {
                        selectors.leave_out(&mut event, &context);
                    }
                    writer.apply_watcher_event(&event);
                    intake::take_in(&context, &event);
                    concerned(event).filter(|stored| !context.registry.take_echo(stored)).map(Ok)
                }
                Shown::Listed(scope) => {
                    context.listed(scope);
                    None
                }
                Shown::Refused(scope) => {
                    context.settled(&scope);
                    None
                }
            })
        },
    )
}

/// The watch of one scope, with its place among them.
fn one(
    client: &Client,
    n: usize,
    scope: &Scope,
    config: watcher::Config,
) -> BoxStream<'static, (usize, Said)> {
    let mut trouble = Trouble::new(scope, "ClickUpConnections", "what happens to them is noticed late");
    let named = scope.namespace().is_some();
    watcher(scope.api::<StoredConnection>(client.clone()), config)
        .backoff(watches::backoff())
        .inspect(move |event| trouble.note(event))
        .filter_map(move |event| {
            ready(match event {
                Ok(event) => Some((n, Said::Event(event))),
                Err(error) => (named && watches::is_forbidden(&error)).then_some((n, Said::Refused)),
            })
        })
        .boxed()
}

/// The connection that an event asks a pass for.
fn concerned(event: Event<StoredConnection>) -> Option<StoredConnection> {
    match event {
        Event::Apply(stored) | Event::InitApply(stored) => Some(stored),
        Event::Delete(_) | Event::Init | Event::InitDone => None,
    }
}

/// Selectors of namespaces, where single namespaces are watched: their labels may not be seen, so a selector selects none.
#[derive(Default)]
struct Selectors {
    /// Whose owners know it, by uid.
    told: HashSet<String>,
    /// Of these, those that a list under way has not shown yet: they may be gone.
    told_before: HashSet<String>,
}

impl Selectors {
    /// Leaves out the selector of a connection, and tells its owner once.
    fn leave_out(&mut self, event: &mut Event<StoredConnection>, context: &Context) {
        match event {
            Event::Apply(stored) | Event::InitApply(stored) => {
                let uid = stored.metadata.uid.clone().unwrap_or_default();
                let told_before = self.told_before.remove(&uid);
                if take_selector(stored).is_none() {
                    self.told.remove(&uid);
                } else if self.told.insert(uid) && !told_before {
                    context.transitions.selector_ignored(stored);
                }
            }
            Event::Delete(stored) => {
                self.told.remove(stored.metadata.uid.as_deref().unwrap_or_default());
            }
            Event::Init => self.told_before.extend(self.told.drain()),
            Event::InitDone => self.told_before.clear(),
        }
    }
}

fn take_selector(stored: &mut StoredConnection) -> Option<NamespaceSelector> {
    stored.spec.as_mut().ok()?.sharing.as_mut()?.namespace_selector.take()
}
