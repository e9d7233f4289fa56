//! The story: its chapters are below, with one function per step.

use std::time::{Duration, Instant};

use test_support::terminal::Terminal;

use super::stage::{DemoError, Scene, Stage, Subject, require};

mod connection;
mod outage;
mod sharing;
mod token;

/// The connection that the story follows, its Secret, and the token's name in the simulator.
const BOT: Subject = Subject { namespace: "default", name: "release-bot" };
const BOT_SECRET: &str = "clickup-release-bot";
const TOKEN: &str = "ada";
/// The other team's, which uses the same token.
const INVOICES: Subject = Subject { namespace: "payments", name: "invoices" };
/// Two that do not work.
const NO_SECRET: Subject = Subject { namespace: "default", name: "no-secret" };
const PASTED: Subject = Subject { namespace: "default", name: "pasted" };

/// How soon an edit is to show.
const AT_ONCE: Duration = Duration::from_secs(1);

const REQUEST: &str = "clickup-operator.dev/reconcile-requested-at";

/// Tells all of it. Ends with the first step that does not show what it should.
pub async fn tell(stage: &mut Stage) -> Result<(), DemoError> {
    let terminal = stage.terminal;
    terminal.say(terminal.bold("The clickup-operator: is this ClickUp token good, and what does it reach?"));
    terminal.say(
        "Here are a real Kubernetes API server and the operator, and a simulated ClickUp. Behind each $ is a",
    );
    terminal.say(
        "command that is run now, with its own output. The tokens are made up; nothing leaves this machine.",
    );
    let start = Instant::now();
    let mut scene =
        terminal.waiting("starting the API server and the simulated ClickUp", stage.start()).await?;
    terminal.say(
        terminal.dim(format!("API server and ClickUp are up after {:.1} s.", start.elapsed().as_secs_f64())),
    );

    Story { say: terminal, scene: &mut scene, step: 0 }.tell().await
}

struct Story<'a, 's> {
    say: Terminal,
    scene: &'a mut Scene<'s>,
    step: u32,
}

impl Story<'_, '_> {
    async fn tell(&mut self) -> Result<(), DemoError> {
        self.install().await?;
        self.slip().await?;
        self.corrected().await?;

        self.refer().await?;
        self.share().await?;

        let asked = self.regenerate().await?;
        self.mistakes().await?;
        self.rejected(asked).await?;
        self.rotate().await?;

        self.withdraw().await?;

        self.outage().await?;
        self.recovery().await
    }

    /// Waits for a condition: `Ready`, `Ready=False`.
    async fn wait(&self, subject: Subject, condition: &str) -> Result<(), DemoError> {
        self.run(&format!("kubectl wait --for=condition={condition} {subject} --timeout=30s")).await.map(drop)
    }

    /// The same, for what takes its time; says what.
    async fn wait_long(&self, subject: Subject, condition: &str, what: &str) -> Result<(), DemoError> {
        let wait = format!("kubectl wait --for=condition={condition} {subject} --timeout=40s");
        self.scene.shell.run_waiting(&wait, what).await?;
        Ok(())
    }

    /// Shows all conditions and Ready's message, which is to hold these words.
    async fn conditions(&self, subject: Subject, words: &[&str]) -> Result<(), DemoError> {
        self.shows(&format!("kubectl get {subject} -o go-template-file=conditions.tmpl"), words).await
    }

    /// Shows the status without the conditions, which is to hold these words.
    async fn found(&self, subject: Subject, words: &[&str]) -> Result<(), DemoError> {
        let rest = "sed '1,/^Status:/d; /Conditions:/,/Ready$/d; /^Events:/,$d'";
        self.shows(&format!("kubectl describe {subject} | {rest}"), words).await
    }

    async fn request_check(&self) -> Result<(), DemoError> {
        self.run(&format!("kubectl annotate --overwrite {BOT} {REQUEST}=\"$(date)\"")).await.map(drop)
    }

    /// Runs a command whose output is to hold these words.
    async fn shows(&self, line: &str, words: &[&str]) -> Result<(), DemoError> {
        let shown = self.run(line).await?;
        require(words.iter().all(|word| shown.contains(word)), format!("{words:?} from `{line}`"), shown)
    }

    async fn run(&self, line: &str) -> Result<String, DemoError> {
        Ok(self.scene.shell.run(line).await?)
    }

    fn step(&mut self, title: &str) {
        self.step += 1;
        self.say.heading(format!("{}. {title}", self.step));
    }

    fn note(&self, text: &str) {
        self.say.say(text);
    }
}
