//! kill -9 at any moment: what was accepted appears, and appears once.
//!
//! `TENFOUR_SEED` repeats the moments and the faults of a run (its seed is printed when it fails), `TENFOUR_KILLS` makes it longer.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tenfour::sim::discord::DiscordSim;
use tokio::sync::watch;

use super::{Stage, call_number, client, emergency};
use crate::test_bot::PATIENCE;

/// Servers, each with a channel of its own: a fault makes its channel rest, the others go on.
const SERVERS: u32 = 4;
/// About so many in all; more for very many kills.
const EVENTS: i64 = 600;
/// For the last life to send all that is left, pauses after faults included; less than a claim's lease, which a start must give back.
const SETTLED: Duration = Duration::from_secs(40);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn plan(test: &str) -> (Rng, u64) {
    let seed = number("TENFOUR_SEED").unwrap_or_else(|| fastrand::u64(..));
    let kills = number("TENFOUR_KILLS").unwrap_or(10);
    println!("{test}: TENFOUR_SEED={seed} TENFOUR_KILLS={kills}");
    (Rng::with_seed(seed), kills)
}

/// Makes the pretend Discord fail now and then, until told to stop.
async fn trouble(discord: DiscordSim, mut rng: Rng, over: Arc<AtomicBool>) {
    while !over.load(Ordering::SeqCst) {
        match rng.u8(..5) {
            0 => discord.fail("POST", "/messages", 500, 1),
            1 => discord.garbage("POST", "/messages", 1),
            // The answer comes late: most kills with a request in hand fall into these.
            2 => discord.delay("POST", "/messages", rng.u64(50..400), 2),
            _ => discord.do_then_drop("POST", "/messages", 1),
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(20..160))).await;
    }
}

/// Faults pile up while nobody sends; worked off one by one they would take minutes. A few lost answers stay.
fn few_faults_left(discord: &DiscordSim) {
    discord.clear_faults();
    discord.do_then_drop("POST", "/messages", 3);
}

/// How often each call stands in a channel.
fn standing(stage: &Stage, channel: &str) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    for message in stage.discord.messages(channel) {
        *counts.entry(call_number(&message)).or_insert(0) += 1;
    }
    counts
}

