//! Who may hold a token's lock, and when.

use super::{gate, question::OnBehalf, token::Tokens, *};
use crate::clickup::Urgency;
use futures::FutureExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whoever looks at a flight under the token's lock must not be the last to let go of it: what it gives back wants the lock.
#[test]
fn looking_at_a_flight_that_is_given_up_locks_nobody_out() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _in = runtime.enter();
    let (wake, _woken) = mpsc::unbounded_channel();
    let token = Token::parse(b"pk_1", TokenType::Personal).unwrap();
    let key = TokenKeys::generate().unwrap().key(&token);
    let connection = ConnectionRef::new("a").within("n");
    let interval = crate::api::Duration::from_mins(10);
    let holding = Tokens::new(10, wake, Timestamp::now).hold(key, "u", &connection, interval, false);
    let state = holding.state.clone();
    let (done, ended) = std::sync::mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let (state, over) = (state.clone(), over.clone());
        move || {
            while !over.load(Ordering::Relaxed) {
                let _ = state.lock().identity.is_fresh(Timestamp::MAX);
            }
        }
    });
    let handle = runtime.handle().clone();
    std::thread::spawn(move || {
        let _in = handle.enter();
        for _ in 0..20_000 {
            let (now, namespace) = (Timestamp::now(), "n".into());
            let on_behalf = OnBehalf {
                namespace,
                last_verdict: None,
                urgency: Urgency::Asked,
                annotated: false,
                timeout: SignedDuration::from_secs(30),
                span: Default::default(),
            };
            let ticket = state.lock().identity.join(
                now,
                now,
                on_behalf,
                |_| true,
                |errand| {
                    let state = state.clone();
                    let ask = async move {
                        let _permit = gate::admit(&state, &errand, 1, true).await;
                        std::future::pending().await
                    };
                    ask.boxed()
                },
            );
            let _ = ticket.flight.clone().now_or_never();
            drop(ticket);
        }
        let _ = done.send(());
    });
    let ended = ended.recv_timeout(StdDuration::from_secs(60));
    over.store(true, Ordering::Relaxed);
    assert!(ended.is_ok(), "locked out");
}
