//! The whole bot on a database of an earlier release, and on Discord as that release left it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tenfour::clock::Clock;
use tenfour_sim::discord::{DiscordOptions, DiscordSim, RateLimits};

use super::*;
use crate::test_bot::{PATIENCE, Setup, TestBot, title, until};

/// First millisecond of 2015, from which snowflakes count.
const DISCORD_EPOCH_MS: i64 = 1_420_070_400_000;
const SEND: u64 = 1 << 11;

fn id(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn all(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn go_to(clock: &Clock, at: i64) {
    clock.advance((at - clock.now().0).max(0));
}

/// The moment in which Discord issued an id.
fn moment(id: u64) -> i64 {
    i64::try_from(id >> 22).unwrap() + DISCORD_EPOCH_MS
}

/// A simulated Discord that gets the very ids of another one, created in their order: an id is its moment and a number within it.
struct Builder {
    bot: TestBot,
    last: u64,
}

impl Builder {
    async fn start(old: &Old) -> Self {
        let stood = old.discord();
        let clock = Clock::manual(UnixMs(moment(id(&stood["bot"]))));
        let time = clock.clone();
        let options = DiscordOptions { rate_limits: RateLimits::Off, now: Arc::new(move || time.now().0), ..DiscordOptions::default() };
        let discord = DiscordSim::start(options).await.unwrap();
        assert_eq!(discord.bot_id(), stood["bot"]);
        go_to(&clock, moment(id(&stood["guild"])));
        let mut bot = TestBot::prepare_with(Setup { clock: Some(clock), ..Setup::default() }, discord).await;
        // Only the upgrade links the guild.
        bot.set("DISCORD_GUILD_ID", String::new());
        // Time jumps here.
        bot.set("SONORAN_SILENCE_MINUTES", "0".to_owned());
        assert_eq!(bot.guild, stood["guild"]);
        // Its owner and the bot's role have the next two.
        let last = id(&stood["guild"]) + 2;
        Self { bot, last }
    }

    /// Makes this id the next one.
    fn next_is(&mut self, wanted: u64) {
        go_to(&self.bot.clock, moment(wanted));
        for next in (self.last + 1).max(wanted >> 22 << 22)..wanted {
            let role = self.bot.discord.add_role(&self.bot.guild, "-", 0);
            assert_eq!(role, next.to_string());
            self.bot.discord.delete_role(&self.bot.guild, &role);
        }
        self.last = wanted;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}/api/v10{path}", self.bot.discord.url()));
        let token = DiscordOptions::default().token;
        let answer = request.header("Authorization", format!("Bot {token}")).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn role(&mut self, role: &Value) {
        self.next_is(id(&role["id"]));
        let made = self.bot.discord.add_role(&self.bot.guild, role["name"].as_str().unwrap(), 0);
        self.bot.discord.set_mentionable(&self.bot.guild, &made, true);
        assert_eq!(made, role["id"]);
    }

    fn channel(&mut self, channel: &Value) {
        self.next_is(id(&channel["id"]));
        let kind = u8::try_from(channel["type"].as_u64().unwrap()).unwrap();
        let made = self.bot.discord.add_channel(&self.bot.guild, channel["name"].as_str().unwrap(), kind);
        assert_eq!(made, channel["id"]);
    }

    async fn message(&mut self, message: &Value, thread: Option<&Value>) {
        self.next_is(id(&message["id"]));
        let mut body = json!({ "content": message["content"], "embeds": message["embeds"], "nonce": message["nonce"], "allowed_mentions": { "parse": [] } });
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let channel = message["channel"].as_str().unwrap();
        let made = match thread {
            Some(post) if post["id"] == message["channel"] => {
                let forum = post["parent"].as_str().unwrap();
                self.post(&format!("/channels/{forum}/threads"), &json!({ "name": post["name"], "message": body })).await
            }
            _ => self.post(&format!("/channels/{channel}/messages"), &body).await,
        };
        assert_eq!(made["id"], message["id"]);
        if let Some(thread) = thread.filter(|thread| thread["id"] != message["channel"]) {
            let path = format!("/channels/{channel}/messages/{}/threads", message["id"].as_str().unwrap());
            assert_eq!(self.post(&path, &json!({ "name": thread["name"] })).await["id"], thread["id"]);
        }
    }
}

/// Discord as the old release left it, and that release's database. The new one is not yet running.
async fn left_by(old: &Old) -> TestBot {
    let stood = old.discord();
    let mut builder = Builder::start(old).await;
    let threads = all(&stood["threads"]);
    let mut things: Vec<(&str, &Value)> = Vec::new();
    for what in ["roles", "channels", "messages"] {
        things.extend(all(&stood[what]).iter().map(|thing| (what, thing)));
    }
    things.sort_by_key(|(_, thing)| id(&thing["id"]));
    for (what, thing) in things {
        match what {
            "roles" => builder.role(thing).await,
            "channels" => builder.channel(thing),
            _ => builder.message(thing, threads.iter().find(|thread| thread["id"] == thing["id"])).await,
        }
    }
    let bot = builder.bot;
    for thread in threads.iter().filter(|thread| thread["archived"] == true) {
        bot.discord.moderate_thread(thread["id"].as_str().unwrap(), true, false);
    }
    std::fs::create_dir_all(&bot.folder).unwrap();
    old.write(&bot.folder.join("tenfour.db"));
    go_to(&bot.clock, old.now().0);
    bot
}

/// Starts the new release two minutes after the old one ended. From then on time passes.
async fn boot(bot: &mut TestBot) {
    bot.clock.advance(120_000);
    let clock = bot.clock.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            clock.advance(20);
        }
    });
    bot.boot().await;
    // A channel that was refused is retried.
    bot.clock.advance(20 * 60_000);
}

