//! Respond, Note, Take it, Panic over, More…: when everything works.

use std::time::Duration;

use serde_json::json;
use tenfour_sim::discord::DiscordSim;

use super::{Scene, told};
use crate::test_bot::{PATIENCE, field, title};

#[tokio::test]
async fn respond_attaches_the_presser_and_the_card_shows_it_at_once() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["police", "selfDispatch"]).await;
    let (id, card) = scene.dispatch("Armed Robbery").await;
    assert_eq!(scene.pressed(&card, "respond", &ann.user).await, format!("🚓 A-Ann Ann is attached to call #{id}."));
    let card = scene.settled(&card).await;
    assert!(field(&card, "Units").contains("A-Ann"), "{card:#}");
    assert_eq!(scene.changes(), [format!("POST /v2/emergency/servers/1/dispatch-calls/{id}/attachments")]);
    assert_eq!(scene.bot.cad.open_state(1)["activeCalls"][0]["idents"], json!([ann.ident]));
    // Pressing again changes nothing.
    assert_eq!(scene.pressed(&card, "respond", &ann.user).await, format!("A-Ann Ann is on call #{id} already: nothing was sent."));
    assert_eq!(scene.changes().len(), 1);
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_911_is_taken_it_becomes_a_call_and_nothing_is_lost() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["selfDispatch"]).await;
    let (id, card) = scene.emergency("Shots fired. Two men.").await;
    let form = scene.press(&card, "note", &ann.user);
    assert_eq!(form.reply(PATIENCE).await.unwrap()["title"], format!("Note on call #{id}"));
    let noted = scene.bot.discord.submit(&form, json!({ "typed": "gate 4 is *open*" })).unwrap();
    assert!(told(&noted).await.starts_with("📝 Noted on the card."));
    let card = scene.settled(&card).await;
    assert!(field(&card, "Last note").contains("A-Ann Ann: gate 4 is \\*open\\*"), "{card:#}");

    let said = scene.pressed(&card, "respond", &ann.user).await;
    let state = scene.bot.cad.open_state(1);
    let call = &state["activeCalls"][0];
    let made = call["callId"].as_i64().unwrap();
    assert_eq!(said, format!("🚓 It is call #{made} now, and A-Ann Ann is attached."));
    assert_eq!((&call["idents"], &call["title"], &call["postal"]), (&json!([ann.ident]), &json!("Shots fired"), &json!("9001")));
    assert_eq!(call["metaData"]["origin911"], id.to_string());
    let notes: Vec<&str> = call["notes"].as_array().unwrap().iter().map(|note| note["content"].as_str().unwrap()).collect();
    assert_eq!(notes, ["Tessa Marlowe", "gate 4 is *open*"]);
    assert_eq!(state["emergencyCalls"], json!([]));
    let card = scene.settled(&card).await;
    assert!(title(&card).starts_with(&format!("➡️ 911 became Call #{made}")), "{}", title(&card));
    assert_eq!(card["components"], json!([]), "what is over has no buttons");
    let call = scene.card_of(made).await;
    assert!(field(&call, "Units").contains("A-Ann"));
    scene.bot.finish().await;
}

