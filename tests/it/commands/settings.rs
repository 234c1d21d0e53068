//! `/cad export` and `/cad import`: settings out as a file, and back after a look at the difference.

use tenfour::clock::UnixMs;
use tenfour::store::audit::AuditFilter;
use tenfour::store::settings::Settings;

use super::*;

/// Everything but Administrator, which no channel could deny.
const ALL: u64 = (u64::MAX >> 12) & !(1 << 3);

impl Bot {
    fn settings(&self) -> Settings {
        Settings::of(&self.store.routing_now(), GuildId(self.guild.parse().unwrap()), self.data.clock.now())
    }

    /// The file's name and what it holds.
    async fn exported(&self) -> (String, String) {
        let reply = self.run("cad", "export", json!({})).reply(SOON).await.unwrap();
        assert_eq!(reply["flags"].as_u64().unwrap() & 64, 64, "not private");
        let (name, text) = self.attached(&reply).await;
        assert!(!text.contains(KEY) && !text.contains(TOKEN));
        (name, text)
    }

    async fn import_text(&self, content: &str) -> Value {
        let file = json!({"file": {"name": "settings.json", "content": content}});
        self.run("cad", "import", file).reply(SOON).await.unwrap()
    }

    async fn import(&self, file: &Value) -> Value {
        self.import_text(&serde_json::to_string_pretty(file).unwrap()).await
    }

    /// Presses a button of an import; what the person sees then.
    async fn decide(&self, shown: &Value, verb: &str) -> String {
        let pending = self.sim.click(id(shown), None, &component(shown, verb)).unwrap();
        assert_eq!(pending.acknowledged(SOON).await.unwrap(), 6);
        words(&pending.reply(SOON).await.unwrap())
    }

    async fn imports(&self) -> usize {
        let entries = self.store.all_audited(GuildId(self.guild.parse().unwrap()), AuditFilter::default()).await.unwrap();
        entries.iter().filter(|entry| entry.action == "/cad import").count()
    }
}

/// A bot with something of everything, and what it exports.
async fn furnished(plan: Plan) -> (Bot, Value) {
    let bot = start_with(Plan { servers: vec![1, 2], bot_permissions: Some(ALL), ..plan }).await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": role, "style": "compact"})).await;
    bot.alerts("add", json!({"event": "dispatch", "channel": bot.channel, "server": 2})).await;
    bot.alerts("filter", json!({"route": 2, "priority": "1-2", "postal": "90*"})).await;
    bot.alerts("thread", json!({"route": 2, "mode": "always"})).await;
    bot.alerts("ping", json!({"route": 1, "role": role, "when": "no-dispatcher", "cooldown": 60})).await;
    bot.alerts("mute", json!({"route": 1, "for": "2h"})).await;
    bot.alerts("quiet", json!({"from": "22:00", "to": "7:00", "timezone": "Europe/Berlin"})).await;
    bot.cad("notices", json!({"channel": bot.lobby})).await;
    bot.ask("board", "create", json!({"kind": "both", "channel": bot.lobby})).await;
    let opened = bot.run("cad", "labels", json!({}));
    opened.reply(SOON).await.unwrap();
    bot.sim.submit(&opened, json!({"emergency": "112", "statuses": "2 🟢 10-8"})).unwrap().reply(SOON).await.unwrap();
    let (_, file) = bot.exported().await;
    let file = serde_json::from_str(&file).unwrap();
    (bot, file)
}

#[tokio::test]
async fn an_export_holds_every_setting_with_names_and_no_secret() {
    let clock = Clock::manual(UnixMs(1_790_000_000_000));
    let (bot, file) = furnished(Plan { clock, ..Plan::default() }).await;
    let (name, mut text) = bot.exported().await;
    assert_eq!(name, "tenfour-settings-los-santos-2026-09-21.json");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), file);
    let role = bot.routes()[0].spec.role.unwrap().to_string();
    // Ids are made anew in each run.
    for (id, word) in [(&bot.guild, "GUILD"), (&bot.channel, "ALERTS"), (&bot.lobby, "LOBBY"), (&role, "ROLE")] {
        text = text.replace(id.as_str(), word);
    }
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[tokio::test]
async fn an_export_changes_nothing_where_it_came_from() {
    let (bot, file) = furnished(Plan::default()).await;
    let before = bot.settings();
    let answer = words(&bot.import(&file).await);
    assert!(answer.starts_with("👌 Nothing would change"), "{answer}");
    assert_eq!(bot.settings(), before);
    assert_eq!(bot.imports().await, 0);
}

