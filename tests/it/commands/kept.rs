//! Repeating a command changes only what is named, and one press undoes the change.

use tenfour::render::Style;
use tenfour::route::{Route, Threads, When};
use tenfour::store::audit::AuditFilter;

use super::*;

/// A route with every setting set.
async fn furnished(bot: &Bot, role: &str) -> Route {
    bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": role, "style": "compact"})).await;
    bot.alerts("ping", json!({"route": 1, "role": role, "when": "no-dispatcher", "cooldown": 60})).await;
    bot.alerts("filter", json!({"route": 1, "include": "fire", "postal": "90*"})).await;
    bot.alerts("thread", json!({"route": 1, "mode": "always"})).await;
    bot.alerts("mute", json!({"route": 1, "for": "2h", "panic": true})).await;
    bot.alerts("escalate", json!({"route": 1, "minutes": 5, "role": role})).await;
    bot.routes().remove(0)
}

async fn restores(bot: &Bot) -> usize {
    let entries = bot.store.all_audited(GuildId(bot.guild.parse().unwrap()), AuditFilter::default()).await.unwrap();
    entries.iter().filter(|entry| entry.action == "Restore" && entry.target.starts_with("route #")).count()
}

#[tokio::test]
async fn adding_a_route_again_keeps_what_is_not_named() {
    let bot = start().await;
    let (role, other) = (bot.sim.add_role(&bot.guild, "Dispatch", 0), bot.sim.add_role(&bot.guild, "Patrol", 0));
    let before = furnished(&bot, &role).await;
    let text = bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    assert!(text.starts_with("👌 Nothing changed. Route #1 is already 911 →") && text.contains(&role), "{text}");
    assert_eq!(bot.routes(), std::slice::from_ref(&before));
    let text = bot.alerts("preset", json!({"name": "essentials", "channel": bot.channel})).await;
    assert!(text.starts_with("👌 Nothing changed. Route #1"), "{text}");
    assert_eq!(bot.routes()[0], before, "neither does a preset");

    let text = bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": other})).await;
    let expected = format!(
        "✏️ Route #1 (911 → <#{}>) changed: pinging <@&{role}> → <@&{other}>.\nWhat you didn't name stays as it was. Press **Restore** to undo the change.",
        bot.channel
    );
    assert!(text.starts_with(&expected), "{text}");
    let mut after = before.clone();
    after.spec.role = bot.routes()[0].spec.role;
    assert_eq!((bot.routes()[0].clone(), after.spec.role.map(|role| role.to_string())), (after.clone(), Some(other)));
    let told = bot.alerts("add", json!({"event": "911", "channel": bot.channel, "style": "card"})).await;
    assert!(told.contains("changed: style compact → card."), "{told}");
    after.spec.style = Style::Card;
    assert_eq!(bot.routes()[0], after);
}

#[tokio::test]
async fn restore_puts_a_route_back_exactly_and_once() {
    let bot = start().await;
    let (role, other) = (bot.sim.add_role(&bot.guild, "Dispatch", 0), bot.sim.add_role(&bot.guild, "Patrol", 0));
    let before = furnished(&bot, &role).await;
    let add = json!({"event": "911", "channel": bot.channel, "role": other, "style": "log"});
    let shown = bot.run("alerts", "add", add).reply(SOON).await.unwrap();
    assert_ne!(bot.routes()[0], before);
    let button = component(&shown, "restore");
    let done = bot.sim.click(id(&shown), None, &button).unwrap().reply(SOON).await.unwrap();
    assert!(words(&done).starts_with("↩️ Restored\nRoute #1 (911 →") && words(&done).contains(&format!("→ <@&{role}>")), "{done}");
    assert_eq!(bot.routes(), [before]);
    assert_eq!(restores(&bot).await, 1);
    bot.posted(&bot.channel, "🔔 Alerts restored: emergency calls").await;
    // Without a change there is no button.
    let same = bot.run("alerts", "add", json!({"event": "911", "channel": bot.channel})).reply(SOON).await.unwrap();
    assert!(DiscordSim::custom_ids(&same).is_empty(), "{same}");
    let forged = bot.forged(&button).await;
    let text = words(&bot.sim.click(&forged, None, &button).unwrap().reply(SOON).await.unwrap());
    assert!(text.starts_with("This can't be restored anymore"), "{text}");
    assert_eq!(restores(&bot).await, 1);
}

