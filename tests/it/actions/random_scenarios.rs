//! Random scenarios: people press what they see, the CAD's own pages are used too, and the CAD's API fails at random. When the
//! faults end and the CAD was read, no 911 is two calls, and each card says what the CAD says.

use std::collections::BTreeMap;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tenfour_sim::cad::{CallSpec, DispatchSpec, Noise, Seen};
use tenfour_sim::discord::DiscordSim;

use super::matrix::{ANSWERED_WITHIN, quiet_scene};
use super::{Officer, Scene, told};

const PEOPLE: usize = 5;
const TURNS: usize = 14;

/// How many dispatch calls the CAD created for each 911, answered or not.
fn made(scene: &Scene) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for seen in scene.bot.cad.log() {
        if let Seen::Rest { method, path, status: 201, body, .. } = seen
            && method == "POST"
            && path.ends_with("/dispatch-calls")
        {
            *made.entry(body["metaData"]["origin911"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    made
}

/// Something somebody does on the CAD's own pages.
fn in_the_cad(scene: &Scene, rng: &mut Rng, crew: &[Officer]) {
    let cad = &scene.bot.cad;
    let open = cad.open_state(1);
    let any = |rng: &mut Rng, list: &str| {
        let list = open[list].as_array().unwrap();
        rng.choice(list).and_then(|one| one["callId"].as_i64())
    };
    let unit = crew[rng.usize(..crew.len())].ident;
    match rng.u8(..8) {
        0 | 1 => {
            let spec = CallSpec { emergency: true, description: "Help".into(), location: "Alta St".into(), ..CallSpec::default() };
            cad.place_911(1, &spec);
        }
        2 => {
            let spec = DispatchSpec { status: 1, priority: 3, title: "Burglary".into(), idents: vec![unit], ..DispatchSpec::default() };
            cad.dispatch_new(1, &spec);
        }
        3 => {
            any(rng, "activeCalls").map(|call| cad.close(1, &[call]));
        }
        4 => {
            any(rng, "activeCalls").map(|call| cad.detach(1, call, &[unit]));
        }
        5 => {
            any(rng, "activeCalls").map(|call| cad.dispatch_edit(1, call, &json!({ "postal": "1234" })));
        }
        6 => {
            any(rng, "emergencyCalls").map(|call| cad.remove_911(1, &[call]));
        }
        _ => {
            let on = open["units"].as_array().unwrap().iter().any(|one| one["id"] == unit && one["isPanic"] == true);
            cad.panic(1, &[unit], !on);
        }
    }
}

/// Somebody presses a button that they see; the reply is a sentence.
async fn press(scene: &Scene, card: &Value, verb: &str, who: &Officer) {
    let id = super::button(card, verb);
    // Removed meanwhile: they don't see it.
    let Ok(pressed) = scene.bot.discord.click(card["id"].as_str().unwrap(), Some(&who.user), &id) else { return };
    let pressed = if verb == "note" {
        pressed.reply(ANSWERED_WITHIN).await.unwrap();
        scene.bot.discord.submit(&pressed, json!({ "typed": format!("note {:04}", fastrand::u16(..)) })).unwrap()
    } else {
        pressed
    };
    pressed.acknowledged(ANSWERED_WITHIN).await.unwrap();
    let said = told(&pressed).await;
    assert!(!said.trim().is_empty() && !said.contains("HTTP") && !said.contains("status "), "{said}");
}

async fn random_scenario(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut scene = quiet_scene(Vec::new()).await;
    let crew = scene.crew(PEOPLE).await;
    scene.emergency("The first").await;
    scene.bot.cad.clear_log();
    scene.bot.cad.noise(Noise {
        seed,
        rest_fail: 60,
        rest_limit: 15,
        rest_garbage: 30,
        rest_drop: 60,
        rest_do_then_drop: 100,
        rest_delay: 200,
        most_ms: 400,
        ..Noise::default()
    });
    for _ in 0..TURNS {
        in_the_cad(&scene, &mut rng, &crew);
        let cards: Vec<Value> = scene.bot.discord.messages(&scene.channel);
        let mut presses = Vec::new();
        for who in &crew {
            // Several people often want the newest.
            let Some(card) = (if rng.bool() { cards.last() } else { rng.choice(&cards) }) else { continue };
            let ids = DiscordSim::custom_ids(card);
            let verbs: Vec<String> = ids.iter().filter_map(|id| id.split(':').nth(1).map(str::to_owned)).filter(|v| v != "pick").collect();
            if let Some(verb) = rng.choice(verbs) {
                presses.push((card.clone(), verb, who));
            }
        }
        let scene = &scene;
        join_all(presses.iter().map(|(card, verb, who)| press(scene, card, verb, who))).await;
        scene.bot.clock.advance(i64::from(rng.u16(..3_000)));
    }
    scene.bot.cad.heal();
    scene.read_cad().await;
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new(), "seed {seed}: {:#?}", scene.changes());
    let twice = |scene: &Scene| made(scene).into_iter().filter(|(_, count)| *count > 1).collect::<Vec<_>>();
    assert_eq!(twice(&scene), vec![], "seed {seed}: made twice: {:#?}", scene.changes());
    // A waiting 911 can still be answered, and becomes one call.
    let waiting: Vec<Value> = scene
        .bot
        .discord
        .messages(&scene.channel)
        .into_iter()
        .filter(|m| m["embeds"][0]["footer"]["text"].as_str().is_some_and(|t| t.contains("911 #")) && !DiscordSim::custom_ids(m).is_empty())
        .collect();
    for card in &waiting {
        press(&scene, card, "respond", &crew[0]).await;
    }
    scene.bot.settled().await;
    assert_eq!(twice(&scene), vec![], "seed {seed}, in the end: {:#?}", scene.changes());
    scene.bot.finish().await;
}

#[tokio::test]
async fn no_911_becomes_two_calls_and_cards_say_what_the_cad_says() {
    for seed in [1, 2, 3] {
        random_scenario(seed).await;
    }
}
