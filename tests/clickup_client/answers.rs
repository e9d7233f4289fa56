//! What ClickUp, and what stands in between, can answer.

use crate::harness::{Account, Call, client, client_for, on_node, options, simulator};
use clickup_operator::clickup::{TokenVerdict, judge_token};
use clickup_simulator::fault::{Body, Delivery, Fault};
use clickup_simulator::messages::LogQuery;
use clickup_simulator::state::Kind;
use serde_json::json;
use std::collections::BTreeSet;

const UNEXPECTED: &str = "UnexpectedResponse";
const REFUSED: &str = "RequestRefused";

/// Status, code, what `/user` and `/team` end in, what the calls on an id end in.
type Row = (u16, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const CODES: &[Row] = &[
    (400, "OAUTH_017", REFUSED, REFUSED),
    (400, "INPUT_003", UNEXPECTED, "NotFound"),
    (400, "", UNEXPECTED, "NotFound"),
    (401, "OAUTH_018", "Rejected", "Denied"),
    (401, "OAUTH_019", "Rejected", "TokenDead"),
    (401, "OAUTH_021", "Rejected", "TokenDead"),
    (401, "OAUTH_025", "Rejected", "TokenDead"),
    (401, "OAUTH_077", "Rejected", "TokenDead"),
    (403, "OAUTH_025", REFUSED, "Denied"),
    (400, "OAUTH_025", UNEXPECTED, "NotFound"),
    (404, "OAUTH_025", UNEXPECTED, "Denied"),
    (500, "OAUTH_025", "ServerError", "ServerError"),
    (401, "OAUTH_022", REFUSED, "Denied"),
    (401, "ACCESS_083", REFUSED, "Denied"),
    (403, "ACCESS_083", REFUSED, "Denied"),
    (401, "ACCESS_001", REFUSED, "Denied"),
    (404, "ACCESS_999", UNEXPECTED, "NotFound"),
    (404, "ITEM_013", UNEXPECTED, "NotFound"),
    (404, "ITEM_015", UNEXPECTED, "NotFound"),
    (401, "ITEM_013", REFUSED, "NotFound"),
    (404, "", UNEXPECTED, UNEXPECTED),
    (403, "TEAM_110", REFUSED, "PlanRequired"),
    (401, "", REFUSED, REFUSED),
    (403, "", REFUSED, REFUSED),
    (401, "UNKNOWN_1", REFUSED, REFUSED),
    (403, "UNKNOWN_1", REFUSED, REFUSED),
    (401, "oauth_025", REFUSED, REFUSED),
    (401, "OAUTH_025 or so", REFUSED, REFUSED),
    (429, "APP_002", "RateLimited", "RateLimited"),
    (429, "", "RateLimited", "RateLimited"),
    (429, "OAUTH_025", "RateLimited", "RateLimited"),
    (400, "APP_002", "RateLimited", "RateLimited"),
    (401, "APP_002", "RateLimited", "RateLimited"),
    (403, "APP_002", "RateLimited", "RateLimited"),
    (500, "APP_002", "RateLimited", "RateLimited"),
    (503, "APP_002", "RateLimited", "RateLimited"),
    (500, "SHARD_001", "ServerError", "NotFound"),
    (500, "", "ServerError", "ServerError"),
    (502, "", "ServerError", "ServerError"),
    (503, "", "ServerError", "ServerError"),
    (504, "", "ServerError", "ServerError"),
    (599, "", "ServerError", "ServerError"),
    (402, "", UNEXPECTED, UNEXPECTED),
    (418, "", UNEXPECTED, UNEXPECTED),
];

#[tokio::test]
async fn errors_are_judged_by_status_and_code() {
    let (account, client) = (Account::new().await, client());
    let not_authorized = [23, 26, 27].into_iter().chain(29..=45).chain([56, 57, 60, 61]);
    let not_authorized: Vec<_> = not_authorized.map(|number| format!("OAUTH_{number:03}")).collect();
    let rows = CODES
        .iter()
        .copied()
        .chain(not_authorized.iter().map(|code| (401, code.as_str(), REFUSED, "Denied")));
    let mut count = 0;
    for row in rows {
        let (status, code, token, node) = row;
        let ends = account.ends(&client, |fault| fault.error(status, code, "made up")).await;
        ends.assert(token, node, row);
        count += 1;
    }
    println!("{count} rows of status and code, 8 calls each");
}

/// Other members than `err` and `ECODE`, or none of these.
#[tokio::test]
async fn errors_have_many_bodies() {
    let (account, client) = (Account::new().await, client());
    let no_key = json!(["can_use_public_api_dev_key"]);
    for (status, body, token, node) in [
        (
            403,
            json!({"err": "made up", "ECODE": "ACCESS_083", "invalid_permissions": no_key}),
            REFUSED,
            "Denied",
        ),
        (
            401,
            json!({"err": "made up", "ECODE": "ACCESS_083", "invalid_permissions": no_key}),
            REFUSED,
            "Denied",
        ),
        (401, json!({"err": "made up", "invalid_permissions": no_key}), REFUSED, "Denied"),
        (
            403,
            json!({"message": "made up", "ECODE": "X_1", "invalid_permissions": no_key}),
            REFUSED,
            "Denied",
        ),
        (403, json!({"err": "made up", "invalid_permissions": []}), REFUSED, REFUSED),
        (401, json!({"error": "made up", "ECODE": "OAUTH_025"}), "Rejected", "TokenDead"),
        (401, json!({"message": "made up", "ECODE": "OAUTH_019"}), "Rejected", "TokenDead"),
        (401, json!({"ECODE": "OAUTH_025", "err": null, "more": [1, {"x": null}]}), "Rejected", "TokenDead"),
        (401, json!({"err": "made up", "ECODE": null}), REFUSED, REFUSED),
        (401, json!({"err": "made up", "ECODE": 25}), REFUSED, REFUSED),
        (401, json!({"err": "OAUTH_025 made up"}), REFUSED, REFUSED),
        (
            403,
            json!({"status": 403, "message": "made up", "trace_id": "1", "ECODE": "X_1"}),
            REFUSED,
            REFUSED,
        ),
        (404, json!({"status": 404, "message": "made up", "timestamp": 1}), UNEXPECTED, UNEXPECTED),
        (403, json!({"message": "made up", "request_id": "1"}), REFUSED, REFUSED),
        (401, json!(["OAUTH_025"]), REFUSED, REFUSED),
        (401, json!("OAUTH_025"), REFUSED, REFUSED),
        (401, json!(null), REFUSED, REFUSED),
    ] {
        let ends = account.ends(&client, |fault| fault.json(status, body.clone())).await;
        ends.assert(token, node, (status, &body));
    }
    for (length, token, node) in [(60_000, "Rejected", "TokenDead"), (1_000_000, REFUSED, REFUSED)] {
        let long = json!({"err": "x".repeat(length), "ECODE": "OAUTH_025"});
        let ends = account.ends(&client, |fault| fault.json(401, long.clone())).await;
        ends.assert(token, node, "an error is read up to 64 KiB");
    }
}

/// The form of v3 has no code: the status speaks about an id, and never about the token.
#[tokio::test]
async fn errors_of_v3_have_no_code() {
    let (account, client) = (Account::new().await, client());
    for (status, token, node) in [
        (400, UNEXPECTED, "NotFound"),
        (401, REFUSED, "Denied"),
        (402, UNEXPECTED, UNEXPECTED),
        (403, REFUSED, "Denied"),
        (404, UNEXPECTED, "NotFound"),
        (429, "RateLimited", "RateLimited"),
        (500, "ServerError", "ServerError"),
        (503, "ServerError", "ServerError"),
    ] {
        for trace in [json!(123_456_789), json!(u64::MAX), json!("a1-b2"), json!(null)] {
            let body = json!({"status": status, "message": "made up", "trace_id": trace, "timestamp": 1});
            let ends = account.ends(&client, |fault| fault.json(status, body.clone())).await;
            ends.assert(token, node, (status, &body));
        }
    }
}

/// A proxy or a captive portal speaks HTML.
#[tokio::test]
async fn html_is_never_a_verdict() {
    let (account, client) = (Account::new().await, client());
    for (status, reason) in [
        (200, UNEXPECTED),
        (201, UNEXPECTED),
        (302, UNEXPECTED),
        (400, UNEXPECTED),
        (401, REFUSED),
        (403, REFUSED),
        (404, UNEXPECTED),
        (407, UNEXPECTED),
        (429, "RateLimited"),
        (500, "ServerError"),
        (502, "ServerError"),
        (503, "ServerError"),
    ] {
        let ends = account.ends(&client, |fault| fault.html(status)).await;
        ends.assert(reason, reason, status);
        let ends = account.ends(&client, |fault| fault.answer(status, Body::Empty)).await;
        ends.assert(reason, reason, (status, "empty"));
    }
    for status in [204, 205, 206] {
        let ends = account.ends(&client, |fault| fault.answer(status, Body::Empty)).await;
        ends.assert(UNEXPECTED, UNEXPECTED, status);
    }
}

#[tokio::test]
async fn a_good_status_needs_a_good_body() {
    let (account, client) = (Account::new().await, client());
    let padding = " ".repeat(200_000);
    let texts = [
        "".to_owned(),
        "OK".to_owned(),
        "{".to_owned(),
        "{\"user\": {\"id\": 1, \"teams\": [], \"spaces\": [], \"data\": [], \"id\": 1}".to_owned(),
        "{\"user\": {\"id\": 1}, \"teams\": [], \"spaces\": [], \"data\": [], \"id\": 1} and more".to_owned(),
        "{\"user\": {\"id\": 1}, \"teams\": [], \"spaces\": [], \"data\": [], \"id\": 1}{}".to_owned(),
        format!("{{\"user\": {{\"id\": 1}}, \"teams\": [], \"id\": 1, \"data\": [], \"spaces\": [{padding}"),
        format!("{padding}<html>"),
        format!(
            "{{\"user\": {{\"id\": 1}}, \"teams\": [], \"spaces\": [], \"data\": [], \"id\": 1}}{padding}x"
        ),
        "[".repeat(100_000),
        "{\"user\": \u{0}}".to_owned(),
    ];
    for text in &texts {
        let ends = account.ends(&client, |fault| fault.broken_json(text)).await;
        ends.assert(UNEXPECTED, UNEXPECTED, &text[..text.len().min(80)]);
    }
    for shape in [
        json!({}),
        json!([]),
        json!(null),
        json!("user"),
        json!({"user": null, "teams": null, "spaces": null, "data": null}),
        json!({"user": [], "teams": {}, "spaces": {}, "data": {}}),
        json!({"user": {}, "teams": [{}], "spaces": 1, "data": 1}),
        json!({"user": {"id": null}, "teams": [null], "spaces": "none", "data": "none"}),
        json!({"user": {"id": "a"}, "teams": [{"id": "a"}], "spaces": true, "data": [], "next_cursor": {}}),
        json!({"user": {"id": 1.5}, "teams": [{"id": 1.5}], "Spaces": [], "Data": [], "Id": 1}),
        json!({"user": {"id": ""}, "teams": [{"id": ""}], "spaces ": [], "data ": [], "id ": 1}),
        json!({"err": "made up", "ECODE": "OAUTH_025"}),
    ] {
        let ends = account.ends(&client, |fault| fault.json(200, shape.clone())).await;
        ends.assert(UNEXPECTED, UNEXPECTED, &shape);
        assert!(ends.messages[0].contains("JSON of another shape"), "{shape}: {}", ends.messages[0]);
    }
}

/// The simulator's log proves that the token goes nowhere.
#[tokio::test]
async fn redirects_are_not_followed() {
    let (account, client) = (Account::new().await, client());
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let target = format!("/redirected/{}/{status}", account.name);
        let urls = [
            format!("{}{target}", simulator().endpoints().api),
            format!("{}/api/v2/redirected/{}/{status}", simulator().endpoints().api, account.name),
            target.clone(),
        ];
        for url in urls {
            let ends = account.ends(&client, |fault| fault.redirect(status, &url)).await;
            ends.assert(UNEXPECTED, UNEXPECTED, (status, &url));
            assert!(ends.messages[0].contains("a redirect, which is never followed with a token"));
        }
    }
    let log = account.control.log(&LogQuery::default()).await.unwrap();
    assert_eq!(log.dropped, 0);
    let followed =
        log.entries.iter().find(|entry| entry.path.contains(&format!("redirected/{}", account.name)));
    assert_eq!(followed, None);
    let asked = account.asked().await;
    let paths: BTreeSet<_> = asked.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(paths, BTreeSet::from(Call::ALL.map(|call| account.path(call))));
    assert_eq!(asked.len(), 7 * 3 * Call::ALL.len(), "nothing was asked twice");
}

