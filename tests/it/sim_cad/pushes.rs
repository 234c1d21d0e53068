//! Where events go, and which event each verb raises.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tenfour_sim::cad::{CadOptions, DispatchSpec, HttpDestination, PayloadAs, RecordChange, Seen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{KEY, LONG, Raw, burglary, options, start, unit};

/// An HTTP destination that answers 200 and returns head and body of each request.
async fn destination() -> (SocketAddr, mpsc::UnboundedReceiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                let (mut head, mut need) = (String::new(), None);
                loop {
                    if need.is_none()
                        && let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
                    {
                        head = String::from_utf8(bytes.drain(..at + 4).collect()).unwrap();
                        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                        need = Some(length.unwrap_or(0_usize));
                    }
                    if need.is_some_and(|need| bytes.len() >= need) {
                        let rest = bytes.split_off(need.take().unwrap());
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                        sender.send((head.clone(), serde_json::from_slice(&bytes).unwrap())).ok();
                        bytes = rest;
                        continue;
                    }
                    if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
            });
        }
    });
    (addr, receiver)
}

#[tokio::test]
async fn http_gets_what_no_hub_session_takes() {
    let cad = start(options()).await;
    let (addr, mut arrived) = destination().await;
    cad.set_http(1, Some(HttpDestination { url: format!("http://{addr}/sonorancad/event?server=1"), forward: false }));
    let to = cad.push(1, "EVENT_TONE", json!({"url": "x"}));
    assert_eq!((to.hub, to.http), (0, true));
    let (head, body) = timeout(LONG, arrived.recv()).await.unwrap().unwrap();
    assert!(head.starts_with("POST /sonorancad/event?server=1 HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"));
    assert_eq!(body, json!({"key": KEY, "type": "EVENT_TONE", "data": {"url": "x"}}));
    assert!(cad.wait_pushed(LONG).await);

    let mut raw = Raw::session(&cad, 1).await;
    let to = cad.push(1, "EVENT_B", json!({}));
    assert_eq!((to.hub, to.http), (1, false));
    assert_eq!(raw.event().await["type"], "EVENT_B");

    drop(raw);
    assert!(cad.wait_no_session(1, LONG).await);
    cad.push(1, "EVENT_C", json!({}));
    assert_eq!(timeout(LONG, arrived.recv()).await.unwrap().unwrap().1["type"], "EVENT_C");
    assert!(cad.wait_pushed(LONG).await);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::HttpPush { status: Some(200), .. })), 2);
}

#[tokio::test]
async fn forwarding_sends_every_event_by_http_too_and_in_order() {
    let cad = start(options()).await;
    let (addr, mut arrived) = destination().await;
    cad.set_http(1, Some(HttpDestination { url: format!("http://{addr}/"), forward: true }));
    let mut raw = Raw::session(&cad, 1).await;
    for n in 0..20 {
        let to = cad.push(1, &format!("E{n}"), json!({}));
        assert_eq!((to.hub, to.http), (1, true));
    }
    for n in 0..20 {
        assert_eq!(raw.event().await["type"], json!(format!("E{n}")));
        assert_eq!(timeout(LONG, arrived.recv()).await.unwrap().unwrap().1["type"], json!(format!("E{n}")));
    }
}

#[tokio::test]
async fn an_event_nobody_takes_is_lost_and_a_dead_destination_noticed() {
    let cad = start(options()).await;
    assert!(cad.push(1, "EVENT_A", json!({})).lost());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    cad.set_http(1, Some(HttpDestination { url: format!("http://{free}/"), forward: false }));
    cad.push(1, "EVENT_B", json!({}));
    assert!(cad.wait_pushed(LONG).await);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::HttpPush { status: None, .. })), 1);
    assert!(!cad.set_http(9, None));
}

