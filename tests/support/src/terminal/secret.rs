//! Asking for a secret on the terminal, without echo.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Puts the echo back, however the asking ends.
struct Silence {
    tty: Arc<File>,
    before: Termios,
}

impl Silence {
    fn begin(tty: Arc<File>) -> io::Result<Silence> {
        let before = tcgetattr(tty.as_fd())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // The newline is shown, so that what follows begins on a line of its own.
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(tty.as_fd(), OptionalActions::Flush, &silent)?;
        Ok(Silence { tty, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // There is nothing else to do about a terminal that has gone.
        let _ = tcsetattr(self.tty.as_fd(), OptionalActions::Flush, &self.before);
    }
}

/// Shows a prompt on the terminal and reads a line that nobody sees.
///
/// Dropped before the line has come it puts the echo back; the thread that still reads ends with the process.
///
/// # Errors
/// There is no terminal, or it was closed.
pub async fn ask(prompt: &str) -> io::Result<String> {
    let mut tty = File::options().read(true).write(true).open("/dev/tty")?;
    tty.write_all(prompt.as_bytes())?;
    let tty = Arc::new(tty);
    let _silence = Silence::begin(tty.clone())?;
    let (answer, answered) = tokio::sync::oneshot::channel();
    // No blocking task: the runtime would wait for it after Ctrl-C.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(&*tty).read_line(&mut line).map(|_| line);
        // Whoever asked may have given up.
        let _ = answer.send(read);
    });
    answered.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
}