#[tokio::test]
async fn restore_of_a_preset_puts_back_every_route_that_was_there() {
    let bot = start().await;
    let (role, other) = (bot.sim.add_role(&bot.guild, "Dispatch", 0), bot.sim.add_role(&bot.guild, "Patrol", 0));
    bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": role, "style": "compact"})).await;
    bot.alerts("add", json!({"event": "panic", "channel": bot.channel, "style": "public"})).await;
    let before = bot.routes();
    let preset = json!({"name": "essentials", "channel": bot.channel, "role": other});
    let shown = bot.run("alerts", "preset", preset).reply(SOON).await.unwrap();
    let told = words(&shown);
    assert_eq!((told.matches(" added: ").count(), told.matches(" changed: ").count()), (3, 2), "{told}");
    assert_eq!(
        (bot.routes()[0].spec.style, bot.routes()[1].spec.style),
        (Style::Compact, Style::Public),
        "a preset's styles are for new routes"
    );
    bot.sim.click(id(&shown), None, &component(&shown, "restore")).unwrap().reply(SOON).await.unwrap();
    assert_eq!(bot.routes()[..2], before);
    assert_eq!(bot.routes().len(), 5);
}

#[tokio::test]
async fn restore_is_for_those_who_may_change_routes_and_never_over_a_later_change() {
    let bot = start().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    let shown = bot.run("alerts", "add", json!({"event": "911", "channel": bot.channel, "role": role})).reply(SOON).await.unwrap();
    let button = component(&shown, "restore");
    let forged = bot.forged(&button).await;
    let is = bot.routes();
    let text = words(&bot.sim.click(&forged, Some(&visitor), &button).unwrap().reply(SOON).await.unwrap());
    assert!(text.starts_with(NOT_YOURS), "{text}");
    assert_eq!(bot.routes(), is);
    bot.alerts("mute", json!({"route": 1, "for": "1h"})).await;
    let is = bot.routes();
    let text = words(&bot.sim.click(&forged, None, &button).unwrap().reply(SOON).await.unwrap());
    assert!(text.starts_with("Nothing was restored. Route #1 was changed or removed since"), "{text}");
    assert_eq!((bot.routes(), restores(&bot).await), (is, 0));
}

#[tokio::test]
async fn to_look_at_a_setting_never_changes_it() {
    let bot = start().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    furnished(&bot, &role).await;
    bot.alerts("quiet", json!({"from": "22:00", "to": "7:00", "timezone": "Europe/Berlin"})).await;
    bot.cad("notices", json!({"channel": bot.channel})).await;
    bot.cad("actions", json!({"role": role, "emergency": "on"})).await;
    let before = bot.store.routing_now();
    for path in ["ping", "filter", "thread", "mute", "escalate"] {
        let text = bot.alerts(path, json!({"route": 1})).await;
        assert!(text.contains("Route #1"), "{path}: {text}");
    }
    bot.alerts("quiet", json!({})).await;
    for path in ["notices", "actions", "status", "diagnose", "export"] {
        bot.cad(path, json!({})).await;
    }
    let route = &bot.routes()[0];
    assert_eq!(
        (route.spec.rule.when, route.spec.rule.cooldown_s, route.spec.rule.threads),
        (Some(When::NoDispatcher), Some(60), Threads::Always)
    );
    assert_eq!((&bot.store.routing_now().routes, &bot.store.routing_now().guilds), (&before.routes, &before.guilds));
}

#[tokio::test]
async fn one_step_of_an_escalation_is_taken_away_alone() {
    let bot = start().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    for minutes in [3, 5] {
        bot.alerts("escalate", json!({"route": 1, "minutes": minutes, "role": role})).await;
    }
    let text = bot.alerts("escalate", json!({"route": 1, "minutes": 9})).await;
    assert!(text.starts_with("A step needs both `minutes:` and `role:`"), "{text}");
    assert!(bot.alerts("escalate", json!({"route": 1, "minutes": 9, "off": true})).await.starts_with("👌 Nothing changed"));
    let told = bot.alerts("escalate", json!({"route": 1, "minutes": 5, "off": true})).await;
    assert!(told.contains("after 3 min") && !told.contains("after 5 min"), "{told}");
    let minutes: Vec<u32> = bot.routes()[0].spec.rule.escalation.steps().iter().map(|step| step.minutes).collect();
    assert_eq!(minutes, [3]);
    bot.alerts("escalate", json!({"route": 1, "off": true})).await;
    assert!(bot.routes()[0].spec.rule.escalation.is_empty());
    // What becomes notes is set without naming the mode.
    bot.alerts("thread", json!({"route": 1, "mode": "always"})).await;
    bot.alerts("thread", json!({"route": 1, "notes": "off"})).await;
    assert_eq!(bot.routes()[0].spec.rule.threads, Threads::Always);
    bot.alerts("thread", json!({"route": 1, "off": true})).await;
    assert_eq!(bot.routes()[0].spec.rule.threads, Threads::Off);
}
