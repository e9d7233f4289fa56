//! `make try`: the same stack as everywhere here, but with the real ClickUp and a token of whoever runs it.
//!
//! The token goes from the environment or the terminal into a Secret of an API server on the loopback address, and
//! from there, through the operator, to ClickUp: not into arguments, files of ours, output or other processes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use test_support::connection::{Connection, condition, connections, has, summary};
use test_support::control_plane::{self, ControlPlane};
use test_support::operator::{OperatorOptions, OperatorProcess};
use test_support::process::TOKEN_VARIABLE;
use test_support::scratch::KEEP_VARIABLE;
use test_support::stack::{StackOptions, install_crd, install_rbac};
use test_support::terminal::shell::Shell;
use test_support::terminal::{Terminal, explain, secret};
use test_support::wait;
use tokio::signal::unix::{SignalKind, signal};

const NAME: &str = "my-clickup";
const CONNECTION_FILE: &str = "my-clickup.yaml";
const CONNECTION: &str = "\
apiVersion: clickup-operator.dev/v1alpha1
kind: ClickUpConnection
metadata: {name: my-clickup}
spec:
  tokenSecretRef: {name: my-clickup}
  timeout: 30s
";
/// The connection's timeout, and some.
const VERDICT_DEADLINE: Duration = Duration::from_secs(60);

/// Checks a ClickUp token of yours as the operator does, and shows your workspaces. Leaves nothing behind.
///
/// The token is taken from CLICKUP_TOKEN, or asked for without echo.
#[derive(Debug, Parser)]
struct Arguments {
    /// Base URL of ClickUp's API.
    #[arg(long, default_value = "https://api.clickup.com/api", value_name = "URL")]
    clickup_url: String,
    /// Permit a plain http --clickup-url: everybody on the way can read the token, so for tests only.
    #[arg(long)]
    allow_insecure_http: bool,
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    operator: Option<PathBuf>,
    /// More arguments for the operator, such as --ca-file.
    #[arg(last = true)]
    operator_args: Vec<String>,
}