/// The rows that need no fault.
#[tokio::test]
async fn the_simulators_own_answers() {
    let client = client();
    for kind in [Kind::Personal, Kind::Oauth] {
        let account = Account::with(kind).await;
        let stranger = Account::new().await;
        let user = client.user(&account.token).await;
        assert_eq!(user.status, Some(200));
        assert_eq!(user.rate_limit.limit, Some(1_000_000));
        let TokenVerdict::Valid(user) = judge_token(user.answer, None) else { panic!("no verdict") };
        assert_eq!(user.id, account.user.to_string());
        let teams = client.workspaces(&account.token, &user.id).await;
        let TokenVerdict::Valid(teams) = judge_token(teams.answer, None) else { panic!("no verdict") };
        assert_eq!(
            teams.iter().map(|team| team.id.as_str()).collect::<Vec<_>>(),
            [account.workspace.as_str()]
        );
        let overlong = "9".repeat(20);
        for (id, ends) in [
            (account.workspace.as_str(), "Granted"),
            (&stranger.workspace, "Denied"),
            ("1", "Denied"),
            ("abc", "NotFound"),
            (&overlong, "NotFound"),
        ] {
            let spaces = client.spaces(&account.token, id).await;
            assert_eq!(on_node(spaces).0, ends, "{id}");
        }
        account.control.revoke(&account.name).await.unwrap();
        account.ask_all(&client).await.assert("Rejected", "TokenDead", kind);
    }
}

