//! `/cad labels`: the form, its effects, and its errors.

use tenfour::render::Labels;

use super::*;

/// Opens the form; returns it and the interaction to answer.
async fn open(bot: &Bot) -> (Pending, Value) {
    let pending = bot.run("cad", "labels", json!({}));
    assert_eq!(pending.acknowledged(SOON).await.unwrap(), 9);
    let form = pending.reply(SOON).await.unwrap();
    (pending, form)
}

async fn send(bot: &Bot, opened: &Pending, fields: Value) -> Value {
    let pending = bot.sim.submit(opened, fields).unwrap();
    assert_eq!(pending.acknowledged(SOON).await.unwrap(), 5);
    pending.reply(SOON).await.unwrap()
}

/// What an input holds when the form opens.
fn preset(form: &Value, input: &str) -> String {
    let rows = form["components"].as_array().unwrap();
    let found = rows.iter().map(|row| &row["components"][0]).find(|one| one["custom_id"] == input).unwrap();
    found["value"].as_str().unwrap_or_default().to_owned()
}

fn own(bot: &Bot) -> Labels {
    let routing = bot.store.routing_now();
    routing.guilds.get(&GuildId(bot.guild.parse().unwrap())).map(|guild| (*guild.labels).clone()).unwrap_or_default()
}

#[tokio::test]
async fn the_form_shows_the_words_and_takes_new_ones() {
    let bot = start().await;
    let (opened, form) = open(&bot).await;
    assert_eq!(form["custom_id"], "t1:labels");
    assert_eq!((preset(&form, "emergency"), preset(&form, "priorities")), ("911".to_owned(), "1 = P1\n2 = P2\n3 = P3".to_owned()));
    assert!(preset(&form, "statuses").contains("2 🟢 Available\n3 🔵 En route"), "{form}");

    let fields = json!({"emergency": "112", "civil": "", "priorities": "1: Code 3\n2: Code 2", "statuses": "2 ✅ 10-8\n7 Lunch @everyone"});
    let reply = send(&bot, &opened, fields).await;
    assert_eq!(reply["flags"].as_u64().unwrap() & 64, 64, "not private");
    assert_eq!(reply["pinged"], json!([]));
    let text = words(&reply).replace('\u{200B}', "");
    assert!(text.starts_with("✅ Your words are set\nEmergency calls: 112\nNon-emergency calls: 311\n"), "{text}");
    assert!(text.contains("Priorities: 1 = Code 3 · 2 = Code 2\nStatuses: 2 ✅ 10-8 · 7 ▫️ Lunch @everyone\n"), "{text}");
    assert!(text.contains("Open cards and boards change with them."), "{text}");
    let words_now = own(&bot);
    assert_eq!((words_now.emergency.as_str(), words_now.civil.as_str()), ("112", "311"));
    assert_eq!(words_now.statuses[&7], (String::new(), "Lunch @everyone".to_owned()));

    // The next form starts with them; submitting it unchanged changes nothing.
    let (opened, form) = open(&bot).await;
    assert_eq!((preset(&form, "emergency"), preset(&form, "statuses")), ("112".to_owned(), "2 ✅ 10-8\n7 Lunch @everyone".to_owned()));
    send(&bot, &opened, json!({})).await;
    assert_eq!(own(&bot), words_now);

    let reset = bot.cad("labels", json!({"reset": true})).await;
    assert!(reset.starts_with("✅ The default words are set\nEmergency calls: 911\n"), "{reset}");
    assert_eq!(own(&bot), Labels::default());
}

#[tokio::test]
async fn a_line_that_cannot_be_used_is_named_and_nothing_is_lost() {
    let bot = start().await;
    let (opened, _) = open(&bot).await;
    let reply = send(&bot, &opened, json!({"emergency": "999", "statuses": "2 🟢 Available\nOn ```scene```"})).await;
    let text = words(&reply);
    assert!(
        text.starts_with(
            "Nothing was changed\nLine 2 of the statuses (`On '''scene'''`) does not begin with a number: write it like `2 🟢 Available`."
        ),
        "{text}"
    );
    assert!(text.contains("```\n999\n311\n1 = P1") && text.ends_with("2 🟢 Available\nOn '''scene'''\n```"), "{text}");
    assert_eq!(own(&bot), Labels::default());
}

#[tokio::test]
async fn a_form_survives_a_restart_of_the_bot() {
    let mut bot = start().await;
    let (opened, _) = open(&bot).await;
    bot.stop().await;
    let (tasks, readiness) = (Tasks::default(), Readiness::new([ReadyPart::Discord]));
    let again = tokio::spawn(framework::run(bot.data.clone(), Some(GuildId(bot.guild.parse().unwrap())), tasks.clone(), readiness.clone()));
    tokio::time::timeout(SOON, readiness.until_ready()).await.unwrap();
    let text = words(&send(&bot, &opened, json!({"emergency": "110"})).await);
    assert!(text.contains("Emergency calls: 110"), "{text}");
    tasks.drain();
    tokio::time::timeout(SOON, again).await.unwrap().unwrap().unwrap();
}

/// Submits the form that an interaction opened, as somebody.
async fn send_as(bot: &Bot, opened: &Pending, user: &str, word: &str) -> String {
    let action = json!({"do": "modal", "interaction_id": opened.id(), "fields": {"emergency": word}, "user_id": user});
    words(&bot.sim.send(&action).unwrap().reply(SOON).await.unwrap())
}

#[tokio::test]
async fn a_form_that_was_never_shown_to_them_needs_manage_server() {
    let bot = start().await;
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    let (opened, _) = open(&bot).await;
    let text = send_as(&bot, &opened, &visitor, "1").await;
    assert!(text.starts_with(&format!("Nothing was changed\n{NOT_YOURS}")), "{text}");
    assert!(text.contains("This is what you typed:\n```\n1\n311\n"), "{text}");
    assert_eq!(own(&bot), Labels::default());
}

#[tokio::test]
async fn whoever_may_open_the_form_may_send_it_for_an_hour() {
    let clock = Clock::manual(tenfour::clock::UnixMs(1_790_000_000_000));
    let bot = start_with(Plan { clock: clock.clone(), ..Plan::default() }).await;
    bot.allow_all("cad").await;
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    let opened = bot.run_as(&visitor, "cad", "labels", json!({}));
    opened.reply(SOON).await.unwrap();
    clock.advance(3_599_999);
    let text = send_as(&bot, &opened, &visitor, "112").await;
    assert!(text.contains("Emergency calls: 112"), "{text}");
    clock.advance(1);
    let text = send_as(&bot, &opened, &visitor, "110").await;
    assert!(text.contains(NOT_YOURS), "{text}");
    assert_eq!(own(&bot).emergency, "112");
}
