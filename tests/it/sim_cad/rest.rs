//! REST v2 as a bot calls it: key, limits, silent changes.

use serde_json::{Value, json};
use tenfour_sim::cad::{Account, CadOptions, CadSim, Seen, UnitSpec};

use super::{KEY, Raw, SECOND, burglary, options, start, unit};

/// A REST request with the right key.
pub(super) async fn rest(cad: &CadSim, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = reqwest::Client::new()
        .request(method.parse().unwrap(), format!("{}/v2/{path}", cad.api_url()))
        .header("authorization", format!("Bearer {KEY}"));
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn rest_wants_the_key_and_knows_its_servers() {
    let cad = start(options()).await;
    for wrong in ["", "Bearer nope", KEY] {
        let request = reqwest::Client::new().get(format!("{}/v2/general/version", cad.api_url())).header("authorization", wrong);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["status"], problem["traceId"].is_string()), (&json!(401), true));
    }
    assert_eq!(rest(&cad, "GET", "general/version", Value::Null).await, (200, json!({"version": 2, "name": "PLUS"})));
    assert_eq!(rest(&cad, "GET", "general/info", Value::Null).await.1["community"]["comId"], "brineford");
    assert_eq!(rest(&cad, "GET", "general/servers", Value::Null).await.1["servers"][0]["id"], 1);
    assert_eq!(rest(&cad, "GET", "emergency/servers/1/units", Value::Null).await, (200, json!([])));
    assert_eq!(rest(&cad, "GET", "emergency/servers/7/units", Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "GET", "general/nothing", Value::Null).await.0, 404);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::Rest { path, status: 404, .. } if path == "/v2/general/nothing")), 1);
}

#[tokio::test]
async fn rest_counts_per_endpoint_and_says_when_to_come_back() {
    let cad = start(options()).await;
    let get = || async {
        let url = format!("{}/v2/emergency/servers/1/units", cad.api_url());
        reqwest::Client::new().get(url).header("authorization", format!("Bearer {KEY}")).send().await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(get().await.status(), 200);
    }
    let refused = get().await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(refused.json::<Value>().await.unwrap()["message"], "API rate limit exceeded");
    assert_eq!(rest(&cad, "GET", "general/version", Value::Null).await.0, 200, "another endpoint has its own count");
    cad.set_rate_limits(false);
    for _ in 0..5 {
        assert_eq!(get().await.status(), 200);
    }
}

