//! Tests changes, budgets, second attempts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::authorization::{ActionRule, Granted, Member, MemberFacts, Need, Permission, VALIDATED, authorize};
use crate::ids::{CallId, Ident};

const SERVER: ServerId = ServerId(1);
const CALL: CallId = CallId(501);
const WHOLE: &str = r#"{"callId":501,"title":"Robbery","status":1,"idents":[12]}"#;

/// The scripted CAD's reaction to a request.
#[derive(Clone)]
enum Reply {
    Answer(Vec<u8>),
    /// Reads it and closes the connection.
    Cut,
    /// Reads it and never answers.
    Hang,
}

fn reply(status: &str, body: &str) -> Reply {
    Reply::Answer(http(status, "", body))
}

fn good(body: &str) -> Reply {
    reply("200 OK", body)
}

fn bad(status: u16) -> Reply {
    reply(&format!("{status} X"), r#"{"title":"x","traceId":"00-abc"}"#)
}

/// Method, path and body of each request.
type Log = Arc<Mutex<Vec<(String, Value)>>>;

/// A CAD that gives these answers one after another, then closes every connection.
async fn script(replies: Vec<Reply>) -> (CadRest, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let asked = Arc::clone(&log);
    tokio::spawn(async move {
        let mut replies = replies.into_iter();
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
            asked.lock().unwrap().push((line, serde_json::from_slice(&body).unwrap_or_default()));
            match replies.next().unwrap_or(Reply::Cut) {
                Reply::Answer(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
                Reply::Cut => {}
                Reply::Hang => held.push(stream),
            }
        }
    });
    (
        CadRest::new(
            &base,
            SecretString::from(KEY),
            Client::builder().pool_max_idle_per_host(0).tls_built_in_root_certs(false).build().unwrap(),
        ),
        log,
    )
}

fn community() -> CommunityId {
    CommunityId::new("c")
}

fn actor(rest: &CadRest) -> CadActor {
    rest.actor(community())
}

/// A dispatcher's grant.
fn granted_on(server: ServerId) -> Granted {
    let member = Member { status: VALIDATED, permissions: ["dispatch".to_owned()].into(), ..Member::default() };
    let facts = MemberFacts { roles: &[], member: Some(&member), units: 1 };
    authorize(&community(), server, &ActionRule::default(), facts, Need { permission: Permission::Dispatch, on_duty: Some(server) })
        .unwrap()
}

fn granted() -> Granted {
    granted_on(SERVER)
}

fn count(log: &Log) -> usize {
    log.lock().unwrap().len()
}

fn me() -> UnitSelector {
    UnitSelector::Discord(77)
}

fn new_dispatch() -> NewDispatch {
    NewDispatch { origin: 0, status: 1, priority: 1, title: "Fire".into(), discord: Some(77), ..NewDispatch::default() }
}

fn custom() -> NewCustomDispatch {
    NewCustomDispatch {
        template: 1,
        values: BTreeMap::new(),
        target: UnitSelector::Idents(vec![Ident(12)]),
        notes: Vec::new(),
        meta: BTreeMap::new(),
        delete_after_minutes: None,
    }
}

/// Requests that may not be sent twice, by name.
async fn create(rest: &CadRest, what: &str) -> Result<(), RestError> {
    match what {
        "dispatch" => actor(rest).create_dispatch(&granted(), SERVER, &new_dispatch()).await.map(drop),
        "custom" => actor(rest).create_custom_dispatch(&granted(), SERVER, &custom()).await.map(drop),
        "911" => actor(rest).create_911(&granted(), SERVER, &NewEmergency::default()).await.map(drop),
        _ => actor(rest).add_note(&granted(), SERVER, CALL, "hello", "Dana").await,
    }
}

const CREATES: [&str; 4] = ["dispatch", "custom", "911", "note"];

/// Requests that may, by name, with a readable answer.
async fn change(rest: &CadRest, what: &str) -> Result<(), RestError> {
    let patch = DispatchPatch { priority: Some(2), ..DispatchPatch::default() };
    match what {
        "attach" => actor(rest).attach(&granted(), SERVER, CALL, &me()).await.map(drop),
        "detach" => actor(rest).detach(&granted(), SERVER, &me()).await.map(drop),
        "close" => actor(rest).close(&granted(), SERVER, &[CALL]).await.map(drop),
        "edit" => actor(rest).edit_dispatch(&granted(), SERVER, CALL, &patch).await.map(drop),
        "postal" => actor(rest).set_postal(&granted(), SERVER, CALL, "9").await,
        "primary" => actor(rest).set_primary(&granted(), SERVER, CALL, Ident(12), false).await,
        "remove" => actor(rest).remove_911(&granted(), SERVER, CALL).await,
        "status" => actor(rest).set_status(&granted(), SERVER, &me(), 3).await.map(drop),
        _ => actor(rest).set_panic(&granted(), SERVER, &me(), true).await.map(drop),
    }
}

const CHANGES: [(&str, &str); 9] = [
    ("attach", r#"{"identIds":[12]}"#),
    ("detach", r#"{"identIds":[12]}"#),
    ("close", r#"{"callIds":[501]}"#),
    ("edit", WHOLE),
    ("postal", "{}"),
    ("primary", "{}"),
    ("remove", "{}"),
    ("status", r#"{"updated":1}"#),
    ("panic", r#"{"updated":1}"#),
];

#[tokio::test]
async fn a_grant_for_another_server_or_community_changes_nothing() {
    let (rest, log) = script(vec![good("{}")]).await;
    let elsewhere = actor(&rest).remove_911(&granted_on(ServerId(2)), SERVER, CALL).await;
    assert!(matches!(elsewhere, Err(RestError::Rejected { .. })), "{elsewhere:?}");
    let theirs = rest.actor(CommunityId::new("theirs")).remove_911(&granted(), SERVER, CALL).await;
    assert!(matches!(theirs, Err(RestError::Rejected { .. })), "{theirs:?}");
    assert_eq!(count(&log), 0);
    assert_eq!(actor(&rest).remove_911(&granted(), SERVER, CALL).await, Ok(()));
}

#[tokio::test]
async fn what_makes_something_is_never_sent_twice() {
    for what in CREATES {
        for trouble in [bad(502), bad(503), bad(504), bad(500), Reply::Cut, good("<html>"), good("[7]"), good(r#"{"half":"#)] {
            let (rest, log) = script(vec![trouble, good(WHOLE)]).await;
            let error = create(&rest, what).await.unwrap_err();
            assert!(error.is_outcome_unknown(), "{what}: {error}");
            assert_eq!(count(&log), 1, "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_safe_to_repeat_is_sent_once_more_after_a_gateways_trouble_only() {
    for (what, answer) in CHANGES {
        let (rest, log) = script(vec![bad(503), good(answer)]).await;
        change(&rest, what).await.unwrap();
        assert_eq!(count(&log), 2, "{what}");
        let log = log.lock().unwrap();
        assert_eq!(log[0], log[1]);
    }
    for trouble in [bad(500), Reply::Cut, good("<html>"), Reply::Answer(http("503 X", "retry-after: 30\r\n", ""))] {
        let (rest, log) = script(vec![trouble, good(WHOLE)]).await;
        let error = change(&rest, "edit").await.unwrap_err();
        assert!(error.is_outcome_unknown() && count(&log) == 1, "{error}");
    }
    // Once, not forever.
    let (rest, log) = script(vec![bad(502), bad(504), good(WHOLE)]).await;
    let error = change(&rest, "edit").await.unwrap_err();
    assert_eq!((error, count(&log)), (RestError::OutcomeUnknown { cause: "status 504 (its reference: 00-abc)".into() }, 2));
}

#[tokio::test]
async fn questions_are_repeated_too_and_are_never_in_doubt() {
    let (rest, log) = script(vec![bad(502), good(r#"{"version":2}"#)]).await;
    assert_eq!(rest.reader().version().await.unwrap().number, Some(2));
    assert_eq!(count(&log), 2);
    for (trouble, expected, sent) in [
        (bad(503), RestError::Server { status: 503, trace: Some("00-abc".into()) }, 2),
        (bad(500), RestError::Server { status: 500, trace: Some("00-abc".into()) }, 1),
        (Reply::Cut, RestError::Network { cause: "the request failed" }, 1),
        (good("<html>"), RestError::Unreadable, 1),
    ] {
        let (rest, log) = script(vec![trouble.clone(), trouble]).await;
        let error = rest.reader().identifiers("u-1").await.unwrap_err();
        assert_eq!((&error, count(&log)), (&expected, sent));
        assert!(!error.is_outcome_unknown());
    }
    // The reader repeats on its own schedule.
    let (rest, log) = script(vec![bad(503), good("[]")]).await;
    assert!(rest.reader().units(SERVER).await.is_err());
    assert_eq!(count(&log), 1);
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent_and_one_more_try_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest = CadRest::new(&format!("http://{}", listener.local_addr().unwrap()), SecretString::from(KEY), Client::new());
    drop(listener);
    for (tries, result) in [(2, change(&rest, "attach").await), (1, create(&rest, "note").await)] {
        let error = result.unwrap_err();
        assert_eq!(error, RestError::Network { cause: "no connection" });
        assert!(!error.is_outcome_unknown());
        // Each attempt counts.
        let left = rest.reader().budgets().into_iter().find(|left| left.operation == if tries == 2 { "attach" } else { "note" }).unwrap();
        assert_eq!(left.per_minute - left.left, tries);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_given_ten_seconds_and_is_not_repeated_after_them() {
    for what in ["attach", "close"] {
        let (rest, log) = script(vec![Reply::Hang, Reply::Hang]).await;
        let began = tokio::time::Instant::now();
        let error = change(&rest, what).await.unwrap_err();
        assert_eq!(error, RestError::OutcomeUnknown { cause: "no answer within 10 s".into() });
        assert_eq!(began.elapsed(), TIME);
        assert!(count(&log) <= 1);
    }
}

#[tokio::test]
async fn gone_at_the_second_try_means_that_the_first_did_it() {
    for what in ["remove", "close", "detach"] {
        let (rest, log) = script(vec![bad(502), bad(404)]).await;
        change(&rest, what).await.unwrap();
        assert_eq!(count(&log), 2);
        let (rest, _log) = script(vec![bad(404)]).await;
        assert_eq!(change(&rest, what).await, Err(RestError::NotThere { detail: "x".into() }));
    }
    let (rest, _log) = script(vec![bad(502), bad(404)]).await;
    assert_eq!(actor(&rest).close(&granted(), SERVER, &[CALL, CallId(7)]).await, Ok(vec![CALL, CallId(7)]));
    // For other requests it says that the call is gone.
    let (rest, _log) = script(vec![bad(502), bad(404)]).await;
    assert!(matches!(change(&rest, "attach").await, Err(RestError::NotThere { .. })));
}

#[tokio::test]
async fn a_second_attempt_without_an_answer_leaves_the_doubt() {
    // "Attached already" (400) may be so because of the first.
    for second in [Reply::Answer(http("429 X", "retry-after: 5\r\n", "")), bad(503), bad(400)] {
        let (rest, log) = script(vec![bad(503), second]).await;
        assert!(change(&rest, "attach").await.unwrap_err().is_outcome_unknown());
        assert_eq!(count(&log), 2);
    }
    let (rest, log) = script(vec![bad(503), good(r#"{"identIds":[]}"#)]).await;
    let rest = rest.with_share(10);
    assert!(change(&rest, "attach").await.unwrap_err().is_outcome_unknown());
    assert_eq!(count(&log), 1, "there was no budget for a second try");
    let (rest, _log) = script(vec![bad(503), bad(403)]).await;
    assert_eq!(change(&rest, "attach").await, Err(RestError::Forbidden), "a refusal is one");
}

#[tokio::test]
async fn a_share_of_the_limit_and_not_one_more_whoever_asks() {
    let (rest, log) = script(vec![good(r#"{"identIds":[12]}"#); 20]).await;
    for nth in 0..7 {
        let rest = rest.clone();
        assert_eq!(actor(&rest).attach(&granted(), SERVER, CallId(nth), &me()).await, Ok(vec![Ident(12)]));
    }
    let target = me();
    let eighth = tokio::time::timeout(Duration::from_millis(300), actor(&rest).attach(&granted(), SERVER, CALL, &target)).await;
    assert!(eighth.is_err(), "it waits for its turn");
    assert_eq!(count(&log), 7);
    assert!(actor(&rest).detach(&granted(), SERVER, &me()).await.is_ok(), "another operation has its own");
    let left: Vec<_> =
        rest.reader().budgets().iter().map(|left| (left.operation, left.left, left.per_minute, left.wait.is_some())).collect();
    assert_eq!(left, [("attach", 0, 7, true), ("detach", 6, 7, false)]);
}

#[tokio::test]
async fn a_request_given_up_counts() {
    let (rest, log) = script(vec![Reply::Hang]).await;
    let rest = rest.with_share(10);
    let target = me();
    let (actor_of_one, granted_once) = (actor(&rest), granted());
    tokio::select! {
        _ = actor_of_one.attach(&granted_once, SERVER, CALL, &target) => panic!("it was never answered"),
        () = async { while count(&log) == 0 { tokio::task::yield_now().await } } => {}
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(300), actor(&rest).attach(&granted(), SERVER, CALL, &target)).await.is_err(),
        "it waits for its turn"
    );
    assert_eq!(count(&log), 1);
}

#[tokio::test]
async fn after_a_429_nothing_is_sent_until_it_is_over() {
    let limited = Reply::Answer(http("429 X", "retry-after: 9\r\n", r#"{"message":"API rate limit exceeded","request_id":"r"}"#));
    let (rest, log) = script(vec![limited]).await;
    let error = create(&rest, "note").await.unwrap_err();
    assert_eq!(error, RestError::RateLimited { retry_after: Some(Duration::from_secs(9)) });
    assert!(!error.is_outcome_unknown());
    assert!(tokio::time::timeout(Duration::from_millis(300), create(&rest, "note")).await.is_err(), "it waits for its turn");
    let wait = rest.reader().budgets().first().and_then(|left| left.wait).unwrap();
    assert!(wait <= Duration::from_secs(9) && wait > Duration::from_secs(5), "{wait:?}");
    assert_eq!(count(&log), 1);
}

#[tokio::test]
async fn an_account_that_is_not_linked_is_no_error_but_a_wrong_address_is_one() {
    let user = Selector::Discord(77);
    let not_linked = r#"{"detail":"Discord user is NOT LINKED to an account."}"#;
    for answer in [bad(404), reply("404 X", ""), reply("400 X", not_linked), good("null"), reply("204 X", "")] {
        let (rest, log) = script(vec![answer]).await;
        assert_eq!(rest.reader().account(&user).await, Ok(None));
        assert_eq!(log.lock().unwrap()[0].0, "GET /v2/general/accounts/account?discord=77");
    }
    for page in ["<html>404</html>", r#"{"message":"no Route matched with those values"}"#] {
        let (rest, _log) = script(vec![reply("404 X", page)]).await;
        assert_eq!(rest.reader().account(&user).await, Err(RestError::NotFound));
    }
    for body in ["{}", "[]", r#"{"uuid":"../x","status":1}"#, r#"{"uuid":"u-1"}"#, r#"{"uuid":"u-1","status":"odd"}"#] {
        let (rest, _log) = script(vec![good(body)]).await;
        assert_eq!(rest.reader().account(&user).await, Err(RestError::Unreadable), "{body}");
    }
}

#[tokio::test]
async fn accounts_are_read_tolerantly_and_permissions_without_regard_to_case() {
    for (body, status) in [
        (
            r#"{"UUID":"u-1","Status":"1","Permissions":{"Dispatch":true,"selfDispatch":"True","police":0,"odd":"maybe"}}"#,
            AccountStatus::Validated,
        ),
        (r#"{"uuid":"u-1","status":0,"permissions":["DISPATCH","SELFDISPATCH"]}"#, AccountStatus::Pending),
        (r#"{"account":{"uuid":"u-1","status":"Banned","permissions":{"dispatch":1,"selfdispatch":true}}}"#, AccountStatus::Banned),
        (r#"{"uuid":"u-1","status":9,"permissions":{"dispatch":true,"selfDispatch":true}}"#, AccountStatus::Other(9)),
    ] {
        let (rest, _log) = script(vec![good(body)]).await;
        let account = rest.reader().account(&Selector::Discord(77)).await.unwrap().unwrap();
        assert_eq!((account.uuid.as_str(), account.status), ("u-1", status));
        assert!(account.may("dispatch") && account.may("selfDispatch"), "{body}");
        assert!(!account.may("police") && !account.may("odd") && !account.may("admin"));
    }
}

#[tokio::test]
async fn lists_come_in_every_form() {
    for body in [r#"{"identIds":[12]}"#, r#"{"IdentIds":12}"#, r#"{"identids":["12",12.0,null]}"#, "[12]"] {
        let (rest, _log) = script(vec![good(body)]).await;
        assert_eq!(actor(&rest).attach(&granted(), SERVER, CALL, &me()).await, Ok(vec![Ident(12)]), "{body}");
    }
    let (rest, _log) = script(vec![good(r#"{"identIds":null}"#)]).await;
    assert_eq!(actor(&rest).detach(&granted(), SERVER, &me()).await, Ok(Vec::new()));
    for body in ["{}", r#"{"identIds":["x"]}"#, r#""ok""#] {
        let (rest, _log) = script(vec![good(body)]).await;
        assert!(actor(&rest).attach(&granted(), SERVER, CALL, &me()).await.unwrap_err().is_outcome_unknown(), "{body}");
    }
    for body in [r#"{"Units":null}"#, "[]", "null", r#"{"units":[]}"#] {
        let (rest, _log) = script(vec![good(body)]).await;
        assert_eq!(rest.reader().account_units(SERVER, "u-1").await, Ok(Vec::new()), "{body}");
    }
    for (body, expected) in [
        (r#"{"identId":"12","callId":501.0}"#, Some((Ident(12), CALL))),
        (r#"[{"IdentId":12,"CallId":501}]"#, Some((Ident(12), CALL))),
        (r#"{"IdentId":12,"CallId":-1}"#, None),
        (r#"{"IdentId":12,"CallId":null}"#, None),
        ("null", None),
    ] {
        let (rest, _log) = script(vec![good(body)]).await;
        assert_eq!(rest.reader().current_call("u-1").await, Ok(expected), "{body}");
    }
    let record = r#"{"id":1,"name":"J","sections":null}"#;
    for (body, found) in
        [(record.to_owned(), 1), (format!("[{record},{record}]"), 2), (format!(r#"{{"records":{record}}}"#), 1), ("null".into(), 0)]
    {
        let (rest, _log) = script(vec![good(&body)]).await;
        let what = Lookup { wanted: LookupKind::Plate("ABC".into()), types: vec![5], partial: false, notify: Some(Notify::Discord(77)) };
        assert_eq!(rest.reader().lookup(&what).await.unwrap().len(), found, "{body}");
    }
}

#[tokio::test]
async fn a_call_is_the_one_that_was_asked_for() {
    let patch = DispatchPatch { title: Some("x".into()), ..DispatchPatch::default() };
    for body in [r#"{"CallId":-1,"title":"x"}"#, r#"{"call":{"title":"x"}}"#, r#"[{"callId":"7","title":"x"}]"#] {
        let (rest, _log) = script(vec![good(body)]).await;
        let call = actor(&rest).edit_dispatch(&granted(), SERVER, CALL, &patch).await.unwrap();
        assert_eq!((call.len(), &call["callId"], &call["title"]), (2, &501.into(), &"x".into()), "{body}");
    }
    // A new one must say which it is.
    for (body, known) in [(r#"{"CallId":"9","title":"x"}"#, true), (r#"{"title":"x"}"#, false), (r#"{"callId":-1,"title":"x"}"#, false)] {
        let (rest, _log) = script(vec![reply("201 Created", body)]).await;
        match actor(&rest).create_dispatch(&granted(), SERVER, &new_dispatch()).await {
            Ok(call) => assert!(known && call["callId"] == 9),
            Err(error) => assert!(!known && error.is_outcome_unknown()),
        }
    }
}

#[tokio::test]
async fn what_the_cad_would_refuse_is_not_sent() {
    let (rest, log) = script(Vec::new()).await;
    let group = UnitSelector::Group("CAR-51".into());
    let refused = [
        actor(&rest).set_status(&granted(), SERVER, &group, 3).await.map(drop),
        actor(&rest).set_panic(&granted(), SERVER, &UnitSelector::Idents(Vec::new()), true).await.map(drop),
        actor(&rest).attach(&granted(), SERVER, CALL, &UnitSelector::Group(" ".into())).await.map(drop),
        actor(&rest).edit_dispatch(&granted(), SERVER, CALL, &DispatchPatch::default()).await.map(drop),
        actor(&rest).create_dispatch(&granted(), SERVER, &NewDispatch::default()).await.map(drop),
        actor(&rest).close(&granted(), SERVER, &[]).await.map(drop),
        rest.reader().identifiers("../../x").await.map(drop),
        rest.reader().account_units(SERVER, "").await.map(drop),
        rest.reader()
            .lookup(&Lookup { wanted: LookupKind::Plate(" ".into()), types: Vec::new(), partial: true, notify: None })
            .await
            .map(drop),
    ];
    for result in refused {
        assert!(matches!(&result, Err(RestError::Rejected { detail }) if !detail.is_empty()), "{result:?}");
    }
    assert_eq!((count(&log), rest.reader().budgets()), (0, Vec::new()));
}

#[tokio::test]
async fn selectors_are_named_as_documented() {
    let uuid = "00000000-0000-0000-0000-000000000000";
    for (target, expected) in [
        (me(), r#"{"discord":"77"}"#),
        (UnitSelector::Idents(vec![Ident(12), Ident(18)]), r#"{"identIds":[12,18]}"#),
        (UnitSelector::Account(uuid.into()), r#"{"accountUuid":"00000000-0000-0000-0000-000000000000"}"#),
        (UnitSelector::Group("CAR-51".into()), r#"{"groupName":"CAR-51"}"#),
    ] {
        let (rest, log) = script(vec![good(r#"{"identIds":[]}"#)]).await;
        actor(&rest).attach(&granted(), SERVER, CALL, &target).await.unwrap();
        assert_eq!(log.lock().unwrap()[0].1, serde_json::from_str::<Value>(expected).unwrap());
    }
    // No units: an unassigned call, stated explicitly.
    for (new, expected) in [
        (NewDispatch { discord: None, ..new_dispatch() }, r#"{"accounts":[]}"#),
        (new_dispatch(), r#"{"discord":"77"}"#),
        (
            NewDispatch { accounts: vec![uuid.into()], ..new_dispatch() },
            r#"{"discord":"77","accounts":["00000000-0000-0000-0000-000000000000"]}"#,
        ),
    ] {
        let (rest, log) = script(vec![reply("201 Created", WHOLE)]).await;
        actor(&rest).create_dispatch(&granted(), SERVER, &new).await.unwrap();
        let mut body = log.lock().unwrap()[0].1.as_object().unwrap().clone();
        body.retain(|name, _| ["discord", "accounts", "communityUserIds"].contains(&name.as_str()));
        assert_eq!(Value::Object(body), serde_json::from_str::<Value>(expected).unwrap());
    }
}

#[tokio::test]
async fn a_refusal_has_the_cads_words_but_never_the_key() {
    let hostile = r#"{"status":400,"detail":"priority must be 1 to 3, @everyone [x](https://evil.example)"}"#;
    for (status, body, expected) in [
        ("400 X", hostile, RestError::Rejected { detail: "priority must be 1 to 3, everyone x (https: evil.example)".into() }),
        ("409 X", "", RestError::Rejected { detail: String::new() }),
        ("422 X", r#"{"detail":"your key s3cret-KEY is odd"}"#, RestError::Rejected { detail: String::new() }),
        ("404 X", "The call does not exist.", RestError::NotThere { detail: "The call does not exist".into() }),
        ("302 Found", "", RestError::Server { status: 302, trace: None }),
        ("402 X", "", RestError::PlanTooLow),
    ] {
        let (rest, log) = script(vec![reply(status, body)]).await;
        let error = create(&rest, "note").await.unwrap_err();
        assert_eq!((&error, count(&log)), (&expected, 1));
        assert!(!error.is_outcome_unknown());
        assert!(!error.to_string().to_ascii_lowercase().contains(KEY), "{error}");
    }
    // Creating a 911 names only a server.
    let (rest, _log) = script(vec![bad(404)]).await;
    assert_eq!(create(&rest, "911").await, Err(RestError::UnknownServer { server: SERVER }));
}

#[tokio::test(start_paused = true)]
async fn both_tries_together_take_ten_seconds_at_most() {
    // The first gets a gateway error after a while, the second no answer.
    let (rest, _log) = script(vec![bad(503), Reply::Hang]).await;
    let began = tokio::time::Instant::now();
    let error = rest.reader().identifiers("u-1").await.unwrap_err();
    assert!(error.is_silence() && began.elapsed() <= TIME, "{error} after {:?}", began.elapsed());
}

#[tokio::test]
async fn two_malformed_requests_suspend_their_operation_and_no_other() {
    let malformed = reply("400 X", r#"{"detail":"postal is too long"}"#);
    let (rest, log) = script(vec![malformed.clone(), malformed.clone(), malformed.clone(), malformed, good("[]")]).await;
    for _ in 0..2 {
        assert!(matches!(create(&rest, "note").await, Err(RestError::Rejected { .. })));
    }
    let error = create(&rest, "note").await.unwrap_err();
    assert!(matches!(&error, RestError::Suspended { operation: "note", .. }) && !error.is_outcome_unknown(), "{error}");
    assert_eq!(count(&log), 2, "nothing more was sent");
    for _ in 0..2 {
        assert!(matches!(rest.reader().units(SERVER).await, Err(RestError::Rejected { .. })));
    }
    assert!(
        matches!(rest.reader().units(SERVER).await, Err(RestError::Suspended { operation: "units", .. })),
        "the reader's are suspended too"
    );
    assert_eq!(count(&log), 4);
    assert!(rest.reader().templates().await.is_ok());
}

#[tokio::test]
async fn that_somebody_has_no_account_is_no_malformed_request() {
    let not_linked = reply("400 X", r#"{"detail":"Discord user is NOT LINKED to an account."}"#);
    let (rest, log) = script(vec![not_linked; 4]).await;
    for _ in 0..4 {
        assert_eq!(rest.reader().account(&Selector::Discord(7)).await, Ok(None));
    }
    assert_eq!(count(&log), 4);
}

#[tokio::test]
async fn a_page_of_accounts_says_where_the_next_one_begins() {
    let account = |n: usize| format!(r#"{{"uuid":"u-{n}","username":"n{n}","status":1,"permissions":{{"police":true}}}}"#);
    let rows: Vec<String> = (0..100).map(account).collect();
    let page = format!(r#"{{"pagination":{{"limit":100,"offset":100,"total":250}},"accounts":[{}]}}"#, rows.join(","));
    let (rest, log) = script(vec![
        good(&page),
        good(r#"{"accounts":[{"uuid":"u-1","username":"x","status":1},{"uuid":"u-2","status":1,"permissions":{}}]}"#),
    ])
    .await;
    let first = rest.reader().accounts(100, Rank::Known).await.unwrap();
    assert_eq!((first.accounts.len(), first.next), (100, Some(200)));
    assert_eq!(log.lock().unwrap()[0].0, "GET /v2/general/accounts?limit=100&offset=100");
    let second = rest.reader().accounts(0, Rank::Known).await.unwrap();
    // An account's permissions are not guessed.
    assert_eq!((second.accounts.iter().map(|account| account.uuid.as_str()).collect::<Vec<_>>(), second.next), (vec!["u-2"], None));
    for junk in ["[null]", r#"["Unauthorized"]"#, r#"{"error":"x"}"#] {
        let (rest, _log) = script(vec![good(junk)]).await;
        assert_eq!(rest.reader().accounts(0, Rank::Known).await, Err(RestError::Unreadable), "{junk}");
    }
}

#[test]
fn every_error_is_one_sentence_with_its_fix() {
    let wait = Duration::from_millis(11_200);
    for (error, fix) in [
        (RestError::BudgetSpent { wait }, "try again in 12 s"),
        (RestError::BudgetSpent { wait }, "SONORAN_ACTION_SHARE"),
        (RestError::NotThere { detail: String::new() }, "choose another"),
        (RestError::NotThere { detail: "no such call".into() }, "(no such call)"),
        (RestError::Rejected { detail: "title is required".into() }, "(title is required): change what you entered"),
        (RestError::OutcomeUnknown { cause: "no answer within 10 s".into() }, "look in the CAD before you try again"),
        (RestError::RateLimited { retry_after: None }, "try again in 60 s"),
    ] {
        let text = error.to_string();
        assert!(text.contains(fix) && text.ends_with('.') && !text.contains(". "), "{text}");
    }
}
