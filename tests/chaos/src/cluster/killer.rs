//! Who kills the operator at a write.

use std::sync::Arc;
use std::time::Duration;

use test_support::operator::OperatorProcess;
use test_support::process::Signal;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::interposer::{Strike, Write};
use super::{ClusterError, Result};

const END_DEADLINE: Duration = Duration::from_secs(10);

/// Waits for a write and kills the operator there. Dropped, it waits no longer.
#[derive(Debug)]
pub(super) struct Killer {
    task: JoinHandle<Result<Option<Write>>>,
    struck: Option<Write>,
}

impl Killer {
    pub(super) fn start(mut strike: Strike, operator: Arc<OperatorProcess>) -> Killer {
        let task = tokio::spawn(async move {
            let Some(write) = strike.held().await else { return Ok(None) };
            operator.process().signal(Signal::Kill)?;
            operator.process().wait(END_DEADLINE).await?;
            Ok(Some(write))
        });
        Killer { task, struck: None }
    }

    /// Waits until the operator is dead.
    pub(super) async fn done(&mut self, deadline: Duration) -> Result<Write> {
        if let Some(struck) = &self.struck {
            return Ok(struck.clone());
        }
        let Ok(done) = timeout(deadline, &mut self.task).await else {
            return Err(ClusterError::NotStruck(deadline));
        };
        // The task ends otherwise only with the runtime, or if another strike took its place.
        let struck = done.ok().transpose()?.flatten().ok_or(ClusterError::NotArmed)?;
        self.struck = Some(struck.clone());
        Ok(struck)
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