#[tokio::test]
async fn somebody_takes_it_and_is_named() {
    let scene = Scene::start().await;
    let (ann, bob) = (scene.civilian("Ann", &["dispatch"]), scene.civilian("Bob", &["dispatch"]));
    let (_, card) = scene.emergency("Fire").await;
    assert_eq!(scene.pressed(&card, "take", &ann.user).await, "🙋 It is yours: nobody else is called to it any more.");
    let shown = scene.settled(&card).await;
    assert!(field(&shown, "Timeline").contains(&format!("taken by <@{}>", ann.user)), "{shown:#}");
    assert!(!DiscordSim::custom_ids(&shown).iter().any(|id| id.contains(":take:")));
    // Bob still saw the button.
    let pending = scene.bot.discord.send(&json!({
        "do": "click", "channel_id": scene.channel, "message_id": card["id"], "user_id": bob.user, "custom_id": super::button(&card, "take"),
    }));
    if let Ok(pending) = pending {
        assert_eq!(told(&pending).await, format!("<@{}> has taken this already.", ann.user));
    }
    assert_eq!(scene.changes(), Vec::<String>::new(), "the CAD is not told of it");
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_panic_ends_by_its_unit_and_by_a_dispatcher_and_by_nobody_else() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["police"]).await;
    let bob = scene.officer("Bob", &["police", "selfDispatch"]).await;
    let dispatcher = scene.officer("Desk", &["dispatch"]).await;
    for ender in [&ann, &dispatcher] {
        assert!(scene.bot.cad.panic(1, &[ann.ident], true));
        let card = scene.bot.message(&scene.channel, |m| title(m).starts_with("🆘 PANIC")).await;
        assert!(scene.pressed(&card, "over", &bob.user).await.contains("lacks the permission Dispatch"));
        // One's own ends at once, another unit's after a question.
        let said = if ender.ident == ann.ident {
            scene.pressed(&card, "over", &ender.user).await
        } else {
            let asked = scene.press(&card, "over", &ender.user).reply(PATIENCE).await.unwrap();
            scene.pressed(&asked, "over-sure", &ender.user).await
        };
        assert_eq!(said, "✅ The panic of A-Ann Ann is over.");
        let card = scene.settled(&card).await;
        assert_eq!(title(&card), "✅ Panic over · A-Ann");
    }
    assert_eq!(scene.changes(), ["PATCH /v2/emergency/servers/1/units/panic"; 2]);
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_dispatcher_has_more() {
    let scene = Scene::start().await;
    let dispatcher = scene.officer("Desk", &["dispatch"]).await;
    let (id, card) = scene.dispatch("Armed Robbery").await;
    scene.pressed(&card, "respond", &dispatcher.user).await;
    let more = scene.press(&card, "more", &dispatcher.user).reply(PATIENCE).await.unwrap();
    assert_eq!(more["embeds"][0]["title"], format!("Call #{id}"));
    let choose = |verb: &str, value: &str| {
        let panel = more["id"].as_str().unwrap();
        scene.bot.discord.select(panel, Some(&dispatcher.user), &super::button(&more, verb), &[value]).unwrap()
    };
    assert_eq!(told(&choose("priority", "1")).await, format!("✅ Call #{id} is changed."));
    assert_eq!(told(&choose("primary", &dispatcher.ident.to_string())).await, format!("✅ A-Desk Desk is the primary unit of call #{id}."));
    let form = scene.press(&more, "postal", &dispatcher.user);
    form.reply(PATIENCE).await.unwrap();
    let set = scene.bot.discord.submit(&form, json!({ "typed": "7007" })).unwrap();
    assert_eq!(told(&set).await, format!("✅ Call #{id} has its new postal."));
    let shown = scene.settled(&card).await;
    assert_eq!((field(&shown, "Postal"), field(&shown, "Priority")), ("7007".to_owned(), "P1".to_owned()), "{shown:#}");
    assert!(field(&shown, "Units").contains("A-Desk ★"), "{shown:#}");
    let call = scene.bot.cad.open_state(1)["activeCalls"][0].clone();
    assert_eq!((&call["postal"], &call["priority"], &call["primary"]), (&json!("7007"), &json!(1), &json!(dispatcher.ident)));
    assert_eq!(scene.pressed(&more, "detach", &dispatcher.user).await, format!("↩️ You left call #{id}."));
    assert_eq!(scene.pressed(&more, "close", &dispatcher.user).await, format!("⬛ Call #{id} is closed."));
    assert!(title(&scene.settled(&card).await).starts_with("⬛ Closed"));
    // The panel is out of date now.
    assert!(scene.pressed(&more, "respond", &dispatcher.user).await.starts_with(&format!("Call #{id} is over: nothing was changed")));
    scene.bot.finish().await;
}

#[tokio::test]
async fn twenty_people_press_respond_within_a_second() {
    let mut scene = Scene::start().await;
    let mut people = Vec::new();
    for n in 0..20 {
        people.push(scene.officer(&format!("P{n}"), &["selfDispatch"]).await);
    }
    // Known from before a restart. Asking the CAD about twenty people takes two minutes under its own limits.
    for person in &people {
        scene.known(person, &["selfdispatch"]).await;
    }
    assert!(scene.bot.halt().await);
    scene.bot.boot().await;
    for kind in ["dispatch", "911"] {
        let (id, card) = if kind == "911" { scene.emergency("Shots fired").await } else { scene.dispatch("Armed Robbery").await };
        scene.bot.cad.clear_log();
        let mut pressed = Vec::new();
        for person in &people {
            let at = tokio::time::Instant::now();
            pressed.push((scene.press(&card, "respond", &person.user), at));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        for (pending, at) in &pressed {
            pending.acknowledged(PATIENCE).await.unwrap();
            assert!(told(pending).await.contains("attached"), "{kind}");
            assert!(at.elapsed() < Duration::from_secs(3), "{kind}: {:?}", at.elapsed());
        }
        let changes = scene.changes();
        assert!(changes.len() <= 2, "{kind} {id}: {changes:?}");
        let calls = scene.bot.cad.open_state(1)["activeCalls"].clone();
        let newest = calls.as_array().unwrap().last().unwrap();
        assert_eq!(newest["idents"].as_array().unwrap().len(), 20, "{kind}");
    }
    scene.bot.finish().await;
}
