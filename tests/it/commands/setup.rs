//! `/cad setup`: every step from beginning to end, and wrong presses.

use tenfour::event::{Envelope, RawEvent, Source};

use super::*;

/// Runs `/cad setup` and returns its message.
async fn begin(bot: &Bot) -> Value {
    bot.run("cad", "setup", json!({})).reply(SOON).await.unwrap()
}

/// Presses a button of the message and returns the message afterwards.
pub(super) async fn press(bot: &Bot, message: &Value, verb: &str) -> Value {
    let pending = bot.sim.click(id(message), None, &component(message, verb)).unwrap();
    assert_eq!(pending.acknowledged(SOON).await.unwrap(), 6);
    pending.reply(SOON).await.unwrap()
}

pub(super) async fn choose(bot: &Bot, message: &Value, verb: &str, values: &[&str]) -> Value {
    bot.sim.select(id(message), None, &component(message, verb), values).unwrap().reply(SOON).await.unwrap()
}

/// From the beginning to the page that asks for channel and role.
pub(super) async fn to_place(bot: &Bot, servers: &[&str], preset: &str) -> Value {
    let message = begin(bot).await;
    let message = press(bot, &message, "servers").await;
    let message = choose(bot, &message, "pick-servers", servers).await;
    let message = press(bot, &message, "hub").await;
    let message = press(bot, &message, "presets").await;
    choose(bot, &message, "pick-preset", &[preset]).await
}

#[tokio::test]
async fn from_nothing_to_a_test_alert() {
    let bot = start_with(Plan { hub: false, ..Plan::default() }).await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let message = begin(&bot).await;
    assert_eq!(message["flags"].as_u64().unwrap() & 64, 64, "not private");
    let text = words(&message);
    assert!(
        text.contains("Set-up 1/5") && text.contains("✅ The CAD knows this bot as part of") && text.contains("with 2 servers"),
        "{text}"
    );

    let message = press(&bot, &message, "servers").await;
    let text = words(&message);
    assert!(text.contains("Event \\*night\\* (2) is not watched: to have it, add 2 to SONORAN_SERVER_IDS"), "{text}");
    let message = choose(&bot, &message, "pick-servers", &["all"]).await;
    assert!(words(&message).contains("What does your community play on?"));

    let message = press(&bot, &message, "fivem").await;
    let text = words(&message);
    assert!(
        text.contains("\"enablePushEventForwarding\": true") && text.contains("http://BOT-ADDRESS:3232/sonorancad/event?server=1"),
        "{text}"
    );
    assert!(text.contains("⏳ No event has come since the bot started."), "{text}");
    let envelope = Envelope { kind: "EVENT_UNIT_LOGOUT".into(), data: json!({"identIds": [3]}), extras: serde_json::Map::default() };
    let event = RawEvent { server: ServerId(1), source: Source::Http, received_at: Clock::system().now(), envelope: Arc::new(envelope) };
    bot.intake.commit(event).await.unwrap();
    let message = press(&bot, &message, "fivem").await;
    assert!(words(&message).contains("✅ It works: server 1 sent an event over HTTP"), "{}", words(&message));

    let message = press(&bot, &message, "presets").await;
    let message = choose(&bot, &message, "pick-preset", &["essentials"]).await;
    let text = words(&message);
    assert!(text.contains("Channel: not chosen yet") && text.contains("urgent: nobody"), "{text}");
    // Nothing to create before there is a channel.
    assert!(bot.sim.click(id(&message), None, &component(&message, "make")).is_err());
    let message = choose(&bot, &message, "pick-channel", &[&bot.channel]).await;
    let message = choose(&bot, &message, "pick-role", &[&role]).await;
    let text = words(&message);
    assert!(text.contains(&format!("Channel: <#{}>", bot.channel)) && text.contains(&format!("urgent: <@&{role}>")), "{text}");
    assert!(bot.routes().is_empty(), "stored before the last step");
    let message = press(&bot, &message, "make").await;
    let text = words(&message);
    assert!(text.contains("Set-up done") && text.matches('✅').count() == 5, "{text}");
    assert_eq!(bot.routes().len(), 5);
    bot.posted(&bot.channel, "🔔 Alerts on: 5 kinds").await;

    let message = press(&bot, &message, "test").await;
    assert!(words(&message).contains(&format!("🧪 A test alert (911) is on its way to <#{}>", bot.channel)), "{}", words(&message));
    bot.posted(&bot.channel, "TEST").await;
}

