//! Realistic messages in a community's channels, in the simulated Discord's format. Times are relative to now.

use serde_json::{Value, json};
use tenfour::clock::Clock;

pub(super) const GUILD: &str = "100000000000000001";
pub(super) const BOT: &str = "300000000000000001";
pub(super) const PERSON: &str = "300000000000000002";
pub(super) const DISPATCH_ROLE: &str = "400000000000000001";
pub(super) const PATROL_ROLE: &str = "400000000000000002";
pub(super) const C_911: &str = "200000000000000001";
pub(super) const C_DISPATCH: &str = "200000000000000002";
pub(super) const C_PANIC: &str = "200000000000000003";
pub(super) const C_DUTY: &str = "200000000000000004";
pub(super) const C_RECORDS: &str = "200000000000000005";
pub(super) const C_SETUP: &str = "200000000000000006";
pub(super) const C_FORUM: &str = "200000000000000007";
/// The thread on the dispatch card, which has the card's own id, and two posts of the forum.
pub(super) const THREAD: &str = "900000000000000021";
pub(super) const POST_OPEN: &str = "900000000000000101";
pub(super) const POST_OVER: &str = "900000000000000081";

/// Text of a malicious caller: every way into HTML and Markdown from a card's description.
pub(super) const HOSTILE: &str = "<img src=x onerror=\"fetch('/act')\"> <script>document.title='owned'</script> &lt;b&gt; \
    [click](javascript:alert(1)) @everyone <@&999> ~~__**unclosed *_| `";

/// Seconds since 1970, `minutes` ago.
pub(super) fn ago(minutes: i64) -> i64 {
    Clock::system().now().secs() - minutes * 60
}

pub(super) fn iso(unix: i64) -> String {
    jiff::Timestamp::from_second(unix).unwrap().to_string()
}

/// A bot message with the given number as the low digits of its id.
pub(super) fn message(channel: &str, n: u64, minutes: i64, fields: Value) -> Value {
    let mut message = json!({
        "id": (900_000_000_000_000_000 + n).to_string(), "channel_id": channel, "content": "", "timestamp": iso(ago(minutes)),
        "author": {"id": BOT, "username": "Tenfour", "bot": true}, "edited_timestamp": null, "embeds": [], "components": [],
        "attachments": [], "mention_roles": [], "flags": 0, "pinged": [],
    });
    for (key, value) in fields.as_object().unwrap() {
        message[key] = value.clone();
    }
    message
}

fn field(name: &str, value: impl Into<String>, inline: bool) -> Value {
    json!({"name": name, "value": value.into(), "inline": inline})
}

fn buttons(parts: &[(&str, u8, &str)]) -> Value {
    let parts: Vec<Value> = parts
        .iter()
        .map(|(label, style, id)| {
            let (emoji, text) = label.split_once(' ').unwrap();
            json!({"type": 2, "style": style, "label": text, "emoji": {"name": emoji}, "custom_id": id})
        })
        .collect();
    json!([{"type": 1, "components": parts}])
}

fn person(n: u64, channel: &str, minutes: i64, text: &str) -> Value {
    message(channel, n, minutes, json!({"author": {"id": PERSON, "username": "Morgan Reyes", "bot": false}, "content": text}))
}

/// The 911 card once `responding` units are on it.
pub(super) fn card_911(n: u64, minutes: i64, responding: &[&str]) -> Value {
    let mut timeline = format!("📞 <t:{}:t> 911", ago(minutes));
    for unit in responding {
        timeline.push_str(&format!("\n🚔 <t:{}:t> {unit} responding", ago(minutes - 1)));
    }
    message(
        C_911,
        n,
        minutes,
        json!({
            "content": format!("<@&{DISPATCH_ROLE}> 911: shots fired, Alta St / Integrity Way (9001)"),
            "mention_roles": [DISPATCH_ROLE], "pinged": [format!("<@&{DISPATCH_ROLE}>")],
            "edited_timestamp": if responding.is_empty() { Value::Null } else { json!(iso(ago(minutes - 1))) },
            "embeds": [{
                "title": "🚨 911 · Shots fired near Alta St", "color": 0x00E7_4C3C,
                "description": "Two men arguing at the building site, then **three or four shots**. One ran towards Integrity Way, dark hoodie.",
                "fields": [
                    field("Location", "Alta St / Integrity Way", true), field("Postal", "`9001`", true), field("Caller", "Tessa Moran", true),
                    field("Timeline", timeline, false),
                ],
                "footer": {"text": "Server 1 · 911 #84"}, "timestamp": iso(ago(minutes)),
            }],
            "components": buttons(&[("🚔 Respond", 3, "911:respond:84:v1"), ("📝 Note", 2, "911:note:84:v1"), ("✋ Take it", 2, "911:take:84:v1"), ("⋯ More…", 2, "911:more:84:v1")]),
        }),
    )
}

