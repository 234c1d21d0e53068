//! Which guilds are served automatically: the only one, or the one that `DISCORD_GUILD_ID` names; and where the commands are.

use super::*;
use crate::test_bot::title;

fn places(bot: &TestBot) -> Vec<Option<String>> {
    let mut places: Vec<_> =
        bot.discord.commands().iter().map(|command| command.get("guild_id").and_then(Value::as_str).map(str::to_owned)).collect();
    places.sort();
    places.dedup();
    places
}

#[tokio::test]
async fn of_several_guilds_at_the_first_start_none_is_linked_by_itself() {
    let mut bot = TestBot::prepare(Setup { settings: vec![("DISCORD_GUILD_ID", String::new())], ..Setup::default() }).await;
    let other = bot.joined_by("Somebody's");
    bot.boot().await;
    let here = bot.discord.add_channel(&bot.guild, "lobby", 0);
    for channel in [&here, &other.channel] {
        let listed = bot.discord.slash(channel, None, "alerts", &["list"], json!({})).unwrap();
        assert!(said(&listed).await.starts_with(NOT_LINKED));
    }
    bot.finish().await;
}

#[tokio::test]
async fn a_linked_guild_stays_linked_when_another_joined_while_the_bot_was_off() {
    let mut bot = TestBot::untied().await;
    let notices = bot.notices().await;
    let channel = bot.channel("911", None, Style::Card).await;
    assert!(bot.halt().await);
    let other = bot.joined_by("Strangers");
    bot.boot().await;
    bot.message(&notices, |m| title(m).contains("1 Discord server that added this bot")).await;
    bot.send_event("EVENT_911", emergency(1, "Still ours")).await;
    bot.message(&channel, |m| title(m).contains("Still ours")).await;
    assert_eq!((bot.standing(&bot.guild), bot.standing(&other.guild)), (Standing::Served, Standing::NotLinked));
    // The next start has nothing new to report.
    assert!(bot.halt().await);
    bot.boot().await;
    bot.caught_up().await;
    assert_eq!(bot.titles(&notices).len(), 1);
    // Removed from the linked guild, it does not start serving the remaining one.
    bot.discord.kick_bot(&bot.guild.clone());
    assert!(bot.halt().await);
    bot.boot().await;
    let listed = bot.discord.slash(&other.channel, None, "alerts", &["list"], json!({})).unwrap();
    assert!(said(&listed).await.starts_with(NOT_LINKED));
    bot.end().await;
}

#[tokio::test]
async fn discord_guild_id_keeps_every_other_guild_out_and_takes_their_commands_away() {
    let mut bot = TestBot::untied().await;
    let other = bot.joined_by("Once linked");
    bot.link(&other).await;
    bot.route_in(&other, "911").await;
    let channel = bot.channel("911", None, Style::Card).await;
    assert_eq!(places(&bot), [None]);
    assert!(bot.halt().await);

    bot.set("DISCORD_GUILD_ID", bot.guild.clone());
    bot.boot().await;
    until("the commands are in one guild only", async || places(&bot) == [Some(bot.guild.clone())]).await;
    assert!(bot.discord.slash(&other.channel, None, "alerts", &["list"], json!({})).is_err(), "no command is shown there");
    bot.send_event("EVENT_911", emergency(1, "For one guild")).await;
    bot.message(&channel, |m| title(m).contains("For one guild")).await;
    bot.settled().await;
    assert!(bot.titles(&other.channel).is_empty());
    // A press on an old card, and a guild that adds the bot now.
    let late = bot.joined_by("Late");
    for place in [&other, &late] {
        let rows = json!([{ "type": 1, "components": [{ "type": 2, "style": 2, "label": "x", "custom_id": "u1:panic:1" }] }]);
        let message = bot.forged(&place.channel, rows).await;
        assert!(said(&bot.discord.click(&message, None, "u1:panic:1").unwrap()).await.starts_with(OTHER_GUILD));
    }
    // Not even its own staff can unlink the guild of the setting.
    let unlink = bot.discord.slash(&channel, None, "cad", &["unlink"], json!({})).unwrap();
    assert!(said(&unlink).await.contains("DISCORD_GUILD_ID names this Discord server"));
    assert!(bot.halt().await);

    // Without the setting everything is as before, and no command is shown twice.
    bot.set("DISCORD_GUILD_ID", String::new());
    bot.boot().await;
    until("the commands are everywhere and nowhere else", async || places(&bot) == [None]).await;
    bot.send_event("EVENT_911", emergency(2, "For both")).await;
    bot.message(&other.channel, |m| title(m).contains("For both")).await;
    bot.finish().await;
}

#[tokio::test]
async fn thrown_out_and_added_again_the_bot_has_its_commands_and_sends_what_waits_at_once() {
    let bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let lobby = bot.discord.add_channel(&bot.guild, "lobby", 0);
    bot.discord.kick_bot(&bot.guild);
    assert!(bot.discord.commands().is_empty());
    bot.send_event("EVENT_911", emergency(1, "Waits")).await;
    until("the channel is parked", async || !bot.app().store.parked().await.unwrap().is_empty()).await;
    let retry = bot.app().store.parked().await.unwrap()[0].retry_at.since(bot.clock.now());
    assert!(retry > std::time::Duration::from_secs(30), "it would not be tried again for a while: {retry:?}");

    // A proxy in front of Discord refuses the commands once: that says nothing about the guild.
    bot.discord.page("PUT", "/commands", 403, 1);
    bot.discord.invite_bot(&bot.guild);
    let asked = std::time::Instant::now();
    bot.message(&channel, |m| title(m).contains("Waits")).await;
    assert!(asked.elapsed() < std::time::Duration::from_secs(10), "{:?}", asked.elapsed());
    until("the commands are back", async || !bot.discord.commands().is_empty()).await;
    let listed = bot.discord.slash(&lobby, None, "alerts", &["list"], json!({})).unwrap();
    assert!(said(&listed).await.contains("911"));
    bot.end().await;
}

#[tokio::test]
async fn a_bot_that_was_thrown_out_while_it_was_off_waits_to_be_added_again() {
    let mut bot = TestBot::start().await;
    let channel = bot.channel("911", None, Style::Card).await;
    until("it is remembered where the commands are", async || bot.app().store.commands_in().await.unwrap() == Some(bot.guild_id())).await;
    assert!(bot.halt().await);
    bot.discord.kick_bot(&bot.guild.clone());
    bot.boot().await;
    bot.discord.invite_bot(&bot.guild.clone());
    until("the commands are back", async || !bot.discord.commands().is_empty()).await;
    bot.send_event("EVENT_911", emergency(1, "Again")).await;
    bot.message(&channel, |m| title(m).contains("Again")).await;
    bot.finish().await;
}
