//! A bot's actions through the simulated CAD's API: whom a request means, what is rejected, and faults aimed at one operation.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use tenfour::cad::rest::{CadRest, NewDispatch, RestError, Selector, UnitSelector};
use tenfour::ids::{CallId, Ident, ServerId};
use tenfour_sim::cad::{Account, CadOptions, CadSim, Seen, UnitSpec};

use super::rest::rest;
use super::{KEY, SECOND, burglary, options, start, unit};
use crate::rest_examples::{community, granted};

const BASE: &str = "emergency/servers/1";

async fn quick() -> CadSim {
    start(CadOptions { rate_limits: false, ..options() }).await
}

fn member(cad: &CadSim, discord: &str) -> String {
    cad.add_account(Account { username: format!("u{discord}"), discord: Some(discord.into()), ..Account::default() })
}

fn on_duty(cad: &CadSim, account: &str, num: &str) -> i64 {
    cad.login(1, &UnitSpec { account: account.into(), ..unit(num, 0) }).unwrap()
}

fn new(with: Value) -> Value {
    let mut body = json!({"origin": 0, "status": 1, "priority": 1, "title": "Fire"});
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    body
}

fn open(cad: &CadSim) -> usize {
    cad.open_state(1)["activeCalls"].as_array().unwrap().len()
}

/// The bot's own client.
fn client(cad: &CadSim) -> CadRest {
    CadRest::new(&cad.api_url(), SecretString::from(KEY), reqwest::Client::new())
}

#[tokio::test]
async fn a_new_dispatch_takes_several_selectors_and_refuses_whom_it_does_not_know() {
    let cad = quick().await;
    let (a, b) = (member(&cad, "77"), member(&cad, "88"));
    let (one, first, second) = (on_duty(&cad, &a, "A-1"), on_duty(&cad, &b, "B-1"), on_duty(&cad, &b, "B-2"));
    let path = format!("{BASE}/dispatch-calls");
    let create = async |with: Value| rest(&cad, "POST", &path, new(with)).await;
    // All active identifiers of a Discord user, the selected one of an account.
    assert_eq!(create(json!({"discord": "88"})).await.1["idents"], json!([first, second]));
    assert_eq!(create(json!({"accounts": [b]})).await.1["idents"], json!([first]));
    cad.select_identifier(&b, second);
    assert_eq!(create(json!({"accounts": [b], "discord": "77"})).await.1["idents"], json!([second, one]));
    let (status, call) = create(json!({"accounts": []})).await;
    assert_eq!((status, &call["idents"], &call["primary"]), (201, &json!([]), &json!(-1)));
    let before = open(&cad);
    for (with, expected) in [
        (json!({}), 400),
        (json!({"identIds": [one]}), 400),
        (json!({"discord": 77}), 400),
        (json!({"discord": "99"}), 404),
        (json!({"accounts": [b], "discord": "99"}), 404),
        (json!({"discord": "77", "priority": 4}), 400),
        (json!({"discord": "77", "notes": ["x"]}), 400),
    ] {
        assert_eq!(create(with.clone()).await.0, expected, "{with}");
    }
    assert_eq!(open(&cad), before, "what was refused made no call");
    assert!(cad.logout(1, one));
    assert_eq!(create(json!({"discord": "77"})).await.1["idents"], json!([]), "linked, off duty");
    // Status and panic accept one selector, and no group.
    for body in [json!({"groupName": "X", "status": 3}), json!({"discord": "88", "accountUuid": b, "status": 3}), json!({"status": 3})] {
        assert_eq!(rest(&cad, "PATCH", &format!("{BASE}/units/status"), body).await.0, 400);
    }
    assert_eq!(rest(&cad, "PATCH", &format!("{BASE}/units/status"), json!({"discord": "77", "status": 3})).await.1["updated"], 0);
}

