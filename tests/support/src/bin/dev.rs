//! `make dev`: the whole environment, running until Ctrl-C.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use test_support::stack::{Stack, StackOptions};
use test_support::terminal::explain;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a Kubernetes API server, a simulated ClickUp and the operator until Ctrl-C, and prints where they are.
#[derive(Debug, Parser)]
struct Arguments {
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    operator: Option<PathBuf>,
    /// The simulator [default: clickup-simulator beside this program].
    #[arg(long, value_name = "PATH")]
    simulator: Option<PathBuf>,
    /// Users, workspaces and tokens of the simulator, YAML [default: the built-in ones].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The operator's log level.
    #[arg(long, default_value = "info")]
    log_level: String,
    /// More arguments for the operator.
    #[arg(last = true)]
    operator_args: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain("dev", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { operator, simulator, state, log_level, operator_args } = arguments;
    let beside = |name: &str| std::env::current_exe().map(|path| path.with_file_name(name));
    let operator = operator.map_or_else(|| beside("clickup-operator"), std::path::absolute)?;
    let mut options = StackOptions::new(operator);
    if let Some(simulator) = simulator {
        options.simulator.binary = std::path::absolute(simulator)?;
    }
    options.simulator.state = state.map(std::path::absolute).transpose()?;
    options.log_level = log_level;
    options.operator_args = operator_args;

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    eprintln!("Starting a Kubernetes API server, a simulated ClickUp and the operator ...");
    let stack = tokio::select! {
        stack = Stack::start(options) => stack?,
        // Dropping what was started ends it.
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    print_directions(&stack);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        exit = operator_ended(&stack) => eprintln!("The operator ended with {exit}."),
    }
    eprintln!("\nEnding ...");
    stack.stop().await?;
    Ok(())
}

async fn operator_ended(stack: &Stack) -> test_support::process::Exit {
    loop {
        let pause = std::time::Duration::from_secs(3600);
        if let Ok(exit) = stack.operator.process().wait(pause).await {
            return exit;
        }
    }
}

fn print_directions(stack: &Stack) {
    let Stack { operator, simulator, control_plane } = stack;
    let path = control_plane.kubectl_path();
    println!(
        "
export KUBECONFIG={kubeconfig} KUBECACHEDIR={cache} PATH={bin}:$PATH

API server         {api}
ClickUp            {clickup}   (simulated)
ClickUp's control  {control}
metrics            {metrics}
health             {health}/healthz
operator's log     {log}
audit log          {audit}

Try, in another terminal, after the export above:
  kubectl create secret generic ada --from-literal=token=pk_57000001_ADA0ADA0ADA0ADA0ADA0ADA0ADA0ADA0
  kubectl apply --filename - <<< '{{\"apiVersion\": \"clickup-operator.dev/v1alpha1\", \"kind\": \"ClickUpConnection\",
    \"metadata\": {{\"name\": \"ada\"}}, \"spec\": {{\"tokenSecretRef\": {{\"name\": \"ada\"}}}}}}'
  kubectl get clickupconnections --watch
  curl --request POST {control}/tokens/ada/regenerate
  curl '{control}/log?token=ada'
  curl --request PUT {control}/listener --data '{{\"up\": false}}'    an outage, until true
  curl {control}/tokens    more tokens: of guests, refused by a workspace, OAuth

Ctrl-C ends everything.",
        kubeconfig = control_plane.admin_kubeconfig().display(),
        cache = control_plane.kubectl_cache().display(),
        bin = path.parent().unwrap_or(&path).display(),
        api = control_plane.url(),
        clickup = simulator.endpoints().clickup_url,
        control = simulator.endpoints().control,
        metrics = operator.metrics_url(),
        health = operator.health_url(),
        log = operator.process().log_path().display(),
        audit = control_plane.audit_log().display(),
    );
}
