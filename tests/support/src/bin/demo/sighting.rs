//! How long after an edit its effect shows, as a third party sees both: it tells the operator's time from kubectl's.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use kube::Resource;
use kube::api::Api;
use kube::runtime::wait::{self, await_condition};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::stage::DemoError;

const PATIENCE: Duration = Duration::from_secs(10);

/// A watch that runs until something is so.
pub struct Sighting(JoinHandle<Result<Instant, wait::Error>>);

impl Sighting {
    /// Begins to watch an object.
    pub fn of<K>(api: Api<K>, name: &str, is_so: impl Fn(&K) -> bool + Send + Sync + 'static) -> Sighting
    where
        K: Clone + Debug + Send + DeserializeOwned + Resource + 'static,
    {
        let name = name.to_string();
        let is_so = move |object: Option<&K>| object.is_some_and(&is_so);
        Sighting(tokio::spawn(
            async move { await_condition(api, &name, is_so).await.map(|_| Instant::now()) },
        ))
    }

    /// The time from the first to the second.
    pub async fn between(edit: Sighting, effect: Sighting) -> Result<Duration, DemoError> {
        let (edit, effect) = (edit.moment().await?, effect.moment().await?);
        Ok(effect.saturating_duration_since(edit))
    }

    async fn moment(self) -> Result<Instant, DemoError> {
        let failed =
            |seen: String| DemoError::Differs { wanted: "to see the edit and its effect".to_string(), seen };
        let seen = tokio::time::timeout(PATIENCE, self.0).await;
        seen.map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}
