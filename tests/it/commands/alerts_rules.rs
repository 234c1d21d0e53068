//! `/alerts edit|filter|ping|thread|mute|unmute|quiet`, and forums as targets.

use tenfour::event::{RawEvent, Source, envelope};
use tenfour::render::Style;
use tenfour::route::{Criterion, Route, Threads, When};

use super::*;
use tenfour::ids::RouteId;

const THREADS: u64 = 1 << 35;
const IN_THREADS: u64 = 1 << 38;

impl Bot {
    /// Adds a route in `#alerts`. Its number.
    async fn added(&self, event: &str) -> i64 {
        let told = self.alerts("add", json!({"event": event, "channel": self.channel})).await;
        assert!(told.contains("added"), "{told}");
        self.routes().last().unwrap().id.0
    }

    fn route(&self, id: i64) -> Route {
        self.routes().into_iter().find(|route| route.id == RouteId(id)).unwrap()
    }

    /// The choices shown while typing a text.
    async fn typing_text(&self, path: &str, options: Value, focused: &str) -> Vec<String> {
        let pending = self.sim.autocomplete(&self.lobby, None, "alerts", &[path], options, focused).unwrap();
        let reply = pending.wait_reply_where(SOON, |v| v.get("choices").is_some()).await.unwrap();
        let one = |choice: &Value| {
            assert_eq!(choice["name"], choice["value"]);
            choice["value"].as_str().unwrap().to_owned()
        };
        reply["choices"].as_array().unwrap().iter().map(one).collect()
    }

    fn posts_into(&self, channel: &str) -> usize {
        let into = |request: &&Value| {
            request["method"] == json!("POST")
                && request["path"].as_str().is_some_and(|path| path.contains(&format!("/channels/{channel}/")))
        };
        self.sim.requests().iter().filter(into).count()
    }
}

#[tokio::test]
async fn each_of_them_answers_privately_names_its_route_and_knows_only_this_guilds() {
    let bot = start().await;
    let id = bot.added("911").await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let options = |route: i64| {
        [
            ("edit", json!({"route": route, "style": "compact"})),
            ("filter", json!({"route": route, "priority": "1"})),
            ("filter", json!({ "route": route })),
            ("ping", json!({"route": route, "role": role})),
            ("thread", json!({"route": route, "mode": "always"})),
            ("mute", json!({"route": route, "for": "1h"})),
            ("unmute", json!({ "route": route })),
        ]
    };
    for (path, options) in options(99) {
        assert_eq!(bot.alerts(path, options).await, "This server has no route #99: `/alerts list` shows them.", "{path}");
    }
    for (path, options) in options(id) {
        let reply = bot.run("alerts", path, options).reply(SOON).await.unwrap();
        assert!(words(&reply).contains(&format!("#{id}")), "{path}: {reply}");
        assert_eq!(reply["flags"].as_u64().unwrap() & 64, 64, "{path} is not private");
        assert_eq!(reply["pinged"], json!([]), "{path}");
    }
    // The route can be found by its properties.
    let shown = [(format!("#{id} 911 → #alerts · @Dispatch"), id)];
    for path in ["edit", "filter", "ping", "thread", "mute", "unmute"] {
        assert_eq!(bot.typing(path, json!({"route": "911"}), "route").await, shown, "{path}");
    }
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    assert!(bot.sim.slash(&bot.lobby, Some(&visitor), "alerts", &["mute"], json!({"route": id, "for": "1h"})).is_err());
}

