//! Options that make no client, and what they are told.

use crate::harness::{options, simulator};
use clickup_operator::clickup::{Client, ClientOptions};
use std::error::Error;
use std::fs;
use test_support::scratch::ScratchDir;

fn refusal(options: ClientOptions) -> String {
    test_support::install_crypto_provider();
    let error = Client::new(options).err().unwrap_or_else(|| panic!("accepted"));
    std::iter::successors(error.source(), |&cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[test]
fn plain_http_needs_a_flag() {
    let secured = |url: &str| ClientOptions { allow_insecure_http: false, ..options(url) };
    let told = refusal(secured("http://user.example/api"));
    assert_eq!(
        told,
        "--clickup-url must start with https://: over http:// everybody on the way can read the tokens; --allow-insecure-http permits http:// for tests"
    );
    for url in ["ftp://a.example/api", "ws://a.example", "file:///etc/passwd", "unix:/run/x"] {
        for allowed in [false, true] {
            let told = refusal(ClientOptions { allow_insecure_http: allowed, ..options(url) });
            assert!(told.starts_with("--clickup-url must start with https://"), "{url}: {told}");
        }
    }
    test_support::install_crypto_provider();
    for url in ["https://api.clickup.com/api", "https://api.clickup.com", "https://127.0.0.1:8443/api/"] {
        Client::new(secured(url)).unwrap();
    }
    Client::new(options("http://127.0.0.1/api")).unwrap();
}

#[test]
fn the_url_has_no_user_query_or_fragment() {
    for url in [
        "https://me@a.example/api",
        "https://me:SECRET@a.example/api",
        "https://:SECRET@a.example/api",
        "https://a.example/api?token=SECRET",
        "https://a.example/api?",
        "https://a.example/api#SECRET",
    ] {
        assert_eq!(
            refusal(options(url)),
            "--clickup-url must be a scheme, a host and a path, such as https://api.clickup.com/api: it has no user, password, query or fragment",
            "{url}"
        );
    }
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let scratch = ScratchDir::create("ca").unwrap();
    let ca = simulator().ca_pem().unwrap();
    let body = ca.lines().nth(1).unwrap();
    for (name, content, says) in [
        ("missing", None, "cannot read it: No such file or directory"),
        ("empty", Some(String::new()), "it holds no PEM certificate"),
        ("text", Some("hello".to_owned()), "it holds no PEM certificate"),
        (
            "key",
            Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
            "it holds no PEM certificate",
        ),
        ("der", Some("\u{30}\u{2}\u{1}\u{0}".to_owned()), "it holds no PEM certificate"),
        ("cut", Some(ca[..ca.len() / 2].to_owned()), "it holds no PEM certificate"),
        ("base64", Some(ca.replace(body, "!!!!")), "it holds no PEM certificate"),
        ("content", Some(ca.replace(body, "AAAA")), "it holds no PEM certificate"),
    ] {
        let path = scratch.path().join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let told = refusal(ClientOptions { ca_file: Some(path.clone()), ..options("https://a.example") });
        let expected = format!("--ca-file {}: {says}", path.display());
        assert!(told.starts_with(&expected), "{name}: {told}");
    }
    let told =
        refusal(ClientOptions { ca_file: Some(scratch.path().to_owned()), ..options("https://a.example") });
    assert!(told.contains("cannot read it"), "a directory: {told}");
    // One of several authorities is enough, and text between them is usual.
    let path = scratch.path().join("bundle");
    fs::write(&path, format!("# first\n{ca}\n# second\n{ca}")).unwrap();
    Client::new(ClientOptions { ca_file: Some(path), ..options("https://a.example") }).unwrap();
}