#[track_caller]
fn exactly_once(stage: &Stage, channel: &str, wanted: impl IntoIterator<Item = i64>) {
    let counts = standing(stage, channel);
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "told twice or more: {twice:?}");
    let lost: Vec<i64> = wanted.into_iter().filter(|call| !counts.contains_key(call)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

/// Creates whose nonce had been sent before: lost answers and lost processes. Without any, a run proves nothing.
fn repeated(stage: &Stage) -> usize {
    let requests = stage.discord.requests();
    let nonces: Vec<&str> = requests.iter().filter(|r| r["method"] == "POST").filter_map(|r| r["body"]["nonce"].as_str()).collect();
    nonces.len() - nonces.iter().collect::<HashSet<_>>().len()
}

/// A game server that sends its events in order of their numbers, each until it is answered 200. Of which server an event is follows
/// from its number.
async fn sender(
    key: Value,
    total: i64,
    next: Arc<AtomicI64>,
    mut quota: watch::Receiver<i64>,
    addr: watch::Receiver<Option<SocketAddr>>,
    accepted: watch::Sender<Vec<i64>>,
) {
    let client = client();
    loop {
        let call = next.fetch_add(1, Ordering::SeqCst);
        if call > total {
            return;
        }
        quota.wait_for(|quota| call <= *quota).await.unwrap();
        let body = serde_json::json!({ "key": key, "type": "EVENT_911", "data": emergency(call) });
        loop {
            let to = *addr.borrow();
            if let Some(to) = to {
                let url = format!("http://{to}/sonorancad/event?server={}", server_of(call));
                if client.post(url).json(&body).send().await.is_ok_and(|answer| answer.status() == 200) {
                    accepted.send_modify(|accepted| accepted.push(call));
                    break;
                }
            }
            // As a sender that was refused does; not a wait for anything.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn server_of(call: i64) -> u32 {
    1 + u32::try_from(call).unwrap() % SERVERS
}

#[tokio::test]
async fn kills_while_events_come_over_http_lose_nothing_and_tell_nothing_twice() {
    let (mut rng, kills) = plan("kills over HTTP");
    let mut stage = Stage::with_servers(SERVERS.into()).await;
    stage.set("SONORAN_HUB", "off");
    let mut channels = Vec::new();
    for server in 1..=SERVERS {
        channels.push(stage.channel("911", Some(server)).await);
    }

    let lives = i64::try_from(kills + 1).unwrap();
    let share = (EVENTS / lives).max(20);
    let total = share * lives;
    let next = Arc::new(AtomicI64::new(1));
    let accepted = watch::Sender::new(Vec::new());
    let (quota, allowed) = watch::channel(0);
    let (tell, addr) = watch::channel(None);
    let mut senders = Vec::new();
    for _ in 0..8 {
        let key = Value::String(stage.key.clone());
        senders.push(tokio::spawn(sender(key, total, Arc::clone(&next), allowed.clone(), addr.clone(), accepted.clone())));
    }
    let over = Arc::new(AtomicBool::new(false));
    let faults = tokio::spawn(trouble(stage.discord.clone(), rng.fork(), Arc::clone(&over)));

    for kill in 0..kills {
        let bot = stage.start();
        // As much in each life as in any other, so that no kill finds the work done.
        let before = *quota.borrow();
        quota.send_modify(|quota| *quota += share);
        if kill % 2 == 0 {
            // At a moment of its own, which may be one of the start or of sending to Discord.
            let life = Duration::from_millis(rng.u64(20..900));
            let lived = tokio::time::timeout(life, async {
                tell.send_replace(Some(bot.listener().await));
                std::future::pending::<()>().await;
            });
            assert!(lived.await.is_err());
        } else {
            // At the very moment an event is answered 200, others being on their way.
            tell.send_replace(Some(bot.listener().await));
            let enough = usize::try_from(before + rng.i64(1..=share)).unwrap();
            let mut answers = accepted.subscribe();
            let answered = answers.wait_for(|accepted| accepted.len() >= enough);
            drop(tokio::time::timeout(PATIENCE, answered).await.expect("events were not taken"));
        }
        bot.kill().await;
    }
    let (bot, last) = stage.up().await;
    tell.send_replace(Some(last));
    quota.send_replace(total);
    for sender in senders {
        tokio::time::timeout(PATIENCE, sender).await.expect("events were not taken").unwrap();
    }
    over.store(true, Ordering::SeqCst);
    faults.await.unwrap();
    few_faults_left(&stage.discord);
    stage.settled_within(SETTLED).await;

    println!("{} creates were sent again", repeated(&stage));
    let accepted = accepted.borrow().clone();
    assert_eq!(accepted.len(), usize::try_from(total).unwrap());
    for (channel, server) in channels.iter().zip(1..) {
        exactly_once(&stage, channel, accepted.iter().copied().filter(|call| server_of(*call) == server));
    }
    assert!(repeated(&stage) > 0);
    bot.stop().await;
}

#[tokio::test]
async fn kills_while_events_come_over_the_hub_keep_what_was_journaled_and_tell_nothing_twice() {
    let (mut rng, kills) = plan("kills over the hub");
    let mut stage = Stage::with_servers(SERVERS.into()).await;
    stage.set("LISTEN_ADDR", "off");
    let mut channels = Vec::new();
    for server in 1..=SERVERS {
        channels.push(stage.channel("911", Some(server)).await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let faults = tokio::spawn(trouble(stage.discord.clone(), rng.fork(), Arc::clone(&over)));

    // Pushed all the time, whether anybody listens or not: the CAD asks nobody.
    let pushing = {
        let (cad, over) = (stage.cad.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            for call in 1.. {
                if over.load(Ordering::SeqCst) {
                    return call;
                }
                cad.push(server_of(call).into(), "EVENT_911", emergency(call));
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            0
        })
    };
    for _ in 0..kills {
        let bot = stage.start();
        let life = Duration::from_millis(rng.u64(20..900));
        let lived = tokio::time::timeout(life, async {
            assert!(stage.cad.wait_session(1, PATIENCE).await);
            std::future::pending::<()>().await;
        });
        assert!(lived.await.is_err());
        bot.kill().await;
    }
    let bot = stage.start();
    assert!(stage.cad.wait_session(1, PATIENCE).await);
    over.store(true, Ordering::SeqCst);
    faults.await.unwrap();
    few_faults_left(&stage.discord);
    let last = pushing.await.unwrap();
    // The last event of all, after which nothing can be on its way any more: order holds on each session.
    for server in 1..=SERVERS {
        assert!(stage.cad.wait_session(server.into(), PATIENCE).await);
        let last = (last..).find(|call| server_of(*call) == server).unwrap();
        assert_eq!(stage.cad.push(server.into(), "EVENT_911", emergency(last)).hub, 1);
        let shown = stage.discord.wait_message(&channels[usize::try_from(server).unwrap() - 1], SETTLED, |m| call_number(m) == last).await;
        assert!(shown.is_ok(), "{shown:?}");
    }
    stage.settled_within(SETTLED).await;

    let journal: Vec<i64> = stage
        .look("SELECT body FROM journal WHERE kind = 'EVENT_911'")
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap())
        .map(|body| {
            body.pointer("/data/call/callId").or(body.pointer("/call/callId")).and_then(Value::as_i64).expect("no call in the journal")
        })
        .collect();
    println!("{} of {last} events were journaled; {} creates were sent again", journal.len(), repeated(&stage));
    assert!(journal.len() > usize::try_from(SERVERS).unwrap(), "the kills left no time for a single event");
    for (channel, server) in channels.iter().zip(1..) {
        exactly_once(&stage, channel, journal.iter().copied().filter(|call| server_of(*call) == server));
        // And nothing is told that is not journaled.
        let strange: Vec<i64> = standing(&stage, channel).into_keys().filter(|call| !journal.contains(call)).collect();
        assert_eq!(strange, Vec::<i64>::new());
    }
    bot.stop().await;
}