#[tokio::test]
async fn a_filter_is_set_by_parts_cleared_by_any_and_said_in_one_sentence() {
    let bot = start().await;
    let id = bot.added("dispatch").await;
    let name = format!("🔎 Route #{id} (dispatch → <#{}>): ", bot.channel);
    let shown = bot.alerts("filter", json!({ "route": id })).await;
    assert_eq!(shown, format!("{name}Lets everything through."));
    let answer = bot.alerts("filter", json!({"route": id, "priority": "1, 2", "exclude": "drill"})).await;
    let nothing_yet = "No event that this route listens to has come yet, so it could not be tried.";
    assert_eq!(answer, format!("{name}Lets through dispatches of priority 1 or 2, but nothing that mentions “drill”. {nothing_yet}"));
    // Options that aren't named stay.
    let answer = bot.alerts("filter", json!({"route": id, "postal": "90*"})).await;
    assert!(answer.contains("priority 1 or 2") && answer.contains("at postal 90\\*") && answer.contains("drill"), "{answer}");
    let answer = bot.alerts("filter", json!({"route": id, "exclude": "any", "postal": "any"})).await;
    assert_eq!(answer, format!("{name}Lets through dispatches of priority 1 or 2. {nothing_yet}"));
    assert!(bot.alerts("list", json!({})).await.contains("\n   ↳ Lets through dispatches of priority 1 or 2."));

    // One unusable value discards the others too, and nothing is stored.
    let before = bot.route(id);
    for nonsense in [
        json!({"priority": "high"}),
        json!({"priority": "1, high"}),
        json!({"postal": "abc-xyz"}),
        json!({"postal": "9001, abc"}),
        json!({"include": "drill"}),
    ] {
        let mut options = nonsense.clone();
        options["route"] = json!(id);
        bot.alerts("filter", json!({"route": id, "exclude": "drill"})).await;
        let answer = bot.alerts("filter", options).await;
        assert!(answer.contains("e.g. `"), "{nonsense}: {answer}");
        bot.alerts("filter", json!({"route": id, "exclude": "any"})).await;
        assert_eq!(bot.route(id), before, "{nonsense}");
    }
    let answer = bot.alerts("filter", json!({"route": id, "priority": "high"})).await;
    assert!(answer.starts_with("“high” isn't a priority here. Choose from 1 (P1), 2 (P2) or 3 (P3)"), "{answer}");
    let answer = bot.alerts("filter", json!({"route": id, "priority": "any", "service": "navy"})).await;
    assert_eq!(answer, "“navy” isn't a service. Choose from police, fire, ems and dispatch, e.g. `fire, ems`.");
    assert_eq!(bot.route(id), before);
    // What people type cannot ping or format.
    let told = bot.alerts("filter", json!({"route": id, "include": "@everyone, **bold**"})).await;
    assert!(!told.contains("@everyone") && !told.contains("**bold**"), "{told}");
    let told = bot.alerts("filter", json!({"route": id, "off": true, "priority": "1"})).await;
    assert!(told.contains("leave") && !bot.route(id).spec.rule.filter.is_empty(), "{told}");
    assert_eq!(bot.alerts("filter", json!({"route": id, "off": true})).await, format!("{name}Lets everything through."));
    assert!(bot.route(id).spec.rule.filter.is_empty());
}