fn dispatch_card() -> Value {
    message(
        C_DISPATCH,
        21,
        38,
        json!({
            "content": format!("<@&{PATROL_ROLE}> Priority 1: 211 Armed Robbery, Fleeca Bank, Legion Square (8004)"),
            "pinged": [format!("<@&{PATROL_ROLE}>")], "mention_roles": [PATROL_ROLE], "edited_timestamp": iso(ago(29)),
            "embeds": [{
                "title": "🚔 P1 · 211 Armed Robbery · Legion Square", "color": 0x00C0_392B,
                "description": "Silent alarm, two suspects inside with long guns. Staff in the vault. Grey **Schafter** idling on Vespucci Blvd.",
                "fields": [
                    field("Address", "Fleeca Bank, Legion Square", true), field("Postal", "`8004`", true), field("Code", "211", true),
                    field("Priority", "🔴 1 \\*", true), field("Status", "Active", true), field("Origin", "Caller", true),
                    field("Units", "⭐ **A-10** 🟡 en route\n**A-22** 🟢 on scene\n**K9-3** 🟡 en route", false),
                    field("Timeline", format!("📞 <t:{}:t> created\n🚔 <t:{}:t> A-10 attached (38 s)\n⬆️ <t:{}:t> priority 2 → 1\n📝 <t:{}:t> A-22: perimeter set", ago(38), ago(37), ago(33), ago(29)), false),
                ],
                "footer": {"text": "Server 1 · Call #501"}, "timestamp": iso(ago(38)),
            }],
            "components": buttons(&[("🚔 Respond", 3, "call:respond:501:v1"), ("📝 Note", 2, "call:note:501:v1"), ("⋯ More…", 2, "call:more:501:v1")]),
        }),
    )
}

/// A note as it is in the dispatch call's thread.
pub(super) fn note(n: u64, minutes: i64, text: &str) -> Value {
    message(THREAD, n, minutes, json!({"embeds": [{"title": "📝 Note on Call #501", "description": text}]}))
}

/// A thread as the stream and the snapshot show it.
pub(super) fn thread(id: &str, name: &str, parent: &str, archived: bool) -> Value {
    json!({"id": id, "name": name, "type": 11, "parent_id": parent, "archived": archived})
}

