//! What a stranger, a broken game server, a false hub or a false CAD may send without exhausting the bot's memory, and without
//! blocking valid events.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Running, Stage, client, eventually};

const MIB: usize = 1024 * 1024;
/// How much any flood may add to the idle level, in KiB.
const MAX_ABOVE_IDLE_KIB: u64 = 100 * 1024;
/// How much of that may remain, in KiB: the allocator keeps an arena for each thread, fuller ones when the machine is busy.
const MAX_LEFT_KIB: u64 = 32 * 1024;

impl Running {
    /// A line of `/proc/PID/status`, in KiB.
    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let value = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
        value.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Its resident memory.
    fn idle(&self) -> u64 {
        self.memory("VmRSS")
    }

    /// Checks that the flood used no more than it may, and that the memory is freed.
    async fn withstood(&self, what: &str, idle: u64) {
        let (peak, after) = (self.memory("VmHWM"), self.memory("VmRSS"));
        println!("{what}: idle {idle} KiB, peak +{}, right after +{}", peak.saturating_sub(idle), after.saturating_sub(idle));
        assert!(peak <= idle + MAX_ABOVE_IDLE_KIB, "{what}: {idle} KiB idle, {peak} KiB at the peak");
        eventually(&format!("{what}: what it took was not given back: {idle} KiB idle"), async || {
            self.memory("VmRSS") <= idle + MAX_LEFT_KIB
        })
        .await;
        println!("{what}: given back to +{}", self.memory("VmRSS").saturating_sub(idle));
    }
}

/// A bot that has worked a little: its memory use from then on is its idle level.
async fn worked(stage: &Stage, channel: &str) -> (Running, SocketAddr, u64) {
    let (bot, addr) = stage.up().await;
    for call in 1..=50 {
        stage.post(addr, call).await;
    }
    stage.holds(channel, (1..=50).collect()).await;
    stage.settled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = bot.idle();
    (bot, addr, idle)
}

fn filled(before: &str, with: &str, after: &str, bytes: usize) -> String {
    let mut body = before.to_owned();
    while body.len() + with.len() + after.len() + 4 < bytes {
        body.push_str(with);
    }
    format!("{}{after}", body.trim_end_matches(','))
}

