//! What a phase costs: time, processor time of every process, requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use test_support::control_plane::audit::{AuditEvent, Stage};
use test_support::process::Usage;

use crate::Failure;
use crate::ground::{Ground, USER};

/// The kernel reports times to programs in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// What a phase cost.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// From its begin to the end of the last write of a status, or to its end if there was none.
    pub(crate) wall_seconds: f64,
    /// From its begin to its end: the processor times are of this time.
    pub(crate) elapsed_seconds: f64,
    /// Of the operator or the bare loop.
    pub(crate) own_cpu_seconds: f64,
    pub(crate) apiserver_cpu_seconds: f64,
    pub(crate) etcd_cpu_seconds: f64,
    pub(crate) simulator_cpu_seconds: f64,
    /// Of this program.
    pub(crate) bench_cpu_seconds: f64,
    /// Of everybody else on the machine: more than a little disturbs the measurement.
    pub(crate) others_cpu_seconds: f64,
    /// What the operator or the bare loop asked the API server, by verb and resource; what failed, with its code.
    pub(crate) api_requests: BTreeMap<String, u64>,
    /// What ClickUp was asked, by path.
    pub(crate) clickup_requests: BTreeMap<String, u64>,
}

impl Cost {
    /// Requests to the API server.
    pub(crate) fn api_total(&self) -> u64 {
        self.api_requests.values().sum()
    }

    /// Beginnings of watches.
    pub(crate) fn watches(&self) -> u64 {
        self.of(|request| request.starts_with("watch "))
    }

    /// Creations of Events and changes to them.
    pub(crate) fn events(&self) -> u64 {
        self.of(|request| request.split([' ', ',']).nth(1) == Some("events"))
    }

    /// Statuses written, those that were refused included.
    pub(crate) fn status_writes(&self) -> u64 {
        self.of(|request| request.starts_with("patch clickupconnections/status"))
    }

    fn of(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        self.api_requests.iter().filter(|(request, _)| wanted(request)).map(|(_, count)| count).sum()
    }

    /// Requests to ClickUp.
    pub(crate) fn clickup_total(&self) -> u64 {
        self.clickup_requests.values().sum()
    }
}

/// A phase under way.
pub(crate) struct Meter {
    began: Timestamp,
    clock: Instant,
    mark: u64,
    cpu: Cpu,
}

impl Meter {
    /// Begins a phase: counts from here.
    pub(crate) async fn start(ground: &Ground) -> Result<Meter, Failure> {
        ground.clickup.reset_log(None).await?;
        let mark = ground.control_plane.audit_mark()?;
        Ok(Meter { cpu: Cpu::now(ground)?, mark, clock: Instant::now(), began: Timestamp::now() })
    }

    /// Ends it; `own` is what the operator or the bare loop used in it.
    pub(crate) async fn stop(self, ground: &Ground, own: Duration) -> Result<Cost, Failure> {
        let elapsed = self.clock.elapsed();
        let cpu = Cpu::now(ground)?.since(&self.cpu);
        let mut cost = Cost {
            elapsed_seconds: elapsed.as_secs_f64(),
            own_cpu_seconds: own.as_secs_f64(),
            apiserver_cpu_seconds: cpu.apiserver.as_secs_f64(),
            etcd_cpu_seconds: cpu.etcd.as_secs_f64(),
            simulator_cpu_seconds: cpu.simulator.as_secs_f64(),
            bench_cpu_seconds: cpu.bench.as_secs_f64(),
            others_cpu_seconds: cpu.others(own).as_secs_f64(),
            ..Cost::default()
        };
        let mut last_write = None;
        for event in ground.control_plane.audit_events_since(self.mark)? {
            if event.user != USER {
                continue;
            }
            if event.subresource == "status" && event.stage == Stage::ResponseComplete {
                last_write = last_write.max(event.reached.parse::<Timestamp>().ok());
            }
            // A watch that runs on has only begun, one that began earlier may have ended: count beginnings.
            let long = event.verb == "watch";
            let began = event.received.parse::<Timestamp>().is_ok_and(|at| at >= self.began);
            if began && (event.stage == Stage::ResponseStarted) == long {
                *cost.api_requests.entry(label(&event)).or_default() += 1;
            }
        }
        // The log knows the end to the microsecond, so nobody is disturbed by being asked all the time.
        cost.wall_seconds =
            last_write.map_or(elapsed.as_secs_f64(), |at| at.duration_since(self.began).as_secs_f64());
        for count in ground.clickup.counts(None).await? {
            *cost.clickup_requests.entry(path(&count.path)).or_default() += count.requests;
        }
        Ok(cost)
    }
}

