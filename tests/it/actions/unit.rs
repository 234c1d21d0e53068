//! `/unit`.

use serde_json::json;
use tenfour_sim::cad::{CadOptions, ServerOptions, UnitSpec};
use tenfour_sim::discord::DiscordSim;

use super::{Scene, button, told};
use crate::test_bot::{PATIENCE, Setup, field, title, until};

#[tokio::test]
async fn me_and_link_say_who_one_is_and_what_is_missing() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["police", "selfDispatch"]).await;
    let (id, card) = scene.dispatch("Armed Robbery").await;
    scene.pressed(&card, "respond", &ann.user).await;
    let me = scene.ran(&ann.user, "unit", &["me"], json!({})).await;
    for part in [
        "**Account** Ann, validated",
        "Self-Dispatch: attach yourself",
        "**On duty** A-Ann Ann",
        &format!("**Calls** call #{id}"),
        "Nothing is missing.",
    ] {
        assert!(me.contains(part), "{part}: {me}");
    }
    let link = scene.ran(&ann.user, "unit", &["link"], json!({})).await;
    assert!(link.starts_with("You can act in the CAD from here") && link.matches('✅').count() == 5, "{link}");

    let bob = scene.civilian("Bob", &["police"]);
    let me = scene.ran(&bob.user, "unit", &["me"], json!({})).await;
    assert!(me.contains("off duty on server 1") && me.contains("Without Self-Dispatch"), "{me}");
    let stranger = scene.bot.discord.add_member(&scene.bot.guild, "Eve", 0, &[]);
    assert!(scene.ran(&stranger, "unit", &["me"], json!({})).await.contains("is not linked"));
    let link = scene.ran(&stranger, "unit", &["link"], json!({})).await;
    assert!(link.contains("❌ **1.** Link your Discord account") && link.contains("`/linkme`"), "{link}");
    assert_eq!(scene.changes().len(), 1, "only the press changed anything");
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_status_is_chosen_by_the_communitys_words() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["police"]).await;
    let choices = scene.typing(&ann.user, "unit", &["status"], json!({ "status": "scene" }), "status").await;
    assert_eq!(choices, [("🔴 On scene".to_owned(), "4".to_owned())]);
    let all = scene.typing(&ann.user, "unit", &["status"], json!({}), "status").await;
    assert!(all.len() == 5 && !all.iter().any(|(_, value)| value == "100"), "{all:?}");
    assert_eq!(scene.ran(&ann.user, "unit", &["status"], json!({ "status": "4" })).await, "✅ Your status is set: 🔴 On scene.");
    assert_eq!(scene.ran(&ann.user, "unit", &["status"], json!({ "status": "busy" })).await, "✅ Your status is set: 🟠 Busy.");
    assert!(scene.ran(&ann.user, "unit", &["status"], json!({ "status": "100" })).await.contains("do it in the CAD"));
    assert_eq!(scene.changes(), ["PATCH /v2/emergency/servers/1/units/status"; 2]);
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_panic_is_asked_about_once_and_ended_the_same_way() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["police"]).await;
    let asked = scene.run(&ann.user, "unit", &["panic"], json!({})).reply(PATIENCE).await.unwrap();
    assert_eq!((title(&asked), scene.changes().len()), ("Press your panic button?".to_owned(), 0));
    let red = &asked["components"][0]["components"][0];
    assert_eq!((&red["label"], &red["style"]), (&json!("Yes, panic"), &json!(4)));
    assert_eq!(asked["flags"].as_u64().unwrap() & 64, 64);
    let press = |asked: &serde_json::Value, verb: &str| {
        scene.bot.discord.click(asked["id"].as_str().unwrap(), Some(&ann.user), &button(asked, verb)).unwrap()
    };
    assert_eq!(told(&press(&asked, "panic")).await, "Panic\n🆘 Your panic is on. `/unit panic` ends it.");
    let card = scene.bot.message(&scene.channel, |m| title(m).starts_with("🆘 PANIC")).await;
    // The question is gone with its answer.
    assert!(scene.bot.discord.click(asked["id"].as_str().unwrap(), Some(&ann.user), &button(&asked, "panic")).is_err());
    let asked = scene.run(&ann.user, "unit", &["panic"], json!({})).reply(PATIENCE).await.unwrap();
    assert_eq!(title(&asked), "Your panic is on");
    assert_eq!(told(&press(&asked, "calm")).await, "Panic over\n✅ Your panic is over.");
    assert_eq!(title(&scene.settled(&card).await), "✅ Panic over · A-Ann");
    assert_eq!(scene.changes(), ["PATCH /v2/emergency/servers/1/units/panic"; 2]);
    // Off duty there is nothing to ask.
    let bob = scene.civilian("Bob", &["police"]);
    assert!(scene.ran(&bob.user, "unit", &["panic"], json!({})).await.contains("You are not on duty on server 1"));
    scene.bot.finish().await;
}

