//! The shell: watches, reads, writes. It decides nothing; `connection` does.

mod checks;
mod error;
mod events;
mod index;
mod namespaces;
mod reconcile;
mod referrers;
mod refusals;
mod registry;
mod run;
mod secrets;
mod status_writer;

pub use error::{ApiError, ErrorClass, ReconcileError};
pub use run::{ControllerOptions, run};

use crate::api::StoredConnection;
use kube::{api::ObjectMeta, runtime::reflector::ObjectRef};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The field manager of the operator's writes, and the source of its Events.
pub const MANAGER: &str = "clickup-operator";

/// Names a connection.
pub(crate) type ConnectionRef = ObjectRef<StoredConnection>;

/// The name of a connection alone: the references that kube makes hold uid and version too.
fn connection_ref(metadata: &ObjectMeta) -> ConnectionRef {
    let name = ConnectionRef::new(metadata.name.as_deref().unwrap_or_default());
    name.within(metadata.namespace.as_deref().unwrap_or_default())
}

/// Locks; what a panic left behind is still good, for every change of these values is a whole one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