#[tokio::test]
async fn changes_by_the_api_are_silent_but_for_a_new_911() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    let uuid = cad.add_account(Account {
        username: "dana".into(),
        discord: Some("4242".into()),
        permissions: vec!["police".into()],
        ..Account::default()
    });
    let ident = cad.login(1, &UnitSpec { account: uuid.clone(), ..unit("2L-14", 0) }).unwrap();
    let dispatcher = cad.login(1, &unit("D-1", 3)).unwrap();
    for _ in 0..2 {
        assert_eq!(raw.event().await["type"], "EVENT_UNIT_LOGIN");
    }
    let base = "emergency/servers/1";

    let (status, account) = rest(&cad, "GET", "general/accounts/account?discord=4242", Value::Null).await;
    assert_eq!((status, &account["uuid"], &account["permissions"]["police"]), (200, &json!(uuid), &json!(true)));
    assert_eq!(rest(&cad, "GET", "general/accounts/account?discord=1", Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "GET", "general/accounts/account?discord=1&username=x", Value::Null).await.0, 400);

    let (status, call) = rest(
        &cad,
        "POST",
        &format!("{base}/calls/911"),
        json!({"isEmergency": true, "caller": "Jonas", "location": "Pier 9", "description": "Fire", "metaData": {"postal": "2214"}}),
    )
    .await;
    assert_eq!((status, &call["metaData"]["postal"]), (200, &json!("2214")));
    assert_eq!(raw.event().await["data"]["call"]["callId"], call["callId"]);
    assert_eq!(rest(&cad, "POST", &format!("{base}/calls/911"), json!({"caller": "x"})).await.0, 400);
    assert_eq!(
        rest(
            &cad,
            "POST",
            &format!("{base}/calls/911"),
            json!({"isEmergency": true, "caller": "x", "location": "y", "description": "z", "metaData": {"x": 1}})
        )
        .await
        .0,
        400
    );

    let new = json!({"origin": 0, "status": 1, "priority": 1, "title": "Fire", "discord": "4242", "metaData": {"origin911": "301"}});
    let (status, dispatch) = rest(&cad, "POST", &format!("{base}/dispatch-calls"), new).await;
    assert_eq!((status, &dispatch["idents"], &dispatch["primary"]), (201, &json!([ident]), &json!(ident)));
    let number = &dispatch["callId"];
    let on_call = format!("{base}/dispatch-calls/{number}");
    assert_eq!(
        rest(&cad, "POST", &format!("{base}/dispatch-calls"), json!({"origin": 0, "status": 1, "priority": 1, "title": "Fire"})).await.0,
        400
    );
    assert_eq!(rest(&cad, "DELETE", &format!("{base}/calls/911/{}", call["callId"]), Value::Null).await.1["serverId"], 1);
    assert_eq!(rest(&cad, "DELETE", &format!("{base}/calls/911/{}", call["callId"]), Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "PATCH", &on_call, json!({"priority": 2, "metaData": {"a": "b"}})).await.1["metaData"], json!({"a": "b"}));
    assert_eq!(rest(&cad, "PATCH", &on_call, json!({"priority": 9})).await.0, 400);
    assert_eq!(rest(&cad, "POST", &format!("{on_call}/notes"), json!({"note": "hello", "label": "Dana"})).await.0, 200);
    assert_eq!(rest(&cad, "PATCH", &format!("{on_call}/postal"), json!({"postal": "9"})).await.1["postal"], "9");
    assert_eq!(rest(&cad, "PATCH", &format!("{on_call}/primary"), json!({"identId": ident, "trackPrimary": true})).await.0, 200);
    assert_eq!(
        rest(&cad, "DELETE", &format!("{base}/dispatch-calls/attachments"), json!({"discord": "4242"})).await.1["identIds"],
        json!([ident])
    );
    assert_eq!(rest(&cad, "GET", &format!("emergency/accounts/{uuid}/current-call"), Value::Null).await.0, 404);
    assert_eq!(rest(&cad, "POST", &format!("{on_call}/attachments"), json!({"discord": "4242"})).await.1["identIds"], json!([ident]));
    assert_eq!(rest(&cad, "POST", &format!("{on_call}/attachments"), json!({"discord": "1"})).await.0, 404);
    assert_eq!(rest(&cad, "GET", &format!("emergency/accounts/{uuid}/current-call"), Value::Null).await.1["CallId"], *number);
    assert_eq!(
        rest(&cad, "PATCH", &format!("{base}/units/status"), json!({"discord": "4242", "status": 3})).await.1,
        json!({"updated": 1, "status": "ENROUTE"})
    );
    assert_eq!(
        rest(&cad, "PATCH", &format!("{base}/units/panic"), json!({"discord": "4242", "isPanic": true})).await.1,
        json!({"updated": 1, "isPanic": true})
    );

    let (_, units) = rest(&cad, "GET", &format!("{base}/units"), Value::Null).await;
    assert_eq!(units.as_array().unwrap().len(), 1, "dispatchers are hidden by default");
    assert_eq!((&units[0]["status"], &units[0]["isPanic"], &units[0]["data"]["unitNum"]), (&json!(3), &json!(true), &json!("2L-14")));
    let (_, everyone) = rest(&cad, "GET", &format!("{base}/units?onlyUnits=false"), Value::Null).await;
    assert_eq!(everyone[1]["id"], dispatcher);
    let (_, calls) = rest(&cad, "GET", &format!("{base}/calls"), Value::Null).await;
    let active = &calls["ActiveCalls"][0];
    assert_eq!((&active["postal"], &active["priority"], &active["notes"][0]["content"]), (&json!("9"), &json!(2), &json!("hello")));
    assert_eq!(calls["EmergencyCalls"], json!([]));
    assert_eq!(
        rest(&cad, "POST", &format!("{base}/dispatch-calls/close"), json!({"callIds": [number]})).await.1,
        json!({"callIds": [number]})
    );
    let (_, calls) = rest(&cad, "GET", &format!("{base}/calls"), Value::Null).await;
    assert_eq!((&calls["ActiveCalls"], &calls["ClosedCallCount"], &calls["ClosedCalls"][0]["status"]), (&json!([]), &json!(1), &json!(2)));
    let kicked = rest(&cad, "POST", &format!("{base}/units/kick"), json!({"discord": "4242", "reason": "late"})).await;
    assert_eq!(kicked.1, json!({"identId": ident, "reason": "late"}));

    // The next event on the wire is the one raised now: none of the above raised any.
    cad.push(1, "MARK", Value::Null);
    assert_eq!(raw.event().await, json!({"key": KEY, "type": "MARK"}));
}

#[tokio::test]
async fn a_911_expires_when_it_was_asked_to() {
    let cad = start(options()).await;
    let new = json!({"isEmergency": false, "caller": "", "location": "x", "description": "y", "deleteAfterMinutes": 30});
    assert_eq!(rest(&cad, "POST", "emergency/servers/1/calls/911", new).await.0, 200);
    let open = || async { rest(&cad, "GET", "emergency/servers/1/calls", Value::Null).await.1["EmergencyCalls"].as_array().unwrap().len() };
    for (minutes, left) in [(29, 1), (2, 0)] {
        tokio::time::pause();
        tokio::time::advance(minutes * 60 * SECOND).await;
        tokio::time::resume();
        assert_eq!(open().await, left);
    }
}

#[tokio::test]
async fn a_removal_by_the_api_raises_its_event_if_so_configured() {
    let cad = start(CadOptions { push_api_removals: true, ..options() }).await;
    let mut raw = Raw::session(&cad, 1).await;
    let call = cad.place_911(1, &burglary()).unwrap();
    assert_eq!(raw.event().await["type"], "EVENT_911");
    assert_eq!(rest(&cad, "DELETE", &format!("emergency/servers/1/calls/911/{call}"), Value::Null).await.0, 200);
    assert_eq!(raw.event().await["data"], json!({"callIds": [call]}));
}