/// Small in bytes and large in memory, in every form that we could think of.
fn swellings(key: &str, bytes: usize) -> Vec<String> {
    let head = format!(r#"{{"key":"{key}","type":"EVENT_911","data":"#);
    let list = format!("{head}[");
    let mut all: Vec<String> =
        [r#"{"":0},"#, "[0],", "{},", "0,", r#""","#, r#"{"a":{"b":{"c":[]}}},"#].map(|piece| filled(&list, piece, "]}", bytes)).into();
    all.push(filled(&format!(r#"{{"key":"{key}","type":"EVENT_911","x":["#), r#"{"":0},"#, "]}", bytes));
    all.push(filled("[", r#"{"":0},"#, "]", bytes));
    // A text that contains it, and one inside of a call.
    all.push(filled(&format!(r#"{head}"["#), r#"{\"\":0},"#, r#"]"}"#, bytes));
    all.push(filled(&format!(r#"{head}{{"call":{{"callId":7,"caller":"x","metaData":"["#), r#"{\"\":0},"#, r#"]"}}}}"#, bytes));
    all.push(serde_json::to_string(&filled(&list, r#"{"":0},"#, "]}", bytes * 7 / 10)).unwrap());
    // Names with a special meaning in serde_json.
    all.push(filled(&format!(r#"{head}{{"$serde_json::private::RawValue":"["#), r#"{\"\":0},"#, r#"]"}}"#, bytes));
    all
}

async fn post(addr: SocketAddr, body: String) -> Option<u16> {
    let answer = client().post(format!("http://{addr}/sonorancad/event")).body(body).send().await.ok()?;
    Some(answer.status().as_u16())
}

async fn burst(addr: SocketAddr, bodies: impl IntoIterator<Item = String>) -> Vec<Option<u16>> {
    let all: JoinSet<Option<u16>> = bodies.into_iter().map(|body| post(addr, body)).collect();
    all.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_bodies_cost_less_than_100_mb_and_nothing_once_they_are_over() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr, idle) = worked(&stage, &channel).await;
    for key in ["", "a wrong one"] {
        let bodies = swellings(key, MIB);
        for round in 0..6 {
            let answers = burst(addr, (0..32).map(|nth| bodies[(round + nth) % bodies.len()].clone())).await;
            assert!(!answers.contains(&Some(200)), "{answers:?}");
        }
    }
    stage.post(addr, 51).await;
    bot.withstood("strangers", idle).await;
    stage.holds(&channel, (1..=51).collect()).await;
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_swelling_events_with_the_key_cost_no_more() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr, idle) = worked(&stage, &channel).await;
    let mut bodies = swellings(&stage.key, MIB);
    // The most an event may hold: of unknown types, of calls, of units.
    let head = format!(r#"{{"key":"{}","type":"#, stage.key);
    bodies.push(filled(&format!(r#"{head}"EVENT_WHATEVER","data":["#), r#"{"":0},"#, "]}", 9_990 * 7));
    let text = "x".repeat(90);
    let unit = format!(r#"{{"id":7,"data":{{"unitNum":"{text}"}}}},"#);
    bodies.push(filled(&format!(r#"{head}"EVENT_UNIT_UPDATE","data":{{"units":["#), &unit, "]}}", MIB / 2));
    bodies.push(filled(&format!(r#"{head}"EVENT_WHATEVER","data":["#), &format!(r#""{}","#, "y".repeat(900)), "]}", MIB));
    for _ in 0..3 {
        burst(addr, bodies.iter().cycle().take(40).cloned()).await;
    }
    stage.post(addr, 51).await;
    bot.withstood("with the key", idle).await;
    stage.holds(&channel, (1..=51).collect()).await;
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_hub_that_swell_cost_no_more_and_its_session_goes_on() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, _, idle) = worked(&stage, &channel).await;
    assert!(stage.cad.wait_session(1, crate::test_bot::PATIENCE).await);
    let record = |argument: &str| format!("{{\"type\":1,\"target\":\"pushEvent\",\"arguments\":[{argument}]}}\u{1e}");
    for _ in 0..3 {
        for body in swellings(&stage.key, MIB) {
            stage.cad.send_raw(&record(&body));
            stage.cad.send_raw(&record(&serde_json::to_string(&body).unwrap()));
        }
    }
    for bytes in [2, 8, 15] {
        stage.cad.send_raw(&record(&filled(r#"{"type":"EVENT_911","data":["#, r#"{"":0},"#, "]}", bytes * MIB)));
        stage.cad.send_raw(&record(&filled("", "0,", "0", bytes * MIB)));
    }
    // Events during a full queue are lost, but the session isn't: sent again, one becomes one call.
    eventually("the session did not go on", async || {
        stage.cad.push(1, "EVENT_911", super::emergency(51));
        tokio::time::sleep(Duration::from_millis(200)).await;
        stage.calls(&channel).contains(&51)
    })
    .await;
    stage.holds(&channel, (1..=51).collect()).await;
    bot.withstood("the hub", idle).await;
    bot.stop().await;
}

/// A CAD whose every answer is this body.
async fn answering(body: String) -> (SocketAddr, tokio::task::JoinHandle<()>, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (count, served) = watch::channel(0);
    let serving = tokio::spawn(async move {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::with_capacity(4096);
            stream.read_buf(&mut head).await.ok();
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
            count.send_modify(|count| *count += 1);
        }
    });
    (addr, serving, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_cad_that_swells_costs_no_more_and_changes_nothing() {
    let (piece, bytes) = (r#"{"":0},"#, 8 * MIB - 16);
    let bodies = [
        filled("[", piece, "]", bytes),
        filled(r#"{"activeCalls":[],"emergencyCalls":["#, piece, "]}", bytes),
        filled(r#"{"units":["#, "0,", "]}", bytes),
    ];
    let mut stage = Stage::new().await;
    stage.set("SONORAN_HUB", "off");
    let channel = stage.channel("911", None).await;
    let (bot, _, idle) = worked(&stage, &channel).await;
    bot.stop().await;
    stage.set("SONORAN_RECONCILE_SECONDS", "10");
    stage.set("SONORAN_CALLS_PER_MINUTE", "5");
    for body in bodies {
        let (cad, serving, served) = answering(body).await;
        stage.set("SONORAN_API_URL", format!("http://{cad}"));
        let (bot, addr) = stage.up().await;
        eventually("the CAD was not read", async || *served.borrow() >= 2).await;
        stage.post(addr, 1).await;
        bot.withstood("the CAD", idle).await;
        assert_eq!(stage.look("SELECT count(*) FROM world WHERE kind = '911'"), ["50"]);
        bot.stop().await;
        serving.abort();
    }
}

/// A connection to the bot from one of this machine's many addresses.
async fn from(address: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, address)), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// A valid event, and how long its answer took.
async fn valid(stage: &Stage, address: u8, addr: SocketAddr, call: i64) -> Duration {
    let body = stage.emergency(call).to_string();
    let began = Instant::now();
    let mut stream = from(address, addr).await;
    let head = format!("POST /event HTTP/1.1\r\nHost: bot\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    began.elapsed()
}

/// Valid events from the attackers' own address and from another, each answered within a second.
async fn gets_through(stage: &Stage, addr: SocketAddr, first: i64) {
    for nth in 0..20 {
        let address = if nth % 2 == 0 { 1 } else { 200 };
        let took = valid(stage, address, addr, first + nth).await;
        assert!(took < Duration::from_secs(1), "{took:?} from 127.0.0.{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_events_are_answered_within_a_second_during_unfinished_bodies() {
    let stage = Stage::new().await;
    let (bot, addr) = stage.up().await;
    let mut call = 100;
    for addresses in [1, 8, 40] {
        let mut held = Vec::new();
        for nth in 0..64.max(addresses * 8) {
            let mut stream = from(u8::try_from(1 + nth % addresses).unwrap(), addr).await;
            let head = format!("POST /event HTTP/1.1\r\nHost: bot\r\nContent-Length: {MIB}\r\n\r\n");
            let part = vec![b'x'; MIB - 1];
            held.push(tokio::spawn(async move {
                stream.write_all(head.as_bytes()).await.ok();
                stream.write_all(&part).await.ok();
                // Neither finished nor closed by this side.
                let mut answer = Vec::with_capacity(1024);
                stream.read_buf(&mut answer).await.ok();
                tokio::time::sleep(Duration::from_secs(60)).await;
            }));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        gets_through(&stage, addr, call).await;
        call += 100;
        held.iter().for_each(|task| task.abort());
    }
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_events_are_answered_within_a_second_during_idle_connections() {
    let stage = Stage::new().await;
    let (bot, addr) = stage.up().await;
    let mut call = 100;
    for begun in ["", "POST /ev", "POST /event HTTP/1.1\r\nHost: bot\r\nContent-Length: 9\r\n\r\n{", "GET / HTTP/1.1\r\nHost: bot\r\n\r\n"]
    {
        let mut held = Vec::new();
        for nth in 0..512_u16 {
            let mut stream = from(1 + u8::try_from(nth % 8).unwrap(), addr).await;
            stream.write_all(begun.as_bytes()).await.unwrap();
            held.push(stream);
        }
        gets_through(&stage, addr, call).await;
        call += 100;
    }
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_may_have_more_bodies_than_any_one_address() {
    let mut stage = Stage::new().await;
    stage.set("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");
    let (bot, addr) = stage.up().await;
    let body = |call: i64| {
        let mut event = stage.emergency(call);
        event["data"]["call"]["metaData"] = json!({ "note": "z".repeat(900 * 1024) });
        event.to_string()
    };
    // Twelve large bodies at once, each without its end: three times what one address may hold.
    let mut held = Vec::new();
    for call in 1..=12 {
        let mut stream = from(1, addr).await;
        let body = body(call);
        let named = format!("X-Forwarded-For: 203.0.113.7, 198.51.100.{call}\r\n");
        let head = format!("POST /event HTTP/1.1\r\nHost: bot\r\n{named}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body.as_bytes()[..body.len() - 1]).await.unwrap();
        held.push(stream);
    }
    for mut stream in held {
        stream.write_all(b"}").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    bot.stop().await;
}

#[tokio::test]
async fn the_key_reaches_neither_the_journal_nor_any_message_wherever_an_event_has_it() {
    let stage = Stage::new().await;
    let channel = stage.channel("all", None).await;
    let (bot, addr) = stage.up().await;
    let key = stage.key.clone();
    let escaped: String = key.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let call = |call: i64, more: Value| {
        let mut data = json!({ "callId": call, "isEmergency": true, "caller": "Jane", "location": "Alta St", "description": "Fire" });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "key": key, "type": "EVENT_911", "data": { "call": data } })
    };
    let mut bodies = vec![
        call(1, json!({ "description": format!("my key is {}!", key.to_uppercase()) })),
        call(2, json!({ "metaData": { "apiKey": key, "x": key.to_lowercase(), key.clone(): "y", "deep": { "key": key } } })),
        call(3, json!({ "metaData": json!({ "plate": key, "apiKey": key }).to_string() })),
    ];
    for (nth, name) in ["apiKey", "ApiKey", "api_key", "logKey", "other", "data2"].iter().enumerate() {
        let mut event = call(10 + i64::try_from(nth).unwrap(), json!({}));
        event[*name] = json!(key);
        event["data"]["key"] = json!(key);
        event["data"][*name] = json!([{ "a": key }]);
        bodies.push(event);
    }
    bodies.push(json!({ "key": key, "type": "GET_LOGS", "logKey": key, "data": { "key": key, "x": [key] } }));
    bodies.push(json!({ "key": key, "type": "EVENT_NOBODY_KNOWS", "data": [key, { "token": key }], "apiKey": key }));
    bodies.push(json!({ "key": key, "type": format!("EVENT_{key}"), "data": null }));
    let mut texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
    texts.push(format!(r#"{{"key":"{key}","type":"EVENT_911","data":{{"call":{{"callId":30,"caller":"{escaped}","location":"a"}}}}}}"#));
    let inside = format!(r#"{{"call":{{"callId":31,"caller":"{escaped}","location":"a"}}}}"#);
    texts.push(json!({ "key": key, "type": "EVENT_911", "data": inside }).to_string());
    texts.push(Value::String(call(32, json!({ "caller": key })).to_string()).to_string());
    let texts_count = texts.len();
    for body in texts {
        assert_eq!(post(addr, body.clone()).await, Some(200), "{body}");
    }
    for body in &bodies {
        stage.cad.push_body(1, body);
    }
    eventually("the events were not stored", async || {
        stage.look("SELECT count(*) FROM journal")[0].parse::<usize>().unwrap() >= texts_count
    })
    .await;
    stage.settled().await;
    let messages: String = stage.discord.messages(&channel).iter().map(Value::to_string).collect();
    assert!(messages.contains("(key)") && !messages.to_lowercase().contains(&key.to_lowercase()), "{messages}");
    bot.stop().await;
    for entry in std::fs::read_dir(stage.folder.join("data")).unwrap() {
        let path = entry.unwrap().path();
        let held = std::fs::read(&path).unwrap().to_ascii_lowercase();
        let found = held.windows(key.len()).any(|part| part == key.to_ascii_lowercase().as_bytes());
        assert!(!found, "{} holds the key", path.display());
    }
}