#[tokio::test]
async fn a_workspace_can_refuse_a_live_token() {
    use clickup_simulator::state::Refusal;
    let (account, client) = (Account::new().await, client());
    for status in [401, 403] {
        let workspace = account.workspace.parse::<u64>().unwrap();
        let refusal = json!({"workspace": workspace, "status": status});
        let refusal: Refusal = serde_json::from_value(refusal).unwrap();
        account.control.refuse(&account.name, refusal).await.unwrap();
        let spaces = client.spaces(&account.token, &account.workspace).await;
        assert_eq!((spaces.status, on_node(spaces).0.as_str()), (Some(status), "Denied"));
        account.ask_all(&client).await.assert("Valid", "Denied", status);
    }
}

#[tokio::test]
async fn resets_are_read_in_every_form() {
    const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";
    let seconds = "2026-11-23T10:00:40Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let (in_s, in_ms) = (seconds.to_string(), (seconds * 1000).to_string());
    let from_now = (jiff::Timestamp::now().as_second() + 50).to_string();
    let (account, client) = (Account::new().await, client());
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let rows: [(Headers, std::ops::RangeInclusive<i64>); 7] = [
        (&[("date", DATE), ("x-ratelimit-reset", &in_s)], 40..=40),
        (&[("date", DATE), ("x-ratelimit-reset", &in_ms)], 40..=40),
        (&[("date", DATE), ("X-RateLimit-Reset", &in_s), ("Retry-After", "7")], 7..=7),
        (&[("date", DATE), ("retry-after", "Mon, 23 Nov 2026 10:01:30 GMT")], 90..=90),
        (&[("x-ratelimit-reset", &from_now)], 30..=50),
        (&[("retry-after", "3")], 3..=3),
        (&[("date", "yesterday"), ("x-ratelimit-reset", &from_now)], 30..=50),
    ];
    for (headers, expected) in rows {
        let limited = |fault: Fault| {
            headers.iter().fold(fault.rate_limited(), |fault, (name, value)| fault.set_header(*name, *value))
        };
        account.arm(limited).await;
        let reply = client.user(&account.token).await;
        let TokenVerdict::NoVerdict(no) = judge_token(reply.answer, reply.rate_limit.reset_in) else {
            panic!("a verdict: {headers:?}")
        };
        let reset_in = no.reset_in.unwrap().as_secs();
        assert_eq!(no.reason.to_string(), "RateLimited");
        assert!(expected.contains(&reset_in), "{headers:?}: {reset_in}");
    }
    for omit in [Fault::omit_rate_limit_headers, |fault: Fault| fault.set_header("x-ratelimit-reset", "soon")]
    {
        account.arm(|fault| omit(fault.rate_limited())).await;
        assert_eq!(client.user(&account.token).await.rate_limit.reset_in, None);
    }
}