#[tokio::test]
async fn the_difference_is_shown_and_one_press_replaces_everything_once() {
    let (bot, mut file) = furnished(Plan::default()).await;
    let board = bot.sim.wait_message(&bot.lobby, SOON, |message| words(message).to_lowercase().contains("on duty")).await.unwrap();
    file["routes"].as_array_mut().unwrap().retain(|route| route["event"] != "dispatch");
    file["routes"][0]["style"] = json!("card");
    file["routes"].as_array_mut().unwrap().push(json!({"event": "panic", "channel": {"id": bot.lobby}}));
    file["boards"] = json!([]);
    file["notices"] = json!(null);
    let before = bot.settings();
    let number = bot.routes()[0].id;

    let shown = bot.import(&file).await;
    assert_eq!(shown["flags"].as_u64().unwrap() & 64, 64, "not private");
    let answer = words(&shown);
    assert!(answer.starts_with("Replace all settings? 1 added, 2 removed and 2 changed\n"), "{answer}");
    for line in [
        format!("✏️ 911 → <#{}>, pinging <@&{}>, as card: style compact → card", bot.channel, bot.routes()[0].spec.role.unwrap()),
        format!("➕ panic → <#{}>, as card", bot.lobby),
        format!("➖ dispatch → <#{}>, as card, of server 2 only · threads always · Lets through", bot.channel),
        format!("➖ Board: units on duty and open calls → <#{}>", bot.lobby),
        format!("✏️ Notices: <#{}> → off", bot.lobby),
    ] {
        assert!(answer.contains(&line), "{line}\nnot in\n{answer}");
    }
    assert_eq!(bot.settings(), before, "changed before it was confirmed");

    let done = bot.decide(&shown, "replace").await;
    assert!(done.starts_with("✅ The settings are replaced\n1 added, 2 removed and 2 changed."), "{done}");
    assert!(done.contains("🗑️ Board #1 removed, its message too"), "{done}");
    assert!(bot.sim.edits(id(&board)).is_empty(), "the board's message still stands");
    let told = words(&bot.import(&file).await);
    assert!(told.starts_with("👌 Nothing would change"), "{told}");
    assert_eq!(
        bot.routes().iter().find(|route| route.spec.event.as_str() == "911").unwrap().id,
        number,
        "a route that stays keeps its number"
    );
    assert_eq!(bot.imports().await, 1);
    let audit = bot.cad("audit", json!({})).await;
    assert!(audit.contains("**/cad import** · 1 added, 2 removed and 2 changed · "), "{audit}");

    // Applying it again does nothing, even after somebody changed something.
    bot.alerts("add", json!({"event": "tone", "channel": bot.channel})).await;
    let after = bot.settings();
    let again = bot.sim.send(&json!({"do": "click", "message_id": id(&shown), "custom_id": component(&shown, "replace")}));
    if let Ok(again) = again {
        let answer = words(&again.reply(SOON).await.unwrap());
        assert!(answer.contains("does not wait any more"), "{answer}");
    }
    assert_eq!(bot.settings(), after);
}

#[tokio::test]
async fn cancel_and_time_leave_everything_as_it_is() {
    let clock = Clock::manual(UnixMs(1_790_000_000_000));
    let (bot, mut file) = furnished(Plan { clock, ..Plan::default() }).await;
    file["routes"] = json!([]);
    let before = bot.settings();
    let shown = bot.import(&file).await;
    assert_eq!(bot.decide(&shown, "keep").await, "Nothing was changed\nThe settings stay as they are.");
    let shown = bot.import(&file).await;
    let newer = bot.import(&file).await;
    let answer = bot.decide(&shown, "replace").await;
    assert!(answer.starts_with("This import does not wait any more"), "{answer}");
    bot.data.clock.advance(15 * 60_000);
    let answer = bot.decide(&newer, "replace").await;
    assert_eq!(answer, "The difference was shown more than 15 minutes ago: run `/cad import` again.");
    assert_eq!(bot.settings(), before);
}

