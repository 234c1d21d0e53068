//! Tests against a scripted peer on a real socket.
#![expect(clippy::disallowed_methods, reason = "the scripted peer ends with the test's runtime")]

mod changes;

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::ids::ServerId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const KEY: &str = "s3cret-key";

/// Answers one request with `answer`, and returns the request.
async fn peer(answer: Vec<u8>) -> (CadReader, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let (asked, question) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        asked.send(String::from_utf8(head).unwrap()).ok();
        // The client closes early if the answer is too large.
        stream.write_all(&answer).await.ok();
    });
    (CadRest::new(&base, SecretString::from(KEY), Client::new()).reader(), question)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

async fn ok(body: &str) -> CadReader {
    peer(http("200 OK", "", body)).await.0
}

#[tokio::test]
async fn asks_with_the_key_as_bearer() {
    let (rest, question) = peer(http("200 OK", "", r#"{"version":2,"name":"PLUS"}"#)).await;
    assert_eq!(rest.version().await.unwrap(), Version { number: Some(2), name: Some("PLUS".into()) });
    let question = question.await.unwrap();
    assert!(question.starts_with("GET /v2/general/version HTTP/1.1\r\n"), "{question}");
    assert!(question.contains("authorization: Bearer s3cret-key\r\n") && question.contains("accept: application/json\r\n"), "{question}");
    assert!(!format!("{rest:?}").contains(KEY));
}

#[tokio::test]
async fn servers_and_info_in_either_letter_case() {
    let wrapped = r#"{"Servers":[{"Id":"2","Name":"Two"},{"id":1,"name":" "},{"id":-1},{"id":"x"},7]}"#;
    for body in [wrapped, &wrapped[11..wrapped.len() - 1]] {
        let servers = ok(body).await.servers().await.unwrap();
        assert_eq!(servers, [CadServer { id: ServerId(2), name: Some("Two".into()) }, CadServer { id: ServerId(1), name: None }]);
    }
    let info =
        ok(r#"{"uuid":"u","Community":{"comId":"c","Name":"Los Santos","timezone":"UTC"},"codes":["10-8",7,""]}"#).await.info().await;
    assert_eq!(
        info.unwrap(),
        Info { community: Some("c".into()), name: Some("Los Santos".into()), timezone: Some("UTC".into()), codes: vec!["10-8".into()] }
    );
}

#[tokio::test]
async fn units_bare_or_wrapped() {
    for (body, complete) in [(r#"[{"id":1},null,{"id":2}]"#, false), (r#"{"Units":[{"id":1},{"id":2}]}"#, true)] {
        let (rest, question) = peer(http("200 OK", "", body)).await;
        let units = rest.units(ServerId(3)).await.unwrap();
        assert_eq!((units.units.len(), units.complete), (2, complete));
        let question = question.await.unwrap();
        assert!(question.starts_with("GET /v2/emergency/servers/3/units?includeOffline=false&onlyUnits=false&"), "{question}");
    }
    assert_eq!(ok(r#"{"message":"hello"}"#).await.units(ServerId(1)).await, Err(RestError::Unreadable));
}

#[tokio::test]
async fn a_full_page_of_units_is_not_taken_for_all() {
    for (rows, complete) in [(0, true), (99, true), (100, false), (101, true), (1000, false)] {
        let body = serde_json::to_string(&vec![serde_json::json!({"id": 1}); rows]).unwrap();
        assert_eq!(ok(&body).await.units(ServerId(1)).await.unwrap().complete, complete, "{rows}");
    }
}

#[tokio::test]
async fn calls_in_either_letter_case_and_never_taken_for_none() {
    let body = r#"{"ActiveCalls":[{"callId":1}],"emergencyCalls":[{"callId":2},{"callId":3}],"ClosedCalls":[],"ClosedCallCount":9}"#;
    let calls = ok(body).await.calls(ServerId(1)).await.unwrap();
    assert_eq!((calls.active.len(), calls.emergency.len(), calls.closed.len(), calls.closed_count), (1, 2, 0, Some(9)));
    let none = ok(r#"{"ActiveCalls":null,"EmergencyCalls":[]}"#).await.calls(ServerId(1)).await.unwrap();
    assert_eq!(none, Calls::default());
    let half = [r#"{"ActiveCalls":[]}"#, r#"{"EmergencyCalls":[]}"#, r#"[{"callId":1}]"#];
    for body in ["{}", r#"{"ActiveCalls":"none","EmergencyCalls":[]}"#, "7", "<html>", ""].into_iter().chain(half) {
        assert_eq!(ok(body).await.calls(ServerId(1)).await, Err(RestError::Unreadable), "{body}");
    }
}

#[tokio::test]
async fn each_refusal_is_distinct_and_names_the_fix() {
    let problem = r#"{"title":"x","traceId":"00-abc"}"#;
    for (status, headers, expected, word) in [
        ("401 Unauthorized", "", RestError::Unauthorised, "SONORAN_API_KEY"),
        ("403 Forbidden", "", RestError::Forbidden, "switched on"),
        ("402 Payment Required", "", RestError::PlanTooLow, "plan"),
        ("404 Not Found", "", RestError::UnknownServer { server: ServerId(4) }, "SONORAN_SERVER_IDS"),
        ("429 Too Many", "retry-after: 9\r\n", RestError::RateLimited { retry_after: Some(Duration::from_secs(9)) }, "9 s"),
        ("500 Oops", "", RestError::Server { status: 500, trace: Some("00-abc".into()) }, "00-abc"),
        ("204 No Content", "", RestError::Server { status: 204, trace: None }, "204"),
    ] {
        let body = if status.starts_with("204") { "" } else { problem };
        let error = peer(http(status, headers, body)).await.0.units(ServerId(4)).await.unwrap_err();
        assert_eq!(error, expected);
        let text = error.to_string();
        assert!(text.contains(word) && !text.contains(KEY), "{text}");
    }
    assert_eq!(peer(http("404 Not Found", "", "")).await.0.version().await, Err(RestError::NotFound));
}

#[tokio::test]
async fn answers_are_bounded() {
    let body = format!("[{}1]", " ".repeat(MAX_ANSWER));
    assert_eq!(ok(&body).await.units(ServerId(1)).await, Err(RestError::Unreadable));
}

#[tokio::test]
async fn no_answer_and_torn_answers_are_network_errors() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let rest = CadRest::new(&base, SecretString::from(KEY), Client::new()).reader();
    assert_eq!(rest.version().await, Err(RestError::Network { cause: "no connection" }));
    let (rest, _question) = peer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()).await;
    assert_eq!(rest.version().await, Err(RestError::Network { cause: "the answer broke off" }));
}

#[tokio::test]
async fn a_key_that_fits_no_header_is_refused_and_not_shown() {
    let rest = CadRest::new("http://127.0.0.1:1", SecretString::from("bad\nkey"), Client::new()).reader();
    assert_eq!(rest.version().await, Err(RestError::Unauthorised));
}

#[tokio::test(start_paused = true)]
async fn a_cad_that_never_answers_costs_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest = CadRest::new(&format!("http://{}", listener.local_addr().unwrap()), SecretString::from(KEY), Client::new()).reader();
    let began = tokio::time::Instant::now();
    assert_eq!(rest.version().await, Err(RestError::Network { cause: "no answer within 10 s" }));
    assert_eq!(began.elapsed().as_secs(), 10);
    // Nobody waits for a read of all units.
    assert_eq!(rest.units(ServerId(1)).await, Err(RestError::Network { cause: "no answer within 30 s" }));
}

/// 200 answers with something other than what was requested.
const JUNK: [&str; 12] = [
    r#"["Unauthorized"]"#,
    "[null]",
    "[1]",
    "[[]]",
    "[{}]",
    r#"[{"error":"Unauthorized"}]"#,
    r#"[{"id":"x"}]"#,
    r#"{"error":"Unauthorized"}"#,
    r#"{"status":401,"title":"Unauthorized"}"#,
    r#""Unauthorized""#,
    "<html>",
    "7",
];

#[tokio::test]
async fn a_list_without_a_single_entry_is_unreadable_and_an_empty_one_is_none() {
    for junk in JUNK {
        assert_eq!(ok(junk).await.units(ServerId(1)).await, Err(RestError::Unreadable), "units: {junk}");
        assert_eq!(ok(junk).await.servers().await, Err(RestError::Unreadable), "servers: {junk}");
        assert_eq!(ok(junk).await.templates().await, Err(RestError::Unreadable), "templates: {junk}");
        assert_eq!(ok(junk).await.account_units(ServerId(1), "u-1").await, Err(RestError::Unreadable), "units of an account: {junk}");
        assert_eq!(ok(junk).await.identifiers("u-1").await, Err(RestError::Unreadable), "identifiers: {junk}");
        let plate = Lookup { wanted: LookupKind::Plate("ABC".into()), types: Vec::new(), partial: false, notify: None };
        if !junk.contains("\"id\"") {
            assert_eq!(ok(junk).await.lookup(&plate).await, Err(RestError::Unreadable), "records: {junk}");
        }
        for list in ["ActiveCalls", "EmergencyCalls", "ClosedCalls"] {
            let lists = ["ActiveCalls", "EmergencyCalls", "ClosedCalls"];
            let parts = lists.map(|name| format!(r#""{name}":{}"#, if name == list { junk } else { "[]" }));
            let body = format!("{{{}}}", parts.join(","));
            assert_eq!(ok(&body).await.calls(ServerId(1)).await, Err(RestError::Unreadable), "{body}");
        }
        assert_eq!(ok(junk).await.calls(ServerId(1)).await, Err(RestError::Unreadable), "calls: {junk}");
    }
    for nothing in [r#"{"ActiveCalls":null,"EmergencyCalls":null,"ClosedCalls":null}"#, r#"{"ActiveCalls":null,"EmergencyCalls":null}"#] {
        assert_eq!(ok(nothing).await.calls(ServerId(1)).await, Err(RestError::Unreadable), "{nothing}");
    }
    assert_eq!(ok("[]").await.units(ServerId(1)).await, Ok(Units { units: Vec::new(), complete: true }));
    assert_eq!(ok("[]").await.servers().await, Ok(Vec::new()));
    let none = ok(r#"{"ActiveCalls":[],"EmergencyCalls":[],"ClosedCalls":[]}"#).await.calls(ServerId(1)).await;
    assert_eq!(none, Ok(Calls::default()));
    for error in [r#"{"error":"x"}"#, r#"{"message":"Unauthorized"}"#] {
        assert_eq!(ok(error).await.version().await, Err(RestError::Unreadable), "{error}");
        assert_eq!(ok(error).await.info().await, Err(RestError::Unreadable), "{error}");
    }
}

#[tokio::test]
async fn junk_among_good_entries_makes_absence_mean_nothing() {
    for junk in ["null", "1", r#""Unauthorized""#, "{}", r#"{"error":"x"}"#] {
        let units = ok(&format!(r#"[{{"id":1}},{junk}]"#)).await.units(ServerId(1)).await.unwrap();
        assert_eq!((units.units.len(), units.complete), (1, false), "{junk}");
        let body = format!(r#"{{"ActiveCalls":[{junk},{{"callId":501}}],"EmergencyCalls":[{{"callId":302}}],"ClosedCalls":[]}}"#);
        let calls = ok(&body).await.calls(ServerId(1)).await.unwrap();
        assert_eq!((calls.active.len(), calls.active_in_part, calls.emergency_in_part), (1, true, false), "{junk}");
        let body = format!(
            r#"{{"ActiveCalls":[{{"callId":501}}],"EmergencyCalls":[{{"callId":302}},{junk}],"ClosedCalls":[{junk},{{"callId":9}}]}}"#
        );
        let calls = ok(&body).await.calls(ServerId(1)).await.unwrap();
        let (found, in_part) = ((calls.emergency.len(), calls.closed.len()), (calls.active_in_part, calls.emergency_in_part));
        assert_eq!((found, in_part), ((1, 1), (false, true)), "{junk}");
    }
    // A list of one that came as its element may as well be an error.
    let calls = ok(r#"{"ActiveCalls":{"callId":501},"EmergencyCalls":[]}"#).await.calls(ServerId(1)).await.unwrap();
    assert_eq!((calls.active.len(), calls.active_in_part), (1, true));
    assert!(!ok(r#"{"id":7,"status":2}"#).await.units(ServerId(1)).await.unwrap().complete);
}

/// Some numbers are texts, and some calls have none: they are shown all the same, and don't affect the others.
#[tokio::test]
async fn a_911_without_a_number_is_read_and_an_error_in_its_place_is_not() {
    for row in [r#"{"callId":"A-17","caller":"x"}"#, r#"{"location":"Alta St"}"#, r#"{"call":{"description":"Fire"}}"#] {
        let body = format!(r#"{{"ActiveCalls":[],"EmergencyCalls":[{row}],"ClosedCalls":[]}}"#);
        let calls = ok(&body).await.calls(ServerId(1)).await.unwrap();
        assert_eq!((calls.emergency.len(), calls.emergency_in_part), (1, false), "{row}");
    }
    for row in [r#"{"error":"x"}"#, r#"{"location":" "}"#] {
        let body = format!(r#"{{"ActiveCalls":[],"EmergencyCalls":[{row}],"ClosedCalls":[]}}"#);
        assert_eq!(ok(&body).await.calls(ServerId(1)).await, Err(RestError::Unreadable), "{row}");
    }
}