/// Messages of all channels and threads, with the name of their channel.
fn messages(bot: &TestBot) -> Vec<(String, Value)> {
    let snapshot = bot.discord.snapshot();
    let mut found = Vec::new();
    for channel in all(&snapshot["channels"]) {
        let archived = if channel["archived"] == true { " (archived)" } else { "" };
        let name = format!("#{}{archived}", channel["name"].as_str().unwrap());
        let here = bot.discord.messages(channel["id"].as_str().unwrap());
        found.extend(here.into_iter().map(|message| (name.clone(), message)));
    }
    found
}

/// Without what depends on how long the test took.
fn timeless(text: &str) -> String {
    let text = text.split_once(" after ").map_or(text, |(text, _)| text).replace('\n', " / ");
    let (mut parts, mut said) = (text.split("<t:"), String::new());
    said.push_str(parts.next().unwrap_or_default());
    for part in parts {
        said.push_str(part.split_once(":t>").map_or(part, |(_, rest)| rest).trim_start());
    }
    said
}

/// The messages on Discord: `=` as the old release left it, `~` edited since, `+` new. Without boards, which have their own schedule.
fn shown(bot: &TestBot, old: &Old) -> String {
    let stood = old.discord();
    let known: BTreeSet<u64> = all(&stood["messages"]).iter().map(|message| id(&message["id"])).collect();
    let (mut lines, mut here) = (Vec::new(), String::new());
    for (place, message) in messages(bot).into_iter().filter(|(place, _)| place != "#board") {
        if place != here {
            lines.push(place.clone());
            here = place;
        }
        let mark = match known.contains(&id(&message["id"])) {
            false => '+',
            true if message["edited_timestamp"].is_null() => '=',
            true => '~',
        };
        let titles: Vec<&str> = all(&message["embeds"]).iter().filter_map(|embed| embed["title"].as_str()).collect();
        let text = if titles.is_empty() { title(&message) } else { titles.join(" / ") };
        let pinged = message["pinged"].as_array().filter(|pinged| !pinged.is_empty()).map(|pinged| format!(" pinging {pinged:?}"));
        lines.push(format!("  {mark} {}{}", timeless(&text), pinged.unwrap_or_default()));
    }
    lines.join("\n")
}

/// No message of the old release is gone, and no card is twice in one channel or forum.
fn nothing_twice(bot: &TestBot, old: &Old) {
    let stood = old.discord();
    let channels: BTreeSet<u64> = all(&stood["channels"]).iter().map(|channel| id(&channel["id"])).collect();
    let (mut ids, mut cards) = (BTreeSet::new(), BTreeSet::new());
    for (place, message) in messages(bot).into_iter().filter(|(place, _)| place != "#board" && place != "#notices") {
        ids.insert(id(&message["id"]));
        // Notes in a thread are not cards; the first message of a forum's post has the post's id.
        let first = message["id"] == message["channel_id"];
        if !first && !channels.contains(&id(&message["channel_id"])) {
            continue;
        }
        let here = if first { "a forum".to_owned() } else { place.clone() };
        for embed in all(&message["embeds"]) {
            let Some(footer) = embed["footer"]["text"].as_str() else { continue };
            assert!(cards.insert((here.clone(), footer.to_owned())), "{}: {footer} twice in {place}", old.version);
        }
    }
    let apart = [old.channel("notices"), if old.version < "0.2" { String::new() } else { old.channel("board") }];
    for message in all(&stood["messages"]).iter().filter(|message| !apart.iter().any(|channel| message["channel"] == *channel)) {
        assert!(ids.contains(&id(&message["id"])), "{}: gone: {message}", old.version);
    }
}

/// How many cards wait for a channel.
fn open_cards(old: &Old, channel: &str) -> i64 {
    let folder = Folder::new();
    old.write(&folder.file());
    let database = Connection::open(folder.file()).unwrap();
    lines(&database, &format!("SELECT id FROM post WHERE delivered < version AND channel = {channel}")).len().try_into().unwrap()
}