#[tokio::test]
async fn respond_note_and_clear_by_command() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["police", "selfDispatch"]).await;
    let (id, card) = scene.dispatch("Armed *Robbery* @everyone").await;
    let (emergency, _) = scene.emergency("Shots fired").await;
    let choices = scene.typing(&ann.user, "unit", &["respond"], json!({}), "call").await;
    // The most urgent one first; text from the game pings nobody.
    assert!(choices[0].0.starts_with(&format!("911 #{emergency} · Shots fired · Alta St")), "{choices:?}");
    assert!(choices[1].0.starts_with(&format!("Call #{id} · P2 · Armed *Robbery* @\u{200b}everyone")), "{choices:?}");
    let on = choices[1].1.clone();
    assert_eq!(scene.ran(&ann.user, "unit", &["respond"], json!({ "call": on })).await, format!("🚓 A-Ann Ann is attached to call #{id}."));
    let noted = scene.ran(&ann.user, "unit", &["note"], json!({ "call": id.to_string(), "note": "gate 4" })).await;
    assert_eq!(noted, format!("📝 Noted on call #{id}, signed A-Ann Ann."));
    let shown = scene.settled(&card).await;
    assert!(field(&shown, "Units").contains("A-Ann") && field(&shown, "Last note").contains("gate 4"), "{shown:#}");
    assert_eq!(scene.ran(&ann.user, "unit", &["clear"], json!({})).await, format!("↩️ You left call #{id}."));
    for typed in ["99999", "nonsense"] {
        let said = scene.ran(&ann.user, "unit", &["respond"], json!({ "call": typed })).await;
        assert!(said.contains("There is no open call #99999") || said.starts_with("Choose a call from the list"), "{said}");
    }
    scene.bot.finish().await;
}

