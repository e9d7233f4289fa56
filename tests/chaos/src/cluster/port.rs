//! A port of the loopback address whose connections can be reset, and which can be closed and opened again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

const BACKLOG: u32 = 1024;
const PAUSE: Duration = Duration::from_millis(10);

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In peace.
    Close,
    /// With a reset (RST).
    Reset,
}

/// A port and its connections, which end with it.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    open: watch::Sender<bool>,
    /// Counts the resets.
    resets: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Port {
    /// Takes a free port. Each connection is `converse`'s, until it says how to end it.
    pub(super) async fn open<Conversation>(
        converse: impl Fn(TcpStream) -> Conversation + Send + Sync + 'static,
    ) -> io::Result<Port>
    where
        Conversation: Future<Output = End> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (open, resets) = (watch::Sender::new(true), watch::Sender::new(0));
        let task = tokio::spawn(run(listener, open.subscribe(), resets.clone(), Arc::new(converse)));
        Ok(Port { address, open, resets, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets all connections that are open now.
    pub(super) fn reset(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Takes connections, or refuses them and resets those that are open. The port stays ours.
    pub(super) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
        if !open {
            self.reset();
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run<Conversation>(
    listener: TcpListener,
    mut open: watch::Receiver<bool>,
    resets: watch::Sender<u64>,
    converse: Arc<impl Fn(TcpStream) -> Conversation + Send + Sync + 'static>,
) where
    Conversation: Future<Output = End> + Send + 'static,
{
    let Ok(address) = listener.local_addr() else { return };
    let mut connections = JoinSet::new();
    let mut listening = Some(listener);
    loop {
        let listener = match listening.take() {
            Some(listener) => listener,
            None => {
                // Bound, but without a listener: connections are refused, and nobody else gets the port.
                let socket = bind(address).await;
                if open.wait_for(|open| *open).await.is_err() {
                    return;
                }
                let Ok(listener) = socket.listen(BACKLOG) else { return };
                listener
            }
        };
        let closed = async { open.wait_for(|open| !open).await.is_ok() };
        let mut closed = pin!(closed);
        let closed = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        connections.spawn(attend(stream, resets.subscribe(), converse.clone()));
                    }
                    // Too many open files: others must close before it gets better.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                Some(_) = connections.join_next() => {}
                closed = closed.as_mut() => break closed,
            }
        };
        if !closed {
            return;
        }
    }
}

/// A connection on its way may hold the port for a moment.
async fn bind(address: SocketAddr) -> TcpSocket {
    loop {
        let bound = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(socket)
        });
        match bound {
            Ok(socket) => return socket,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn attend<Conversation>(
    stream: TcpStream,
    mut resets: watch::Receiver<u64>,
    converse: Arc<impl Fn(TcpStream) -> Conversation>,
) where
    Conversation: Future<Output = End>,
{
    // What TLS and HTTP wrap cannot be reached any more.
    let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
    let end = tokio::select! {
        end = converse(stream) => end,
        _ = resets.changed() => End::Reset,
    };
    if end == End::Reset {
        // Lingering for no time is how a socket is told to send RST when its last handle is closed.
        let reset = |socket| TcpStream::from_std(std::net::TcpStream::from(socket))?.set_zero_linger();
        // It fails only for a socket that has ended.
        let _ = reset(socket);
    }
}