/// TCP connections of a process to the API server.
pub(crate) fn connections_to(ground: &Ground, pid: u32) -> Result<usize, Failure> {
    let url = ground.control_plane.url();
    let port: u16 = url.rsplit(':').next().unwrap_or_default().parse()?;
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp"))?;
    let there = established(&table, port);
    let mut count = 0;
    for file in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A file may be closed between the two looks.
        let Ok(target) = std::fs::read_link(file?.path()) else { continue };
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        count += usize::from(inode.is_some_and(|inode| there.contains(inode)));
    }
    Ok(count)
}

/// The inodes of established connections to this port, from the kernel's table.
fn established(table: &str, port: u16) -> BTreeSet<&str> {
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let remote = format!(":{port:04X}");
    let there = rows.filter(|row| row.len() > 9 && row[2].ends_with(&remote) && row[3] == "01");
    there.map(|row| row[9]).collect()
}

fn label(event: &AuditEvent) -> String {
    let AuditEvent { verb, resource, subresource, code, .. } = event;
    let resource = match (resource.as_str(), subresource.as_str()) {
        ("", _) => event.uri.split('?').next().unwrap_or_default().to_owned(),
        (resource, "") => resource.to_owned(),
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    match code {
        Some(code) if *code >= 300 => format!("{verb} {resource}, answered {code}"),
        _ => format!("{verb} {resource}"),
    }
}

/// A path with its ids left out.
fn path(path: &str) -> String {
    let segment = |segment: &str| match segment.parse::<u64>() {
        Ok(_) => "{id}".to_owned(),
        Err(_) => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Processor time so far.
struct Cpu {
    apiserver: Duration,
    etcd: Duration,
    simulator: Duration,
    bench: Duration,
    /// Of all processes, and what the host took from this machine.
    machine: Duration,
}

impl Cpu {
    fn now(ground: &Ground) -> Result<Cpu, Failure> {
        let machine = busy(&std::fs::read_to_string("/proc/stat")?).ok_or("/proc/stat is not understood")?;
        Ok(Cpu {
            apiserver: ground.control_plane.apiserver().usage()?.cpu,
            etcd: ground.control_plane.etcd().usage()?.cpu,
            simulator: ground.simulator.process().usage()?.cpu,
            bench: Usage::of(std::process::id())?.cpu,
            machine,
        })
    }

    fn since(&self, before: &Cpu) -> Cpu {
        Cpu {
            apiserver: self.apiserver.saturating_sub(before.apiserver),
            etcd: self.etcd.saturating_sub(before.etcd),
            simulator: self.simulator.saturating_sub(before.simulator),
            bench: self.bench.saturating_sub(before.bench),
            machine: self.machine.saturating_sub(before.machine),
        }
    }

    fn others(&self, own: Duration) -> Duration {
        let Cpu { apiserver, etcd, simulator, bench, machine } = self;
        machine.saturating_sub(*apiserver + *etcd + *simulator + *bench + own)
    }
}

/// User, nice, system, irq, softirq and stolen time of all cores.
fn busy(stat: &str) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<u32> = fields.map_while(|field| field.parse().ok()).collect();
    let idle = [3, 4];
    let busy = ticks.iter().take(8).enumerate().filter(|(at, _)| !idle.contains(at)).map(|(_, ticks)| ticks);
    (ticks.len() >= 8).then(|| TICK * busy.sum::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(busy("cpu  1 2 4 1000 1000 8 16 32 500 500\ncpu0 1\n"), Some(TICK * 63));
        assert_eq!(busy("cpu  1 2\n"), None);
    }

    #[test]
    fn connections_are_found_by_their_remote_port() {
        let row = |remote: &str, state: &str, inode: &str| {
            format!(" 0: 0100007F:9C40 0100007F:{remote} {state} 0:0 00:0 0 0 0 {inode} 1 0 20 4\n")
        };
        let table =
            ["head\n".to_owned(), row("1F90", "01", "5"), row("1F90", "06", "6"), row("1F91", "01", "7")];
        assert_eq!(established(&table.concat(), 8080), BTreeSet::from(["5"]));
    }

    #[test]
    fn requests_are_told_apart() {
        let counted = [("watch secrets", 1), ("create events", 2), ("patch events, answered 409", 4)];
        let written =
            [("patch clickupconnections/status", 8), ("patch clickupconnections/status, answered 409", 16)];
        let requests = counted.into_iter().chain(written).map(|(what, count)| (what.to_owned(), count));
        let cost = Cost { api_requests: requests.collect(), ..Cost::default() };
        assert_eq!((cost.watches(), cost.events(), cost.status_writes(), cost.api_total()), (1, 6, 24, 31));
    }

    #[test]
    fn ids_are_left_out_of_paths() {
        assert_eq!(path("/v2/team/9011/space"), "/v2/team/{id}/space");
        assert_eq!(path("/v2/user"), "/v2/user");
    }
}