/// The list is for those who may act: a guild with a role shows it to nobody else.
#[tokio::test]
async fn what_is_open_is_shown_to_those_who_may_act() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["selfDispatch"]).await;
    scene.dispatch("Armed Robbery").await;
    let stranger = scene.bot.discord.add_member(&scene.bot.guild, "Eve", 0, &[]);
    assert_eq!(scene.typing(&stranger, "unit", &["respond"], json!({}), "call").await, []);
    assert_eq!(scene.typing(&ann.user, "unit", &["respond"], json!({}), "call").await.len(), 1);
    // Nothing is shown until the permission is known; if the CAD is slow, the choices appear with a later keystroke.
    let bob = scene.civilian("Bob", &["selfDispatch"]);
    scene.bot.cad.rest_delay("GET /account$", 1_500, 1);
    assert_eq!(scene.typing(&bob.user, "unit", &["respond"], json!({}), "call").await, []);
    until("the list for Bob", async || scene.typing(&bob.user, "unit", &["respond"], json!({}), "call").await.len() == 1).await;
    let may_not = scene.civilian("Carl", &["police"]);
    assert_eq!(scene.typing(&may_not.user, "unit", &["respond"], json!({}), "call").await, []);
    let role = scene.bot.discord.add_role(&scene.bot.guild, "Officer", 0);
    let owner = scene.bot.discord.owner_id(&scene.bot.guild);
    let said = scene.ran(&owner, "cad", &["actions"], json!({ "role": role, "buttons": "off" })).await;
    assert!(said.contains(&format!("Only members with <@&{role}> may act")), "{said}");
    assert_eq!(scene.typing(&ann.user, "unit", &["respond"], json!({}), "call").await, []);
    assert!(scene.ran(&ann.user, "unit", &["clear"], json!({})).await.contains(&format!("Only members with <@&{role}>")));
    // The existing cards have lost their buttons.
    until("cards without buttons", async || {
        scene.bot.discord.messages(&scene.channel).iter().all(|m| m["components"].as_array().is_none_or(Vec::is_empty))
    })
    .await;
    scene.ran(&owner, "cad", &["actions"], json!({ "any_role": true, "buttons": "on" })).await;
    until("cards with buttons", async || {
        scene.bot.discord.messages(&scene.channel).iter().all(|m| m["components"][0]["components"][0]["type"] == 2)
    })
    .await;
    assert_eq!(scene.changes(), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn of_several_servers_it_is_the_one_on_which_one_is_on_duty() {
    let servers = vec![ServerOptions::new(1, "Main"), ServerOptions::new(2, "Event")];
    let setup = Setup {
        settings: vec![("SONORAN_SERVER_IDS", "1,2".to_owned())],
        cad: Some(CadOptions { servers, ..CadOptions::default() }),
        ..Setup::default()
    };
    let scene = Scene::start_with(setup).await;
    let ann = scene.civilian("Ann", &["police"]);
    let spec = UnitSpec { num: "A-1".into(), name: "Ann".into(), status: 2, account: ann.account.clone(), ..UnitSpec::default() };
    scene.bot.cad.login(2, &spec).unwrap();
    until("the unit on server 2", async || scene.ran(&ann.user, "unit", &["me"], json!({})).await.contains("**On duty** A-1 Ann")).await;
    assert_eq!(scene.ran(&ann.user, "unit", &["status"], json!({ "status": "3" })).await, "✅ Your status is set: 🔵 En route.");
    let elsewhere = scene.ran(&ann.user, "unit", &["status"], json!({ "status": "3", "server": 1 })).await;
    assert!(elsewhere.contains("not on duty on server 1"), "{elsewhere}");
    let unknown = scene.ran(&ann.user, "unit", &["status"], json!({ "status": "3", "server": 9 })).await;
    assert!(unknown.starts_with("This bot watches no server 9"), "{unknown}");
    assert_eq!(scene.changes(), ["PATCH /v2/emergency/servers/2/units/status"]);
    scene.bot.finish().await;
}

#[tokio::test]
async fn ending_a_panic_offers_to_clear_its_911_and_anothers_is_asked_for_once() {
    let mut scene = super::matrix::quiet_scene(Vec::new()).await;
    let crew = scene.crew(2).await;
    let (ann, bob) = (&crew[0], &crew[1]);
    let cad = scene.bot.cad.clone();
    assert!(cad.panic(1, &[ann.ident], true));
    let call = tenfour_sim::cad::CallSpec {
        emergency: true,
        caller: "P00".into(),
        description: "Unit A-P00 has pressed their panic button!".into(),
        ..Default::default()
    };
    let id = cad.place_911(1, &call).unwrap();
    let card = scene.bot.message(&scene.channel, |m| crate::test_bot::title(m).starts_with("🆘 PANIC")).await;
    scene.bot.message(&scene.channel, |m| m["embeds"][0]["footer"]["text"] == format!("Server 1 · 911 #{id}")).await;
    scene.bot.settled().await;

    // Bob is asked to confirm, and nothing is sent before that.
    let asked = scene.press(&card, "over", &bob.user).reply(PATIENCE).await.unwrap();
    assert!(asked["embeds"][0]["description"].as_str().unwrap().contains("A-P00 P00's panic, not yours"), "{asked:#}");
    assert_eq!(scene.changes(), Vec::<String>::new());
    let done = scene.press(&asked, "over-sure", &bob.user).reply(PATIENCE).await.unwrap();
    assert!(done["content"].as_str().unwrap().contains("The panic of A-P00 P00 is over."), "{done:#}");
    assert_eq!(scene.changes(), ["PATCH /v2/emergency/servers/1/units/panic"]);

    // Both the answer and the card offer to clear the 911.
    let over = scene.settled(&card).await;
    assert!(DiscordSim::custom_ids(&over).iter().any(|id| id.contains(":also-clear:")), "{over:#}");
    assert_eq!(scene.pressed(&done, "also-clear", &bob.user).await, format!("☑️ Call #{id} is dismissed."));
    assert!(scene.bot.cad.open_state(1)["emergencyCalls"].as_array().unwrap().is_empty());
    let over = scene.settled(&over).await;
    assert_eq!(DiscordSim::custom_ids(&over), Vec::<String>::new(), "there is nothing to clear any more");
    let said = scene.pressed(&done, "also-clear", &bob.user).await;
    assert!(said.contains("is over"), "{said}");

    // One's own ends at once.
    assert!(cad.panic(1, &[bob.ident], true));
    let own = scene.bot.message(&scene.channel, |m| crate::test_bot::title(m).starts_with("🆘 PANIC · A-P01")).await;
    assert!(scene.pressed(&own, "over", &bob.user).await.contains("is over."));
    scene.bot.finish().await;
}

#[tokio::test]
async fn whoever_waits_for_the_cad_sees_what_for_and_goes_through() {
    let scene = super::matrix::quiet_scene(Vec::new()).await;
    let mut ann = scene.civilian("Ann", &["selfDispatch"]);
    scene.duty(&mut ann, "Ann");
    scene.bot.caught_up().await;
    let (_, card) = scene.dispatch("Robbery").await;
    scene.bot.cad.rest_delay("/accounts/account", 4_000, 1);
    let press = scene.press(&card, "respond", &ann.user);
    press.wait_reply_where(PATIENCE, |reply| reply["content"] == "Checking your CAD account…").await.unwrap();
    press.wait_reply_where(PATIENCE, |reply| reply["content"].as_str().is_some_and(|said| said.contains("is attached"))).await.unwrap();
    // A command's waiting text is replaced by its answer.
    scene.bot.clock.advance(600_000);
    scene.bot.cad.rest_delay("/general/accounts", 4_000, 1);
    scene.bot.cad.rest_delay("/accounts/account", 4_000, 1);
    let command = scene.run(&ann.user, "unit", &["me"], json!({}));
    command.wait_reply_where(PATIENCE, |reply| reply["content"] == "Checking your CAD account…").await.unwrap();
    command.wait_reply_where(PATIENCE, |reply| reply["embeds"][0]["title"] == "You in the CAD").await.unwrap();
    scene.bot.finish().await;
}
