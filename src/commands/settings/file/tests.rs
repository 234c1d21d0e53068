use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::clock::millis;
use crate::commands::settings::check::GuildSnapshot;
use crate::commands::settings::difference::difference;
use crate::event::Topic;
use crate::ids::{CommunityId, UserId};
use crate::route::EscalationStep;
use crate::store::Store;
use crate::store::audit::{AuditEntry, AuditKind};
use crate::store::settings::{BoardSetting, Replaced, Replacing};

const GUILD: GuildId = GuildId(1);
const ME: u64 = 9;
const NOW: UnixMs = UnixMs(1_790_000_000_000);
const SERVERS: [ServerId; 2] = [ServerId(1), ServerId(2)];
/// Text channels are 101 to 106, forums 111 to 113, roles 201 to 204.
const TEXT: std::ops::RangeInclusive<u64> = 101..=106;
const FORUMS: std::ops::RangeInclusive<u64> = 111..=113;
const ROLES: std::ops::RangeInclusive<u64> = 201..=204;

struct Called;

impl NameLookup for Called {
    fn channel(&self, id: ChannelId) -> Option<String> {
        Some(format!("channel-{id}"))
    }

    fn role(&self, id: RoleId) -> Option<String> {
        Some(format!("Role {id}"))
    }
}

/// Priorities that calls have had.
fn seen() -> Vec<Priority> {
    let words = ["Code 3", "LS-12", "90*", "smoke", "big fire", "Größe", "=1+1", "fire", "ems"];
    let levels = (1..=9).map(Priority::Level);
    words.map(|word| Priority::Word(word.into())).into_iter().chain(levels).collect()
}

/// A guild whose ids are `more` higher, under the same names; the bot is an administrator.
fn snapshot(guild: GuildId, more: u64) -> GuildSnapshot {
    let channel = |id: u64, kind: u64| json!({"id": (id + more).to_string(), "name": format!("channel-{id}"), "type": kind});
    let channels: Vec<Value> = TEXT.map(|id| channel(id, 0)).chain(FORUMS.map(|id| channel(id, 15))).collect();
    let role = |id: u64| json!({"id": (id + more).to_string(), "name": format!("Role {id}"), "permissions": "0"});
    let everyone = json!({"id": guild.to_string(), "name": "@everyone", "permissions": "8"});
    let roles: Vec<Value> = ROLES.map(role).chain([everyone]).collect();
    GuildSnapshot::of(guild, ME, json!(channels), &json!(roles), &json!({"roles": []}))
}

fn rules() -> impl Strategy<Value = Rule> {
    let filter = prop::collection::vec(
        (
            prop::sample::select(Criterion::ALL.to_vec()),
            prop::sample::select(vec![
                "1, 2",
                "1-3",
                "fire, ems",
                "Code 3",
                "LS-12",
                "90*",
                "9000-9099",
                "smoke, \"big fire\"",
                "Größe",
                "=1+1",
            ]),
        ),
        0..5,
    );
    let mute = prop::option::of((1..millis(Mute::MAX), any::<bool>()));
    (
        filter,
        prop::option::of(prop::sample::select(When::ALL.to_vec())),
        prop::option::of(0..=3_600_u32),
        prop::sample::select(Threads::ALL.to_vec()),
        any::<bool>(),
        mute,
        prop::collection::vec((1..=120_u32, ROLES), 0..=3),
    )
        .prop_map(|(typed, when, cooldown_s, threads, thread_notes, mute, steps)| {
            let mut escalation = Escalation::default();
            for (minutes, role) in steps {
                assert!(escalation.set(EscalationStep { minutes, role: RoleId(role), since: UnixMs(0) }));
            }
            let mut filter = Filter::default();
            for (criterion, text) in typed {
                // A value that doesn't fit the criterion isn't set.
                filter.change(criterion, text).ok();
            }
            // A filter that could let nothing through is never set.
            if filter.check().is_err() {
                filter = Filter::default();
            }
            let mute = mute.map(|(ms, panic)| Mute { until: NOW.plus_ms(ms), panic });
            Rule { filter, when, cooldown_s, threads, thread_notes, mute, escalation }
        })
}