#[tokio::test]
async fn filters_take_the_communitys_own_priorities_and_complete_them() {
    let bot = start().await;
    let id = bot.added("dispatch").await;
    let opened = bot.run("cad", "labels", json!({}));
    opened.reply(SOON).await.unwrap();
    bot.sim.submit(&opened, json!({"priorities": "1 = Hot\n2 = Warm\n5 = Cold"})).unwrap().reply(SOON).await.unwrap();
    let answer = bot.alerts("filter", json!({"route": id, "priority": "hot, 5"})).await;
    assert!(answer.contains("of priority 1 or 5"), "{answer}");
    let answer = bot.alerts("filter", json!({"route": id, "priority": "Code 3"})).await;
    assert!(answer.starts_with("“Code 3” isn't a priority here. Choose from 1 (Hot), 2 (Warm), 3 or 5 (Cold)"), "{answer}");
    let dispatch = json!({ "dispatch": { "callId": 1, "status": 1, "priority": "Code 3", "title": "Fire", "idents": [] } });
    let (envelope, _) = envelope::open(json!({ "type": "EVENT_DISPATCH_NEW", "data": dispatch }).to_string().as_bytes()).unwrap();
    let received_at = bot.data.clock.now();
    let event = RawEvent { server: ServerId(1), source: Source::Http, received_at, envelope: envelope.into() };
    bot.intake.commit(event).await.unwrap();
    let answer = bot.alerts("filter", json!({"route": id, "priority": "code 3"})).await;
    assert!(answer.contains("of priority “Code 3”"), "{answer}");
    let offered = async |options: Value, focused: &str| {
        let pending = bot.sim.autocomplete(&bot.lobby, None, "alerts", &["filter"], options, focused).unwrap();
        let reply = pending.wait_reply_where(SOON, |v| v.get("choices").is_some()).await.unwrap();
        let one = |choice: &Value| choice["value"].as_str().unwrap().to_owned();
        reply["choices"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(offered(json!({"route": id, "priority": ""}), "priority").await, ["1", "2", "3", "5", "Code 3"]);
    assert_eq!(offered(json!({"route": id, "priority": "1, co"}), "priority").await, ["1, 5", "1, Code 3"]);
    assert_eq!(offered(json!({"route": id, "service": "fire, em"}), "service").await, ["fire, ems"]);
    assert_eq!(offered(json!({"route": id, "department": "LSPD"}), "department").await, ["LSPD"]);
}

#[tokio::test]
async fn a_filter_is_tried_on_the_last_events_of_its_kind() {
    let bot = start().await;
    let id = bot.added("dispatch").await;
    let send_event = async |kind: &str, data: Value| {
        let (envelope, _) = envelope::open(json!({ "type": kind, "data": data }).to_string().as_bytes()).unwrap();
        let (server, source) = (ServerId(1), Source::Http);
        let event = RawEvent { server, source, received_at: bot.data.clock.now(), envelope: envelope.into() };
        bot.intake.commit(event).await.unwrap();
    };
    for call in 1..=60 {
        let priority = if call % 2 == 0 { 1 } else { 3 };
        send_event(
            "EVENT_DISPATCH_NEW",
            json!({ "dispatch": { "callId": call, "status": 1, "priority": priority, "title": "Fire", "idents": [] } }),
        )
        .await;
        // Of another kind: it isn't counted.
        send_event("EVENT_911", json!({ "call": { "callId": call, "isEmergency": true, "description": "Fire" } })).await;
    }
    let answer = bot.alerts("filter", json!({"route": id, "priority": "1"})).await;
    assert!(answer.ends_with("It would have let through 25 of the last 50 events."), "{answer}");
    let answer = bot.alerts("filter", json!({"route": id, "exclude": "FIRE"})).await;
    assert!(answer.ends_with("It would have let through 0 of the last 50 events."), "{answer}");
}

#[tokio::test]
async fn a_filter_that_cannot_be_tried_now_holds_all_the_same() {
    let bot = start_with(Plan { deaf: true, ..Plan::default() }).await;
    let id = bot.added("dispatch").await;
    let told = bot.alerts("filter", json!({"route": id, "priority": "1"})).await;
    assert!(told.ends_with("priority 1. It's active now. The bot is too busy to try it on past events."), "{told}");
    assert_eq!(bot.route(id).spec.rule.filter.count(Criterion::Priority), 1);
}

#[tokio::test]
async fn two_admins_who_change_one_route_at_once_do_not_undo_each_other() {
    let bot = start().await;
    let id = bot.added("dispatch").await;
    let other = bot.sim.add_member(&bot.guild, "Second", MANAGE_GUILD, &[]);
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let refresh = [
        ("filter", json!({"route": id, "priority": "1"})),
        ("filter", json!({"route": id, "exclude": "drill"})),
        ("thread", json!({"route": id, "mode": "on-first-note"})),
        ("mute", json!({"route": id, "for": "2h"})),
        ("ping", json!({"route": id, "role": role, "when": "no-dispatcher", "cooldown": 60})),
        ("edit", json!({"route": id, "style": "compact"})),
    ];
    let pending: Vec<Pending> = refresh
        .into_iter()
        .enumerate()
        .map(|(nth, (path, options))| {
            let person = (nth % 2 == 1).then_some(other.as_str());
            bot.sim.slash(&bot.lobby, person, "alerts", &[path], options).unwrap()
        })
        .collect();
    for pending in &pending {
        let answer = words(&pending.reply(SOON).await.unwrap());
        assert!(answer.contains(&format!("oute #{id}")), "{answer}");
    }
    let route = bot.route(id);
    assert_eq!((route.spec.rule.filter.count(Criterion::Priority), route.spec.rule.filter.count(Criterion::Exclude)), (1, 1));
    assert_eq!((route.spec.rule.threads, route.spec.rule.mute.is_some()), (Threads::OnFirstNote, true));
    assert_eq!((route.spec.rule.when, route.spec.rule.cooldown_s, route.spec.role.is_some()), (Some(When::NoDispatcher), Some(60), true));
    assert_eq!(route.spec.style, Style::Compact);
}

#[tokio::test]
async fn ping_says_when_and_what_it_does_not_name_stays() {
    // Everything needed, except to mention everyone.
    let bot = start_with(Plan { bot_permissions: Some(VIEW | SEND | FILES | 1 << 14 | 1 << 16), ..Plan::default() }).await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let id = bot.added("dispatch").await;
    let name = format!("Route #{id} (dispatch → <#{}>)", bot.channel);
    let answer = bot.alerts("ping", json!({"route": id, "role": role, "when": "always", "cooldown": 90})).await;
    let (first, hint) = answer.split_once('\n').unwrap();
    assert_eq!(first, format!("🔔 {name} pings <@&{role}> for everything new, at most once in 90 s."));
    assert!(hint.starts_with("💡 Discord will not ping"), "{hint}");
    let never = bot.alerts("ping", json!({"route": id, "role": role, "when": "never"})).await;
    assert_eq!(never, format!("🔕 {name} never pings <@&{role}>: that is how it is set now."));
    bot.sim.set_mentionable(&bot.guild, &role, true);
    let set = || {
        let route = bot.route(id);
        (route.spec.role.map(|role| role.0.to_string()), route.spec.rule.when, route.spec.rule.cooldown_s)
    };
    // Viewing changes nothing, and one option doesn't change another.
    assert_eq!(bot.alerts("ping", json!({ "route": id })).await, never);
    assert_eq!(set(), (Some(role.clone()), Some(When::Never), Some(90)));
    bot.alerts("ping", json!({"route": id, "role": role})).await;
    assert_eq!(set(), (Some(role.clone()), Some(When::Never), Some(90)));
    let answer = bot.alerts("ping", json!({"route": id, "reset": true})).await;
    assert_eq!(answer, format!("🔔 {name} pings <@&{role}> for dispatches that are new with priority 1 or rise to it."));
    assert_eq!(set(), (Some(role.clone()), None, None));
    for contradiction in [json!({"route": id, "off": true, "role": role}), json!({"route": id, "reset": true, "cooldown": 5})] {
        assert!(bot.alerts("ping", contradiction).await.contains("leave"));
    }
    bot.alerts("ping", json!({"route": id, "cooldown": 5})).await;
    let answer = bot.alerts("ping", json!({"route": id, "off": true})).await;
    assert!(answer.starts_with(&format!("🔕 {name} pings nobody.")), "{answer}");
    assert_eq!(set(), (None, None, Some(5)));
    bot.alerts("ping", json!({"route": id, "role": role})).await;
    assert_eq!(set(), (Some(role.clone()), None, Some(5)));
    let route = bot.route(id);

    let answer = bot.alerts("ping", json!({"route": id, "role": bot.guild, "when": "always"})).await;
    assert_eq!(answer, "The role @everyone is never pinged by this bot: choose a role of your own, or leave it out.");
    assert_eq!(bot.route(id), route);
    for cooldown in [-1, 3_601] {
        let options = json!({"route": id, "role": role, "cooldown": cooldown});
        assert!(bot.sim.slash(&bot.lobby, None, "alerts", &["ping"], options).is_err(), "{cooldown}");
    }
}

#[tokio::test]
async fn threads_are_for_routes_with_cards_in_channels_where_the_bot_may_open_them() {
    let bot = start().await;
    let id = bot.added("911").await;
    bot.sim.deny(&bot.channel, THREADS | IN_THREADS);
    let answer = bot.alerts("thread", json!({"route": id, "mode": "always"})).await;
    assert_eq!(
        answer,
        format!(
            "The bot is missing Create Public Threads and Send Messages in Threads in <#{}>: open Edit Channel > Permissions there, add the bot's role and allow them, then try again.",
            bot.channel
        )
    );
    assert_eq!(bot.route(id).spec.rule.threads, Threads::Off);
    bot.sim.allow(&bot.channel, THREADS | IN_THREADS);
    let told = bot.alerts("thread", json!({"route": id, "mode": "on-first-note"})).await;
    assert!(told.ends_with("opens a thread on a call's card with the first note; all its notes are written there."), "{told}");
    assert_eq!(bot.route(id).spec.threads(), Threads::OnFirstNote);
    assert!(bot.alerts("list", json!({})).await.contains("911 · card · threads with the first note"));
    // The permissions it needs now are checked too.
    bot.sim.deny(&bot.channel, THREADS);
    let answer = bot.cad("diagnose", json!({})).await;
    assert!(answer.contains("❌ The bot is missing Create Public Threads in"), "{answer}");
    // Off is always allowed.
    let answer = bot.alerts("thread", json!({"route": id, "mode": "off"})).await;
    assert!(answer.ends_with("opens no threads. Those that are open stay."), "{answer}");
    assert!(!bot.cad("diagnose", json!({})).await.contains("Threads"));

    let duty = bot.alerts("add", json!({"event": "duty", "channel": bot.lobby, "style": "log"})).await;
    assert!(duty.contains("Route #2 added"), "{duty}");
    let answer = bot.alerts("thread", json!({"route": 2, "mode": "always"})).await;
    assert!(answer.contains("has no cards of calls") && answer.contains("`911`, `civil`, `panic`, `dispatch` or `all`"), "{answer}");
    bot.alerts("add", json!({"event": "civil", "channel": bot.lobby, "style": "public"})).await;
    let answer = bot.alerts("thread", json!({"route": 3, "mode": "always"})).await;
    assert!(answer.contains("is public, and notes with names would stand in its threads") && answer.contains("style:card`"), "{answer}");
    bot.alerts("add", json!({"event": "all", "channel": bot.lobby, "style": "log"})).await;
    let told = bot.alerts("thread", json!({"route": 4, "mode": "always"})).await;
    assert!(told.contains("writes log lines, and a thread needs a card"), "{told}");
    assert!(bot.routes().iter().all(|route| route.spec.rule.threads == Threads::Off));
}

#[tokio::test]
async fn a_mute_ends_by_itself_or_by_unmute() {
    let bot = start().await;
    let (calls, panics) = (bot.added("911").await, bot.added("panic").await);
    let told = bot.alerts("mute", json!({"route": calls, "for": "1h30m"})).await;
    let until = bot.route(calls).spec.rule.mute.unwrap().until;
    let left = until.since(bot.data.clock.now());
    assert!((5_000..=5_400).contains(&left.as_secs()), "{left:?}");
    let seconds = until.secs();
    assert_eq!(
        told,
        format!(
            "🔇 Route #{calls} (911 → <#{}>) is muted until <t:{seconds}:f> (<t:{seconds}:R>): its cards come without pings and sounds. Panics come over other routes and still sound. `/alerts unmute route:{calls}` ends it.",
            bot.channel
        )
    );
    let told = bot.alerts("mute", json!({"route": panics, "for": "1d"})).await;
    assert!(told.contains("Panics still sound, unless you set `panic:True`."), "{told}");
    let told = bot.alerts("mute", json!({"route": panics, "for": "1d", "panic": true})).await;
    assert!(told.contains("Panics make no sound there either."), "{told}");
    assert!(bot.route(panics).spec.rule.mute.unwrap().panic);
    let listed = bot.alerts("list", json!({})).await;
    assert!(listed.contains(&format!("911 · card · 🔇 muted until <t:{seconds}:f> (<t:{seconds}:R>)")), "{listed}");
    assert!(listed.contains(", panics too"), "{listed}");
    for unusable in ["soon", "0m", "40d"] {
        let answer = bot.alerts("mute", json!({"route": calls, "for": unusable})).await;
        assert!(answer.starts_with(&format!("“{unusable}” is")) && answer.contains("`30m`"), "{answer}");
    }
    assert_eq!(bot.route(calls).spec.rule.mute.unwrap().until, until);

    // Viewing changes nothing, and options that aren't named stay.
    assert_eq!(bot.alerts("mute", json!({ "route": panics })).await, bot.alerts("mute", json!({"route": panics, "panic": true})).await);
    bot.alerts("mute", json!({"route": panics, "for": "2d"})).await;
    assert!(bot.route(panics).spec.rule.mute.unwrap().panic);
    let end = bot.route(panics).spec.rule.mute.unwrap().until;
    bot.alerts("mute", json!({"route": panics, "panic": false})).await;
    assert_eq!((bot.route(panics).spec.rule.mute.unwrap().until, bot.route(panics).spec.rule.mute.unwrap().panic), (end, false));

    let answer = bot.alerts("unmute", json!({ "route": calls })).await;
    assert_eq!(answer, format!("🔔 Route #{calls} (911 → <#{}>) sounds again.", bot.channel));
    let answer = bot.alerts("unmute", json!({ "route": calls })).await;
    assert_eq!(answer, format!("👌 Route #{calls} (911 → <#{}>) was not muted.", bot.channel));
    bot.alerts("mute", json!({"route": calls, "for": "1h"})).await;
    assert_eq!(bot.alerts("unmute", json!({})).await, format!("🔔 Routes #{calls} and #{panics} sound again."));
    assert_eq!(bot.alerts("unmute", json!({})).await, "👌 No route of this server was muted.");
    assert!(bot.routes().iter().all(|route| route.spec.rule.mute.is_none()));
    let told = bot.alerts("mute", json!({ "route": calls })).await;
    assert!(told.contains("isn't muted"), "{told}");
    let told = bot.alerts("mute", json!({"route": calls, "panic": true})).await;
    assert!(told.contains("isn't muted: say for how long") && bot.route(calls).spec.rule.mute.is_none(), "{told}");
    bot.alerts("mute", json!({"route": calls, "for": "1h"})).await;
    assert!(bot.alerts("mute", json!({"route": calls, "off": true})).await.ends_with("sounds again."));
    assert!(bot.route(calls).spec.rule.mute.is_none());
}

#[tokio::test]
async fn quiet_hours_are_the_guilds_and_off_ends_them() {
    let bot = start().await;
    let none = bot.alerts("quiet", json!({})).await;
    assert!(none.starts_with("This server has no quiet hours. Set them with `/alerts quiet from:22:00"), "{none}");
    assert_eq!(bot.alerts("quiet", json!({"from": "off"})).await, "👌 This server has no quiet hours.");
    let night = json!({"from": "22:00", "to": "7", "timezone": "europe/berlin"});
    let answer = bot.alerts("quiet", night).await;
    assert!(
        answer.starts_with("🌙 Quiet from 22:00 to 07:00 each day (Europe/Berlin), but not for panics. Cards then come without"),
        "{answer}"
    );
    assert!(answer.ends_with("Panics still sound, unless you set `panic:True`."), "{answer}");
    let shown = bot.alerts("quiet", json!({})).await;
    let until_now = answer.split("right now").next().unwrap();
    assert!(shown.starts_with(until_now) && shown.ends_with(" `/alerts quiet off:True` turns them off."), "{shown}");
    assert!(bot.alerts("list", json!({})).await.ends_with("\n🌙 Quiet from 22:00 to 07:00 each day (Europe/Berlin), but not for panics."));
    bot.added("911").await;
    assert!(bot.alerts("list", json!({})).await.starts_with("🔔 1 alert route\n🌙 Quiet from 22:00"));
    let answer = bot.alerts("unmute", json!({})).await;
    assert!(answer.ends_with("The quiet hours of this server go on: `/alerts quiet` shows them."), "{answer}");

    let quiet = || bot.store.routing_now().guilds.values().next().unwrap().quiet.clone();
    let before = quiet();
    for (options, why) in [
        (json!({"from": "7:00"}), "Quiet hours that end at 07:00, when they begin"),
        (json!({"off": true, "panic": true}), "`off:True` ends the quiet hours"),
        (json!({"timezone": "EST"}), "“EST” isn't a time zone name. Use a place's name: did you mean `America/New_York`?"),
        (json!({"timezone": "GMT+2"}), "“GMT+2” isn't a time zone name. An offset has no daylight saving time."),
        (json!({"from": "25:00", "to": "7:00", "timezone": "UTC"}), "“25:00” isn't a time of day"),
        (json!({"from": "7:00", "to": "7:00", "timezone": "UTC"}), "Quiet hours that end at 07:00, when they begin"),
        (json!({"from": "22:00", "to": "7:00", "timezone": "Mars/Olympus"}), "“Mars/Olympus” isn't a time zone name"),
    ] {
        let answer = bot.alerts("quiet", options).await;
        assert!(answer.starts_with(why), "{answer}");
    }
    assert_eq!(quiet(), before);
    // Options that aren't named stay.
    bot.alerts("quiet", json!({"panic": true})).await;
    bot.alerts("quiet", json!({"from": "23:00"})).await;
    let now = quiet().unwrap();
    assert_eq!((now.from, now.to, now.timezone.as_str(), now.panic), (1_380, 420, "Europe/Berlin", true));
    let answer = bot.alerts("quiet", json!({"from": "10pm", "to": "7:30", "timezone": "America/New_York", "panic": true})).await;
    assert!(answer.contains("22:00 to 07:30 each day (America/New\\_York), panics too.") && !answer.contains("still sound"), "{answer}");
    assert_eq!(bot.alerts("quiet", json!({"from": "OFF"})).await, "🔔 The quiet hours are off: alerts sound at any time.");
    assert_eq!(quiet(), None);
    for part in [json!({"from": "22:00"}), json!({"panic": true})] {
        let answer = bot.alerts("quiet", part).await;
        assert!(answer.starts_with("Quiet hours need `from:`, `to:` and `timezone:`, as in"), "{answer}");
    }
    bot.alerts("quiet", json!({"from": "22:00", "to": "7", "timezone": "us/eastern"})).await;
    assert_eq!(quiet().unwrap().timezone, "America/New_York");
    assert_eq!(bot.alerts("quiet", json!({"off": true})).await, "🔔 The quiet hours are off: alerts sound at any time.");
    assert_eq!(quiet(), None);
    let zones = bot.typing_text("quiet", json!({"from": "22:00", "timezone": "gmt+2"}), "timezone").await;
    assert!(!zones.is_empty() && zones.iter().all(|zone| zone.starts_with("Europe/")), "{zones:?}");

    let zones = bot.typing_text("quiet", json!({"from": "22:00", "timezone": "berl"}), "timezone").await;
    assert_eq!(zones, ["Europe/Berlin"]);
    assert_eq!(bot.typing_text("quiet", json!({"from": "22:00"}), "timezone").await.len(), 25);
}

#[tokio::test]
async fn edit_changes_what_is_named_and_says_what_was() {
    let bot = start_with(Plan { servers: vec![1, 2], ..Plan::default() }).await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let (id, there) = (bot.added("911").await, bot.sim.add_channel(&bot.guild, "elsewhere", 0));
    bot.alerts("filter", json!({"route": id, "include": "fire"})).await;
    let answer = bot.alerts("edit", json!({"route": id, "channel": there, "server": 2, "role": role, "style": "compact"})).await;
    let (first, rest) = answer.split_once('\n').unwrap();
    assert_eq!(
        first,
        format!(
            "✏️ Route #{id} is changed: <#{0}> → <#{there}>, all servers → server 2, pinging nobody → <@&{role}> and card → compact. It is now 911 → <#{there}>, pinging <@&{role}>, as compact, of server 2 only.",
            bot.channel
        )
    );
    assert_eq!(rest, format!("Cards that stand in <#{}> are still kept up to date there until their calls close.", bot.channel));
    bot.posted(&there, "🔔 Alerts on: emergency calls").await;
    let route = bot.route(id);
    assert_eq!(route.spec.rule.filter.count(Criterion::Include), 1, "an edit leaves the rule alone");

    let same = bot.alerts("edit", json!({"route": id, "style": "compact"})).await;
    assert!(same.starts_with(&format!("👌 Nothing changed. Route #{id} is already 911 →")), "{same}");
    let answer = bot.alerts("edit", json!({"route": id, "clear": "role"})).await;
    assert!(answer.starts_with(&format!("✏️ Route #{id} is changed: pinging <@&{role}> → nobody. It is now")), "{answer}");
    let answer = bot.alerts("edit", json!({"route": id, "clear": "server", "event": "civil"})).await;
    assert!(answer.contains("911 → civil and server 2 → all servers."), "{answer}");
    let route = bot.route(id);
    assert_eq!((route.spec.role, route.spec.server), (None, None));

    // A style without threads says so.
    bot.alerts("thread", json!({"route": id, "mode": "always"})).await;
    let told = bot.alerts("edit", json!({"route": id, "style": "public"})).await;
    assert!(told.contains("💡 It opens no threads any more"), "{told}");
    assert_eq!(bot.route(id).spec.threads(), Threads::Off);
    assert_eq!(bot.typing("edit", json!({"route": id}), "server").await.len(), 2);
}

#[tokio::test]
async fn edit_refuses_what_would_not_work_and_names_what_is_in_the_way() {
    let bot = start().await;
    let (first, second) = (bot.added("911").await, bot.added("civil").await);
    let answer = bot.alerts("edit", json!({"route": first, "event": "civil"})).await;
    let what = format!("civil → <#{}>, as card", bot.channel);
    assert_eq!(
        answer,
        format!("Route #{second} is there already: {what}. Change that one, or remove it first with `/alerts remove route:{second}`.")
    );
    let answer = bot.alerts("edit", json!({ "route": first })).await;
    assert!(answer.contains("stays as it is: say what to change with `event:`, `channel:`"), "{answer}");
    bot.sim.deny(&bot.lobby, FILES);
    let closed = bot.sim.add_channel(&bot.guild, "closed", 0);
    bot.sim.deny(&closed, VIEW);
    for (options, why) in [
        (json!({"route": first, "channel": bot.lobby}), "The bot is missing Attach Files in"),
        (json!({"route": first, "channel": closed}), "The bot is missing View Channel in"),
        (json!({"route": first, "server": 7}), "This bot does not watch server 7"),
        (json!({"route": first, "role": bot.guild}), "The role @everyone is never pinged"),
        (json!({"route": first, "server": 1, "clear": "server"}), "`server:` and `clear:server` contradict each other"),
        (json!({"route": first, "role": bot.sim.add_role(&bot.guild, "X", 0), "clear": "role"}), "`role:` and `clear:role` contradict"),
    ] {
        let answer = bot.alerts("edit", options).await;
        assert!(answer.starts_with(why), "{answer}");
    }
    // With threads, the new channel must allow them.
    let threadless = bot.sim.add_channel(&bot.guild, "threadless", 0);
    bot.sim.deny(&threadless, THREADS);
    bot.alerts("thread", json!({"route": first, "mode": "always"})).await;
    let told = bot.alerts("edit", json!({"route": first, "channel": threadless})).await;
    assert!(told.starts_with("The bot is missing Create Public Threads in"), "{told}");
    assert_eq!(bot.route(first).spec.channel.0.to_string(), bot.channel);
}

#[tokio::test]
async fn a_forum_takes_cards_and_nothing_else() {
    let bot = start().await;
    let forum = bot.sim.add_channel(&bot.guild, "calls", 15);
    let told = bot.alerts("add", json!({"event": "911", "channel": forum})).await;
    assert!(told.starts_with("✅ Route #1 added: 911 →"), "{told}");
    assert!(bot.route(1).spec.forum);
    assert!(bot.alerts("list", json!({})).await.contains(&format!("**<#{forum}>** (forum)\n`#1` 911 · card")));
    let told = bot.alerts("preset", json!({"name": "public", "channel": forum})).await;
    assert_eq!((told.matches("added").count(), told.matches("Nothing changed").count()), (2, 1), "{told}");
    assert!(bot.routes().iter().all(|route| route.spec.forum));

    let only = format!("<#{forum}> is a forum, which takes cards of `911`, `civil`, `panic` and `dispatch` only, not");
    let answer = bot.alerts("add", json!({"event": "duty", "channel": forum})).await;
    assert_eq!(answer, format!("{only} `duty`: choose a text channel, or one of those four."));
    let answer = bot.alerts("add", json!({"event": "all", "channel": forum})).await;
    assert_eq!(answer, format!("{only} `all`: choose a text channel, or one of those four."));
    let answer = bot.alerts("preset", json!({"name": "fire-ems", "channel": forum})).await;
    assert_eq!(answer, format!("{only} `station`, `pager` and `tone`: choose a text channel, or add those four with `/alerts add`."));
    let lines = format!(
        "<#{forum}> is a forum, which takes no log lines: choose `style:card`, `style:compact` or `style:public`, or a text channel."
    );
    assert_eq!(bot.alerts("add", json!({"event": "panic", "channel": forum, "style": "log"})).await, lines);
    assert_eq!(bot.routes().len(), 3);

    // Editing has the same requirements.
    assert_eq!(bot.alerts("edit", json!({"route": 1, "style": "log"})).await, lines);
    let answer = bot.alerts("edit", json!({"route": 1, "event": "record"})).await;
    assert_eq!(answer, format!("{only} `record`: choose a text channel, or one of those four."));
    let text = bot.added("pager").await;
    let told = bot.alerts("edit", json!({"route": text, "channel": forum})).await;
    assert!(told.starts_with(&only), "{told}");
    let told = bot.alerts("edit", json!({"route": text, "event": "panic", "channel": forum})).await;
    assert!(told.starts_with(&format!("✏️ Route #{text} is changed: pager → panic and")) && bot.route(text).spec.forum, "{told}");
    let told = bot.alerts("thread", json!({"route": text, "mode": "always"})).await;
    assert!(told.ends_with("each call is a post of the forum, and its notes are written into it."), "{told}");
    // And out again.
    let told = bot.alerts("edit", json!({"route": text, "channel": bot.lobby})).await;
    assert!(told.contains("is changed") && !bot.route(text).spec.forum, "{told}");
    bot.posted(&bot.lobby, "🔔 Alerts on: panic buttons").await;
    // Confirmations are sent in order: none was meant for the forum.
    assert_eq!(bot.posts_into(&forum), 0, "a confirmation became a post of the forum");
    // Nor does it accept the bot's own words.
    assert!(bot.sim.slash(&bot.lobby, None, "cad", &["notices"], json!({"channel": forum})).is_err());
}

#[tokio::test]
async fn what_is_missing_in_a_forum_is_named_as_its_settings_name_it() {
    let bot = start().await;
    let forum = bot.sim.add_channel(&bot.guild, "calls", 15);
    let answer = |missing: &str, them: &str| {
        format!(
            "The bot is missing {missing} in <#{forum}>: open Edit Channel > Permissions there, add the bot's role and allow {them}, then try again."
        )
    };
    let add = json!({"event": "911", "channel": forum});
    bot.sim.deny(&forum, IN_THREADS);
    assert_eq!(bot.alerts("add", add.clone()).await, answer("Send Messages in Posts", "it"));
    bot.sim.deny(&forum, SEND);
    let said = bot.alerts("add", add.clone()).await;
    assert!(said.starts_with("The bot is missing Create Posts, Send Messages in Posts, Embed Links and Attach Files in"), "{said}");
    bot.sim.deny(&forum, VIEW);
    assert_eq!(bot.alerts("add", add.clone()).await, answer("View Channel", "it"));
    assert!(bot.routes().is_empty());
    // Creating threads beside messages isn't needed there.
    bot.sim.allow(&forum, VIEW | SEND | IN_THREADS);
    bot.sim.deny(&forum, THREADS);
    assert!(bot.alerts("add", add).await.starts_with("✅ Route #1 added"));
    assert!(bot.cad("diagnose", json!({})).await.contains(&format!("✅ <#{forum}>")));
}
