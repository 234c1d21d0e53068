//! Random scenarios across three communities: whatever happens, in whatever order, each guild shows all of its own and nothing else.

use fastrand::Rng;
use serde_json::json;
use tenfour_sim::cad::{DispatchSpec, UnitSpec};

use super::{MARKS, NAMES, Scene};
use crate::test_bot::PATIENCE;

const SCENARIOS: u64 = 3;
const STEPS: usize = 120;

/// What is open in one server of a CAD.
#[derive(Default)]
struct Open {
    emergencies: Vec<i64>,
    dispatches: Vec<i64>,
    units: Vec<i64>,
    /// 911s that ever were.
    placed: Vec<i64>,
}

#[tokio::test]
async fn no_channel_board_status_or_answer_shows_anything_of_another_community() {
    let seed = std::env::var("TENFOUR_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or_else(|| (0..SCENARIOS).collect::<Vec<u64>>(), |seed| vec![seed]);
    for seed in seeds {
        println!("TENFOUR_SEED={seed}");
        play(&mut Rng::with_seed(seed)).await;
    }
}

async fn play(rng: &mut Rng) {
    let mut scene = Scene::start().await;
    let mut open: Vec<[Open; 2]> = (0..3).map(|_| Default::default()).collect();
    for step in 0..STEPS {
        if step == STEPS / 2 {
            // The process ends and begins again on what is on disk. What is pushed to nobody is lost: the CAD is not read here.
            for community in 0..3 {
                scene.caught_up(community).await;
            }
            assert!(scene.bot.halt().await);
            scene.bot.boot().await;
            scene.add_communities().await;
        }
        let (community, server) = (rng.usize(..3), rng.usize(..2));
        let (cad, known, mark) = (&scene.cads[community], &mut open[community][server], MARKS[community]);
        let at = i64::try_from(server).unwrap() + 1;
        let one_of = |rng: &mut Rng, ids: &[i64]| rng.choice(ids.iter().copied());
        match rng.usize(..13) {
            0..=2 => {
                let id = cad.place_911(at, &Scene::call(community, &format!("help {step}"))).unwrap();
                known.emergencies.push(id);
                known.placed.push(id);
            }
            3 => {
                if let Some(id) = one_of(rng, &known.emergencies) {
                    cad.remove_911(at, &[id]);
                    known.emergencies.retain(|other| *other != id);
                }
            }
            4 | 5 => {
                let (title, address) = (format!("{mark} title"), format!("{mark} road"));
                let spec = DispatchSpec { status: 1, priority: rng.i64(1..=3), title, address, ..DispatchSpec::default() };
                known.dispatches.push(cad.dispatch_new(at, &spec).unwrap());
            }
            6 => {
                if let Some(id) = one_of(rng, &known.dispatches) {
                    cad.note(at, id, mark, &format!("{mark} note {step}"));
                }
            }
            7 => {
                if let Some(id) = one_of(rng, &known.dispatches) {
                    cad.close(at, &[id]);
                    known.dispatches.retain(|other| *other != id);
                }
            }
            8 => {
                let spec = UnitSpec { num: format!("{mark}-{step}"), name: format!("{mark} unit"), status: 2, ..UnitSpec::default() };
                known.units.push(cad.login(at, &spec).unwrap());
            }
            9 => {
                if let Some(ident) = one_of(rng, &known.units) {
                    cad.panic(at, &[ident], rng.bool());
                }
            }
            10 => {
                // The same numbers in all three, over HTTP.
                let call = 9_000 + rng.i64(0..20);
                let data =
                    json!({ "call": { "callId": call, "isEmergency": true, "caller": mark, "description": format!("{mark} by HTTP") } });
                let answer = scene.post(community, u32::try_from(at).unwrap(), "EVENT_911", data).await;
                assert_eq!(answer.0, 200, "{answer:?}");
                if !known.placed.contains(&call) {
                    known.placed.push(call);
                }
            }
            11 => answer_of(&scene, rng).await,
            _ => typed(&scene, rng).await,
        }
    }
    for community in 0..3 {
        scene.caught_up(community).await;
    }
    scene.nothing_is_mixed();
    for home in &scene.homes {
        let cards = scene.cards(home);
        for (server, known) in open[home.community].iter().enumerate() {
            for id in &known.placed {
                let footer = format!("Server {} · 911 #{id}", server + 1);
                let count = cards.iter().filter(|card| **card == footer).count();
                assert_eq!(count, 1, "{} in a guild of {}: {cards:#?}", footer, NAMES[home.community]);
            }
        }
    }
    scene.end().await;
}

/// A command in some guild, by its member.
async fn answer_of(scene: &Scene, rng: &mut Rng) {
    let home = rng.choice(&scene.homes).unwrap();
    let (name, path) = rng
        .choice([
            ("cad", "status"),
            ("cad", "diagnose"),
            ("cad", "stats"),
            ("cad", "audit"),
            ("call", "list"),
            ("duty", "log"),
            ("unit", "me"),
        ])
        .unwrap();
    let asked = scene.bot.discord.slash(&home.cards, Some(&home.member), name, &[path], json!({})).unwrap();
    let reply = asked.reply(PATIENCE).await.unwrap().to_string();
    for (other, mark) in MARKS.iter().enumerate() {
        assert!(
            other == home.community || !reply.contains(mark),
            "/{name} {path} of {} shows {}: {reply}",
            NAMES[home.community],
            NAMES[other]
        );
    }
    for other in scene.homes.iter().filter(|other| other.community != home.community) {
        assert!(!reply.contains(&other.guild), "/{name} {path} of {} names a guild of {}", NAMES[home.community], NAMES[other.community]);
    }
}

/// A list that is shown while somebody types.
async fn typed(scene: &Scene, rng: &mut Rng) {
    let home = rng.choice(&scene.homes).unwrap();
    let typing = scene.bot.discord.autocomplete(&home.cards, Some(&home.member), "call", &["view"], json!({ "call": "" }), "call").unwrap();
    let reply = typing.wait_reply_where(PATIENCE, |reply| reply.get("choices").is_some()).await.unwrap().to_string();
    for (other, mark) in MARKS.iter().enumerate() {
        assert!(other == home.community || !reply.contains(mark), "a list of {} shows {}: {reply}", NAMES[home.community], NAMES[other]);
    }
}
