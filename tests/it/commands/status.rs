//! `/cad status`, `/cad diagnose`, `/cad notices`.

use tenfour::refresh::{Outcome, Part};
use tenfour::status::ReadBudget;

use super::*;

#[tokio::test]
async fn status_shows_connections_arrivals_queue_and_problems() {
    let bot = start_with(Plan { servers: vec![1, 2], ..Plan::default() }).await;
    let now = Clock::system().now();
    bot.status.link(ServerId(1), tenfour::status::Link::Ready, now);
    bot.status.link(ServerId(2), tenfour::status::Link::Rejected("key *refused*".into()), now);
    bot.status.event(ServerId(1), tenfour::event::Source::Hub, now);
    bot.status.copy(ServerId(1));
    bot.status.unknown("EVENT_BRAND_NEW");
    bot.status.delivered(std::time::Duration::from_millis(420));
    bot.status.problem(now, "The disk is full. Make room.");
    let text = bot.cad("status", json!({})).await;
    assert!(text.contains("The CAD's API is not read (SONORAN_RECONCILE_SECONDS=off)"), "{text}");
    let (calls, units) = (Part::Calls, Part::Units);
    bot.status.read(ServerId(1), calls, now.plus_ms(-60_000), Outcome { changes: 2, ..Outcome::default() });
    bot.status.read(ServerId(1), calls, now, Outcome::default());
    bot.status.unread(ServerId(1), units, now, "The plan *is* too low.");
    bot.status.read_budget(calls, ReadBudget { left: 1, per_minute: 2, free_at: None });
    bot.status.read_budget(units, ReadBudget { left: 0, per_minute: 1, free_at: Some(now.plus_ms(300_000)) });
    let text = bot.cad("status", json!({})).await;
    let seconds = now.secs();
    for part in [
        format!("**Server 1** · 🟢 hub connected since <t:{seconds}:R>"),
        format!(
            "last event <t:{seconds}:R>, through the hub · 1 from the CAD in the last hour (1 through the hub) · 1 duplicate dropped since the bot started"
        ),
        format!("⛔ Server 2: the CAD refuses the bot since <t:{seconds}:R>: key \\*refused\\*"),
        "**Server 2** · ⛔ refused by the CAD".to_owned(),
        format!("read from the CAD: calls <t:{seconds}:R> · 2 changes that no event had told, <t:{}:R>", seconds - 60),
        format!("⚠️ Server 1: units cannot be read since <t:{seconds}:R>: The plan \\*is\\* too low."),
        format!("Requests to the CAD's API left this minute: units 0 of 1, again <t:{}:R> · calls 1 of 2", seconds + 300),
        "no event since the bot started".to_owned(),
        "**Discord** · 🟢 connected · nothing waits to be sent".to_owned(),
        "From event to message: 420 ms in the middle, 420 ms at worst (the last message)".to_owned(),
        "EVENT\\_BRAND\\_NEW (1)".to_owned(),
        format!("<t:{seconds}:R> The disk is full. Make room."),
        concat!("Tenfour ", env!("CARGO_PKG_VERSION")).to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\nis not in\n{text}");
    }
}

#[tokio::test]
async fn a_parked_channel_is_shown_and_opened_again_by_diagnose() {
    let bot = start().await;
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    bot.posted(&bot.channel, "🔔").await;
    bot.sim.deny(&bot.channel, SEND);
    bot.alerts("test", json!({"event": "911"})).await;
    let refused = |r: &Value| r["status"] == 403;
    bot.sim.wait_request(SOON, refused).await.unwrap();
    // It is parked a moment after Discord's refusal.
    let parked = async {
        while bot.store.parked().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, parked).await.expect("not parked");
    let text = bot.cad("status", json!({})).await;
    assert!(text.contains(&format!("⚠️ <#{}> is closed to the bot since", bot.channel)), "{text}");
    let text = bot.alerts("list", json!({})).await;
    assert!(text.contains("⚠️ closed to the bot since"), "{text}");
    let text = bot.cad("diagnose", json!({})).await;
    assert!(text.starts_with("🩺 Something needs your attention") && text.contains("❌ The bot is missing Send Messages"), "{text}");

    bot.sim.allow(&bot.channel, SEND);
    let text = bot.cad("diagnose", json!({})).await;
    assert!(text.contains(&format!("✅ <#{}> is open again", bot.channel)), "{text}");
    bot.posted(&bot.channel, "TEST").await;
    assert!(bot.store.parked().await.unwrap().is_empty());
}

#[tokio::test]
async fn diagnose_reports_the_cad_and_deleted_channels() {
    let bot = start_with(Plan { hub: false, ..Plan::default() }).await;
    let text = bot.cad("diagnose", json!({})).await;
    assert!(text.contains("✅ The CAD answers and takes the key.") && text.starts_with("🩺 Nothing is set up yet"), "{text}");
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    let text = bot.cad("diagnose", json!({})).await;
    assert!(text.starts_with("🩺 Everything works") && text.contains(&format!("✅ <#{}>", bot.channel)), "{text}");
    bot.sim.delete_channel(&bot.channel);
    bot.cad.stop().await;
    let text = bot.cad("diagnose", json!({})).await;
    assert!(text.contains(&format!("❌ Channel {} no longer exists", bot.channel)), "{text}");
    assert!(text.contains("❌ The CAD could not be reached"), "{text}");
}

#[tokio::test]
async fn notices_are_set_confirmed_and_switched_off() {
    let bot = start().await;
    assert!(bot.cad("notices", json!({})).await.starts_with("Notices are off."));
    bot.sim.deny(&bot.lobby, FILES);
    let refused = bot.cad("notices", json!({"channel": bot.lobby})).await;
    assert!(refused.contains("missing Attach Files"), "{refused}");
    let answer = bot.cad("notices", json!({"channel": bot.channel})).await;
    assert!(answer.starts_with(&format!("✅ Notices go to <#{}>", bot.channel)), "{answer}");
    bot.posted(&bot.channel, "🔔 Notices on").await;
    let known = || bot.store.routing_now().guilds.values().next().and_then(|guild| guild.notices);
    assert_eq!(known().map(|c| c.to_string()), Some(bot.channel.clone()));
    // Viewing changes nothing.
    let answer = bot.cad("notices", json!({})).await;
    assert_eq!(answer, format!("Notices go to <#{}>. `/cad notices off:True` turns them off.", bot.channel));
    assert_eq!(known().map(|c| c.to_string()), Some(bot.channel.clone()));
    let answer = bot.cad("notices", json!({"channel": bot.channel})).await;
    assert!(answer.starts_with("👌 Nothing changed."), "{answer}");
    let answer = bot.cad("notices", json!({"channel": bot.channel, "off": true})).await;
    assert!(answer.contains("contradict each other") && known().is_some(), "{answer}");
    let answer = bot.cad("notices", json!({"off": true})).await;
    assert!(answer.starts_with("🔕 Notices are off"), "{answer}");
    assert_eq!(known(), None);
    assert!(bot.cad("notices", json!({"off": true})).await.starts_with("Notices are off."));
}
