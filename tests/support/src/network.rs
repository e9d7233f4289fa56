//! Free ports on the loopback address.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// As many different free ports. Somebody else may take one before we do: whoever uses them tries again then.
pub(crate) fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
