//! The shell: watches, reads, writes. It decides nothing; `connection` does.

mod checks;
mod error;
mod events;
mod flight;
mod index;
mod reconcile;
mod registry;
mod run;
mod secrets;
mod status_writer;
mod token_state;

pub use error::{ApiError, ErrorClass, ReconcileError};
pub use run::{ControllerOptions, run};

use crate::api::StoredConnection;
use kube::runtime::reflector::ObjectRef;

/// The field manager of the operator's writes, and the source of its Events.
pub const MANAGER: &str = "clickup-operator";

/// Names a connection.
pub(crate) type ConnectionRef = ObjectRef<StoredConnection>;
