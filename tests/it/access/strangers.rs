//! What an unlinked guild gets: one sentence, whatever it tries.

use tenfour::authorization::ActionRule;
use tenfour::clock::UnixMs;
use tenfour::commands::custom_id::{CustomId, SetupChoice, SetupStep};
use tenfour::ids::{CallId, ServerId};
use tenfour::render::custom_id::{On, PICK, Verb, card};
use tenfour::store::audit::AuditFilter;
use tenfour::world::Subject;
use tenfour_sim::cad::Seen;

use super::*;
use crate::test_bot::title;

/// A command's path and its options: `(name, path, options)`.
type Leaf = (String, Vec<String>, Vec<Value>);

/// Every command that can be run, from those registered with Discord: none can be missed.
fn leaves(commands: &[Value]) -> Vec<Leaf> {
    fn walk(name: &str, path: &[String], node: &Value, found: &mut Vec<Leaf>) {
        let options = node["options"].as_array().cloned().unwrap_or_default();
        let subs: Vec<&Value> = options.iter().filter(|o| matches!(o["type"].as_u64(), Some(1 | 2))).collect();
        if subs.is_empty() {
            found.push((name.to_owned(), path.to_vec(), options));
            return;
        }
        for sub in subs {
            let path = [path, &[sub["name"].as_str().unwrap().to_owned()]].concat();
            walk(name, &path, sub, found);
        }
    }
    let mut found = Vec::new();
    for command in commands.iter().filter(|command| command["type"].as_u64().unwrap_or(1) == 1) {
        walk(command["name"].as_str().unwrap(), &[], command, &mut found);
    }
    found
}

/// A valid value for an option of that type.
fn anything(option: &Value, other: &Other) -> Value {
    if let Some(choice) = option["choices"].as_array().and_then(|all| all.first()) {
        return choice["value"].clone();
    }
    match option["type"].as_u64().unwrap() {
        // Integer options may have bounds like 1.0.
        4 | 10 => json!(format!("{:.0}", option["min_value"].as_f64().unwrap_or(1.0))),
        5 => json!(true),
        6 => json!(other.owner),
        7 => json!(other.channel),
        8 => json!(other.guild),
        11 => json!({ "name": "settings.json", "content": "{}" }),
        _ => json!("1"),
    }
}

fn required(options: &[Value], other: &Other) -> Value {
    let given = options.iter().filter(|option| option["required"] == true);
    json!(given.map(|option| (option["name"].as_str().unwrap().to_owned(), anything(option, other))).collect::<serde_json::Map<_, _>>())
}

/// Every kind of custom id that the bot's buttons and lists have or had.
fn custom_ids() -> Vec<String> {
    let on = On { server: ServerId(1), subject: Subject::Emergency(CallId(1), UnixMs(1)) };
    let mut all: Vec<String> = Verb::ALL.iter().map(|(verb, _)| card(*verb, on)).collect();
    all.extend(SetupStep::ALL.iter().map(|(step, _)| CustomId::Setup(*step, SetupChoice::default()).to_string()));
    let others =
        ["t1:unlink:1", "t1:labels", "t1:link", "t2:audit:-:-:7:0:0", "t2:replace:1", "t2:keep:1", "u1:panic:1", "u1:calm:1", "zz:9", "x"];
    all.extend(others.map(str::to_owned));
    all
}

#[tokio::test]
async fn a_guild_that_is_not_linked_is_told_how_to_link_whatever_it_tries() {
    let bot = TestBot::untied().await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.send_event("EVENT_911", emergency(1, "Secret address")).await;
    bot.message(&channel, |m| title(m).contains("Secret")).await;
    let other = bot.joined_by("Strangers");
    let reply_text = |answer: &str, what: &str| assert!(answer.starts_with(NOT_LINKED) && answer.contains("/cad link"), "{what}: {answer}");

    // The notice about the new server is sent, too.
    bot.settled().await;
    bot.cad.clear_log();
    let (before, counts) = (bot.app().store.routing_now(), bot.app().store.counts().await.unwrap());
    let leaves = leaves(&bot.discord.commands());
    assert!(leaves.len() > 40, "{}", leaves.len());
    let (mut ran, mut typed) = (0, 0);
    for (name, path, options) in &leaves {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let what = format!("/{name} {}", path.join(" "));
        for option in options.iter().filter(|option| option["autocomplete"] == true) {
            let focused = option["name"].as_str().unwrap();
            let pending = bot.discord.autocomplete(&other.channel, None, name, &path, json!({}), focused).unwrap();
            let choices = pending.wait_reply_where(PATIENCE, |v| v.get("choices").is_some()).await.unwrap();
            assert_eq!(choices["choices"], json!([]), "{what} {focused}");
            typed += 1;
        }
        if what != "/cad link" {
            let pending =
                bot.discord.slash(&other.channel, None, name, &path, required(options, &other)).unwrap_or_else(|e| panic!("{what}: {e}"));
            reply_text(&said(&pending).await, &what);
            ran += 1;
        }
    }
    assert!(ran > 40 && typed > 10, "{ran} commands, {typed} lists");
    let message = bot.discord.say(&other.channel, &other.owner, "What is going on?").unwrap();
    let menu = json!({ "do": "menu", "channel_id": other.channel, "name": "Add as CAD note", "target_id": message });
    reply_text(&said(&bot.discord.send(&menu).unwrap()).await, "the menu");

    for custom_id in custom_ids() {
        let rows = json!([{ "type": 1, "components": [{ "type": 2, "style": 2, "label": "x", "custom_id": custom_id }] }]);
        let message = bot.forged(&other.channel, rows).await;
        reply_text(&said(&bot.discord.click(&message, None, &custom_id).unwrap()).await, &custom_id);
        let list = json!({ "type": 3, "custom_id": custom_id, "options": [{ "label": "x", "value": "1:9:1:1" }] });
        let message = bot.forged(&other.channel, json!([{ "type": 1, "components": [list] }])).await;
        reply_text(&said(&bot.discord.select(&message, None, &custom_id, &["1:9:1:1"]).unwrap()).await, &custom_id);
    }
    let list = json!({ "type": 3, "custom_id": PICK, "options": [{ "label": "x", "value": "x" }] });
    let message = bot.forged(&other.channel, json!([{ "type": 1, "components": [list] }])).await;
    reply_text(&said(&bot.discord.select(&message, None, PICK, &["x"]).unwrap()).await, PICK);

    // The CAD wasn't asked, and nothing was written.
    assert_eq!(bot.cad.count(|seen| matches!(seen, Seen::Rest { .. })), 0, "the CAD was asked");
    let after = bot.app().store.routing_now();
    assert_eq!(
        (&after.guilds, &after.routes, &after.boards, &after.access),
        (&before.guilds, &before.routes, &before.boards, &before.access)
    );
    assert_eq!(bot.app().store.counts().await.unwrap(), counts);
    assert_eq!(bot.app().store.audited(guild(&other.guild), AuditFilter::default(), 0).await.unwrap().total, 0);
    assert!(bot.discord.messages(&other.channel).iter().all(|m| !m.to_string().contains("Secret")));
    // The linked guild isn't affected.
    bot.send_event("EVENT_911", emergency(2, "Fire")).await;
    bot.message(&channel, |m| title(m).contains("Fire")).await;
    bot.finish().await;
}

