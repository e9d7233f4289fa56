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
/// No line of output is longer, however wide the terminal is.
const WIDEST: usize = 120;
/// What is left for the last column of a long line, at least.
const NARROWEST: usize = 32;

/// Standard output, and how to write to it.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    styled: bool,
    live: bool,
    width: usize,
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
        let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        let width = if (80..WIDEST).contains(&columns) { columns } else { WIDEST };
        Terminal { styled: live && !no_color, live, width }
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

    /// What a command printed; long lines are wrapped.
    pub fn output(self, text: &str) {
        let lines = text.lines().flat_map(|text| wrapped(text, self.width - INDENT.len()));
        lines.for_each(|text| line(format!("{INDENT}{text}").trim_end()));
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

/// The line, broken between words where it is too long. The last of several columns stays a column.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let start = text.len() - text.trim_start().len();
    let column = text[start..].rfind("  ").map_or(start, |gap| start + gap + 2);
    let column = if column + NARROWEST > width { start } else { column };
    let (before, words) = text.split_at(column);
    let mut lines = Vec::new();
    let mut line = before.to_string();
    for (n, word) in words.split(' ').enumerate() {
        if n > 0 && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(column)));
        } else if n > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_their_last_column_stays_one() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &[""]),
            ("    short  as  it  is", &["    short  as  it  is"]),
            (
                "NAME  ready and so on, as long as it goes",
                &["NAME  ready and so on, as long as it", "      goes"],
            ),
            (
                "  a message of its own, longer than a line",
                &["  a message of its own, longer than a", "  line"],
            ),
            ("too late for another column is  this one", &["too late for another column is  this", "one"]),
            (
                "without-a-space-to-break-it-at-anywhere-at-all",
                &["without-a-space-to-break-it-at-anywhere-at-all"],
            ),
        ];
        for (text, lines) in cases {
            assert_eq!(wrapped(text, 38), lines);
        }
    }
}
