//! The way to ClickUp: the operator always talks to one port, and where that leads can change under it.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::port::{End, Port};

/// Where connections lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// There.
    To(SocketAddr),
    /// Nowhere: they are reset.
    Reset,
    /// Nowhere: nothing is said.
    Silence,
    /// Nowhere: they are refused.
    Refusal,
}

/// A port that forwards bytes.
#[derive(Debug)]
pub(super) struct Switch {
    port: Port,
    way: watch::Sender<Way>,
}

impl Switch {
    pub(super) async fn start(way: Way) -> io::Result<Switch> {
        let way = watch::Sender::new(way);
        let ways = way.subscribe();
        let port = Port::open(move |stream| travel(stream, *ways.borrow())).await?;
        Ok(Switch { port, way })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Leads connections elsewhere from now on, and resets those that lead where the old way went.
    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
        self.port.set_open(way != Way::Refusal);
        self.port.reset();
    }
}

async fn travel(mut from: TcpStream, way: Way) -> End {
    match way {
        Way::To(address) => {
            let Ok(mut to) = TcpStream::connect(address).await else { return End::Reset };
            let _ = to.set_nodelay(true);
            match tokio::io::copy_bidirectional(&mut from, &mut to).await {
                Ok(_) => End::Close,
                Err(_) => End::Reset,
            }
        }
        Way::Silence => std::future::pending().await,
        Way::Reset | Way::Refusal => End::Reset,
    }
}
