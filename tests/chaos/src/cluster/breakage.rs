//! How each fault begins and ends.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use interposer::{Interference, Write};

const HEALED_DEADLINE: Duration = Duration::from_secs(60);
const END_DEADLINE: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_millis(700);

/// Labels have 63 characters: no resolver asks anybody about this one.
const NO_NAME: &str = "a-name-of-more-than-63-characters-which-no-resolver-would-ever-ask-about.invalid";

impl Cluster {
    /// Breaks what the fault breaks, and returns once it is broken. Of those that kill the operator at a write: once the
    /// write is waited for; see [`Cluster::until_struck`].
    ///
    /// Several faults can last at once, but [`Cluster::end`] needs an API server and an operator that can become ready.
    pub async fn begin(&mut self, fault: &ClusterFault) -> Result<()> {
        use ClusterFault::*;
        match *fault {
            ApiServerKilled => {
                self.control_plane.kill_apiserver().await?;
                self.interposer.set_open(false);
            }
            ApiServerStopped => self.control_plane.apiserver().signal(Signal::Stop)?,
            EtcdRestarted => self.control_plane.kill_etcd().await?,
            OperatorKilled => {
                self.operator.process().signal(Signal::Kill)?;
                self.operator.process().wait(END_DEADLINE).await?;
            }
            OperatorTerminated => {
                self.operator.terminate().await?;
            }
            OperatorKilledAtWrite { nth, before } => {
                let strike = self.interposer.strike(nth, before);
                self.killer = Some(Killer::start(strike, self.operator.clone()));
            }
            DnsFails => {
                let port = self.clickup.address().port();
                let clickup_url = format!("https://{NO_NAME}:{port}/api");
                let options = OperatorOptions { clickup_url, ..self.operator_options.clone() };
                self.replace_operator(options).await?;
            }
            TlsFails(certificate) => self.clickup.set(self.bad_way(certificate)?),
            ClickUpRefuses => self.clickup.set(Way::Refusal),
            ClickUpResets => self.clickup.set(Way::Reset),
            ClickUpSilent => self.clickup.set(Way::Silence),
            _ => interference(fault).into_iter().for_each(|one| self.interposer.begin(one)),
        }
        Ok(())
    }

    /// Heals what the fault broke, and returns once API server and operator say that they are ready.
    pub async fn end(&mut self, fault: &ClusterFault) -> Result<()> {
        use ClusterFault::*;
        match *fault {
            ApiServerKilled => {
                self.control_plane.restart_apiserver().await?;
                self.interposer.set_open(true);
            }
            ApiServerStopped => self.control_plane.apiserver().signal(Signal::Continue)?,
            EtcdRestarted => self.control_plane.restart_etcd().await?,
            OperatorKilled | OperatorTerminated => {
                self.replace_operator(self.operator_options.clone()).await?;
            }
            OperatorKilledAtWrite { .. } => {
                // Without its write the operator lives.
                self.killer = None;
                if self.operator.process().exited().is_some() {
                    self.replace_operator(self.operator_options.clone()).await?;
                }
            }
            DnsFails => self.replace_operator(self.operator_options.clone()).await?,
            TlsFails(_) | ClickUpRefuses | ClickUpResets | ClickUpSilent => {
                self.clickup.set(good_way(&self.simulator)?);
            }
            _ => interference(fault).into_iter().for_each(|one| self.interposer.end(one)),
        }
        self.control_plane.until_ready().await?;
        let ready = wait::until(HEALED_DEADLINE, "the operator to be ready", || self.operator.readyz());
        ready.await?;
        Ok(())
    }

    /// Waits until the operator was killed at the write that [`ClusterFault::OperatorKilledAtWrite`] names, and says which
    /// one that was.
    pub async fn until_struck(&mut self, deadline: Duration) -> Result<Write> {
        self.killer.as_mut().ok_or(ClusterError::NotArmed)?.done(deadline).await
    }

    /// Ends the operator, if it has not ended, and starts it with these options.
    async fn replace_operator(&mut self, options: OperatorOptions) -> Result<()> {
        if self.operator.process().exited().is_none() {
            self.operator.terminate().await?;
        }
        self.operator = Arc::new(OperatorProcess::start(options, self.control_plane.scratch()).await?);
        Ok(())
    }

    fn bad_way(&self, certificate: BadCertificate) -> Result<Way> {
        let tls = self.simulator.endpoints().tls.as_ref().ok_or(ClusterError::NoTls)?;
        way_to(match certificate {
            BadCertificate::Expired => &tls.expired,
            BadCertificate::WrongHost => &tls.wrong_host,
            BadCertificate::UnknownAuthority => &tls.unknown_ca,
        })
    }
}

/// What the interposer does for a fault, if it is the interposer's.
fn interference(fault: &ClusterFault) -> Option<Interference> {
    Some(match *fault {
        ClusterFault::ApiSlow => Interference::Slow(SLOW),
        ClusterFault::ApiFrozen => Interference::Frozen,
        ClusterFault::ApiRefuses(refusal) => {
            Interference::Refuses { code: refusal.code(), only_writes: false }
        }
        ClusterFault::ApiRefusesWrites(refusal) => {
            Interference::Refuses { code: refusal.code(), only_writes: true }
        }
        ClusterFault::WatchesGone => Interference::WatchesGone,
        ClusterFault::WatchStartsGone => Interference::WatchStartsGone,
        ClusterFault::WatchesClosed => Interference::WatchesClosed,
        ClusterFault::GoAway => Interference::GoAway,
        ClusterFault::ConnectionsReset => Interference::Resets,
        ClusterFault::AnswersCut => Interference::CutsAnswers,
        ClusterFault::AnswersLost => Interference::LosesAnswers,
        _ => return None,
    })
}
