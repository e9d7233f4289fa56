//! Shell commands that are shown as they are run: who reads them can type them.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use super::Terminal;
use crate::control_plane::ControlPlane;
use crate::process::command_without_proxy;

/// Runs command lines in a directory, with `kubectl` as the administrator of a control plane.
#[derive(Debug)]
pub struct Shell {
    terminal: Terminal,
    directory: PathBuf,
    path: std::ffi::OsString,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

/// A command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// There is no shell, or no directory.
    #[error("cannot run `{line}`")]
    Start {
        /// The command.
        line: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It says so itself, above.
    #[error("`{line}` ended with {status}{}", tail(.stderr))]
    Failed {
        /// The command.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
}

impl Shell {
    /// For this control plane, in this directory.
    pub fn new(terminal: Terminal, control_plane: &ControlPlane, directory: PathBuf) -> Shell {
        let kubectl = control_plane.kubectl_path();
        let mut path = kubectl.parent().unwrap_or(&kubectl).as_os_str().to_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let (kubeconfig, cache) = (control_plane.admin_kubeconfig(), control_plane.kubectl_cache());
        Shell { terminal, directory, path, kubeconfig, cache }
    }

    /// Shows a command, runs it, shows and returns what it prints.
    pub async fn run(&self, line: &str) -> Result<String, ShellError> {
        self.run_waiting(line, "running").await
    }

    /// The same, for a command that takes its time; says for what.
    pub async fn run_waiting(&self, line: &str, what: &str) -> Result<String, ShellError> {
        self.terminal.command(line);
        let mut command = command_without_proxy("sh");
        // exec: no shell is left between us and a simple command, so that kill_on_drop reaches it.
        command.arg("-c").arg(format!("exec {line}")).current_dir(&self.directory);
        command.env("PATH", &self.path).env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", &self.cache);
        command.stdin(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        // Ctrl-C is for us: the command ends with our future.
        command.process_group(0).kill_on_drop(true);
        let output = self.terminal.waiting(what, command.output()).await;
        let output = output.map_err(|source| ShellError::Start { line: line.to_string(), source })?;
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        self.terminal.output(&stdout);
        self.terminal.output(&stderr);
        if output.status.success() {
            return Ok(stdout.into_owned());
        }
        let (line, stderr) = (line.to_string(), stderr.trim().to_string());
        Err(ShellError::Failed { line, status: output.status, stderr })
    }
}

fn tail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}