#[tokio::test]
async fn a_press_survives_a_restart_of_the_bot() {
    let mut bot = start().await;
    let message = to_place(&bot, &["1"], "duty").await;
    let message = choose(&bot, &message, "pick-channel", &[&bot.channel]).await;
    bot.stop().await;
    let (tasks, readiness) = (Tasks::default(), Readiness::new([ReadyPart::Discord]));
    // Ingest stopped with the rest: routes are made, the confirmation is not posted.
    let (data, interface) = (bot.data.clone(), Interface { requests: mpsc::channel(8).0, ..bot.interface.clone() });
    data.communities.insert(Community::new(interface, tasks.clone()).0);
    let again = tokio::spawn(framework::run(data, Some(GuildId(bot.guild.parse().unwrap())), tasks.clone(), readiness.clone()));
    tokio::time::timeout(SOON, readiness.until_ready()).await.unwrap();
    let message = press(&bot, &message, "make").await;
    assert!(words(&message).contains("Route #1 added: duty →"), "{}", words(&message));
    assert_eq!(bot.routes()[0].spec.server, Some(ServerId(1)));
    tasks.drain();
    tokio::time::timeout(SOON, again).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_channel_without_permissions_is_reported_where_it_can_be_changed() {
    let bot = start().await;
    let message = to_place(&bot, &["all"], "essentials").await;
    let message = choose(&bot, &message, "pick-channel", &[&bot.channel]).await;
    bot.sim.deny(&bot.channel, SEND);
    let message = press(&bot, &message, "make").await;
    let text = words(&message);
    assert!(text.contains("Set-up 5/5") && text.contains("❌ The bot is missing Send Messages"), "{text}");
    assert!(bot.routes().is_empty());
    let message = choose(&bot, &message, "pick-role", &[&bot.guild]).await;
    assert!(words(&message).contains("❌ The role @everyone is never pinged"), "{}", words(&message));
    bot.sim.allow(&bot.channel, SEND);
    let message = press(&bot, &message, "make").await;
    assert!(words(&message).contains("Set-up done"), "{}", words(&message));
    assert!(bot.routes().iter().all(|route| route.spec.role.is_none()));
}

#[tokio::test]
async fn a_wrong_key_and_a_cad_that_is_down_are_reported() {
    let bot = start_with(Plan { key: "another-key", ..Plan::default() }).await;
    let message = begin(&bot).await;
    let text = words(&message);
    assert!(
        text.contains("❌ The CAD refused the API key: copy it again from Admin > In-Game Integration > API into SONORAN\\_API\\_KEY."),
        "{text}"
    );
    assert_eq!(DiscordSim::custom_ids(&message).len(), 1, "there is a way on");
    bot.cad.stop().await;
    let message = press(&bot, &message, "connect").await;
    assert!(words(&message).contains("❌ The CAD could not be reached"), "{}", words(&message));
}

#[tokio::test]
async fn the_hub_session_is_shown_as_it_is() {
    let bot = start().await;
    let message = begin(&bot).await;
    let message = press(&bot, &message, "servers").await;
    let message = choose(&bot, &message, "pick-servers", &["1"]).await;
    let message = press(&bot, &message, "hub").await;
    assert!(words(&message).contains("⏳ Server 1: its session has not begun."), "{}", words(&message));
    bot.status.link(ServerId(1), tenfour::status::Link::Ready, Clock::system().now());
    let message = press(&bot, &message, "hub").await;
    assert!(words(&message).contains("✅ Server 1: connected."), "{}", words(&message));
    // And back again.
    let message = press(&bot, &message, "way").await;
    let message = press(&bot, &message, "servers").await;
    let message = press(&bot, &message, "connect").await;
    assert!(words(&message).contains("Set-up 1/5"), "{}", words(&message));
}

#[tokio::test]
async fn people_without_manage_server_may_not_press() {
    let bot = start().await;
    let chief = bot.sim.add_member(&bot.guild, "Chief", MANAGE_GUILD, &[]);
    let pending = bot.sim.slash(&bot.lobby, Some(&chief), "cad", &["setup"], json!({})).unwrap();
    let private = pending.reply(SOON).await.unwrap();
    // The same buttons on a public message.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v10/channels/{}/messages", bot.sim.url(), bot.lobby);
    let body = json!({"content": "set-up", "components": private["components"]});
    let public: Value =
        http.post(url).header("Authorization", format!("Bot {TOKEN}")).json(&body).send().await.unwrap().json().await.unwrap();
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    let answer = bot.sim.click(id(&public), Some(&visitor), &component(&public, "servers")).unwrap().reply(SOON).await.unwrap();
    assert!(words(&answer).starts_with(NOT_YOURS), "{answer}");
    assert_eq!(answer["flags"].as_u64().unwrap() & 64, 64, "not private");
    assert!(bot.sim.edits(id(&public)).len() == 1, "the message was changed");
    let answer = bot.sim.click(id(&public), Some(&chief), &component(&public, "servers")).unwrap().reply(SOON).await.unwrap();
    assert!(words(&answer).contains("Set-up 2/5"), "{answer}");
}

/// A guild may allow `/cad` to others: then they may use the reply for an hour, and no other message.
#[tokio::test]
async fn whoever_may_run_it_may_press_its_private_answer() {
    let bot = start().await;
    bot.allow_all("cad").await;
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    let message = bot.run_as(&visitor, "cad", "setup", json!({})).reply(SOON).await.unwrap();
    let servers = component(&message, "servers");
    let message = bot.sim.click(id(&message), Some(&visitor), &servers).unwrap().reply(SOON).await.unwrap();
    assert!(words(&message).contains("Set-up 2/5"), "{message}");
    let pick = component(&message, "pick-servers");
    let message = bot.sim.select(id(&message), Some(&visitor), &pick, &["all"]).unwrap().reply(SOON).await.unwrap();
    assert!(words(&message).contains("What does your community play on?"), "{message}");
    // Nor do the pages of the audit need more.
    for n in 0..20 {
        bot.wrote(n, tenfour::store::audit::AuditKind::Cad, "note").await;
    }
    let audit = bot.run_as(&visitor, "cad", "audit", json!({})).reply(SOON).await.unwrap();
    let older = DiscordSim::custom_ids(&audit)[1].clone();
    let turned = bot.sim.click(id(&audit), Some(&visitor), &older).unwrap().reply(SOON).await.unwrap();
    assert!(words(&turned).contains("page 2 of 2"), "{turned}");

    for custom_id in [&servers, &older] {
        let forged = bot.forged(custom_id).await;
        let answer = bot.sim.click(&forged, Some(&visitor), custom_id).unwrap().reply(SOON).await.unwrap();
        assert!(words(&answer).starts_with(NOT_YOURS), "{answer}");
    }
    // A permission is checked again each time.
    bot.sim.advance(3_600_000);
    let back = component(&message, "servers");
    let answer = bot.sim.click(id(&message), Some(&visitor), &back).unwrap().reply(SOON).await.unwrap();
    assert!(words(&answer).starts_with(NOT_YOURS), "{answer}");
}

#[tokio::test]
async fn buttons_of_another_version_answer_with_one_sentence() {
    let bot = start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v10/channels/{}/messages", bot.sim.url(), bot.lobby);
    for custom_id in ["t0:make:-", "t1:fly:-:-:-:-", "something else"] {
        let body = json!({"content": "old", "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "old", "custom_id": custom_id}]}]});
        let old: Value =
            http.post(&url).header("Authorization", format!("Bot {TOKEN}")).json(&body).send().await.unwrap().json().await.unwrap();
        let answer = bot.sim.click(id(&old), None, custom_id).unwrap().reply(SOON).await.unwrap();
        assert_eq!(words(&answer), "This button is from another version of the bot: run the command again.");
    }
}
