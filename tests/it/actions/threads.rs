//! Messages in the threads of calls become notes: by the message menu, or automatically where a route says so.

use serde_json::{Value, json};
use tenfour_sim::discord::{DiscordOptions, RateLimits};

use super::{Scene, told};
use crate::test_bot::{PATIENCE, Setup, TestBot, field, until};

const MESSAGE_CONTENT: u64 = 1 << 15;

fn reading() -> Setup {
    Setup { settings: vec![("DISCORD_MESSAGE_CONTENT", "on".to_owned())], ..Setup::default() }
}

/// A call whose card has a thread.
async fn threaded(scene: &Scene, options: Value) -> (i64, Value, String) {
    let owner = scene.bot.discord.owner_id(&scene.bot.guild);
    let route = scene.bot.app().store.routing_now().routes.iter().find(|route| route.spec.event.as_str() == "dispatch").unwrap().id;
    let mut given = json!({ "route": route, "mode": "always" });
    given.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let said = scene.ran(&owner, "alerts", &["thread"], given).await;
    assert!(said.starts_with("🧵"), "{said}");
    let (id, card) = scene.dispatch("Armed Robbery").await;
    scene.bot.settled().await;
    let thread = card["id"].as_str().unwrap().to_owned();
    until("the thread", async || !scene.bot.discord.channel(&thread).is_null()).await;
    (id, card, thread)
}

fn reactions(scene: &Scene, thread: &str, message: &str) -> Vec<String> {
    let messages = scene.bot.discord.messages(thread);
    let found = messages.iter().find(|m| m["id"] == message).unwrap();
    let all = found["reactions"].as_array().cloned().unwrap_or_default();
    all.iter().map(|one| one["emoji"]["name"].as_str().unwrap().to_owned()).collect()
}

