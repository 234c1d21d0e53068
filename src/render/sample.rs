//! A small world for tests, and a form of messages that can be read in a snapshot.

use super::{Labels, Message, Style, View};
use crate::clock::UnixMs;
use crate::event::{EmergencyCall, Note, Priority, Unit};
use crate::ids::{CallId, Ident, ServerId};
use crate::world::{Dispatch, Emergency, MomentKind, Panic, Server, TimelineEntry, UnitState};

pub(super) const OPENED: UnixMs = UnixMs(1_763_700_000_000);
pub(super) const NOW: UnixMs = UnixMs(1_763_700_600_000);

/// A view without roles, with the default words.
pub(super) fn view(world: &Server, style: Style) -> View<'_> {
    static LABELS: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::default);
    View { world, server: ServerId(1), labels: &LABELS, style, roles: &[], test: false, buttons: false, now: NOW }
}

pub(super) fn world() -> Server {
    let some = |text: &str| Some(text.to_owned());
    let mut world = Server::default();
    let doe = Unit {
        ident: Ident(4107),
        status: Some(3),
        location: some("Alta St"),
        aop: some("Los Santos"),
        callsign: some("A-10"),
        name: some("John Doe"),
        department: some("LSPD"),
        subdivision: some("Patrol"),
        rank: some("Sergeant"),
        ..Unit::default()
    };
    let engine = Unit { ident: Ident(4112), status: Some(42), callsign: some("E-1"), ..Unit::default() };
    let nameless = Unit { ident: Ident(4120), callsign: some(" "), ..Unit::default() };
    for unit in [doe, engine, nameless] {
        world.units.insert(
            unit.ident,
            UnitState { unit, on_duty: true, since: Some(OPENED), located_at: Some(OPENED), seen_at: OPENED, ..UnitState::default() },
        );
    }

    let meta = [
        ("postal", "9001"),
        ("plate", "46*EEK"),
        ("x", "-402.1"),
        ("y", "1377.9"),
        ("uuid", "5d4cbb1e-7f2a"),
        ("callerPlayerId", "player-88"),
        ("callerCommunityUserId", "license:9d20"),
        ("silentAlert", "false"),
        ("surprise", "hidden"),
    ];
    let call = EmergencyCall {
        id: Some(CallId(302)),
        is_emergency: true,
        caller: some("Tessa Marlowe"),
        location: some("Alta St / Integrity Way"),
        description: some("shots fired. Two men with *crowbars*."),
        meta: meta.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        updated: None,
    };
    world.emergencies.insert(
        CallId(302),
        Emergency {
            call,
            opened_at: OPENED,
            gone_at: None,
            became: None,
            became_at: None,
            panic_of: None,
            content_fingerprint: None,
            joined_late: false,
            taken: None,
            notes: Vec::new(),
        },
    );

    let at = |secs: i64| OPENED.plus_ms(secs * 1000);
    let note = |time: &str, label: &str, content: &str| Note {
        time: some(time),
        label: some(label),
        kind: "text".into(),
        content: content.into(),
    };
    let dispatch = Dispatch {
        origin: Some(0),
        status: Some(1),
        priority: Some(Priority::Level(1)),
        block: some("1100"),
        address: some("1180 Mission Row, Los Santos"),
        postal: some("9001"),
        title: some("Armed Robbery"),
        code: some("211"),
        description: some("Two suspects at the bait shop."),
        notes: vec![note("19:47:30", "A-10", "En route"), note("2025-11-21T04:41:00Z", "D-1", "Caller hears glass breaking.")],
        units: vec![Ident(4107), Ident(4112), Ident(9999)],
        primary: Some(Ident(4107)),
        from_911: Some(CallId(302)),
        meta: [("plate".to_owned(), "46EEK".to_owned()), ("x".to_owned(), "-402.1".to_owned())].into(),
        first_unit_at: Some(at(38)),
        timeline: vec![
            TimelineEntry::new(at(-30), MomentKind::Called),
            TimelineEntry::new(at(0), MomentKind::Dispatched),
            TimelineEntry::new(at(38), MomentKind::Attached(Ident(4107))),
            TimelineEntry::new(at(60), MomentKind::Noted),
        ],
        ..empty_dispatch(CallId(501))
    };
    world.dispatches.insert(CallId(501), dispatch);
    for ident in [Ident(4107), Ident(9999)] {
        let linked_911 = (ident == Ident(4107)).then_some(CallId(302));
        world.panics.insert(
            ident,
            Panic { ident, since: OPENED, over_at: None, linked_911, by_flag: false, joined_late: false, taken: None, shared: None },
        );
    }
    world.dispatches.get_mut(&CallId(501)).unwrap().units.truncate(3);
    world
}

/// A call with only a number.
pub(super) fn empty_dispatch(id: CallId) -> Dispatch {
    Dispatch {
        id,
        origin: None,
        status: None,
        priority: None,
        block: None,
        address: None,
        postal: None,
        title: None,
        code: None,
        description: None,
        notes: vec![],
        units: vec![],
        primary: None,
        from_911: None,
        meta: [].into(),
        opened_at: OPENED,
        first_unit_at: None,
        closed_at: None,
        edited: vec![],
        timeline: vec![],
        content_fingerprint: None,
        listed_as: None,
        joined_late: false,
    }
}

/// A message as a person reads it: content, then per embed `#color title`, description, `[field] value` (`{field}` if inline), footer.
pub(super) fn show(message: &Option<Message>) -> String {
    let Some(message) = message else { return "nothing".into() };
    let mut lines: Vec<String> = Vec::new();
    lines.extend(message.content.as_ref().map(|c| format!("> {c}")));
    for embed in &message.embeds {
        lines.push(format!("#{:06X} {}", embed.color, embed.title.as_deref().unwrap_or("(no title)")));
        lines.extend(embed.description.clone().map(String::from));
        for field in &embed.fields {
            let (open, close) = if field.inline { ('{', '}') } else { ('[', ']') };
            lines.push(format!("{open}{}{close} {}", field.name, field.value));
        }
        let at = embed.timestamp.map_or_else(|| "-".into(), |at| at.secs().to_string());
        lines.push(format!("-- {} @ {at}", embed.footer.as_deref().unwrap_or("(no footer)")));
    }
    let faces: Vec<&str> = message.buttons.iter().map(|button| button.verb.face().1).collect();
    if !faces.is_empty() {
        lines.push(format!("[{}]", faces.join("] [")));
    }
    for file in &message.files {
        lines.push(format!("file {} ({})", file.name, file.description));
    }
    if message.silent {
        lines.push("silent".into());
    }
    // The snapshot shows where a mention or link was broken.
    lines.join("\n").replace('\u{200B}', "¦")
}
