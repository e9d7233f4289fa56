//! The answer to `GET /v2/team`, from the bytes as they arrive to the workspaces: all members are in it, one is kept.

use clickup_operator::clickup::{Answer, TeamsAnswer, read_answer};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures::stream;
use reqwest::{Body, Response};
use serde_json::{Value, json};
use std::{hint::black_box, io};
use tokio::runtime::Builder;

/// What arrives at once.
const PIECE: usize = 16 * 1024;

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut group = criterion.benchmark_group("team");
    for members in [1, 1_000, 10_000] {
        let document = document(members);
        let pieces: Vec<Vec<u8>> = document.chunks(PIECE).map(<[u8]>::to_vec).collect();
        let read = || {
            let pieces = pieces.clone().into_iter().map(Ok::<_, io::Error>);
            let response = Response::from(axum::http::Response::new(Body::wrap_stream(stream::iter(pieces))));
            let seed = TeamsAnswer { user_id: "57000001".into() };
            runtime.block_on(read_answer(response, 64 * 1024 * 1024, seed))
        };
        let Answer::Good(workspaces) = read() else { panic!("the answer is not understood") };
        assert!(workspaces[0].role.is_some(), "the token's user is among the members");
        group.throughput(Throughput::Bytes(document.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{members} members")), |b| {
            b.iter(|| black_box(read()));
        });
    }
    group.finish();
}

/// As long as ClickUp's own; the token's user comes last.
fn document(members: u64) -> Vec<u8> {
    let member = |id: u64| -> Value {
        json!({
            "user": {
                "id": id, "username": "Ada Example", "email": format!("ada{id}@example.com"), "color": "#ff897f",
                "profilePicture": null, "initials": "AE", "role": 3, "role_subtype": 0, "role_key": "member",
                "custom_role": null, "last_active": "1679495814173", "date_joined": "1679495814173",
                "date_invited": "1679495814173",
            },
            "invited_by": {
                "id": 57_000_001, "username": "Ada Example", "color": "#ff897f", "email": "ada@example.com",
                "initials": "AE", "profilePicture": null,
            },
        })
    };
    let members: Vec<_> = (0..members).map(|number| member(57_000_000 + members - number)).collect();
    let team =
        json!({"id": "9012345678", "name": "Acme", "color": "#40BC86", "avatar": null, "members": members});
    serde_json::to_vec(&json!({"teams": [team]})).unwrap()
}
