//! Listeners, and the connections that they take.

pub(crate) mod delivery;
pub(crate) mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::api;
use crate::shared::{Shared, lock};
use delivery::{GARBAGE, Outcome, Takeover};

/// Many clients may come at once, all of a benchmark's.
const BACKLOG: i32 = 4096;

/// What a listener speaks.
#[derive(Clone)]
pub(crate) enum Protocol {
    Http,
    Https(TlsAcceptor),
    Garbage,
}

/// A task that ends with its owner.
pub(crate) struct Task(pub(crate) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A port of the API. While it is down the port stays bound, so that nobody else gets it.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    protocol: Protocol,
    shared: Arc<Shared>,
    running: Mutex<Running>,
}

enum Running {
    Up(Task),
    Down(Option<Socket>),
}

impl Listener {
    pub(crate) fn open(address: SocketAddr, protocol: Protocol, shared: &Arc<Shared>) -> io::Result<Self> {
        let listener = listen(bind(address)?)?;
        let address = listener.local_addr()?;
        let task = Task(tokio::spawn(accept(listener, protocol.clone(), Arc::clone(shared))));
        Ok(Self { address, protocol, shared: Arc::clone(shared), running: Mutex::new(Running::Up(task)) })
    }

    /// Takes connections, or refuses them and cuts those that are open.
    pub(crate) async fn set_up(&self, up: bool) -> io::Result<()> {
        let mut running = self.running.lock().await;
        match &mut *running {
            Running::Up(task) if !up => {
                task.0.abort();
                let _ = (&mut task.0).await;
                *running = Running::Down(Some(bind(self.address)?));
            }
            Running::Down(socket) if up => {
                let socket = socket.take().map_or_else(|| bind(self.address), Ok)?;
                let serving = accept(listen(socket)?, self.protocol.clone(), Arc::clone(&self.shared));
                *running = Running::Up(Task(tokio::spawn(serving)));
            }
            Running::Up(_) | Running::Down(_) => {}
        }
        Ok(())
    }

    pub(crate) async fn is_up(&self) -> bool {
        matches!(*self.running.lock().await, Running::Up(_))
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of before that linger must not keep the port from its owner.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Owns its connections: they end when it does.
async fn accept(listener: TcpListener, protocol: Protocol, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without it small answers wait for acknowledgements.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(converse(stream, protocol.clone(), Arc::clone(&shared)));
                }
                // Too many open files: others must close before it gets better.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, protocol: Protocol, shared: Arc<Shared>) {
    match protocol {
        Protocol::Http => serve(stream, shared).await,
        Protocol::Https(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, shared).await;
            }
        }
        Protocol::Garbage => talk_nonsense(stream).await,
    }
}

/// A connection whose socket can be reached.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Makes hyper hand the connection back.
#[derive(Debug)]
struct TakenOver;

impl fmt::Display for TakenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault takes the connection over")
    }
}

impl std::error::Error for TakenOver {}

/// Speaks HTTP until the client goes or a fault wants the bare connection.
async fn serve<S: Wire>(stream: S, shared: Arc<Shared>) {
    let takeover = std::sync::Mutex::new(None);
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
        let (parts, _) = request.into_parts();
        match api::answer(&shared, &parts).await {
            Outcome::Answer(response) => Ok(*response),
            Outcome::Takeover(wanted, _) => {
                *lock(&takeover) = Some(wanted);
                Err(TakenOver)
            }
        }
    });
    // The answers set Date themselves, because a fault may want it gone.
    let mut builder = http1::Builder::new();
    builder.auto_date_header(false);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let _ = (&mut connection).await;
    let stream = connection.into_parts().io.into_inner();
    let wanted = lock(&takeover).take();
    if let Some(wanted) = wanted {
        // The client may be gone already, which is as good an end as any.
        let _ = take_over(stream, wanted).await;
    }
}

async fn take_over<S: Wire>(mut stream: S, takeover: Takeover) -> io::Result<()> {
    let Takeover { pieces, every, reset, _in_flight } = takeover;
    for piece in pieces {
        stream.write_all(&piece).await?;
        stream.flush().await?;
        if !every.is_zero() {
            tokio::time::sleep(every).await;
        }
    }
    if reset {
        // Closing with data "lingering" for no time is how a socket is told to send RST.
        return socket2::SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO));
    }
    stream.shutdown().await
}

/// Answers whatever comes with bytes that are neither TLS nor HTTP.
async fn talk_nonsense(mut stream: TcpStream) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let mut heard = [0; 4096];
    // Unread bytes would turn the close into a reset, and the nonsense would be lost.
    let _ = timeout(PATIENCE, stream.read(&mut heard)).await;
    if stream.write_all(GARBAGE).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let drain = async { while stream.read(&mut heard).await.is_ok_and(|bytes| bytes > 0) {} };
    let _ = timeout(PATIENCE, drain).await;
}
