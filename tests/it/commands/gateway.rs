//! The session itself: start, loss, end.

use super::*;

#[tokio::test]
async fn ready_once_connected_and_gone_after_draining() {
    let mut bot = start().await;
    assert!(bot.readiness.is_ready() && bot.status.snapshot().gateway);
    assert_eq!(bot.sim.gateway()["connected"], 1);
    bot.stop().await;
    assert!(!bot.status.snapshot().gateway && !bot.readiness.is_ready());
}

#[tokio::test]
async fn without_a_guild_the_commands_are_everywhere() {
    let bot = start_with(Plan { in_guild: false, ..Plan::default() }).await;
    assert!(bot.sim.commands().iter().all(|command| command.get("guild_id").is_none_or(Value::is_null)));
    assert!(bot.alerts("list", json!({})).await.starts_with("Nothing is posted"));
}

#[tokio::test]
async fn a_refused_token_ends_it_with_the_settings_name() {
    let mut bot = start_with(Plan { token: "another.token.here", ..Plan::default() }).await;
    let ended = tokio::time::timeout(SOON, bot.running.take().unwrap()).await.unwrap().unwrap();
    let error = format!("{:#}", ended.unwrap_err());
    assert!(error.contains("DISCORD_TOKEN") && !error.contains("another.token.here"), "{error}");
}

#[tokio::test]
async fn a_token_refused_by_the_gateway_alone_ends_it_too() {
    let mut bot = start().await;
    assert_eq!(bot.sim.close_gateway(Some(4004)), 1);
    let ended = tokio::time::timeout(SOON, bot.running.take().unwrap()).await.unwrap().unwrap();
    assert!(format!("{:#}", ended.unwrap_err()).contains("DISCORD_TOKEN"));
    assert!(!bot.readiness.is_ready());
}

#[tokio::test]
async fn messages_that_discord_does_not_let_us_read_end_it_with_the_settings_name() {
    let mut bot = start_with(Plan { message_content: true, denied_intents: 1 << 15, ..Plan::default() }).await;
    let ended = tokio::time::timeout(SOON, bot.running.take().unwrap()).await.unwrap().unwrap();
    let error = format!("{:#}", ended.unwrap_err());
    assert!(error.contains("DISCORD_MESSAGE_CONTENT") && error.contains("Message Content Intent"), "{error}");
    // Nobody asks for them without the setting.
    let bot = start_with(Plan { denied_intents: !1, ..Plan::default() }).await;
    bot.sim.wait_ready(SOON).await.unwrap();
}

#[tokio::test]
async fn a_guild_that_the_bot_is_not_in_ends_it_with_the_settings_name() {
    let mut bot = start().await;
    bot.stop().await;
    let ended = framework::run(bot.data.clone(), Some(GuildId(77)), Tasks::default(), Readiness::new([ReadyPart::Discord]));
    let error = tokio::time::timeout(SOON, ended).await.unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("DISCORD_GUILD_ID"), "{error:#}");
}

#[tokio::test]
async fn a_lost_connection_comes_back_and_commands_go_on() {
    let bot = start().await;
    assert_eq!(bot.sim.drop_gateway(), 1);
    bot.sim.wait_gateway(1, 1, SOON).await.unwrap();
    bot.sim.wait_ready(SOON).await.unwrap();
    tokio::time::timeout(SOON, bot.readiness.until_ready()).await.unwrap();
    assert!(bot.alerts("list", json!({})).await.starts_with("Nothing is posted"));
}

#[tokio::test]
async fn events_that_cannot_be_read_are_counted() {
    let bot = start().await;
    bot.sim.send_raw(&json!({"op": 0, "s": 99, "t": "SOMETHING_BRAND_NEW", "d": {}}).to_string());
    // In order on one connection: if the answer came, the earlier event was read. It is counted by its own task.
    bot.alerts("list", json!({})).await;
    let counted = async {
        while !bot.metrics.encode().contains("tenfour_gateway_unknown_events_total 1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, counted).await.unwrap();
}

#[tokio::test]
async fn discord_in_trouble_at_the_start_is_asked_again() {
    let sim =
        DiscordSim::start(DiscordOptions { token: TOKEN.into(), rate_limits: RateLimits::Off, ..DiscordOptions::default() }).await.unwrap();
    let guild = sim.add_guild("Los Santos");
    let (channel, lobby) = (sim.add_channel(&guild, "alerts", 0), sim.add_channel(&guild, "lobby", 0));
    let cad = CadSim::start(CadOptions::default()).await.unwrap();
    sim.fail("PUT", "/commands", 503, 1);
    sim.fail("GET", "/gateway/bot", 502, 1);
    let bot = build(sim, cad, guild, channel, lobby, &Plan::default()).await;
    tokio::time::timeout(SOON, bot.readiness.until_ready()).await.unwrap();
}

/// A proxy in front of Discord knows neither the token nor the guild.
#[tokio::test]
async fn a_refusal_that_is_not_discords_own_at_the_start_is_asked_again() {
    for (status, body) in [
        (400, None),
        (401, None),
        (403, None),
        (404, None),
        (403, Some(json!({ "message": "internal network error", "code": 40333 }))),
        (403, Some(json!({ "error": "blocked" }))),
    ] {
        let options = DiscordOptions { token: TOKEN.into(), rate_limits: RateLimits::Off, ..DiscordOptions::default() };
        let sim = DiscordSim::start(options).await.unwrap();
        let guild = sim.add_guild("Los Santos");
        let (channel, lobby) = (sim.add_channel(&guild, "alerts", 0), sim.add_channel(&guild, "lobby", 0));
        let cad = CadSim::start(CadOptions::default()).await.unwrap();
        match body {
            Some(body) => sim.fail_with("PUT", "/commands", status, body, 1),
            None => sim.page("PUT", "/commands", status, 1),
        }
        let bot = build(sim, cad, guild, channel, lobby, &Plan::default()).await;
        tokio::time::timeout(SOON, bot.readiness.until_ready()).await.unwrap_or_else(|_| panic!("HTTP {status} ended it"));
    }
}
