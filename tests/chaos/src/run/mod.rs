//! Does a plan to a cluster, and ends at the first rule that is broken.

mod check;
mod exposure;
mod fresh;
mod settle;
mod step;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    checker::{
        footprint::Footprint,
        leaks::Tail,
        rules::Allowed,
        watch::{Broken, Watch},
    },
    cluster::{self, Cluster, ClusterError},
    ground::{Ground, GroundError},
    plan::Plan,
    report::{Report, StepReport},
    world::{Key, World},
};

/// How to run a plan.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The operator's program, with the simulator beside it.
    pub operator: PathBuf,
    /// No step begins later than this after the first one.
    pub time: Option<Duration>,
    /// Whether the operator is killed at each write in turn too.
    pub sweep: bool,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something of the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something could not be done to an object or to ClickUp.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// The simulator.
    #[error(transparent)]
    ClickUp(#[from] clickup_simulator::client::ClientError),
    /// The API server's audit log, or what the administrator asked of it.
    #[error(transparent)]
    ControlPlane(#[from] test_support::control_plane::ControlPlaneError),
    /// The operator's metrics or health.
    #[error(transparent)]
    Operator(#[from] test_support::operator::OperatorError),
    /// The administrator's requests.
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
    /// The operator's log or process.
    #[error("cannot look at the operator's process or log")]
    Process(#[from] std::io::Error),
    /// Too many secrets to look for.
    #[error(transparent)]
    Leaks(#[from] aho_corasick::BuildError),
    /// What the run is about.
    #[error("{0}")]
    Broken(Box<Finding>),
}

/// A rule that was broken, and where.
#[derive(Debug)]
pub struct Finding {
    /// The number of the step.
    pub step: usize,
    /// What it was about.
    pub title: String,
    /// The rule.
    pub broken: Broken,
    /// What the world says about the object.
    pub model: String,
}

/// A run under way.
struct Run<'a> {
    plan: &'a Plan,
    cluster: Cluster,
    ground: Ground,
    world: World,
    watch: Watch,
    log: Tail,
    /// What the last step has left to come: what is seen late.
    late: HashMap<Key, Allowed>,
    /// The footprint of each process, when it first was settled.
    footprints: HashMap<u32, Footprint>,
    report: Report,
    began: Instant,
}

/// Runs a plan. Prints a line for each step.
///
/// # Errors
/// The first rule that was broken, or what could not be done.
pub async fn run(plan: &Plan, options: &RunOptions) -> Result<Report, RunError> {
    let operator = &options.operator;
    let cluster = Cluster::start(&cluster::Options::new(operator)).await?;
    let mut run = Run::new(plan, cluster)?;
    let outcome = run.all(options).await;
    if outcome.is_err() {
        run.keep_logs();
    }
    let Run { cluster, report, .. } = run;
    outcome?;
    cluster.stop().await?;
    Ok(report)
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, cluster: Cluster) -> Result<Self, RunError> {
        let client = cluster.admin();
        let ground = Ground::new(client.clone(), cluster.simulator().client()?);
        let log = Tail::of(cluster.control_plane().scratch().join("operator.log"));
        Ok(Self {
            plan,
            cluster,
            ground,
            world: plan.world.clone(),
            watch: Watch::start(&client),
            log,
            late: HashMap::new(),
            footprints: HashMap::new(),
            report: Report::of(plan),
            began: Instant::now(),
        })
    }

    async fn all(&mut self, options: &RunOptions) -> Result<(), RunError> {
        self.populate().await?;
        let mut swept = BTreeSet::new();
        let first = Instant::now();
        for (number, step) in (1..).zip(&self.plan.steps) {
            if options.time.is_some_and(|time| first.elapsed() >= time) {
                break;
            }
            let side = step.sweep_side();
            let over = side.is_some_and(|side| swept.contains(&side));
            if over || (step.sweep && !options.sweep) {
                continue;
            }
            let done = self.step(number, step).await?;
            self.progress(number, &done);
            if !done.struck && !step.restores() {
                swept.extend(side);
            }
            self.report.add(done);
        }
        self.compare_with_fresh().await?;
        self.report.took = self.began.elapsed();
        Ok(())
    }

    async fn populate(&mut self) -> Result<(), RunError> {
        let World { connections, accounts, .. } = &self.world;
        println!(
            "seed {}: {} connections, {} accounts of ClickUp",
            self.plan.seed,
            connections.len(),
            accounts.len()
        );
        self.begin_watching()?;
        for key in self.world.connections.keys() {
            let mut allowed = self.anything(key);
            // They come as they come, the owner last or first.
            allowed.ready.extend((!self.world.is_owner(key)).then_some(("False", "ConnectionNotShared")));
            self.watch.records().allow(key, &allowed);
        }
        let world = self.world.clone();
        self.ground.build(&world).await?;
        let began = Instant::now();
        self.settle(0, "the first checks", Duration::from_secs(120)).await?;
        println!("all are checked, {:.1} s after the last was created", began.elapsed().as_secs_f64());
        self.remember_footprint()?;
        Ok(())
    }

    /// Prints what a step came to.
    fn progress(&self, number: usize, done: &StepReport) {
        let clock = self.began.elapsed().as_secs();
        println!("{:02}:{:02}  {number:3} of {}  {done}", clock / 60, clock % 60, self.plan.steps.len());
    }

    /// How much the operator's process holds when it is first settled.
    fn remember_footprint(&mut self) -> Result<(), RunError> {
        let pid = self.cluster.operator().process().pid();
        let footprint = Footprint::of(pid)?;
        self.footprints.entry(pid).or_insert(footprint);
        Ok(())
    }

    fn finding(&self, step: usize, title: &str, broken: Broken) -> RunError {
        let model = broken.object.as_ref().map(|key| {
            let (connection, token) = (self.world.connections.get(key), self.world.token_of(key));
            format!("{}; {token:?}; {connection:?}", self.world.expected(key))
        });
        let finding = Finding { step, title: title.to_owned(), broken, model: model.unwrap_or_default() };
        RunError::Broken(Box::new(finding))
    }

    /// The directory goes with the processes; the logs of a failure are wanted afterwards.
    fn keep_logs(&self) {
        let scratch = self.cluster.control_plane().scratch();
        let kept = std::env::temp_dir().join(format!("chaos-{}-{}", self.plan.seed, std::process::id()));
        let copied = std::fs::create_dir_all(&kept).and_then(|()| {
            for name in ["operator.log", "simulator.log", "kube-apiserver.log"] {
                std::fs::copy(scratch.join(name), kept.join(name))?;
            }
            Ok(())
        });
        match copied {
            Ok(()) => eprintln!("the logs are in {}", kept.display()),
            Err(error) => eprintln!("the logs could not be kept in {}: {error}", kept.display()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { step, title, broken, model } = self;
        writeln!(f, "step {step}, {title}: {}", broken.rule)?;
        if let Some(object) = &broken.object {
            writeln!(f, "{object}, which is to be {model}")?;
        }
        for status in &broken.history {
            writeln!(f, "{status}")?;
        }
        Ok(())
    }
}