#[tokio::test]
async fn what_changed_meanwhile_is_shown_again_before_it_is_replaced() {
    let (bot, mut file) = furnished(Plan::default()).await;
    file["notices"] = json!(null);
    let shown = bot.import(&file).await;
    bot.alerts("add", json!({"event": "tone", "channel": bot.channel})).await;
    let pending = bot.sim.click(id(&shown), None, &component(&shown, "replace")).unwrap();
    let shown = pending.reply(SOON).await.unwrap();
    let answer = words(&shown);
    assert!(
        answer.contains("Something was changed since you looked") && answer.contains(&format!("➖ tone → <#{}>", bot.channel)),
        "{answer}"
    );
    assert_eq!(bot.imports().await, 0);
    let done = bot.decide(&shown, "replace").await;
    assert!(done.starts_with("✅ The settings are replaced\n1 removed and 1 changed."), "{done}");
    assert!(!bot.routes().iter().any(|route| route.spec.event.as_str() == "tone"));

    // A change that has become impossible is rejected.
    file["notices"] = json!({"id": bot.lobby});
    let shown = bot.import(&file).await;
    bot.sim.deny(&bot.lobby, SEND);
    let answer = bot.decide(&shown, "replace").await;
    assert!(answer.starts_with("Nothing was changed: ") && answer.contains("The bot is missing Send Messages"), "{answer}");
    assert_eq!(bot.settings().notices, None);
}

