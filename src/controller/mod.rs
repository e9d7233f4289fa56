//! The shell: watches, reads, writes. It decides nothing; `connection` does.

mod checks;
mod connections;
mod context;
mod error;
mod events;
mod index;
mod intake;
mod lease;
mod namespaces;
mod observed;
mod polls;
mod reconcile;
mod referrers;
mod refusals;
mod registry;
mod run;
mod scope;
mod secrets;
mod selector;
mod sourcing;
mod status_writer;
mod union;
mod watches;

pub use error::{ApiError, ErrorClass, ReconcileError};
pub use index::{SecretIndex, Seen};
pub use lease::{Candidacy, LeaseOptions, Loss, Term, TermOver, WriteGuard};
pub use run::{ControllerOptions, SecretAccess, run};
pub use scope::{InvalidNamespace, NamespaceName};
pub use selector::{InvalidSelector, LabelSelector};

use crate::api::StoredConnection;
use kube::{api::ObjectMeta, runtime::reflector::ObjectRef};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The field manager of the operator's writes, and the source of its Events.
pub const MANAGER: &str = "clickup-operator";

/// Names a connection.
pub type ConnectionRef = ObjectRef<StoredConnection>;

/// The name of a connection alone: the references that kube makes hold uid and version too.
fn connection_ref(metadata: &ObjectMeta) -> ConnectionRef {
    let name = ConnectionRef::new(metadata.name.as_deref().unwrap_or_default());
    name.within(metadata.namespace.as_deref().unwrap_or_default())
}

/// What this process is known by, in Events and in the Lease: the Pod's name, where there is one.
fn pod_name() -> Option<String> {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).ok()
}

/// Locks; what a panic left behind is still good, for every change of these values is a whole one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Namespace and name of an object, in one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place(Box<str>);

impl Place {
    /// Of an object.
    pub fn new(namespace: &str, name: &str) -> Self {
        // Neither holds a slash.
        Self([namespace, "/", name].concat().into())
    }

    /// Of a connection.
    pub fn of(connection: &ConnectionRef) -> Self {
        Self::new(connection.namespace.as_deref().unwrap_or_default(), &connection.name)
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The connection there.
    pub fn connection(&self) -> ConnectionRef {
        ConnectionRef::new(self.name()).within(self.namespace())
    }
}
