//! One connection of a client: TLS, HTTP/2 or HTTP/1.1, and its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::super::port::End;
use super::{Interference, Shared, answer, one_more};

const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// What befalls a connection.
enum Fate {
    GoAway,
    Reset,
}

/// Serves until the client goes, or an interference wants the connection to end.
pub(super) async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) -> End {
    let Ok(Ok(stream)) = timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream)).await else {
        return End::Close;
    };
    one_more(&shared.counters.connections);
    let began = Instant::now();
    let mut interferences = shared.interferences();
    let reset = Arc::new(Notify::new());
    let service = {
        let reset = reset.clone();
        service_fn(move |request| answer::answer(request, shared.clone(), reset.clone()))
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut leaving = false;
    loop {
        tokio::select! {
            _ = connection.as_mut() => return End::Close,
            () = reset.notified() => return End::Reset,
            fate = fate(&mut interferences, began, leaving) => match fate {
                Fate::Reset => return End::Reset,
                Fate::GoAway => {
                    connection.as_mut().graceful_shutdown();
                    leaving = true;
                }
            },
        }
    }
}

/// Waits until something befalls a connection that began then.
async fn fate(interferences: &mut watch::Receiver<Vec<Interference>>, began: Instant, leaving: bool) -> Fate {
    loop {
        let fate = interferences.borrow_and_update().iter().find_map(|interference| match interference {
            Interference::Resets => Some((Fate::Reset, Interference::RESET_AFTER)),
            Interference::GoAway if !leaving => Some((Fate::GoAway, Interference::GOAWAY_AFTER)),
            _ => None,
        });
        let changed = async {
            if interferences.changed().await.is_err() {
                // The interposer is gone, and this connection is about to be.
                std::future::pending().await
            }
        };
        match fate {
            None => changed.await,
            Some((fate, after)) => tokio::select! {
                () = changed => {}
                () = sleep_until(began + after) => return fate,
            },
        }
    }
}