fn notes(scene: &Scene) -> Vec<String> {
    let call = scene.bot.cad.open_state(1)["activeCalls"][0].clone();
    call["notes"].as_array().unwrap().iter().map(|note| note["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_message_is_added_as_a_note_by_its_menu() {
    let scene = Scene::start().await;
    let ann = scene.officer("Ann", &["selfDispatch"]).await;
    let bob = scene.bot.discord.add_member(&scene.bot.guild, "Bob", 0, &[]);
    let (id, card, thread) = threaded(&scene, json!({})).await;
    let discord = &scene.bot.discord;
    let menu = |channel: &str, message: &str| {
        let action = json!({ "do": "menu", "channel_id": channel, "name": "Add as CAD note", "target_id": message, "user_id": ann.user });
        discord.send(&action).unwrap()
    };
    let (own, others) = (discord.say(&thread, &ann.user, "gate 4").unwrap(), discord.say(&thread, &bob, "two men").unwrap());
    assert_eq!(told(&menu(&thread, &own)).await, format!("📝 Noted on call #{id}, signed A-Ann Ann."));
    told(&menu(&thread, &others)).await;
    assert_eq!(notes(&scene), ["gate 4", "Bob (Discord): two men"]);
    let card = scene.settled(&card).await;
    assert!(field(&card, "Last of 2 notes").contains("two men"), "{card:#}");
    let elsewhere = discord.say(&scene.channel, &ann.user, "hello").unwrap();
    assert!(told(&menu(&scene.channel, &elsewhere)).await.starts_with("This works on messages in the thread of a call's card"));
    let long = discord.say(&thread, &ann.user, &"x".repeat(1_500)).unwrap();
    told(&menu(&thread, &long)).await;
    assert!(notes(&scene)[2].ends_with("x…") && notes(&scene)[2].chars().count() == 900);
    scene.bot.finish().await;
}

#[tokio::test]
async fn words_in_a_thread_become_notes_where_the_route_says_so() {
    let scene = Scene::start_with(reading()).await;
    let ann = scene.officer("Ann", &["selfDispatch"]).await;
    let bob = scene.officer("Bob", &["police"]).await;
    let (_, card, thread) = threaded(&scene, json!({ "notes": "on" })).await;
    let discord = &scene.bot.discord;
    let said = discord.say(&thread, &ann.user, "gate 4 is *open*").unwrap();
    until("the reaction", async || reactions(&scene, &thread, &said) == ["📝"]).await;
    assert_eq!(notes(&scene), ["gate 4 is *open*"]);
    let card = scene.settled(&card).await;
    assert!(field(&card, "Last note").contains("A-Ann Ann: gate 4 is \\*open\\*"), "{card:#}");
    // Somebody without permission gets one reply; after that only a reaction.
    let first = discord.say(&thread, &bob.user, "me too").unwrap();
    until("the refusal", async || reactions(&scene, &thread, &first) == ["⚠️"]).await;
    let second = discord.say(&thread, &bob.user, "hello?").unwrap();
    until("the second sign", async || reactions(&scene, &thread, &second) == ["⚠️"]).await;
    let replies = || {
        let all = discord.messages(&thread);
        all.into_iter()
            .filter(|m| m["message_reference"]["message_id"] == first || m["message_reference"]["message_id"] == second)
            .collect::<Vec<_>>()
    };
    until("the sentence", async || replies().len() == 1).await;
    let reply = &replies()[0];
    // Only he learns which permission is missing.
    assert_eq!(reply["content"], "Your message was not added as a note. `/unit link` tells you, and only you, what is missing.");
    assert_eq!(reply["mentions"], json!([]));
    // Messages in the channel itself are not notes, nor are the bot's own in the thread.
    let elsewhere = discord.say(&scene.channel, &ann.user, "lunch?").unwrap();
    scene.bot.caught_up().await;
    assert_eq!((notes(&scene).len(), reactions(&scene, &scene.channel, &elsewhere)), (1, vec![]));
    scene.bot.finish().await;
}

/// In a forum each call is a post, and messages in it are about the call.
#[tokio::test]
async fn words_in_a_forum_post_become_notes_until_the_call_is_over() {
    let scene = Scene::start_with(reading()).await;
    let ann = scene.officer("Ann", &["selfDispatch"]).await;
    let (owner, discord) = (scene.bot.discord.owner_id(&scene.bot.guild), &scene.bot.discord);
    let forum = discord.add_channel(&scene.bot.guild, "cases", 15);
    scene.ran(&owner, "alerts", &["add"], json!({ "event": "dispatch", "channel": forum })).await;
    let route = scene.bot.app().store.routing_now().routes.iter().find(|route| route.spec.forum).unwrap().id;
    let said = scene.ran(&owner, "alerts", &["thread"], json!({ "route": route, "mode": "always", "notes": "on" })).await;
    assert!(said.contains("becomes a note of the call"), "{said}");
    let (id, _) = scene.dispatch("Armed Robbery").await;
    scene.bot.settled().await;
    let made = |request: &Value| request["path"].as_str().is_some_and(|path| path.ends_with(&format!("/channels/{forum}/threads")));
    assert_eq!(discord.requests().iter().filter(|request| made(request)).count(), 1);
    let post = discord.snapshot()["channels"].as_array().unwrap().iter().find(|c| c["parent_id"] == forum.as_str()).unwrap()["id"].clone();
    let post = post.as_str().unwrap().to_owned();
    let said = discord.say(&post, &ann.user, "gate 4").unwrap();
    until("the reaction", async || reactions(&scene, &post, &said) == ["📝"]).await;
    assert_eq!(notes(&scene), ["gate 4"]);
    let dispatcher = scene.dispatcher("Desk").await;
    scene.ran(&dispatcher.user, "call", &["close"], json!({ "call": id.to_string() })).await;
    scene.bot.settled().await;
    let after = discord.say(&post, &ann.user, "well done").unwrap();
    scene.bot.caught_up().await;
    assert_eq!(reactions(&scene, &post, &after), Vec::<String>::new());
    let noted = scene.changes().iter().filter(|change| change.ends_with("/notes")).count();
    assert_eq!(noted, 1);
    scene.bot.finish().await;
}

#[tokio::test]
async fn without_add_reactions_the_note_is_made_all_the_same() {
    let scene = Scene::start_with(reading()).await;
    let ann = scene.officer("Ann", &["selfDispatch"]).await;
    let (_, _, thread) = threaded(&scene, json!({ "notes": "on" })).await;
    scene.bot.discord.fail_with("PUT", "/reactions/", 403, json!({ "code": 50013, "message": "Missing Permissions" }), 9);
    let said = scene.bot.discord.say(&thread, &ann.user, "gate 4").unwrap();
    until("the note", async || notes(&scene) == ["gate 4"]).await;
    assert_eq!(reactions(&scene, &thread, &said), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn without_the_setting_it_is_refused_and_nothing_is_read() {
    let scene = Scene::start().await;
    let owner = scene.bot.discord.owner_id(&scene.bot.guild);
    let route = scene.bot.app().store.routing_now().routes[0].id;
    let said = scene.ran(&owner, "alerts", &["thread"], json!({ "route": route, "mode": "always", "notes": "on" })).await;
    assert!(said.contains("`DISCORD_MESSAGE_CONTENT=on`") && said.contains("Message Content Intent"), "{said}");
    scene.bot.finish().await;
}

#[tokio::test]
async fn an_intent_that_discord_denies_ends_the_bot() {
    let discord = DiscordOptions { denied_intents: MESSAGE_CONTENT, rate_limits: RateLimits::Off, ..DiscordOptions::default() };
    let mut bot = TestBot::prepare(Setup { discord: Some(discord), ..reading() }).await;
    bot.boot_unready().await;
    let ended = tokio::time::timeout(PATIENCE, bot.app().stopping()).await;
    assert!(ended.is_ok(), "the bot runs on without the intent");
    bot.app.take().unwrap().stop().await;
}
