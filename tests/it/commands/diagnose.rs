//! `/cad diagnose` says that everything works only if it does.

use super::*;
use tenfour::ids::RouteId;

/// Everything needed, except to mention everyone.
fn plain() -> Plan {
    let bits = VIEW | SEND | FILES | 1 << 14 | 1 << 16 | 1 << 35 | 1 << 38;
    Plan { hub: false, bot_permissions: Some(bits), ..Plan::default() }
}

impl Bot {
    async fn diagnosed(&self) -> String {
        self.cad("diagnose", json!({})).await
    }
}

#[tokio::test]
async fn diagnose_says_that_nothing_is_set_up_yet() {
    let bot = start_with(plain()).await;
    for command in ["diagnose", "status"] {
        let text = bot.cad(command, json!({})).await;
        assert!(text.contains("Nothing is set up yet, so nothing is posted here. Run `/cad setup`"), "{text}");
        assert!(!text.contains("Everything works"), "{text}");
    }
    bot.cad("notices", json!({"channel": bot.lobby})).await;
    assert!(bot.diagnosed().await.starts_with("🩺 Nothing is set up yet"), "notices are no alerts");
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    assert!(bot.diagnosed().await.starts_with("🩺 Everything works"));
    assert!(!bot.cad("status", json!({})).await.contains("Nothing is set up yet"));
}

#[tokio::test]
async fn diagnose_names_every_role_that_cannot_be_pinged_with_the_fix() {
    let bot = start_with(plain()).await;
    let roles: Vec<String> = ["Dispatch", "Patrol", "Chief", "Staff"].iter().map(|name| bot.sim.add_role(&bot.guild, name, 0)).collect();
    for role in &roles[..3] {
        bot.sim.set_mentionable(&bot.guild, role, true);
    }
    bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": roles[0]})).await;
    bot.alerts("add", json!({"event": "panic", "channel": bot.channel, "role": roles[1]})).await;
    bot.alerts("escalate", json!({"route": 1, "minutes": 5, "role": roles[2]})).await;
    bot.cad("actions", json!({"role": roles[3]})).await;
    let text = bot.diagnosed().await;
    assert!(text.starts_with("🩺 Everything works"), "who may act need not be mentionable: {text}");

    bot.sim.set_mentionable(&bot.guild, &roles[0], false);
    bot.sim.set_mentionable(&bot.guild, &roles[2], false);
    let text = bot.diagnosed().await;
    assert!(text.starts_with("🩺 Something needs your attention"), "{text}");
    for (route, whom, role) in [(1, "the role that it pings", &roles[0]), (1, "the role that is called after 5 min", &roles[2])] {
        let line = format!(
            "❌ Route #{route} (911 → <#{0}>): Discord won't ping <@&{role}> ({whom}). Turn on \"Allow anyone to @mention this role\" in Server Settings > Roles, or give the bot Mention Everyone in <#{0}>.",
            bot.channel
        );
        assert!(text.contains(&line), "{line}\nnot in\n{text}");
    }
    assert!(!text.contains("Route #2"), "{text}");
    // A role that is never pinged need not be mentionable.
    bot.alerts("ping", json!({"route": 1, "when": "never"})).await;
    assert!(!bot.diagnosed().await.contains("the role that it pings"));
    // Where the bot may mention everyone, every role is pinged.
    bot.sim.allow(&bot.channel, 1 << 17);
    assert!(bot.diagnosed().await.starts_with("🩺 Everything works"));

    for role in &roles {
        assert!(bot.sim.delete_role(&bot.guild, role));
    }
    let text = bot.diagnosed().await;
    for line in [
        format!("❌ Route #1 (911 → <#{}>): the role that it pings was deleted (id {}), so nobody is pinged.", bot.channel, roles[0]),
        format!("❌ Route #2 (panic → <#{}>): the role that it pings was deleted (id {}), so nobody is pinged.", bot.channel, roles[1]),
        "with `/alerts ping route:2 role:`, or ping nobody with `/alerts ping route:2 off:True`.".to_owned(),
        format!("the role that is called after 5 min was deleted (id {})", roles[2]),
        "with `/alerts escalate route:1 minutes:5 role:`, or take the step away with `/alerts escalate route:1 minutes:5 off:True`."
            .to_owned(),
        format!("❌ `/cad actions`: the role that may act in the CAD was deleted (id {}), so nobody may.", roles[3]),
    ] {
        assert!(text.contains(&line), "{line}\nnot in\n{text}");
    }
    // The fixes that it names work.
    bot.alerts("ping", json!({"route": 1, "off": true})).await;
    bot.alerts("ping", json!({"route": 2, "off": true})).await;
    bot.alerts("escalate", json!({"route": 1, "minutes": 5, "off": true})).await;
    bot.cad("actions", json!({"any_role": true})).await;
    assert!(bot.diagnosed().await.starts_with("🩺 Everything works"));
}

#[tokio::test]
async fn diagnose_looks_at_notices_boards_and_servers_too() {
    let bot = start_with(Plan { servers: vec![1, 2], ..plain() }).await;
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    let (notices, board) = (bot.sim.add_channel(&bot.guild, "notices", 0), bot.sim.add_channel(&bot.guild, "board", 0));
    bot.cad("notices", json!({"channel": notices})).await;
    bot.ask("board", "create", json!({"kind": "units", "channel": board})).await;
    assert!(bot.diagnosed().await.starts_with("🩺 Everything works"));
    bot.sim.delete_channel(&notices);
    bot.sim.deny(&board, SEND);
    let text = bot.diagnosed().await;
    assert!(text.contains(&format!("❌ Channel {notices} no longer exists: choose another one. Used by: notices.")), "{text}");
    assert!(text.contains("❌ The bot is missing Send Messages") && text.contains("Used by: board #1."), "{text}");

    let guild = GuildId(bot.guild.parse().unwrap());
    let edit = tenfour::route::RouteEdit { server: Some(Some(ServerId(7))), ..tenfour::route::RouteEdit::default() };
    bot.store.edit_route(guild, RouteId(1), edit).await.unwrap();
    bot.store.change_rule(guild, RouteId(1), |rule| rule.thread_notes = true).await.unwrap();
    let quiet = tenfour::route::Quiet { from: 1, to: 2, timezone: "EST".into(), panic: false };
    bot.store.set_quiet(guild, Some(quiet)).await.unwrap();
    let text = bot.diagnosed().await;
    assert!(text.contains(&format!("❌ Route #1 (911 → <#{}>): This bot does not watch server 7", bot.channel)), "{text}");
    assert!(text.contains("Set DISCORD_MESSAGE_CONTENT=on, or run `/alerts thread route:1 notes:off`."), "{text}");
    assert!(text.contains("💡 “EST” isn't a time zone name.") && text.contains("America/New_York"), "{text}");
}