fn messages() -> Value {
    let duty = format!(
        "🟢 <t:{}:t> **A-10** John Doe · LSPD Patrol · on duty\n🟢 <t:{}:t> **A-22** Ines Falk · LSPD Patrol · on duty\n\
         🟢 <t:{}:t> **K9-3** Sam Okoro · LSPD K9 · on duty\n⚪ <t:{}:t> **B-14** Lee Park · BCSO · off duty after 2 h 14",
        ago(96),
        ago(92),
        ago(71),
        ago(44)
    );
    let post = |id: &str, n: u64, minutes: i64, title: &str, color: i64| {
        message(id, n, minutes, json!({"embeds": [{"title": title, "color": color}]}))
    };
    json!({
        THREAD: [
            message(THREAD, 23, 37, json!({"content": "🧵 Call #501: notes are written here."})),
            note(24, 33, "Perimeter set."),
        ],
        C_FORUM: [],
        POST_OPEN: [post(POST_OPEN, 101, 30, "🚔 P1 · 211 Armed Robbery", 0x00C0_392B), message(POST_OPEN, 102, 29, json!({"content": "A-22: Perimeter set."}))],
        POST_OVER: [post(POST_OVER, 81, 70, "⬛ Closed · 10-50 Traffic accident", 0x0095_A5A6)],
        C_911: [
            message(C_911, 1, 52, json!({
                "content": "", "edited_timestamp": iso(ago(41)),
                "embeds": [{
                    "title": "➡️ became Call #501 · Bank alarm at Legion Square", "color": 0x0095_A5A6,
                    "description": "The guard is on the floor, they have rifles, please hurry.",
                    "fields": [field("Location", "Fleeca Bank, Legion Square", true), field("Postal", "`8004`", true), field("Caller", "unknown", true),
                        field("Became", format!("[Call #501](https://discord.com/channels/{GUILD}/{C_DISPATCH}/900000000000000021) in <https://discord.com/channels/{GUILD}/{POST_OPEN}>, not [there](https://discord.com/channels/{GUILD}/404/405)"), false)],
                    "footer": {"text": "Server 1 · 911 #83 · handled after 1 min 20 s"}, "timestamp": iso(ago(52)),
                }],
            })),
            person(2, C_911, 40, "good work everyone, **A-22** has the perimeter. `10-4`"),
            card_911(3, 6, &["A-10"]),
        ],
        C_DISPATCH: [
            message(C_DISPATCH, 20, 70, json!({
                "edited_timestamp": iso(ago(50)),
                "embeds": [{
                    "title": "⬛ Closed · 10-50 Traffic accident · Del Perro Fwy", "color": 0x0095_A5A6,
                    "fields": [field("Duration", "20 min", true), field("First unit", "1 min 12 s", true), field("Units", "A-22, M-4", true)],
                    "footer": {"text": "Server 1 · Call #500"}, "timestamp": iso(ago(70)),
                }],
            })),
            dispatch_card(),
            message(C_DISPATCH, 22, 33, json!({
                "content": format!("<@&{PATROL_ROLE}> Call #501 is now priority 1."), "pinged": [format!("<@&{PATROL_ROLE}>")],
                "message_reference": {"message_id": "900000000000000021", "channel_id": C_DISPATCH},
            })),
        ],
        C_PANIC: [
            message(C_PANIC, 40, 12, json!({
                "content": format!("<@&{DISPATCH_ROLE}> <@&{PATROL_ROLE}> PANIC: A-10 John Doe, Strawberry Ave (9021)"),
                "pinged": [format!("<@&{DISPATCH_ROLE}>"), format!("<@&{PATROL_ROLE}>")], "edited_timestamp": iso(ago(9)),
                "embeds": [{
                    "title": "✅ Panic over · A-10", "color": 0x002E_CC71,
                    "fields": [
                        field("Unit", "A-10 John Doe", true), field("Department", "LSPD", true), field("Rank", "Sergeant", true),
                        field("Last known location", "Strawberry Ave / Davis Ave", true), field("Age", "4 s", true), field("Call", "#501", true),
                        field("Timeline", format!("🆘 <t:{}:t> panic\n✋ <t:{}:t> taken by <@{PERSON}>\n✅ <t:{}:t> over after 3 min", ago(12), ago(11), ago(9)), false),
                    ],
                    "footer": {"text": "Server 1 · A-10"}, "timestamp": iso(ago(12)),
                }],
            })),
            message(C_PANIC, 41, 9, json!({
                "content": "✅ Panic over: A-10 is safe, after 3 min.", "flags": 1 << 12,
                "message_reference": {"message_id": "900000000000000040", "channel_id": C_PANIC},
            })),
        ],
        C_DUTY: [message(C_DUTY, 60, 96, json!({"edited_timestamp": iso(ago(44)), "embeds": [{"title": "🕘 Duty log", "description": duty, "color": 0x002E_CC71}]}))],
        C_RECORDS: [message(C_RECORDS, 70, 25, json!({
            "embeds": [{
                "title": "🟡 BOLO · Grey Schafter 46EEK572", "color": 0x00F1_C40F, "description": "> Seen leaving Legion Square. **Armed and dangerous.**\n-# Entered by A-22",
                "fields": [field("Plate", "`46EEK572`", true), field("Model", "Schafter V12", true), field("Colour", "Grey", true)],
                "footer": {"text": "Server 1 · Record #2291"}, "timestamp": iso(ago(25)),
            }],
            "attachments": [{"filename": "dashcam.txt", "url": "", "size": 20_480, "description": "Transcript of A-22's dashcam"}],
        }))],
        C_SETUP: [
            message(C_SETUP, 80, 130, json!({
                "content": "### Where should alerts go?\n1. Pick what you want to hear about\n2. Pick a channel\n-# You can change this later with `/alerts edit`",
                "components": [
                    {"type": 1, "components": [{"type": 3, "custom_id": "setup:preset", "placeholder": "What to post", "min_values": 1, "max_values": 3, "options": [
                        {"label": "Essentials", "value": "essentials", "description": "911, panic and dispatch"},
                        {"label": "Duty log", "value": "duty", "description": "Who comes and goes"},
                        {"label": "Fire and EMS", "value": "fire-ems", "description": "Stations, pagers, tones"},
                        {"label": "Records", "value": "records", "description": "BOLOs and warrants"},
                    ]}]},
                    {"type": 1, "components": [{"type": 8, "custom_id": "setup:channel", "placeholder": "Which channel", "channel_types": [0]}]},
                    {"type": 1, "components": [
                        {"type": 2, "style": 1, "label": "Send a test alert", "custom_id": "setup:test"},
                        {"type": 2, "style": 4, "label": "Stop", "custom_id": "setup:stop", "disabled": true},
                        {"type": 2, "style": 5, "label": "Read the guide", "url": "https://example.org/guide"},
                    ]},
                ],
            })),
        ],
    })
}