fn routes() -> impl Strategy<Value = RouteSetting> {
    let events: Vec<Listens> = Topic::ALL.into_iter().map(Listens::To).chain([Listens::All]).collect();
    let servers = prop::option::of(prop::sample::select(SERVERS.to_vec()));
    let styles = prop::sample::select(vec![Style::Card, Style::Compact, Style::Log, Style::Public]);
    let place = prop_oneof![3 => TEXT.prop_map(|id| (id, false)), 1 => FORUMS.prop_map(|id| (id, true))];
    (prop::sample::select(events), place, servers, prop::option::of(ROLES), styles, any::<bool>(), rules()).prop_map(
        |(event, (channel, forum), server, role, style, enabled, rule)| {
            let style = if forum && style == Style::Log { Style::Card } else { style };
            let event = if forum && !event.only_cards() { Listens::To(Topic::Dispatch) } else { event };
            let spec = crate::route::RouteSpec { event, channel: ChannelId(channel), server, role: role.map(RoleId), style, forum, rule };
            RouteSetting { enabled, spec }
        },
    )
}

fn labels() -> impl Strategy<Value = Labels> {
    let status =
        ("[0-9]{1,3}", prop::sample::select(vec!["", "🟢", "<:on_duty:123456789012345678>", "👨‍👩‍👧‍👦", "1️⃣"]), "[A-Za-zäöü0-9 *_-]{1,24}");
    let priority = ("[0-9]{1,2}", "[A-Za-z0-9 ]{1,20}");
    (prop::option::of("[0-9A-Za-z ]{1,12}"), prop::collection::vec(priority, 0..8), prop::collection::vec(status, 0..15)).prop_map(
        |(word, priorities, statuses)| {
            let lines = |lines: Vec<String>| lines.join("\n");
            let form = Form {
                emergency: word.unwrap_or_default(),
                civil: String::new(),
                priorities: lines(priorities.into_iter().map(|(number, name)| format!("{number} = {name}")).collect()),
                statuses: lines(statuses.into_iter().map(|(number, emoji, name)| format!("{number} {emoji} {name}")).collect()),
            };
            // A line that the form rejects: then the default labels.
            form.read().unwrap_or_default()
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let board = (prop::sample::select(BoardKind::ALL.to_vec()), TEXT, prop::option::of(prop::sample::select(SERVERS.to_vec())))
        .prop_map(|(kind, channel, server)| BoardSetting { kind, channel: ChannelId(channel), server });
    let quiet = (0..1_440_u16, 1..1_440_u16, prop::sample::select(vec!["Europe/Berlin", "UTC", "America/New_York"]), any::<bool>());
    (
        prop::collection::vec(routes(), 0..25),
        prop::collection::vec(board, 0..8),
        prop::option::of(TEXT.prop_map(ChannelId)),
        labels(),
        prop::option::of(quiet),
        (prop::option::of(ROLES.prop_map(RoleId)), any::<bool>(), any::<bool>(), prop::option::of(ROLES.prop_map(RoleId))),
    )
        .prop_map(|(mut routes, mut boards, notices, labels, quiet, (role, buttons, emergency, emergency_role))| {
            let mut seen = std::collections::BTreeSet::new();
            routes.retain(|route| seen.insert(route.key()));
            seen.clear();
            boards.retain(|board| seen.insert(board.key()));
            let quiet = quiet
                .map(|(from, length, timezone, panic)| Quiet::new(&clock(from), &clock((from + length) % 1_440), timezone, panic).unwrap());
            let action_rule = ActionRule { role, buttons, emergency, emergency_role };
            Settings { routes, boards, notices, labels, quiet, action_rule }.in_order()
        })
}

fn exported(settings: &Settings) -> Vec<u8> {
    write(settings, GUILD, Some("Los Santos"), &Called, NOW).unwrap()
}

fn imported(file: &[u8], snapshot: &GuildSnapshot) -> Result<Settings, Vec<SafeText>> {
    let file = read(file, NOW, &seen())?;
    assert_eq!(file.warnings, [""; 0]);
    snapshot.settle(file, &SERVERS)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn what_is_exported_is_imported_as_it_was(settings in settings()) {
        let file = exported(&settings);
        let back = imported(&file, &snapshot(GUILD, 0));
        prop_assert_eq!(back.as_ref(), Ok(&settings));
        prop_assert!(difference(&settings, &back.unwrap(), NOW).is_empty());
        let from_nothing = difference(&Settings::default(), &settings, NOW);
        prop_assert_eq!(from_nothing.is_empty(), settings == Settings::default());
    }

    /// In another guild everything has other ids, and is found by its name.
    #[test]
    fn another_guild_finds_everything_by_name(settings in settings()) {
        let other = imported(&exported(&settings), &snapshot(GuildId(2), 1_000)).unwrap();
        prop_assert_eq!(other.routes.len(), settings.routes.len());
        let back = |mut route: RouteSetting| {
            route.spec.channel.0 -= 1_000;
            route.spec.role = route.spec.role.map(|role| RoleId(role.0 - 1_000));
            let mut escalation = Escalation::default();
            for step in route.spec.rule.escalation.steps() {
                assert!(escalation.set(EscalationStep { role: RoleId(step.role.0 - 1_000), ..*step }));
            }
            route.spec.rule.escalation = escalation;
            route
        };
        let routes: Vec<RouteSetting> = other.routes.into_iter().map(back).collect();
        prop_assert_eq!(Settings { routes, ..Settings::default() }.in_order().routes, settings.routes);
    }

    /// Two different settings never look alike to the person who decides.
    #[test]
    fn every_difference_is_described(one in settings(), other in settings()) {
        let lines = difference(&one, &other, NOW);
        prop_assert_eq!(lines.is_empty(), one == other);
        prop_assert!(lines.iter().all(|line| !line.ends_with(": ")), "{lines:?}");
    }

    #[test]
    fn any_bytes_are_a_file_or_problems(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes, NOW, &seen()).map(|_| ()).ok();
    }

    #[test]
    fn any_json_is_settings_or_problems(value in json_values(), part in prop::sample::select(vec![
        "", "routes", "boards", "notices", "labels", "quiet", "acting", "version", "format"
    ])) {
        let file = if part.is_empty() { value } else {
            let mut file: Value = serde_json::from_slice(&exported(&Settings::default())).unwrap();
            file[part] = value;
            file
        };
        take(&file);
    }

    /// An export in which one value was replaced by another.
    #[test]
    fn a_damaged_export_is_settings_or_problems(settings in settings(), value in json_values(), at in any::<prop::sample::Index>()) {
        let mut file: Value = serde_json::from_slice(&exported(&settings)).unwrap();
        let mut places = Vec::new();
        pointers(&file, String::new(), &mut places);
        *file.pointer_mut(at.get(places.as_slice()).as_str()).unwrap() = value;
        take(&file);
    }
}

/// Whatever the result, it is short, names the place, and shows no markdown or mention of the file's.
fn take(file: &Value) {
    let bytes = serde_json::to_vec(file).unwrap();
    let problems = match read(&bytes, NOW, &seen()) {
        Ok(file) => snapshot(GUILD, 0).settle(file, &SERVERS).err(),
        Err(problems) => Some(problems),
    };
    for problem in problems.into_iter().flatten() {
        assert!(problem.starts_with('`') || problem.starts_with('…'), "{problem}");
        assert!(problem.len() < 1_000 && !problem.contains("@everyone ") && !problem.contains('\n'), "{problem}");
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| pointers(item, format!("{at}/{n}"), found)),
        Value::Object(map) => map.iter().for_each(|(key, item)| pointers(item, format!("{at}/{key}"), found)),
        _ => {}
    }
    found.push(at);
}