/// The number in a subject such as `911:301@1795291501770` or `call:501@…`.
fn number(subject: &str) -> i64 {
    subject.split([':', '@']).nth(1).unwrap().parse().unwrap()
}

/// Numbers of what was open when the old release ended.
fn open(old: &Old, kind: &str) -> Vec<i64> {
    let folder = Folder::new();
    old.write(&folder.file());
    let database = Connection::open(folder.file()).unwrap();
    let query =
        format!("SELECT DISTINCT subject FROM post WHERE over = 0 AND subject LIKE '{kind}:%' AND subject NOT LIKE '%#%' ORDER BY subject");
    let mut numbers: Vec<i64> = lines(&database, &query).iter().map(|subject| number(subject)).collect();
    numbers.dedup();
    numbers
}

/// The new release on an old one's data: sends what waited, and ends what was open.
async fn goes_on(version: &str) {
    let old = Old::of(version);
    let mut bot = left_by(old).await;
    boot(&mut bot).await;
    if version > "0.4" {
        // Nobody answered the last 911 within two minutes. The one before was escalated by the old release.
        let escalated = || bot.titles(&old.channel("dispatch")).iter().filter(|title| title.contains("Nobody has taken this yet")).count();
        until("the escalation", async || escalated() == 2).await;
    }
    bot.settled().await;
    nothing_twice(&bot, old);
    insta::assert_snapshot!(format!("after_the_upgrade_from_{version}"), shown(&bot, old));

    let card = |bot: &TestBot, channel: &str| {
        let card =
            bot.discord.messages(&old.channel(channel)).into_iter().find(|message| message["embeds"].to_string().contains("Armed robbery"));
        card.unwrap_or_else(|| panic!("{version}: no card in #{channel}"))
    };
    let cards = ["dispatch", "edits", "closed", "down"];
    let before = cards.map(|channel| card(&bot, channel)["id"].clone());
    let (emergencies, calls, panics) = (open(old, "911"), open(old, "call"), open(old, "panic"));
    assert!(emergencies.len() > 1 && !calls.is_empty() && panics == [4103], "{emergencies:?} {calls:?} {panics:?}");
    bot.send_event("EVENT_REMOVE_911", json!({ "callIds": emergencies })).await;
    bot.send_event("EVENT_DISPATCH_CLOSED", json!({ "callIds": calls })).await;
    bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": panics, "isPanic": false })).await;
    bot.send_event("EVENT_UNIT_LOGOUT", json!({ "identId": 4101 })).await;
    // Messages older than an hour are edited once a minute.
    bot.clock.advance(90_000);
    bot.settled().await;
    for (channel, before) in cards.into_iter().zip(before) {
        until(&format!("{version}: the end of the call in #{channel}"), async || title(&card(&bot, channel)).contains("Closed")).await;
        assert_eq!(card(&bot, channel)["id"], before, "{version}: #{channel}");
    }
    nothing_twice(&bot, old);
    insta::assert_snapshot!(format!("after_all_is_over_from_{version}"), shown(&bot, old));
    bot.end().await;
}

#[tokio::test]
async fn the_bot_goes_on_with_what_0_1_left() {
    goes_on("0.1.0").await;
}

#[tokio::test]
async fn the_bot_goes_on_with_what_0_2_left() {
    goes_on("0.2.0").await;
}

#[tokio::test]
async fn the_bot_goes_on_with_what_0_3_left() {
    goes_on("0.3.0").await;
}

#[tokio::test]
async fn the_bot_goes_on_with_what_0_4_left() {
    goes_on("0.4.1").await;
}

#[tokio::test]
async fn the_bot_goes_on_with_what_0_6_left() {
    goes_on("0.6.0").await;
}

#[tokio::test]
async fn a_channel_that_is_still_refused_after_the_upgrade_is_not_reported_again() {
    for old in &RELEASES {
        let mut bot = left_by(old).await;
        let (closed, notices) = (old.channel("closed"), old.channel("notices"));
        bot.discord.deny(&closed, SEND);
        let reported = bot.titles(&notices);
        boot(&mut bot).await;
        let refused = |request: &Value| request["status"] == 403 && request["path"].as_str().unwrap().contains(&closed);
        bot.discord.wait_request(PATIENCE, refused).await.unwrap();
        // The cards of that channel wait, and nothing else.
        let store = bot.app().store.clone();
        let cards = open_cards(old, &closed);
        until("the rest", async || store.counts().await.unwrap().waiting as i64 == cards).await;
        bot.send_event("GET_LOGS", json!({})).await;
        assert_eq!(bot.titles(&notices), reported, "{}", old.version);
        bot.end().await;
    }
}