#[tokio::test]
async fn a_press_survives_a_restart_and_is_its_persons_alone() {
    let (mut bot, mut file) = furnished(Plan::default()).await;
    file["routes"] = json!([]);
    let before = bot.settings();
    let shown = bot.import(&file).await;
    bot.stop().await;
    let (tasks, readiness) = (Tasks::default(), Readiness::new([ReadyPart::Discord]));
    let again = tokio::spawn(framework::run(bot.data.clone(), Some(GuildId(bot.guild.parse().unwrap())), tasks.clone(), readiness.clone()));
    tokio::time::timeout(SOON, readiness.until_ready()).await.unwrap();

    // Only one person can press a private reply; anybody could forge a button with its custom id.
    let chief = bot.sim.add_member(&bot.guild, "Chief", MANAGE_GUILD, &[]);
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    assert!(bot.sim.click(id(&shown), Some(&chief), &component(&shown, "replace")).is_err());
    let forged = bot.forged(&component(&shown, "replace")).await;
    let answer = words(&bot.sim.click(&forged, Some(&chief), &component(&shown, "replace")).unwrap().reply(SOON).await.unwrap());
    assert!(answer.starts_with("Only <@") && answer.contains("who ran `/cad import`, may decide this"), "{answer}");
    let answer = words(&bot.sim.click(&forged, Some(&visitor), &component(&shown, "replace")).unwrap().reply(SOON).await.unwrap());
    assert!(answer.starts_with(NOT_YOURS), "{answer}");
    assert_eq!(bot.settings(), before);

    let pending = bot.sim.click(id(&shown), None, &component(&shown, "replace")).unwrap();
    let answer = words(&pending.reply(SOON).await.unwrap());
    assert!(answer.starts_with("✅ The settings are replaced"), "{answer}");
    assert!(bot.routes().is_empty());
    tasks.drain();
    tokio::time::timeout(SOON, again).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn invalid_files_are_reported_and_change_nothing() {
    let (bot, file) = furnished(Plan::default()).await;
    let before = bot.settings();
    let large = words(&bot.import_text(&" ".repeat(256 * 1024 + 1)).await);
    assert_eq!(large, "The file is larger than 256 KiB: that is no file of this bot's.");
    let none = words(&bot.import_text("{ \"format\": ").await);
    assert!(none.starts_with("Nothing was changed: 1 problem in the file\n❌ It is no JSON: look at line 1, column 12."), "{none}");
    let binary = json!({"file": {"name": "a.png", "base64": "iVBORw0KGgr/"}});
    let binary = words(&bot.run("cad", "import", binary).reply(SOON).await.unwrap());
    assert_eq!(binary, "The file is no text: take one that `/cad export` made.");
    let answer = async |file: Value| words(&bot.import(&file).await);
    let with = |path: &str, value: Value| {
        let mut file = file.clone();
        *file.pointer_mut(path).unwrap() = value;
        file
    };
    let newer = answer(with("/version", json!(9))).await;
    assert!(newer.contains("`version`: a newer bot wrote this file (form 9, this bot knows 1)"), "{newer}");
    let unknown = answer(with("/routes/0/channel", json!({"id": "1234", "name": "nowhere"}))).await;
    assert!(unknown.contains("`routes[0].channel`: no channel of this server has the id 1234 or the name “nowhere”"), "{unknown}");
    let elsewhere = bot.sim.add_guild("Elsewhere");
    let foreign = bot.sim.add_role(&elsewhere, "Foreign", 0);
    let role = answer(with("/routes/0/role", json!({"id": foreign}))).await;
    assert!(role.contains(&format!("`routes[0].role`: no role of this server has the id {foreign}")), "{role}");
    let everyone = answer(with("/routes/0/role", json!({"id": bot.guild}))).await;
    assert!(everyone.contains("the role @everyone is never pinged by this bot"), "{everyone}");
    let server = answer(with("/routes/1/server", json!(7))).await;
    assert!(server.contains("`routes[1].server`: This bot does not watch server 7"), "{server}");
    let twice = answer(with("/routes/1", file["routes"][0].clone())).await;
    assert!(twice.contains("`routes[1]`: it is the same as `routes[0]`"), "{twice}");
    let forum = bot.sim.add_channel(&bot.guild, "cases", 15);
    let log = answer(with("/routes/0", json!({"event": "duty", "channel": forum}))).await;
    assert!(log.contains("`routes[0]`: ") && log.contains("is a forum, which takes cards of"), "{log}");
    assert_eq!(bot.settings(), before);
    assert_eq!(bot.imports().await, 0);
}

#[tokio::test]
async fn a_file_of_another_guild_is_fitted_by_names() {
    let (bot, file) = furnished(Plan::default()).await;
    // The same file with ids from elsewhere: only the names match.
    let mut text = serde_json::to_string(&file).unwrap();
    let role = bot.routes()[0].spec.role.unwrap().to_string();
    for id in [&bot.guild, &bot.channel, &bot.lobby, &role] {
        let other: String = id.chars().rev().collect();
        text = text.replace(id.as_str(), &format!("1{}", &other[1..]));
    }
    let answer = words(&bot.import_text(&text).await);
    assert!(answer.starts_with("👌 Nothing would change"), "{answer}");
    // A role that nobody may mention gets a hint, as everywhere else.
    bot.sim.set_mentionable(&bot.guild, &role, false);
    bot.sim.deny(&bot.channel, 1 << 17);
    let answer = words(&bot.import_text(&text).await);
    assert!(answer.contains(&format!("💡 Discord will not ping <@&{role}> yet")), "{answer}");
    // Two channels with one name are ambiguous.
    bot.sim.add_channel(&bot.guild, "lobby", 0);
    let answer = words(&bot.import_text(&text).await);
    assert!(answer.contains("several channels here are called “lobby”: write the id of one of them"), "{answer}");
}

#[tokio::test]
async fn a_long_difference_is_attached_whole_and_goes_with_its_buttons() {
    let (bot, mut file) = furnished(Plan::default()).await;
    let events = ["all", "911", "civil", "panic", "dispatch", "duty", "status", "record", "bolo", "station", "pager", "tone", "other"];
    let places = [&bot.channel, &bot.lobby].map(|channel| json!({"id": channel}));
    let words = json!({"include": (0..20).map(|n| format!("a rather long word of some kind {n}")).collect::<Vec<_>>()});
    file["routes"] = places
        .iter()
        .flat_map(|place| events.iter().map(move |event| (place, event)))
        .map(|(place, event)| json!({"event": event, "channel": place, "filter": words}))
        .collect();
    let shown = bot.import(&file).await;
    let answer = super::words(&shown);
    assert!(answer.contains(" lines more.\n"), "{answer}");
    let (name, text) = bot.attached(&shown).await;
    assert_eq!((name.as_str(), text.lines().filter(|line| line.starts_with('➕')).count()), ("difference.txt", 25));
    let pending = bot.sim.click(id(&shown), None, &component(&shown, "replace")).unwrap();
    let done = pending.reply(SOON).await.unwrap();
    assert!(super::words(&done).starts_with("✅ The settings are replaced"), "{done}");
    assert_eq!(done["attachments"], json!([]), "an old difference stays");
    assert_eq!(bot.routes().len(), 26);
}

#[tokio::test]
async fn whoever_may_run_it_may_finish_it_without_manage_server() {
    let (bot, mut file) = furnished(Plan::default()).await;
    bot.allow_all("cad").await;
    let (ann, bob) = (bot.sim.add_member(&bot.guild, "Ann", 0, &[]), bot.sim.add_member(&bot.guild, "Bob", 0, &[]));
    file["notices"] = json!(null);
    let given = json!({"file": {"name": "settings.json", "content": serde_json::to_string(&file).unwrap()}});
    let shown = bot.run_as(&ann, "cad", "import", given).reply(SOON).await.unwrap();
    let replace = component(&shown, "replace");
    let press = async |message: &str, user: &str| {
        let pending = bot.sim.click(message, Some(user), &replace).unwrap();
        words(&pending.reply(SOON).await.unwrap())
    };
    // The same button on a public message works for nobody, not even her.
    let forged = bot.forged(&replace).await;
    for user in [&ann, &bob] {
        let answer = press(&forged, user).await;
        assert!(answer.starts_with(NOT_YOURS), "{answer}");
    }
    assert!(bot.settings().notices.is_some());
    let answer = press(id(&shown), &ann).await;
    assert!(answer.starts_with("✅ The settings are replaced"), "{answer}");
    assert_eq!(bot.settings().notices, None);
}

#[tokio::test]
async fn steps_of_an_import_are_not_for_what_waits_already() {
    let clock = Clock::manual(UnixMs(1_790_000_000_000));
    let bot = start_with(Plan { clock: clock.clone(), bot_permissions: Some(ALL), ..Plan::default() }).await;
    let (patrol, chief) = (bot.sim.add_role(&bot.guild, "Patrol", 0), bot.sim.add_role(&bot.guild, "Chief", 0));
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    bot.alerts("escalate", json!({"route": 1, "minutes": 2, "role": patrol})).await;
    bot.alerts("escalate", json!({"route": 1, "minutes": 5, "role": patrol})).await;
    let (_, file) = bot.exported().await;
    let mut file: Value = serde_json::from_str(&file).unwrap();
    clock.advance(60_000);
    let steps = &mut file["routes"][0]["escalation"];
    assert_eq!(steps.as_array().unwrap().len(), 2, "{steps}");
    steps[1]["role"] = json!({"id": chief});
    let mut newer = steps[0].clone();
    newer["minutes"] = json!(9);
    steps.as_array_mut().unwrap().push(newer);
    let mut other = file["routes"][0].clone();
    other["channel"] = json!({"id": bot.lobby});
    file["routes"].as_array_mut().unwrap().push(other);
    let shown = bot.import(&file).await;
    // It counts from when they are set, not from when they are shown.
    clock.advance(60_000);
    assert!(bot.decide(&shown, "replace").await.starts_with("✅ The settings are replaced"));
    let now = clock.now();
    let since = |channel: &str| {
        let routes = bot.routes();
        let route = routes.iter().find(|route| route.spec.channel.to_string() == channel).unwrap();
        route.spec.rule.escalation.steps().iter().map(|step| (step.minutes, now.since(step.since).as_millis())).collect::<Vec<_>>()
    };
    assert_eq!(since(&bot.channel), [(2, 120_000), (5, 0), (9, 0)]);
    assert_eq!(since(&bot.lobby), [(2, 0), (5, 0), (9, 0)]);
    // The same file again changes nothing, not even that.
    clock.advance(60_000);
    assert!(words(&bot.import(&file).await).starts_with("👌 Nothing would change"));
}
