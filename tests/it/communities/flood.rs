//! One community sends as much as it can: another's panics are shown all the same, and the flood itself is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tenfour::ids::{ChannelId, GuildId, UserId};
use tenfour::render::Style;
use tenfour::route::{Listens, RouteSpec, Rule};

use super::{MARKS, Scene, key};
use crate::test_bot::until;

/// Connections that flood.
const CONNECTIONS: usize = 32;
/// Channels of the flooded community: more than are sent to at the same time.
const CHANNELS: usize = 20;
const PANICS: i64 = 20;

fn is_panic_of(message: &Value, ident: i64) -> bool {
    message["embeds"][0]["title"].as_str().is_some_and(|title| title.contains(&format!("{}-P{ident}", MARKS[0])))
}

#[tokio::test]
async fn a_flood_into_one_community_keeps_no_panic_of_another_from_its_channel() {
    let scene = Scene::start().await;
    let units: Vec<i64> = (0..PANICS)
        .map(|n| {
            let spec =
                tenfour_sim::cad::UnitSpec { num: format!("{}-P{n}", MARKS[0]), name: MARKS[0].into(), status: 2, ..Default::default() };
            scene.cads[0].login(1, &spec).unwrap()
        })
        .collect();
    scene.caught_up(0).await;
    // Each of its messages takes Discord a while, and more follow at once: its channels never have nothing to send.
    let flooded = scene.of(1).next().unwrap();
    for nth in 0..CHANNELS {
        let channel = scene.bot.discord.add_channel(&flooded.guild, &format!("flood-{nth}"), 0);
        let (guild, now) = (GuildId(flooded.guild.parse().unwrap()), scene.bot.clock.now());
        let (event, style, id) = (Listens::parse("status").unwrap(), Style::Log, ChannelId(channel.parse().unwrap()));
        let route = RouteSpec { event, channel: id, server: None, role: None, style, forum: false, rule: Rule::default() };
        scene.bot.app().store.add_route(guild, route, UserId(1), now).await.unwrap();
        for method in ["POST", "PATCH"] {
            scene.bot.discord.delay(method, &format!("/channels/{channel}/messages"), 100, 100_000);
        }
    }
    let (stop, sent, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let url = format!("{}?server=1", scene.bot.events_url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let floods: Vec<_> = (0..CONNECTIONS)
        .map(|connection| {
            let (stop, sent, refused, url, client) =
                (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&refused), url.clone(), client.clone());
            tokio::spawn(async move {
                let mut nth = 0;
                while !stop.load(Ordering::SeqCst) {
                    nth += 1;
                    let status = (nth + connection) % 7;
                    let body =
                        json!({ "key": key(1), "type": "EVENT_UNIT_STATUS", "data": { "identIds": [1 + nth % 40], "status": status } });
                    match client.post(&url).json(&body).send().await.unwrap().status().as_u16() {
                        200 => sent.fetch_add(1, Ordering::SeqCst),
                        503 => refused.fetch_add(1, Ordering::SeqCst),
                        other => panic!("HTTP {other}"),
                    };
                }
            })
        })
        .collect();
    until("the flood is under way", async || sent.load(Ordering::SeqCst) > 200).await;
    // A place to send in is found for others while it lasts.
    let id = scene.cads[0].place_911(1, &Scene::call(0, "help")).unwrap();
    for home in scene.of(0) {
        scene.card(home, &format!("Server 1 · 911 #{id}")).await;
    }
    let (mut delays, began, before) = (Vec::new(), std::time::Instant::now(), sent.load(Ordering::SeqCst));
    for (n, ident) in (0_i64..).zip(units) {
        let begun = std::time::Instant::now();
        assert!(scene.cads[0].panic(1, &[ident], true));
        for home in scene.of(0) {
            scene.bot.message(&home.cards, |message| is_panic_of(message, n)).await;
        }
        delays.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let per_second = (sent.load(Ordering::SeqCst) - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::SeqCst);
    for flood in floods {
        flood.await.unwrap();
    }
    delays.sort_unstable();
    println!(
        "flooded {}, {per_second:.0} a second (refused {}); panics: {:?} in the middle, {:?} at worst",
        sent.load(Ordering::SeqCst),
        refused.load(Ordering::SeqCst),
        delays[delays.len() / 2],
        delays.last()
    );
    scene.bot.discord.clear_faults();
    // Nobody waits for what is left of the flood.
    let guild = GuildId(flooded.guild.parse().unwrap());
    assert!(scene.bot.app().store.unlink(guild, scene.bot.clock.now(), Vec::new()).await.unwrap());
    for community in 0..3 {
        scene.caught_up(community).await;
    }
    scene.nothing_is_mixed();
    scene.end().await;
}
