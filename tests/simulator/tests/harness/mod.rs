//! One simulator for all tests of a file; each test brings its own users, workspaces and tokens.

#![allow(dead_code)]

use std::sync::OnceLock;
use std::time::Duration;

use clickup_simulator::client::Account;
use clickup_simulator::{Options, Simulator, SimulatorClient};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn simulator() -> &'static Simulator {
    static SHARED: OnceLock<Simulator> = OnceLock::new();
    SHARED.get_or_init(|| Simulator::start_on_own_thread(Options::default().with_tls()).unwrap())
}

pub fn control() -> SimulatorClient {
    simulator().client().unwrap()
}

pub async fn account() -> Account {
    control().add_account("Acme").await.unwrap()
}

/// A client as careful as the operator's: no redirects, no proxy.
pub fn http() -> reqwest::Client {
    clickup_simulator::install_crypto_provider();
    let builder = reqwest::Client::builder().no_proxy().no_gzip().timeout(PATIENCE);
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub async fn get(authorization: &str, path: &str) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}{path}", simulator().clickup_url());
    let mut request = http().get(url);
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    request.send().await
}

/// Status and JSON body.
pub async fn ask(authorization: &str, path: &str) -> (u16, Value) {
    let response = get(authorization, path).await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Status and `ECODE`.
pub async fn verdict(authorization: &str, path: &str) -> (u16, String) {
    let (status, body) = ask(authorization, path).await;
    (status, body["ECODE"].as_str().unwrap_or_default().to_owned())
}

pub async fn status(authorization: &str, path: &str) -> u16 {
    get(authorization, path).await.unwrap().status().as_u16()
}

/// A request over a bare connection, which is kept open for more.
pub async fn raw_request(authorization: &str, path: &str) -> TcpStream {
    let address = simulator().endpoints().api.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api{path} HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the connection ends, and how it ends.
pub async fn raw(authorization: &str, path: &str) -> (Vec<u8>, std::io::Result<()>) {
    let mut stream = raw_request(authorization, path).await;
    let mut heard = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await.unwrap();
    (heard, end.map(|_| ()))
}

/// Asks again until the answer is as it should be.
pub async fn eventually<T, F: Future<Output = T>>(
    what: &str,
    mut ask: impl FnMut() -> F,
    good: impl Fn(&T) -> bool,
) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if good(&answer) {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
