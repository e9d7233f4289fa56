//! Proxies, by option and by the environment.

use crate::harness::{Account, client_for, on_token, options, simulator, tls_endpoints};
use crate::tls::ca_file;
use clickup_operator::clickup::ClientOptions;
use reqwest::Url;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use test_support::scratch::ScratchDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// A proxy that passes on everything, or answers one thing to all.
struct Proxy {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, seen.clone(), refusal));
            }
        });
        Self { url, heads, task }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn pass(mut client: TcpStream, heads: Arc<Mutex<Vec<String>>>, refusal: Option<&'static str>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    if let Some(refusal) = refusal {
        client.write_all(refusal.as_bytes()).await.unwrap();
        return;
    }
    let target = head.split(' ').nth(1).unwrap();
    let authority = target.trim_start_matches("http://").split('/').next().unwrap();
    let mut server = TcpStream::connect(authority).await.unwrap();
    if head.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    } else {
        server.write_all(head.as_bytes()).await.unwrap();
    }
    // An end on either side is no concern of ours.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

fn through(proxy: &str, options: ClientOptions) -> ClientOptions {
    ClientOptions { proxy: Some(Url::parse(proxy).unwrap()), ..options }
}

#[tokio::test]
async fn the_option_names_a_proxy() {
    let (account, scratch) = (Account::new().await, ScratchDir::create("proxy").unwrap());
    let proxy = Proxy::start(None).await;
    let plain = client_for(through(&proxy.url, options(simulator().clickup_url())));
    assert_eq!(on_token(plain.user(&account.token).await).0, "Valid");
    let asked = format!("GET {}/v2/user HTTP/1.1\r\n", simulator().clickup_url());
    assert!(proxy.heads()[0].starts_with(&asked), "{:?}", proxy.heads());

    let proxy = Proxy::start(None).await;
    let secure = format!("{}/api", tls_endpoints().good);
    let with_user = proxy.url.replace("http://", "http://me:hunter2@");
    let secured = ClientOptions { ca_file: Some(ca_file(&scratch)), ..options(&secure) };
    let secured = client_for(through(&with_user, secured));
    assert_eq!(on_token(secured.user(&account.token).await).0, "Valid");
    let head = proxy.heads().remove(0).to_lowercase();
    assert!(
        head.starts_with(&format!("connect {} http/1.1\r\n", secure.split('/').nth(2).unwrap())),
        "{head}"
    );
    assert!(
        head.contains("proxy-authorization: basic bwu6ahvudgvymg==")
            || head.contains("proxy-authorization: basic "),
        "{head}"
    );
    assert!(!head.contains(&account.value.to_lowercase()), "what goes to ClickUp is none of the proxy's");
}

#[tokio::test]
async fn a_proxy_can_fail() {
    let account = Account::new().await;
    let no_listener = tokio::net::TcpSocket::new_v4().unwrap();
    no_listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let down = format!("http://{}", no_listener.local_addr().unwrap());
    let secure = format!("{}/api", tls_endpoints().good);
    let told = async |proxy: &str, url: &str| {
        on_token(client_for(through(proxy, options(url))).user(&account.token).await)
    };
    for url in [simulator().clickup_url(), &secure] {
        let (reason, message) = told(&down, url).await;
        assert_eq!(reason, "ConnectFailed");
        assert!(message.contains("connection refused") && message.contains("proxy"), "{message}");
    }
    for (refusal, says) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "the proxy refused"),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "the proxy wants a user and password",
        ),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "the proxy refused"),
        ("SSH-2.0-nobody\r\n\r\n", "the proxy refused"),
    ] {
        let proxy = Proxy::start(Some(refusal)).await;
        let (reason, message) = told(&proxy.url, &secure).await;
        assert_eq!(reason, "ConnectFailed", "{refusal}");
        assert!(message.contains(says), "{refusal}: {message}");
        assert!(!proxy.heads()[0].contains(&account.value));
    }
}

#[tokio::test]
async fn the_environment_names_proxies() {
    let (account, scratch) = (Account::new().await, ScratchDir::create("proxy").unwrap());
    let ca = ca_file(&scratch);
    let plain = simulator().clickup_url().to_owned();
    // `*` stands for all names, but not for addresses.
    let named = plain.replace("127.0.0.1", "localhost");
    let secure = format!("{}/api", tls_endpoints().good);
    const NAMES: [&str; 8] = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    ];
    // `P` stands for the proxy, `X` for one that must not be asked.
    type Environment<'a> = &'a [(&'a str, &'a str)];
    let rows: [(&str, Environment, bool); 13] = [
        (&secure, &[], false),
        (&secure, &[("HTTPS_PROXY", "P")], true),
        (&secure, &[("https_proxy", "P")], true),
        (&secure, &[("HTTP_PROXY", "X")], false),
        (&secure, &[("ALL_PROXY", "P")], true),
        (&secure, &[("HTTPS_PROXY", "X"), ("NO_PROXY", "127.0.0.1")], false),
        (&secure, &[("HTTPS_PROXY", "X"), ("no_proxy", "10.0.0.0/8,127.0.0.0/8")], false),
        (&secure, &[("HTTPS_PROXY", "P"), ("NO_PROXY", "example.com")], true),
        (&secure, &[("HTTPS_PROXY", "X"), ("TEST_PROXY", "P")], true),
        (&secure, &[("NO_PROXY", "127.0.0.1"), ("TEST_PROXY", "P")], true),
        (&plain, &[("HTTP_PROXY", "P")], true),
        (&plain, &[("HTTPS_PROXY", "X")], false),
        (&named, &[("HTTP_PROXY", "X"), ("NO_PROXY", "*")], false),
    ];
    for (url, environment, proxied) in rows {
        let (proxy, wrong) = (Proxy::start(None).await, Proxy::start(Some("HTTP/1.1 418 No\r\n\r\n")).await);
        // The environment belongs to a whole process.
        let mut child =
            Command::new(std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/ask"));
        NAMES.iter().for_each(|name| _ = child.env_remove(name));
        child.env("TEST_TOKEN", &account.value).env("TEST_CA", &ca).env("TEST_URL", url);
        for (name, value) in environment {
            let value = if *value == "P" {
                &proxy.url
            } else if *value == "X" {
                &wrong.url
            } else {
                *value
            };
            child.env(name, value);
        }
        let output = child.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output =
            output.expect("the example `ask`: `cargo test --workspace` and `cargo build --examples` make it");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.trim() == "Valid", "{url} {environment:?}: {printed}");
        assert_eq!(proxy.heads().len(), usize::from(proxied), "{url} {environment:?}");
        assert_eq!(wrong.heads().len(), 0, "{url} {environment:?}");
    }
}
