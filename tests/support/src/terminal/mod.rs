//! What the programs for people print: bold and dim on a terminal, plain text elsewhere.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

pub mod secret;
pub mod shell;

const INDENT: &str = "    ";
/// On a terminal the seconds are counted; elsewhere a line every few seconds is enough.
const TICK: Duration = Duration::from_secs(1);
const TICKS_PER_LINE: u64 = 5;

/// Standard output, and how to write to it.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    styled: bool,
    live: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Terminal::new()
    }
}

impl Terminal {
    /// Looks at standard output, `NO_COLOR` and `TERM`.
    pub fn new() -> Terminal {
        let live = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Terminal { styled: live && !no_color, live }
    }

    /// In bold, on a terminal.
    pub fn bold(self, text: impl Display) -> String {
        self.style("1", text)
    }

    /// Less bright, on a terminal.
    pub fn dim(self, text: impl Display) -> String {
        self.style("2", text)
    }

    /// Begins a step.
    pub fn heading(self, text: impl Display) {
        line(&format!("\n{}", self.bold(text)));
    }

    /// One line of explanation.
    pub fn say(self, text: impl Display) {
        line(&text.to_string());
    }

    /// A command that is run now.
    pub fn command(self, text: impl Display) {
        line(&format!("{INDENT}{} {}", self.dim("$"), self.bold(text)));
    }

    /// What a command printed.
    pub fn output(self, text: &str) {
        text.lines().for_each(|text| line(format!("{INDENT}{text}").trim_end()));
    }

    /// Awaits, and lets people see that something is awaited.
    pub async fn waiting<T>(self, what: &str, future: impl Future<Output = T>) -> T {
        let (start, mut ticks) = (Instant::now(), 0);
        let mut future = std::pin::pin!(future);
        let value = loop {
            match tokio::time::timeout(TICK, &mut future).await {
                Ok(value) => break value,
                Err(_) => ticks += 1,
            }
            let seconds = start.elapsed().as_secs();
            if self.live {
                write(&format!("\r{INDENT}{}", self.dim(format!("… {what}, {seconds} s"))));
            } else if ticks % TICKS_PER_LINE == 0 {
                line(&format!("{INDENT}... {what}, {seconds} s"));
            }
        };
        if self.live && ticks > 0 {
            write("\r\x1b[2K");
        }
        value
    }

    fn style(self, code: &str, text: impl Display) -> String {
        if self.styled { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// A reader that has gone (`| head`) is no reason to panic, as `println!` would: the exit status still tells.
fn line(text: &str) {
    write(&format!("{text}\n"));
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// An error and its causes, one per line, for the end of a program.
pub fn explain(program: &str, error: &dyn std::error::Error) {
    let mut text = format!("{program}: {error}\n");
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.for_each(|cause| text += &format!("  because: {cause}\n"));
    let _ = io::stderr().write_all(text.as_bytes());
}
