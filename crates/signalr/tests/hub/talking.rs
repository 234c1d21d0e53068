//! Calls in both directions, events, and load.

use std::time::Duration;

use futures_util::SinkExt;
use tenfour_signalr::{Events, HubError};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::server::{Client, Peer, Server, soon, start};

async fn listening(capacity: usize, max_queued: usize) -> (Client, Events, Peer, Server) {
    let server = Server::start().await;
    let mut events = None;
    let client = start(&server.hub(), |b| b.max_queued(max_queued), |task| events = Some(task.on("pushEvent", capacity)));
    let peer = server.shaken("token-a").await;
    client.ready().await;
    (client, events.unwrap(), peer, server)
}

#[tokio::test]
async fn a_call_sends_its_arguments_and_gets_result_null_nothing_or_error() {
    let (client, _events, mut peer, _server) = listening(10, 1 << 20).await;
    for (answer, wanted) in [
        (r#""result":{"success":true,"new":[1]}"#, Ok(Some(r#"{"success":true,"new":[1]}"#))),
        (r#""result":null"#, Ok(Some("null"))),
        (r#""headers":{}"#, Ok(None)),
        (r#""error":"Failed to invoke 'x'\u0007""#, Err(HubError::Call("Failed to invoke 'x' ".to_owned()))),
    ] {
        let (got, ()) = tokio::join!(soon(client.hub.invoke("authenticatev2", ("comm", "key", 1))), async {
            let call = peer.record().await;
            assert_eq!((&call["type"], &call["target"]), (&1.into(), &"authenticatev2".into()));
            assert_eq!(call["arguments"], serde_json::json!(["comm", "key", 1]));
            let id = call["invocationId"].as_str().unwrap();
            // First an answer to no call of ours, afterwards the same answer again: neither may matter.
            peer.say(r#"{"type":3,"invocationId":"nobody","result":1}"#).await;
            peer.say(&format!(r#"{{"type":3,"invocationId":"{id}",{answer}}}"#)).await;
            peer.say(&format!(r#"{{"type":3,"invocationId":"{id}","result":"again"}}"#)).await;
        });
        assert_eq!(got.map(|raw| raw.map(|raw| raw.get().to_owned())), wanted.map(|text| text.map(str::to_owned)));
    }
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let (client, _events, mut peer, _server) = listening(10, 1 << 20).await;
    let (first, second, ()) = tokio::join!(soon(client.hub.invoke("a", ())), soon(client.hub.invoke("b", ())), async {
        let calls = [peer.record().await, peer.record().await];
        assert_ne!(calls[0]["invocationId"], calls[1]["invocationId"]);
        for call in calls.iter().rev() {
            peer.say(&format!(r#"{{"type":3,"invocationId":{},"result":{}}}"#, call["invocationId"], call["target"])).await;
        }
    });
    assert_eq!((first.unwrap().unwrap().get(), second.unwrap().unwrap().get()), ("\"a\"", "\"b\""));
}

#[tokio::test]
async fn a_send_carries_no_id_and_waits_for_no_answer() {
    let (client, _events, mut peer, _server) = listening(10, 1 << 20).await;
    soon(client.hub.send("note", (1,))).await.unwrap();
    assert_eq!(peer.record().await, serde_json::json!({"type": 1, "target": "note", "arguments": [1]}));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_here_and_the_connection_stays() {
    let (client, _events, mut peer, _server) = listening(10, 1 << 20).await;
    let big = soon(client.hub.invoke("x", ("y".repeat(40_000),))).await.unwrap_err();
    assert!(matches!(big, HubError::Arguments(_)), "{big}: over 32 KiB the server would end the connection");
    assert!(matches!(soon(client.hub.invoke("x", 7)).await.unwrap_err(), HubError::Arguments(_)));
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn a_lost_connection_fails_the_calls_in_flight_at_once() {
    let (client, _events, mut peer, server) = listening(10, 1 << 20).await;
    let (got, ()) = tokio::join!(soon(client.hub.invoke("x", ())), async {
        peer.record().await;
        drop(peer);
    });
    assert_eq!(got.unwrap_err(), HubError::NotConnected);
    let mut peer = server.shaken("token-b").await;
    // Nothing is replayed: the first call on the new connection is the probe.
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn events_arrive_in_order_however_they_were_cut_and_spelled() {
    let (_client, mut events, mut peer, _server) = listening(10, 1 << 20).await;
    let event = |target: &str, argument: &str| format!("{{\"type\":1,\"target\":\"{target}\",\"arguments\":[{argument}]}}\u{1e}");
    peer.raw(&format!("{}{}", event("pushEvent", "{\"a\":1}"), event("PUSHEVENT", "\"{\\\"a\\\":2}\""))).await;
    peer.raw(&event("someOther", "9")).await;
    let emoji = event("pushevent", "\"🚓\"");
    for part in emoji.chars() {
        peer.raw(&part.to_string()).await;
    }
    // One message in two frames, cut inside the emoji.
    let bytes = event("pushEvent", "\"🚑\"").into_bytes();
    let cut = bytes.iter().position(|byte| *byte >= 0x80).unwrap() + 2;
    for (part, code, last) in [(&bytes[..cut], OpCode::Data(Data::Text), false), (&bytes[cut..], OpCode::Data(Data::Continue), true)] {
        peer.socket.send(Message::Frame(Frame::message(part.to_vec(), code, last))).await.unwrap();
    }
    for wanted in ["{\"a\":1}", "\"{\\\"a\\\":2}\"", "\"🚓\"", "\"🚑\""] {
        let event = soon(events.recv()).await.unwrap();
        assert_eq!((event.args[0].get(), event.epoch), (wanted, 1));
    }
}

#[tokio::test]
async fn a_server_that_wants_a_result_gets_one_refusal() {
    let (client, mut events, mut peer, _server) = listening(10, 1 << 20).await;
    for (target, id) in [("pushEvent", "s1"), ("unknown", "s2")] {
        peer.say(&format!(r#"{{"type":1,"invocationId":"{id}","target":"{target}","arguments":[1]}}"#)).await;
        assert_eq!(
            peer.text().await,
            format!("{{\"type\":3,\"invocationId\":\"{id}\",\"error\":\"Client didn't provide a result.\"}}\u{1e}")
        );
    }
    peer.say(r#"{"type":1,"target":"pushEvent","arguments":[2]}"#).await;
    assert_eq!(soon(events.recv()).await.unwrap().args[0].get(), "1", "delivered all the same");
    assert_eq!(soon(events.recv()).await.unwrap().args[0].get(), "2");
    // The next record is the probe: nothing was sent twice, nor to the one without an id.
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn what_the_official_client_tolerates_costs_nothing() {
    let (client, mut events, mut peer, _server) = listening(10, 1 << 20).await;
    for record in [
        r#"{"type":99,"x":1}"#,
        r#"{"type":2,"invocationId":"4","item":7}"#,
        r#"{"type":8,"sequenceId":1}"#,
        r#"{"type":9,"sequenceId":1}"#,
        r#"{"type":1,"target":"pushEvent","arguments":7}"#,
        r#"{"type":1,"target":"pushEvent","arguments":["\ud800",1e400],"extra":{}}"#,
    ] {
        peer.say(record).await;
    }
    assert_eq!(soon(events.recv()).await.unwrap().args.len(), 2);
    peer.works(&client.hub).await;
    assert!(client.policy.seen().is_empty());
}

#[tokio::test]
async fn a_megabyte_in_one_event_and_five_thousand_at_once_come_through() {
    let (client, mut events, mut peer, _server) = listening(6000, 64 << 20).await;
    let big = "x".repeat(1 << 20);
    peer.say(&format!(r#"{{"type":1,"target":"pushEvent","arguments":["{big}"]}}"#)).await;
    assert_eq!(soon(events.recv()).await.unwrap().args[0].get().len(), big.len() + 2);
    let burst: String = (0..5000).map(|n| format!("{{\"type\":1,\"target\":\"pushEvent\",\"arguments\":[{n}]}}\u{1e}")).collect();
    peer.raw(&burst).await;
    for n in 0..5000 {
        assert_eq!(soon(events.recv()).await.unwrap().args[0].get(), n.to_string());
    }
    assert_eq!(client.hub.dropped(), 0);
    peer.works(&client.hub).await;
}

#[tokio::test]
async fn a_reader_that_sleeps_stops_neither_answers_nor_pings_and_its_losses_are_counted() {
    let server = Server::start().await;
    let mut events = None;
    let client = start(&server.hub(), |b| b.keep_alive(Duration::from_millis(100)), |task| events = Some(task.on("pushEvent", 10)));
    let mut events = events.unwrap();
    let mut peer = server.shaken("token-a").await;
    let burst: String = (0..50).map(|n| format!("{{\"type\":1,\"target\":\"pushEvent\",\"arguments\":[{n}]}}\u{1e}")).collect();
    peer.raw(&burst).await;
    peer.works(&client.hub).await;
    assert_eq!(peer.text().await, "{\"type\":6}\u{1e}");
    assert_eq!((client.hub.dropped(), events.dropped()), (40, 40));
    for n in 0..10 {
        assert_eq!(soon(events.recv()).await.unwrap().args[0].get(), n.to_string());
    }
    peer.say(r#"{"type":1,"target":"pushEvent","arguments":["new"]}"#).await;
    assert_eq!(soon(events.recv()).await.unwrap().args[0].get(), "\"new\"");
}

#[tokio::test]
async fn listeners_end_with_the_hub() {
    let (client, mut events, mut peer, _server) = listening(10, 1 << 20).await;
    peer.say(r#"{"type":1,"target":"pushEvent","arguments":[1]}"#).await;
    peer.works(&client.hub).await;
    tokio::join!(client.hub.stop(), peer.gone());
    assert!(soon(events.recv()).await.is_some(), "what had arrived can still be read");
    assert!(soon(events.recv()).await.is_none());
}