#[tokio::test]
async fn a_real_limit_is_told_and_kept() {
    let (account, client) = (Account::new().await, client());
    account.control.set_limit(&account.name, 2).await.unwrap();
    let limits = |reply: &clickup_operator::clickup::RateLimit| (reply.limit, reply.remaining);
    assert_eq!(limits(&client.user(&account.token).await.rate_limit), (Some(2), Some(1)));
    let id = account.user.to_string();
    assert_eq!(limits(&client.workspaces(&account.token, &id).await.rate_limit), (Some(2), Some(0)));
    let spaces = client.spaces(&account.token, &account.workspace).await;
    assert_eq!((spaces.status, limits(&spaces.rate_limit)), (Some(429), (Some(2), Some(0))));
    let reset_in = spaces.rate_limit.reset_in.unwrap().as_secs();
    assert!((0..=61).contains(&reset_in), "{reset_in}");
    assert_eq!(on_node(spaces).0, "RateLimited");
    account.ask_all(&client).await.assert("RateLimited", "RateLimited", "the limit is used up");
}

#[tokio::test]
async fn a_body_over_the_cap_is_given_up() {
    let account = Account::new().await;
    let url = simulator().clickup_url();
    for (cap, size, gzip) in [
        (1024, 1025, false),
        (1024, 60_000, true),
        (70_000, 70_001, false),
        (200_000, 200_001, false),
        (200_000, 50_000_000, false),
        (200_000, 50_000_000, true),
    ] {
        let client = client_for(clickup_operator::clickup::ClientOptions { max_body: cap, ..options(url) });
        let huge = |fault: Fault| if gzip { fault.huge(size).gzip() } else { fault.huge(size) };
        let ends = account.ends(&client, huge).await;
        ends.assert(UNEXPECTED, UNEXPECTED, (cap, size, gzip));
        for message in &ends.messages {
            assert!(message.contains("a body larger than --max-body"), "{cap} {size} {gzip}: {message}");
        }
    }
    // One that is just as long as allowed is read to its end, and is not what belongs there.
    let client = client_for(clickup_operator::clickup::ClientOptions { max_body: 200_000, ..options(url) });
    let ends = account.ends(&client, |fault| fault.huge(200_000)).await;
    ends.assert(UNEXPECTED, UNEXPECTED, "as long as allowed");
    assert!(
        ends.messages.iter().all(|message| message.contains("JSON of another shape")),
        "{:?}",
        ends.messages
    );
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let (account, client) = (Account::new().await, client());
    let ends = account.ends(&client, Fault::gzip).await;
    ends.assert("Valid", "Granted", "gzip");
    let ends = account.ends(&client, |fault| fault.error(401, "OAUTH_025", "made up").gzip()).await;
    ends.assert("Rejected", "TokenDead", "gzip of an error");
    let claims = |fault: Fault| fault.set_header("content-encoding", "gzip");
    let ends = account.ends(&client, |fault| claims(fault.json(200, json!({"user": {"id": 1}})))).await;
    ends.assert(UNEXPECTED, UNEXPECTED, "says that it is gzip, and is not");
    let cut = Delivery::Truncated { keep: 40, reset: false };
    let ends = account.ends(&client, |fault| fault.gzip().delivered(cut)).await;
    ends.assert(UNEXPECTED, UNEXPECTED, "gzip that ends early");
}