/// Nobody opens a form where nothing is shown. But one that was opened before the guild was unlinked can still be submitted.
#[tokio::test]
async fn a_form_that_was_opened_before_the_guild_was_unlinked_does_nothing_after() {
    let bot = TestBot::untied().await;
    let other = bot.joined_by("Friends");
    bot.link(&other).await;
    let rule = ActionRule { emergency: true, ..ActionRule::default() };
    for id in [guild(&bot.guild), guild(&other.guild)] {
        bot.app().store.ensure_guild(id, &community()).await.unwrap();
        bot.app().store.set_action_rule(id, rule.clone()).await.unwrap();
    }
    let mut forms =
        vec![bot.cad_in(&other, None, "labels", json!({})), bot.discord.slash(&other.channel, None, "911", &[], json!({})).unwrap()];
    forms.push(bot.discord.slash(&other.channel, None, "call", &["new"], json!({})).unwrap());
    let on = On { server: ServerId(1), subject: Subject::Dispatch(CallId(1), UnixMs(1)) };
    for (verb, _) in Verb::ALL {
        let custom_id = card(verb, on);
        let rows = json!([{ "type": 1, "components": [{ "type": 2, "style": 2, "label": "x", "custom_id": custom_id }] }]);
        let message = bot.forged(&other.channel, rows).await;
        forms.push(bot.discord.click(&message, None, &custom_id).unwrap());
    }
    let mut opened = Vec::new();
    for form in forms {
        let shown = form.reply(PATIENCE).await.unwrap();
        if shown.get("custom_id").is_some() {
            opened.push((form, shown));
        }
    }
    assert!(opened.len() >= 5, "{} forms", opened.len());
    assert!(bot.app().store.unlink(guild(&other.guild), bot.clock.now(), Vec::new()).await.unwrap());

    bot.cad.clear_log();
    let before = bot.app().store.routing_now();
    for (form, shown) in opened {
        let inputs = shown["components"].as_array().unwrap().iter().map(|row| row["components"][0]["custom_id"].as_str().unwrap());
        let fields: serde_json::Map<_, _> = inputs.map(|id| (id.to_owned(), json!("1"))).collect();
        let answer = said(&bot.discord.submit(&form, json!(fields)).unwrap()).await;
        assert!(answer.starts_with(NOT_LINKED), "{}: {answer}", shown["custom_id"]);
    }
    assert_eq!(bot.cad.count(|seen| matches!(seen, Seen::Rest { .. })), 0, "the CAD was asked");
    assert_eq!(bot.app().store.routing_now(), before);
    bot.finish().await;
}

#[tokio::test]
async fn a_stranger_who_adds_the_bot_gets_no_alert_and_is_reported_while_the_linked_guild_goes_on() {
    let bot = TestBot::untied().await;
    let notices = bot.notices().await;
    let channel = bot.channel("911", None, Style::Card).await;
    let other = bot.joined_by("Strangers *and* thieves");
    let notice = bot.message(&notices, |m| title(m).contains("Another Discord server")).await;
    let text = notice["embeds"][0]["description"].as_str().unwrap();
    assert!(text.contains("Strangers \\*and\\* thieves") && text.contains(&other.guild) && text.contains("Public Bot"), "{text}");
    // As if they had created one before links existed.
    bot.route_in(&other, "all").await;
    bot.send_event("EVENT_911", emergency(7, "Shots fired")).await;
    bot.message(&channel, |m| title(m).contains("Shots fired")).await;
    bot.settled().await;
    assert_eq!((bot.titles(&other.channel), bot.sent("POST", &other.channel).len()), (Vec::<String>::new(), 0));

    let status = bot.discord.slash(&channel, None, "cad", &["status"], json!({})).unwrap();
    let status = said(&status).await;
    assert!(status.contains("**Discord servers** · 1 linked") && status.contains("This server, since <t:"), "{status}");
    assert!(status.contains("1 other server has the bot and isn't linked") && !status.contains("thieves"), "{status}");
    assert_eq!((bot.standing(&bot.guild), bot.standing(&other.guild)), (Standing::Served, Standing::NotLinked));
    bot.finish().await;
}