#[tokio::test]
async fn a_call_that_is_closed_or_unknown_is_not_there_for_anything() {
    let cad = quick().await;
    let ident = on_duty(&cad, "a", "A-1");
    let call = rest(&cad, "POST", &format!("{BASE}/dispatch-calls"), new(json!({"accounts": []}))).await.1["callId"].clone();
    assert!(cad.close(1, &[call.as_i64().unwrap()]));
    for number in [call, json!(999)] {
        let on_call = format!("{BASE}/dispatch-calls/{number}");
        for (method, path, body) in [
            ("POST", format!("{on_call}/attachments"), json!({"identIds": [ident]})),
            ("PATCH", on_call.clone(), json!({"priority": 2})),
            ("POST", format!("{on_call}/notes"), json!({"note": "x"})),
            ("PATCH", format!("{on_call}/postal"), json!({"postal": "1"})),
            ("PATCH", format!("{on_call}/primary"), json!({"identId": ident, "trackPrimary": false})),
            ("POST", format!("{BASE}/dispatch-calls/close"), json!({"callIds": [number]})),
            ("DELETE", format!("{BASE}/calls/911/{number}"), Value::Null),
        ] {
            let (status, problem) = rest(&cad, method, &path, body).await;
            assert_eq!((status, &problem["detail"]), (404, &json!("The call does not exist.")), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn accounts_have_a_status_and_come_in_pages() {
    let cad = quick().await;
    for (name, status) in [("Ada", 1), ("Bob", 0), ("adam", 1), ("Cleo", 4)] {
        cad.add_account(Account { username: name.into(), status, permissions: vec!["selfDispatch".into()], ..Account::default() });
    }
    let get = async |query: &str| {
        let answer = rest(&cad, "GET", &format!("general/accounts?{query}"), Value::Null).await.1;
        let names: Vec<String> =
            answer["accounts"].as_array().unwrap().iter().map(|row| row["username"].as_str().unwrap().into()).collect();
        (names, answer["pagination"].clone())
    };
    let page = |limit, offset, total| json!({"limit": limit, "offset": offset, "total": total});
    assert_eq!(get("limit=25&offset=0&status=1&username=ADA").await, (vec!["Ada".into(), "adam".into()], page(25, 0, 2)));
    assert_eq!(get("limit=1&offset=1&status=1").await, (vec!["adam".into()], page(1, 1, 2)));
    assert_eq!(get("limit=900&status=0").await, (vec!["Bob".into()], page(100, 0, 1)));
    let (_, account) = rest(&cad, "GET", "general/accounts/account?username=Cleo", Value::Null).await;
    assert_eq!((&account["status"], &account["permissions"]["selfDispatch"]), (&json!(4), &json!(true)));
    assert_eq!(account["permissions"]["dispatch"], json!(false));
}

#[tokio::test]
async fn a_call_of_a_layout_is_checked_against_it() {
    let cad = quick().await;
    let ident = on_duty(&cad, "a", "A-1");
    let field = |uid: &str, binding: &str, required: bool, options: Value| json!({"uid": uid, "type": "text", "label": uid, "binding": binding, "required": required, "options": options});
    let fields = json!([
        field("state", "status", true, json!([])),
        field("grade", "priority", false, json!(["Immediate", "Prompt"])),
        field("what", "title", true, json!([])),
        field("who", "", false, json!([])),
    ]);
    let template = json!({
        "templateId": 3, "name": "UK", "version": 1, "isDefault": true,
        "statusOptions": [{"id": "out", "label": "Deployed", "status": 1}], "sections": [{"uid": "s", "label": "S", "fields": fields}],
    });
    cad.add_template(&template);
    assert_eq!(rest(&cad, "GET", "emergency/dispatch-templates", Value::Null).await.1, json!([template]));
    assert_eq!(rest(&cad, "GET", "emergency/dispatch-templates/3", Value::Null).await.1, template);
    assert_eq!(rest(&cad, "GET", "emergency/dispatch-templates/4", Value::Null).await.0, 404);
    let path = format!("{BASE}/custom-dispatch-calls");
    let create = async |id: i64, values: Value, idents: Value| {
        rest(&cad, "POST", &path, json!({"templateId": id, "values": values, "identIds": idents})).await
    };
    let good = json!({"state": "out", "grade": "Prompt", "what": "Fire", "who": "Ann"});
    for (id, values, idents, expected) in [
        (4, good.clone(), json!([ident]), 404),
        (3, good.clone(), json!([1]), 404),
        (3, json!({"state": "out", "what": "Fire", "colour": "red"}), json!([ident]), 400),
        (3, json!({"state": "out"}), json!([ident]), 400),
        (3, json!({"state": "Deployed", "what": "Fire"}), json!([ident]), 400),
        (3, json!({"state": "out", "what": "Fire", "grade": "2"}), json!([ident]), 400),
    ] {
        assert_eq!(create(id, values.clone(), idents).await.0, expected, "{values}");
    }
    assert_eq!(open(&cad), 0);
    let (status, call) = create(3, good.clone(), json!([ident])).await;
    assert_eq!((status, &call["title"], &call["priority"], &call["status"]), (201, &json!("Fire"), &json!(2), &json!(1)));
    assert_eq!((&call["statusId"], &call["values"], &call["template"]["name"]), (&json!("out"), &good, &json!("UK")));
    assert_eq!(call["idents"], json!([ident]));
}

#[tokio::test]
async fn records_are_found_by_name_and_plate() {
    let cad = quick().await;
    let record =
        |kind: i64, name: &str, fields: Value| json!({"recordTypeId": kind, "type": kind, "name": name, "sections": [{"fields": fields}]});
    let person = json!([{"uid": "first_name", "value": "Joanna"}, {"uid": "last_name", "value": "Doe"}, {"uid": "middle", "value": "K"}]);
    cad.add_record_for_lookup(&record(7, "Joanna Doe", person));
    cad.add_record_for_lookup(&record(5, "Car", json!([{"uid": "plate", "value": "48XRB201"}])));
    let find = async |body: Value| {
        let (status, found) = rest(&cad, "POST", "general/lookups", body).await;
        let names = found.as_array().into_iter().flatten().map(|record| record["name"].as_str().unwrap().to_owned());
        (status, names.collect::<Vec<_>>().join(","))
    };
    for (body, expected) in [
        (json!({"plate": "48xrb201", "first": "", "last": "", "mi": "", "types": [5], "partial": false}), "Car"),
        (json!({"plate": "48X"}), ""),
        (json!({"plate": "48X", "partial": true}), "Car"),
        (json!({"plate": "48X", "partial": true, "types": [7]}), ""),
        (json!({"first": "jo", "last": "do", "partial": true, "notifyDiscord": "77"}), "Joanna Doe"),
        (json!({"first": "joanna", "last": "roe"}), ""),
        (json!({"last": "Doe", "mi": "K"}), "Joanna Doe"),
    ] {
        assert_eq!(find(body.clone()).await, (200, expected.to_owned()), "{body}");
    }
    for body in [json!({}), json!({"mi": "K"}), json!({"plate": 48})] {
        assert_eq!(find(body).await.0, 400);
    }
}

#[tokio::test]
async fn a_dispatch_expires_when_it_was_asked_to() {
    let cad = quick().await;
    let path = format!("{BASE}/dispatch-calls");
    assert_eq!(rest(&cad, "POST", &path, new(json!({"accounts": [], "deleteAfterMinutes": 5}))).await.0, 201);
    let shown = async || rest(&cad, "GET", &format!("{BASE}/calls"), Value::Null).await.1["ActiveCalls"].as_array().unwrap().len();
    for (minutes, left) in [(4, 1), (2, 0)] {
        tokio::time::pause();
        tokio::time::advance(minutes * 60 * SECOND).await;
        tokio::time::resume();
        assert_eq!(shown().await, left);
    }
}

#[tokio::test]
async fn trouble_is_aimed_at_one_operation_once_or_always() {
    let cad = quick().await;
    let bot = client(&cad);
    let (reader, actor) = (bot.reader(), bot.actor(community()));
    let server = ServerId(1);
    let account = member(&cad, "77");
    let ident = Ident(on_duty(&cad, &account, "A-1"));
    let new = NewDispatch { status: 1, priority: 1, title: "Fire".into(), discord: Some(77), ..NewDispatch::default() };
    let made = |cad: &CadSim| {
        cad.count(|seen| matches!(seen, Seen::Rest { method, path, .. } if method == "POST" && path.ends_with("/dispatch-calls")))
    };

    // Done, the answer lost: outcome unknown, and not sent a second time.
    cad.rest_do_then_drop("POST /dispatch-calls$", 1);
    let error = actor.create_dispatch(&granted(), server, &new).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!((made(&cad), open(&cad)), (1, 1));
    // Not done, the connection broken: nobody can distinguish the two.
    cad.rest_drop("POST /dispatch-calls$", 1);
    assert!(actor.create_dispatch(&granted(), server, &new).await.unwrap_err().is_outcome_unknown());
    assert_eq!((made(&cad), open(&cad)), (2, 1));
    let call = CallId(actor.create_dispatch(&granted(), server, &new).await.unwrap()["callId"].as_i64().unwrap());

    // Its neighbors aren't affected.
    cad.rest_status("POST /dispatch-calls$", 503, u32::MAX, None);
    assert_eq!(actor.detach(&granted(), server, &UnitSelector::Discord(77)).await, Ok(vec![ident]));
    assert_eq!(actor.attach(&granted(), server, call, &UnitSelector::Discord(77)).await, Ok(vec![ident]));
    assert_eq!(reader.current_call(&account).await, Ok(Some((ident, call))));
    for _ in 0..3 {
        assert!(actor.create_dispatch(&granted(), server, &new).await.unwrap_err().is_outcome_unknown());
    }
    cad.heal();

    // Repeatable requests are repeated, and change the CAD once.
    cad.rest_status("DELETE /calls/911", 503, 1, None);
    let number = CallId(cad.place_911(1, &burglary()).unwrap());
    assert_eq!(actor.remove_911(&granted(), server, number).await, Ok(()));
    assert!(matches!(actor.remove_911(&granted(), server, number).await, Err(RestError::NotThere { .. })));
    assert_eq!(reader.account(&Selector::Discord(1)).await, Ok(None));
    assert!(reader.account(&Selector::Discord(77)).await.unwrap().is_some());

    // The budget is spent before the CAD's limit is, and the error says when there is more.
    cad.set_rate_limits(true);
    cad.clear_log();
    let mut waiting = 0;
    for _ in 0..12 {
        match tokio::time::timeout(SECOND, reader.identifiers(&account)).await {
            Ok(found) => assert_eq!(found.unwrap().selected, Some(ident)),
            Err(_) => waiting += 1,
        }
    }
    assert_eq!((waiting, cad.count(|seen| matches!(seen, Seen::Rest { .. }))), (5, 7));
    let left: BTreeMap<_, _> = reader.budgets().into_iter().map(|left| (left.operation, (left.left, left.per_minute))).collect();
    assert_eq!(left["identifiers"], (0, 7));
}
