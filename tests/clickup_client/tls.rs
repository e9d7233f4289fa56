//! TLS: a good certificate with the right authority, and everything else.

use crate::harness::{Account, Call, client_for, options, simulator, tls_endpoints};
use clickup_operator::clickup::ClientOptions;
use std::path::PathBuf;
use test_support::scratch::ScratchDir;

/// The simulator's authority, as a file.
pub fn ca_file(scratch: &ScratchDir) -> PathBuf {
    let path = scratch.path().join("ca.pem");
    std::fs::write(&path, simulator().ca_pem().unwrap()).unwrap();
    path
}

fn with_ca(url: &str, ca_file: PathBuf) -> ClientOptions {
    ClientOptions { ca_file: Some(ca_file), allow_insecure_http: false, ..options(&format!("{url}/api")) }
}

#[tokio::test]
async fn the_right_authority_makes_it_good() {
    let (account, scratch) = (Account::new().await, ScratchDir::create("tls").unwrap());
    let ca = ca_file(&scratch);
    let by_name = tls_endpoints().good.replace("127.0.0.1", "localhost");
    for url in [tls_endpoints().good.as_str(), &by_name] {
        let client = client_for(with_ca(url, ca.clone()));
        account.ask_all(&client).await.assert("Valid", "Granted", url);
    }
}

/// The whole message, twice: what changes between runs would make a status write each time.
#[tokio::test]
async fn a_bad_certificate_says_what_is_bad() {
    let (account, scratch) = (Account::new().await, ScratchDir::create("tls").unwrap());
    let ca = ca_file(&scratch);
    let endpoints = tls_endpoints();
    let secure = |url: &str| url.replace("http:", "https:");
    let (garbage, plain) = (secure(&simulator().endpoints().garbage), secure(&simulator().endpoints().api));
    for (url, trusted, cause) in [
        (endpoints.expired.as_str(), true, "its certificate has expired"),
        (&endpoints.wrong_host, true, "its certificate is for another host name"),
        (&endpoints.unknown_ca, true, "its certificate is from an unknown authority"),
        (&endpoints.self_signed, true, "its certificate is from an unknown authority"),
        (&endpoints.good, false, "its certificate is from an unknown authority"),
        (&garbage, true, "it does not speak TLS"),
        (&plain, true, "it does not speak TLS"),
    ] {
        let expected = format!(
            "no TLS connection to ClickUp, {cause}: see whether a proxy intercepts it; the operator's --ca-file names the authorities to trust"
        );
        for _ in 0..2 {
            let with_ca = with_ca(url, ca.clone());
            let client =
                client_for(if trusted { with_ca } else { ClientOptions { ca_file: None, ..with_ca } });
            for call in Call::ALL {
                let (reason, message) = account.ask(&client, call).await;
                assert_eq!((reason.as_str(), message.as_str()), ("TLSFailed", expected.as_str()), "{url}");
                assert!(!message.contains(|c: char| c.is_ascii_digit()), "{message}");
            }
        }
    }
    assert_eq!(account.control.requests(&account.name, "/v2/user").await.unwrap(), 0, "no token was sent");
}
