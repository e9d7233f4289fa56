//! Asks whose token it is, with the proxies that the environment of this process names: for a test, which cannot change its
//! own. Prints `Valid`, or what else came.
#![allow(clippy::unwrap_used)]

use clickup_operator::{
    api::TokenType,
    clickup::{Answer, Client, ClientOptions, Token},
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    test_support::install_crypto_provider();
    let of = |name: &str| std::env::var(name).unwrap();
    let token = Token::parse(of("TEST_TOKEN").as_bytes(), TokenType::Personal).unwrap();
    let client = Client::new(ClientOptions {
        url: of("TEST_URL").parse().unwrap(),
        allow_insecure_http: true,
        ca_file: Some(of("TEST_CA").into()),
        proxy: std::env::var("TEST_PROXY").ok().map(|proxy| proxy.parse().unwrap()),
        max_body: 1024 * 1024,
        connections: 1,
    });
    match client.unwrap().user(&token).await.answer {
        Answer::Good(_) => println!("Valid"),
        other => println!("{other:?}"),
    }
}