fn json_values() -> impl Strategy<Value = Value> {
    let words = vec![
        "911",
        "all",
        "card",
        "log",
        "101",
        "channel-101",
        "@everyone ",
        "**x**\n`",
        "22:00",
        "UTC",
        "off",
        "always",
        "2999-01-01T00:00:00Z",
        "",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words).prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    let keys = vec![
        "format",
        "version",
        "event",
        "channel",
        "server",
        "role",
        "style",
        "filter",
        "priority",
        "include",
        "ping",
        "when",
        "cooldown_seconds",
        "threads",
        "thread_notes",
        "mute",
        "until",
        "id",
        "name",
        "kind",
        "emergency",
        "priorities",
        "statuses",
        "emoji",
        "from",
        "to",
        "timezone",
        "1",
        "2",
        "x\n`y`",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(keys.clone()), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

fn problems(file: &Value) -> Vec<String> {
    let file = serde_json::to_vec(file).unwrap();
    let read = read(&file, NOW, &seen()).and_then(|file| snapshot(GUILD, 0).settle(file, &SERVERS));
    read.err().unwrap_or_default().iter().flat_map(|problem| problem.lines()).map(str::to_owned).collect()
}

fn usual() -> Value {
    json!({"format": FORMAT, "version": 1, "routes": [], "boards": [], "notices": null, "labels": null, "quiet": null, "acting": null})
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let mut file = usual();
    file["routes"] = json!([
        {"event": "912", "channel": "101", "style": "shiny", "ping": {"when": "sometimes", "cooldown_seconds": 99_999}},
        {"event": "911", "server": 0, "enabled": "yes", "filter": {"priority": ["1", "77"]}, "mute": {"until": "tomorrow"}},
        "x",
    ]);
    file["labels"] = json!({"emergency": "far too long a word", "statuses": {"2": {"emoji": "🟢", "name": ""}, "two": {"name": "x"}}});
    file["quiet"] = json!({"from": "25:00", "to": "7:00", "timezone": "Europe/Berlin"});
    file.as_object_mut().unwrap().remove("boards");
    insta::assert_snapshot!(problems(&file).join("\n"));
}

#[test]
fn missing_channels_and_roles_are_reported_once() {
    let mut file = usual();
    file["routes"] = json!([
        {"event": "911", "channel": {"id": "999", "name": "gone"}, "role": "Nobody"},
        {"event": "civil", "channel": {"id": "999", "name": "gone"}, "role": {"id": "1"}},
        {"event": "panic", "channel": "#channel-101", "server": 7},
        {"event": "duty", "channel": "channel-111"},
        {"event": "dispatch", "channel": "111", "style": "log"},
        {"event": "tone", "channel": "101"},
        {"event": "tone", "channel": "channel-101"},
    ]);
    file["boards"] = json!([{"kind": "units", "channel": "111"}, {"kind": "calls", "channel": "102"}, {"kind": "calls", "channel": "102"}]);
    file["notices"] = json!("112");
    insta::assert_snapshot!(problems(&file).join("\n"));
}

#[test]
fn a_file_by_hand_may_be_short() {
    let mut file = usual();
    file["routes"] = json!([{"event": "911", "channel": "#channel-101", "role": "@Role 201", "col_`our": "red"}]);
    file["notices"] = json!(102);
    let bytes = [b"\xEF\xBB\xBF".as_slice(), &serde_json::to_vec(&file).unwrap()].concat();
    let read = read(&bytes, NOW, &seen()).unwrap();
    assert_eq!(read.warnings, ["`routes[0].col_'our` is not known and passed over."]);
    let settings = snapshot(GUILD, 0).settle(read, &SERVERS).unwrap();
    let route = &settings.routes[0];
    assert_eq!(
        (route.spec.channel, route.spec.role, route.spec.style, route.enabled),
        (ChannelId(101), Some(RoleId(201)), Style::Card, true)
    );
    assert_eq!((settings.notices, settings.labels), (Some(ChannelId(102)), Labels::default()));
}

#[test]
fn other_files_and_newer_ones_are_no_settings() {
    let said = |file: Value| problems(&file).join("\n");
    assert!(said(json!({"routes": []})).starts_with("`format`: this is no file of this bot's settings"));
    assert!(said(json!([])).starts_with("`format`: "));
    let mut newer = usual();
    newer["version"] = json!(2);
    assert_eq!(said(newer), "`version`: a newer bot wrote this file (form 2, this bot knows 1): update the bot.");
    let told = read(b"{\n  \"format\": oops", NOW, &seen()).unwrap_err();
    assert_eq!(told, ["It is no JSON: look at line 2, column 13. Take a file that `/cad export` made."]);
    assert!(read(&b"[".repeat(10_000), NOW, &seen()).is_err(), "as deep as one likes");
}

#[test]
fn a_mute_that_is_over_is_none_and_one_for_ever_is_refused() {
    let mut file = usual();
    file["routes"] = json!([{"event": "911", "channel": "101", "mute": {"until": "2026-01-01T00:00:00Z"}}]);
    let read = read(&serde_json::to_vec(&file).unwrap(), NOW, &seen()).unwrap();
    assert_eq!(read.routes[0].rule.mute, None);
    file["routes"][0]["mute"]["until"] = json!("2999-01-01T00:00:00Z");
    assert_eq!(problems(&file), ["`routes[0].mute.until`: a mute can last 30 days at most."]);
}

#[tokio::test]
async fn the_database_takes_any_settings_once_and_touches_only_what_differs() {
    let folder = crate::store::conformance::Folder::new();
    let store = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
    crate::store::conformance::link(&store, &[GUILD.0]).await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let user = UserId(5);
    let mut before = Settings::default();
    for n in 0..12 {
        let wanted = settings().new_tree(&mut runner).unwrap().current();
        let numbers = |routing: &crate::store::Routing| -> Vec<(crate::ids::RouteId, RouteSetting)> {
            routing.routes.iter().map(|route| (route.id, RouteSetting::of(route, NOW))).collect()
        };
        let was = numbers(&store.routing_now());
        let import = store.hold_import(GUILD, user, "{}".into(), String::new(), NOW).await.unwrap();
        let entry = AuditEntry {
            guild: GUILD,
            at: NOW,
            user,
            kind: AuditKind::Setting,
            action: "/cad import".into(),
            target: n.to_string(),
            detail: String::new(),
            outcome: "done".into(),
        };
        let community = CommunityId::new("c");
        let asked = Replacing { import, guild: GUILD, community, user, before: before.clone(), after: wanted.clone(), entry, now: NOW };
        let other = Replacing { user: UserId(6), ..asked.clone() };
        assert_eq!(store.replace_settings(other).await.unwrap(), Replaced::Gone, "somebody else's");
        if n > 0 {
            let stale = Replacing { before: Settings { notices: Some(ChannelId(77)), ..before.clone() }, ..asked.clone() };
            assert_eq!(store.replace_settings(stale).await.unwrap(), Replaced::Moved);
        }
        let Replaced::Done(gone) = store.replace_settings(asked.clone()).await.unwrap() else { panic!("not done") };
        assert_eq!(gone.len(), before.boards.iter().filter(|board| !wanted.boards.contains(board)).count());
        assert_eq!(store.replace_settings(asked).await.unwrap(), Replaced::Gone, "twice");
        assert_eq!(Settings::of(&store.routing_now(), GUILD, NOW), wanted);
        let is = numbers(&store.routing_now());
        for (id, route) in was.iter().filter(|(_, route)| wanted.routes.iter().any(|known| known.key() == route.key())) {
            assert!(is.iter().any(|(known, now)| known == id && now.key() == route.key()), "route #{id} has another number");
        }
        before = wanted;
    }
    assert_eq!(store.audited(GUILD, crate::store::audit::AuditFilter::default(), 0).await.unwrap().total, 12);
}
