//! Answers to `GET /v2/user`, from what was decoded to a verdict; errors from the bytes of their body.

use clickup_operator::clickup::{Answer, ErrorBody, Unusable, User, judge_token};
use criterion::{BatchSize, Criterion};
use std::hint::black_box;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    let user = User { id: "57000001".into(), name: Some("Ada Example".into()) };
    for (name, answer) in
        [("accepted", Answer::Good(user)), ("not JSON", Answer::Unusable(Unusable::NotJson))]
    {
        let judged = |answer| judge_token(black_box(answer), None);
        group.bench_function(name, |b| b.iter_batched(|| answer.clone(), judged, BatchSize::SmallInput));
    }
    for (name, status, body) in [
        ("rejected", 401, r#"{"err":"Token invalid","ECODE":"OAUTH_025"}"#),
        ("limited", 429, r#"{"err":"Rate limit reached","ECODE":"APP_002"}"#),
        ("bad gateway", 502, "<html><head><title>502 Bad Gateway</title></head><body></body></html>"),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let body = ErrorBody::read(black_box(body.as_bytes()));
                judge_token::<User>(Answer::Error { status, body }, None)
            });
        });
    }
    group.finish();
}