fn commands() -> Value {
    let events = ["911", "civil", "panic", "dispatch", "duty", "station"].map(|name| json!({"name": name, "value": name}));
    json!([
        {"id": "1", "type": 1, "name": "cad", "description": "The link to the CAD", "options": [
            {"type": 1, "name": "status", "description": "How the link is doing"},
            {"type": 1, "name": "setup", "description": "Connect a CAD and choose channels"},
        ]},
        {"id": "2", "type": 1, "name": "alerts", "description": "What is posted where", "options": [
            {"type": 1, "name": "add", "description": "Post an event in a channel", "options": [
                {"type": 3, "name": "event", "description": "What to post", "required": true, "choices": events},
                {"type": 7, "name": "channel", "description": "Where to post it", "required": true, "channel_types": [0]},
                {"type": 8, "name": "role", "description": "Whom to ping"},
                {"type": 3, "name": "style", "description": "How it looks", "choices": [{"name": "card", "value": "card"}, {"name": "compact", "value": "compact"}]},
            ]},
            {"type": 1, "name": "list", "description": "Every route"},
            {"type": 1, "name": "remove", "description": "Stop posting", "options": [{"type": 3, "name": "route", "description": "Which route", "required": true, "autocomplete": true}]},
            {"type": 1, "name": "escalate", "description": "Ping again if nobody takes it", "options": [
                {"type": 3, "name": "route", "description": "Which route", "required": true, "autocomplete": true},
                {"type": 4, "name": "minutes", "description": "After how long", "required": true, "min_value": 1, "max_value": 60},
                {"type": 8, "name": "role", "description": "Whom to ping", "required": true},
                {"type": 5, "name": "loud", "description": "Even in quiet hours"},
            ]},
        ]},
        {"id": "3", "type": 1, "name": "911", "description": "Place a 911 call"},
        {"id": "4", "type": 1, "name": "duty", "description": "Who is on duty", "options": [{"type": 1, "name": "leaderboard", "description": "Hours this week"}]},
    ])
}

/// The snapshot at the start of a test.
pub(super) fn snapshot() -> Value {
    let channel = |id: &str, name: &str, kind: u8, parent: Option<&str>| json!({"id": id, "name": name, "type": kind, "parent_id": parent});
    json!({
        "seq": 100,
        "guild": {"id": GUILD, "name": "San Andreas Roleplay"},
        "channels": [
            channel("210000000000000001", "Dispatch", 4, None), channel("210000000000000002", "Department", 4, None), channel("210000000000000003", "Staff", 4, None),
            channel(C_911, "911-calls", 0, Some("210000000000000001")), channel(C_DISPATCH, "dispatch", 0, Some("210000000000000001")),
            channel(C_PANIC, "panic", 0, Some("210000000000000001")),
            thread(THREAD, "P2 · 211 Armed Robbery", C_DISPATCH, false),
            channel(C_FORUM, "case-files", 15, Some("210000000000000001")),
            thread(POST_OPEN, "P1 · 211 Armed Robbery", C_FORUM, false), thread(POST_OVER, "P3 · 10-50 Traffic accident", C_FORUM, true),
            channel(C_DUTY, "duty-log", 0, Some("210000000000000002")), channel(C_RECORDS, "records", 0, Some("210000000000000002")),
            channel(C_SETUP, "bot-setup", 0, Some("210000000000000003")),
        ],
        "roles": [
            {"id": GUILD, "name": "@everyone", "color": 0}, {"id": PATROL_ROLE, "name": "Patrol", "color": 0x0034_98DB},
            {"id": DISPATCH_ROLE, "name": "Dispatch", "color": 0x00F3_9C12}, {"id": "400000000000000003", "name": "Fire & EMS", "color": 0x00E7_4C3C},
        ],
        "users": [
            {"id": BOT, "name": "Tenfour", "bot": true, "roles": []},
            {"id": PERSON, "name": "Morgan Reyes", "bot": false, "roles": [DISPATCH_ROLE]},
        ],
        "messages": messages(),
        "commands": commands(),
    })
}