/// Why there is nothing to try.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("--clickup-url is plain http, over which everybody on the way can read the token: use https")]
    Insecure,
    #[error(
        "{KEEP_VARIABLE} is set: it would keep the files of the API server, with the token in them. Unset it"
    )]
    Keep,
    #[error("no token: set {TOKEN_VARIABLE} (ClickUp: Settings, Apps, API Token), or run this on a terminal")]
    NoTerminal(#[source] std::io::Error),
    #[error("no token was entered")]
    NoToken,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            explain("try-clickup", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

async fn run(arguments: Arguments) -> Outcome<ExitCode> {
    if arguments.clickup_url.starts_with("http://") && !arguments.allow_insecure_http {
        return Err(TryError::Insecure.into());
    }
    if std::env::var_os(KEEP_VARIABLE).is_some() {
        return Err(TryError::Keep.into());
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut running = Running::default();
    let ended = tokio::select! {
        biased;
        _ = interrupt.recv() => Err(130),
        _ = terminate.recv() => Err(143),
        tried = attempt(&mut running, arguments) => Ok(tried),
    };
    let stopped = running.stop().await;
    let ready = match ended {
        Err(code) => {
            eprintln!("\ntry-clickup: interrupted; nothing is left behind.");
            return Ok(ExitCode::from(code));
        }
        Ok(tried) => tried?,
    };
    stopped?;
    Terminal::new().say("\nAPI server, operator and their files are gone, and the token with them.");
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What has been started.
#[derive(Default)]
struct Running {
    operator: Option<OperatorProcess>,
    control_plane: Option<ControlPlane>,
}

impl Running {
    async fn stop(self) -> Outcome<()> {
        if let Some(operator) = self.operator {
            operator.stop().await?;
        }
        if let Some(control_plane) = self.control_plane {
            control_plane.stop().await?;
        }
        Ok(())
    }
}

/// Whether the token is good.
async fn attempt(running: &mut Running, arguments: Arguments) -> Outcome<bool> {
    let Arguments { clickup_url, allow_insecure_http: _, operator, operator_args } = arguments;
    let terminal = Terminal::new();
    let operator = match operator {
        Some(operator) => std::path::absolute(operator)?,
        None => std::env::current_exe()?.with_file_name("clickup-operator"),
    };
    let token = token().await?;

    let checkout = StackOptions::new(&operator).checkout;
    let control_plane = ControlPlane::start(control_plane::Options::default());
    let control_plane =
        terminal.waiting("starting a Kubernetes API server of your own", control_plane).await?;
    let control_plane = &*running.control_plane.insert(control_plane);
    install_crd(control_plane, &checkout).await?;
    let kubeconfig = install_rbac(control_plane, &checkout).await?;
    let options = OperatorOptions {
        binary: operator,
        env: proxy_for(&clickup_url),
        clickup_url: clickup_url.clone(),
        kubeconfig,
        log_level: "info".to_string(),
        args: operator_args,
    };
    let operator = OperatorProcess::start(options, control_plane.scratch()).await?;
    running.operator = Some(operator);

    let client = control_plane.client().await?;
    store(client.clone(), token).await?;
    let directory = control_plane.scratch().path();
    std::fs::write(directory.join(CONNECTION_FILE), CONNECTION)?;
    terminal.heading("Your token is in a Secret, and this names it:");
    let shell = Shell::new(terminal, control_plane, directory.to_path_buf());
    shell.run(&format!("cat {CONNECTION_FILE}")).await?;
    shell.run(&format!("kubectl apply -f {CONNECTION_FILE}")).await?;
    let connection = terminal.waiting(&format!("the operator asks {clickup_url}"), verdict(client)).await?;
    terminal.heading("What the operator found out:");
    shell.run(&format!("kubectl get clickupconnection {NAME}")).await?;
    shell.run(&format!("kubectl get clickupconnection {NAME} -o yaml | sed -n '/^status:/,$p'")).await?;
    Ok(conclude(terminal, &connection))
}

async fn token() -> Outcome<String> {
    if let Ok(token) = std::env::var(TOKEN_VARIABLE)
        && !token.is_empty()
    {
        return Ok(token);
    }
    let prompt = "Your ClickUp API token (ClickUp: Settings, Apps, API Token; it is not shown): ";
    let token = secret::ask(prompt).await.map_err(TryError::NoTerminal)?;
    if token.trim().is_empty() { Err(TryError::NoToken.into()) } else { Ok(token) }
}

/// Through the API, because `kubectl apply` would leave a copy in an annotation.
async fn store(client: kube::Client, token: String) -> Result<(), kube::Error> {
    let secrets: Api<Secret> = Api::default_namespaced(client);
    let metadata = ObjectMeta { name: Some(NAME.to_string()), ..ObjectMeta::default() };
    let string_data = Some([("token".to_string(), token)].into());
    let secret = Secret { metadata, string_data, ..Secret::default() };
    secrets.create(&PostParams::default(), &secret).await.map(drop)
}

/// Waits until the first check has ended, in whatever.
async fn verdict(client: kube::Client) -> Result<Connection, wait::TimedOut> {
    let connections = connections(client);
    wait::until(VERDICT_DEADLINE, "the operator's first verdict", || async {
        let connection = connections.get(NAME).await.map_err(|error| error.to_string())?;
        let ended = connection.status.as_ref().is_some_and(|status| status.observed_generation >= 0);
        if ended { Ok(connection) } else { Err(summary(&connection)) }
    })
    .await
}

fn conclude(terminal: Terminal, connection: &Connection) -> bool {
    if has(connection, "Ready", "True", "Verified") {
        let count = connection.status.as_ref().and_then(|status| status.workspace_count).unwrap_or_default();
        let workspaces = if count == 1 { "1 workspace".to_string() } else { format!("{count} workspaces") };
        terminal.heading(format!("Ready: ClickUp accepts your token, which sees {workspaces}."));
        return true;
    }
    let (status, reason, message) = condition(connection, "Ready")
        .map_or(("Unknown", "", "it has no condition Ready"), |it| (&it.status, &it.reason, &it.message));
    terminal.heading(format!("Not ready (Ready={status}, {reason}): {message}"));
    terminal.say(advice(reason));
    false
}

/// What to do, where the message does not know that this is `make try`.
fn advice(reason: &str) -> &'static str {
    match reason {
        "TokenRejected" => {
            "ClickUp does not know this token. Copy the one under Settings, Apps, API Token; generating one \
             ends the old one. Then try again."
        }
        "TokenTypeMismatch" | "TokenMalformed" | "TokenEmpty" => {
            "A personal token is wanted: it begins with pk_, and stands alone, without quotes or \"Bearer\"."
        }
        "ConnectFailed" | "TLSFailed" | "TimedOut" => {
            "Your token was not judged: this machine does not get through to ClickUp. Behind a proxy set \
             HTTPS_PROXY; for an authority of your own add: -- --ca-file FILE."
        }
        "RateLimited" => "Your token was not judged: its requests of this minute are used up. Wait a minute.",
        "ServerError" | "UnexpectedResponse" | "RequestRefused" => {
            "Your token was not judged: ClickUp is not well, or something between answers in its place. Try later."
        }
        "NoWorkspaces" => "The token works, but its user is in no workspace yet.",
        _ => "The status above says what is missing; docs/conditions.md explains each reason.",
    }
}

/// Everything else here is on the loopback address and knows no proxy; the way to ClickUp may need one.
fn proxy_for(clickup_url: &str) -> Vec<(String, String)> {
    let variables: &[&str] =
        if clickup_url.starts_with("https://") { &["HTTPS_PROXY", "https_proxy"] } else { &[] };
    let proxy = variables.iter().find_map(|name| std::env::var(name).ok()).filter(|proxy| !proxy.is_empty());
    // In the environment, because arguments are public and a proxy's URL may hold a password.
    proxy.map(|proxy| ("CLICKUP_OPERATOR_PROXY".to_string(), proxy)).into_iter().collect()
}
