//! Why no answer came: the causes that a person can act on, told apart without quoting texts that change.

use rustls::{CertificateError, Error as TlsError};
use std::{error::Error, io, time::Duration};

/// How long connecting may take, TLS included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of an answer may take; the whole check has the connection's own timeout.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a call got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Name resolution, connect, or a reset; what exactly.
    Connect(&'static str),
    /// The handshake; what exactly.
    Tls(&'static str),
    /// A deadline passed.
    TimedOut,
    /// What came was not HTTP, or ended early.
    Garbled(&'static str),
}

impl Failure {
    /// Finds the cause of a failed call.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |e| inner(*e));
        if let Some(tls) = causes().find_map(|e| e.downcast_ref::<TlsError>()) {
            return Self::Tls(tls_cause(tls));
        }
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let kinds = || causes().filter_map(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind);
        if kinds().any(|k| k == io::ErrorKind::TimedOut) {
            return Self::TimedOut;
        }
        let Some(hyper) = causes().find_map(|e| e.downcast_ref::<hyper::Error>()) else {
            let says = |part| causes().any(|e| e.to_string().contains(part));
            return match kinds().find_map(connect_cause) {
                Some(cause) => Self::Connect(cause),
                // Bytes that were said to be packed, and are not.
                None if error.is_body() || error.is_decode() => Self::Garbled("the answer is garbled"),
                // These errors have no types that could be asked.
                None if says("dns error") => Self::Connect("its name could not be resolved"),
                None if says("proxy authorization required") => {
                    Self::Connect("the proxy wants a user and password")
                }
                None if says("tunnel error") => Self::Connect("the proxy refused to connect"),
                None => Self::Connect("the connection failed"),
            };
        };
        match kinds().find_map(connect_cause) {
            Some(cause) => Self::Connect(cause),
            None if hyper.is_parse() => Self::Garbled("what came is not HTTP"),
            None if hyper.is_incomplete_message() && !error.is_request() => {
                Self::Garbled("the answer ended early")
            }
            None if hyper.is_incomplete_message() => {
                Self::Connect("the connection was closed without an answer")
            }
            None if error.is_body() || error.is_decode() => Self::Garbled("the answer ended early"),
            None => Self::Connect("the connection broke"),
        }
    }
}

/// The cause of an error, also where an `io::Error` wraps one without naming it as its source.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn connect_cause(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind::*;
    Some(match kind {
        ConnectionRefused => "connection refused",
        ConnectionReset | ConnectionAborted | BrokenPipe => "the connection was reset",
        HostUnreachable => "host unreachable",
        NetworkUnreachable => "network unreachable",
        NotConnected | AddrNotAvailable => "no route",
        _ => return None,
    })
}

/// Rustls' own texts name the current time.
fn tls_cause(error: &TlsError) -> &'static str {
    use CertificateError::*;
    match error {
        TlsError::InvalidCertificate(cause) => match cause {
            Expired | ExpiredContext { .. } => "its certificate has expired",
            NotValidYet | NotValidYetContext { .. } => "its certificate is not valid yet",
            NotValidForName | NotValidForNameContext { .. } => "its certificate is for another host name",
            UnknownIssuer => "its certificate is from an unknown authority",
            Revoked => "its certificate is revoked",
            _ => "its certificate is not valid",
        },
        TlsError::NoCertificatesPresented => "it presented no certificate",
        TlsError::AlertReceived(_) => "it refused the handshake",
        TlsError::InvalidMessage(_) => "it does not speak TLS",
        _ => "the handshake failed",
    }
}