#[tokio::test]
async fn verbs_change_the_state_and_raise_the_event() {
    let cad = start(options()).await;
    let mut raw = Raw::session(&cad, 1).await;
    let a = cad.login(1, &unit("A-10", 0)).unwrap();
    let d = cad.login(1, &unit("D-1", 3)).unwrap();
    let login = raw.event().await;
    assert_eq!(login["data"]["unit"]["data"]["unitNum"], "A-10");
    assert_eq!((&login["data"]["isDispatch"], &login["data"]["selfDispatch"]), (&json!(false), &json!(true)));
    assert_eq!(raw.event().await["data"]["isDispatch"], true);

    let emergency = cad.place_911(1, &burglary()).unwrap();
    raw.event().await;
    let spec = DispatchSpec { status: 1, priority: 2, title: "Burglary".into(), origin_911: Some(emergency), ..DispatchSpec::default() };
    let call = cad.dispatch_new(1, &spec).unwrap();
    let event = raw.event().await;
    assert_eq!(event["type"], "EVENT_DISPATCH_NEW");
    assert_eq!(event["data"]["eventOriginIdent"], d);
    assert_eq!(event["data"]["dispatch"]["metaData"], json!({"origin911": emergency.to_string(), "postal": "2207"}));
    assert!(cad.remove_911(1, &[emergency, 999]));

    assert!(cad.attach(1, call, &[a]) && cad.status(1, &[a], 3) && cad.note(1, call, "D-1", "Door is open."));
    assert!(cad.dispatch_edit(1, call, &json!({"priority": 1})) && cad.panic(1, &[a], true));
    let open = cad.open_state(1);
    assert_eq!((&open["units"][0]["status"], &open["units"][0]["isPanic"]), (&json!(3), &json!(true)));
    assert_eq!((&open["activeCalls"][0]["idents"], &open["activeCalls"][0]["priority"]), (&json!([a]), &json!(1)));
    assert_eq!(open["emergencyCalls"], json!([]));
    assert!(cad.panic(1, &[a], false) && cad.update_unit(1, a, &json!({"location": "Quay", "data": {"rank": "Sergeant"}})));
    assert!(cad.group_add(1, a, "ENGINE") && cad.group_rename(1, "ENGINE", "LADDER") && cad.group_remove(1, a));
    assert!(cad.tone(1, "https://t.example/x.mp3", &json!([])) && cad.station_alert(1, "Station 2", &["Bay 1"], &[], "Fire"));
    assert!(cad.pager(1, &["S2"], &[a], "Emergency", "Go") && cad.bodycam(1, a, true));
    let record = cad.record(1, RecordChange::Add, &json!({"type": 3, "name": "BOLO"})).unwrap();
    assert_eq!(cad.record(1, RecordChange::Edit, &json!({"type": 3, "id": record})), Some(record));
    assert_eq!(cad.record(1, RecordChange::Remove, &json!({"id": record})), Some(record));
    assert!(cad.logout(1, a), "detaches first");
    assert!(cad.close(1, &[call]));

    let mut seen = Vec::new();
    while seen.last() != Some(&json!("EVENT_DISPATCH_CLOSED")) {
        let event = raw.event().await;
        match event["type"].as_str().unwrap() {
            "EVENT_REMOVE_911" => assert_eq!(event["data"], json!({"callIds": [emergency]})),
            "EVENT_DISPATCH_NOTE" => assert_eq!(event["data"]["note"]["time"].as_str().unwrap().len(), "12:00:00".len()),
            "EVENT_DISPATCH_EDIT" => assert_eq!(event["data"]["dispatch"]["notes"][0]["content"], "Door is open."),
            "EVENT_UNIT_UPDATE" => assert_eq!(event["data"]["units"][0]["data"]["rank"], "Sergeant"),
            "EVENT_UNIT_LOGOUT" => assert_eq!(event["data"], json!({"identId": a})),
            _ => {}
        }
        seen.push(event["type"].clone());
    }
    let expected = [
        "EVENT_REMOVE_911",
        "EVENT_DISPATCH_UNIT_ATTACH",
        "EVENT_UNIT_STATUS",
        "EVENT_DISPATCH_NOTE",
        "EVENT_DISPATCH_EDIT",
        "EVENT_UNIT_PANIC",
        "EVENT_UNIT_PANIC",
        "EVENT_UNIT_UPDATE",
        "EVENT_UNIT_GROUP_ADD",
        "EVENT_UNIT_GROUP_CHANGE_NAME",
        "EVENT_UNIT_GROUP_REMOVE",
        "EVENT_TONE",
        "EVENT_STATION_ALERT",
        "EVENT_PAGER_REBORN",
        "EVENT_DISPATCH_TOGGLE_BODYCAM",
        "EVENT_RECORD_ADD",
        "EVENT_RECORD_EDIT",
        "EVENT_RECORD_REMOVE",
        "EVENT_DISPATCH_UNIT_DETACH",
        "EVENT_UNIT_LOGOUT",
        "EVENT_DISPATCH_CLOSED",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_verb_on_nothing_does_nothing() {
    let cad = start(options()).await;
    assert_eq!(cad.login(9, &unit("A", 0)), None);
    assert!(!cad.logout(1, 1) && !cad.status(1, &[1], 2) && !cad.panic(1, &[1], true) && !cad.remove_911(1, &[1]));
    assert!(!cad.note(1, 1, "", "") && !cad.attach(1, 1, &[1]) && !cad.detach(1, 1, &[1]) && !cad.close(1, &[1]));
    assert!(!cad.dispatch_edit(1, 1, &json!({})) && !cad.update_unit(1, 1, &json!({})));
    assert_eq!(cad.open_state(9), Value::Null);
    assert_eq!(cad.count(|seen| matches!(seen, Seen::Push { .. })), 0);
}

#[tokio::test]
async fn a_whole_body_goes_out_as_it_is() {
    let cad = start(CadOptions { payload_as: PayloadAs::Object, ..options() }).await;
    let mut raw = Raw::session(&cad, 1).await;
    let body = json!({"type": "GET_LOGS", "logKey": "x"});
    cad.push_body(1, &body);
    cad.push_body(1, &json!(body.to_string()));
    assert_eq!(raw.event().await, body);
    assert!(raw.record().await["arguments"][0].is_string());
}
