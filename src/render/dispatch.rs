//! Dispatch calls: open, then closed. One card that stays current.

use super::button::{self, Verb};
use super::draft::{self, Draft, Fields, PublicState};
use super::meta::{known_meta, meta, place_left};
use super::text::{self, SafeText, safe};
use super::{Message, Style, View, colors, street, unit, words};
use crate::clock::UnixMs;
use crate::event::{Note, Priority};
use crate::ids::{CallId, Ident};
use crate::world::{Dispatch, MomentKind, Subject, TimelineEntry};

/// Limit on the moments shown.
const MOMENTS: usize = 6;
/// Status number of a closed call (docs/cad-contract.md#n4).
const CLOSED: i64 = 2;

pub(super) fn card(call: &Dispatch, view: &View<'_>) -> Message {
    let closed = call.closed_at.is_some() || call.status == Some(CLOSED);
    let color = if closed { colors::CLOSED } else { colors::priority(call.priority.as_ref()) };
    let about = words::call_of(call);
    if view.style == Style::Public {
        return public(call, view, closed, color, about);
    }

    let priority = call.priority.as_ref().and_then(|p| words::priority(view.labels, p));
    let head = match (&priority, closed) {
        (_, true) => "⬛ Closed".into(),
        (Some(priority), false) => safe!("🚔 {}", priority),
        (None, false) => "🚔 Dispatch".into(),
    };
    let what = what(call).unwrap_or_else(|| about.to_string());
    let title = format!("{}{}", star(call, &["title"]), words::capital(&what));
    let title = draft::title(view, head, Some(&title), " · ", place(call).as_deref());
    let mut draft = Draft::new(view, title, color, about, call.opened_at);
    draft.sentence = sentence(call, view, priority.as_ref(), &what);
    draft.description = draft::block(call.description.as_deref(), 1_800).map(|text| safe!("{}{}", star(call, &["description"]), text));
    draft.fields = fields(call, view, priority, closed).0;
    if !closed && call.cad_number().is_some() {
        draft.buttons = button::buttons(view, Subject::Dispatch(call.id, call.opened_at), &[Verb::Respond, Verb::Note, Verb::More]);
    }
    draft.finish(view)
}

/// Not the title or a word of a custom layout: both are free text and may name people. So may the code through the API, so it is shown only
/// if it looks like one.
fn public(call: &Dispatch, view: &View<'_>, closed: bool, color: u32, about: SafeText) -> Message {
    let code = call.code.as_deref().and_then(public_code).map_or_else(|| "Call".into(), |code| text::line(code, 32));
    let head = match &call.priority {
        _ if closed => safe!("⬛ Closed · {}", code),
        Some(level @ Priority::Level(_)) => {
            safe!("🚔 {} · {}", words::priority(view.labels, level).unwrap_or_default(), code)
        }
        _ => safe!("🚔 {}", code),
    };
    let word = if closed { words::call_status(CLOSED) } else { words::call_status(call.status.unwrap_or(1)) };
    let state = PublicState { word, since: call.opened_at, over: call.closed_at };
    Draft::public(view, head, call.address.as_deref(), color, about, state).finish(view)
}

/// `10-50`, `459R`, `Code 3`; for `10-50 - Accident` the number. Words may be names, and longer numbers house numbers, plates or
/// telephones.
fn public_code(code: &str) -> Option<&str> {
    let code = text::visible(Some(code))?.trim();
    let short = code.split_once(" - ").map_or(code, |(number, _)| number.trim_end());
    let word = short.strip_prefix("Code ").unwrap_or(short);
    let count = |is: fn(&char) -> bool| word.chars().filter(is).count();
    let looks_right = word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && count(char::is_ascii_digit) <= 4
        && count(char::is_ascii_alphabetic) <= 2
        && count(|c| *c == '-') <= 1;
    looks_right.then_some(short)
}

/// `211 Armed Robbery`: the code's number before the title, unless the title already has it; the code alone where there is no title. Raw.
pub(super) fn what(call: &Dispatch) -> Option<String> {
    let code = text::visible(call.code.as_deref()).map(str::trim);
    let title = text::visible(call.title.as_deref()).map(str::trim);
    match (code, title) {
        (Some(code), Some(title)) => {
            let number = code.split_once(" - ").map_or(code, |(number, _)| number).trim();
            let said = number.is_empty() || title.to_lowercase().contains(&number.to_lowercase());
            Some(if said || number.chars().count() > 12 { title.to_owned() } else { format!("{number} {title}") })
        }
        (one, other) => one.or(other).map(str::to_owned),
    }
}

/// The location, for the title. Raw.
pub(super) fn place(call: &Dispatch) -> Option<String> {
    let address = text::visible(call.address.as_deref()).map(|a| street::first(a).to_owned());
    let block = || text::visible(call.block.as_deref()).map(|b| format!("Block {b}"));
    let postal = || text::visible(call.postal.as_deref()).map(|p| format!("Postal {p}"));
    address.or_else(block).or_else(postal)
}

/// `P1: 211 Armed Robbery, Mission Row (9001)`.
fn sentence(call: &Dispatch, view: &View<'_>, priority: Option<&SafeText>, what: &str) -> SafeText {
    let priority = priority.map_or_else(|| "Dispatch".into(), SafeText::clone);
    let mut out = safe!("{}: {}", priority, text::line(what, 120));
    let place = place_left(call.address.as_deref(), Some(what));
    if let Some(address) = draft::line(place, 120) {
        out = safe!("{}, {}", out, address);
    }
    let said = |postal: &&str| [Some(what), place].into_iter().flatten().any(|said| text::says(said, postal));
    if let Some(postal) = draft::line(call.postal.as_deref().filter(|postal| !said(postal)), 24) {
        out = safe!("{} ({})", out, postal);
    }
    match unit::shorts(view, &call.units) {
        Some(units) => safe!("{} · {}", out, units),
        None => out,
    }
}

/// How another card names this one: `Call #501 · 211 Armed Robbery`.
pub(super) fn reference(call: &Dispatch) -> SafeText {
    match what(call) {
        Some(what) => safe!("{} · {}", words::call_of(call), text::line(&what, 60)),
        None => words::call_of(call),
    }
}

fn edited(call: &Dispatch, field: &str) -> bool {
    call.edited.iter().any(|name| name == field)
}

/// A star before what the last edit changed.
fn star(call: &Dispatch, names: &[&str]) -> &'static str {
    if names.iter().any(|name| edited(call, name)) { "★ " } else { "" }
}

fn fields(call: &Dispatch, view: &View<'_>, priority: Option<SafeText>, closed: bool) -> Fields {
    let mut fields = Fields::default();
    let name = |label: &'static str, names: &[&str]| safe!("{}{}", star(call, names), label);
    let postal = call.postal.as_deref().or_else(|| meta(&call.meta, "postal"));
    fields.inline(name("Address", &["address", "block"]), address(call));
    fields.inline(name("Postal", &["postal"]), draft::line(postal, 40));
    fields.inline(name("Code", &["code"]), draft::line(call.code.as_deref(), 100));

    let status = if closed { Some(CLOSED) } else { call.status };
    let origin = call.origin.map(words::origin);
    let from = call.from_911.map(|id| safe!("{} #{}", words::emergency(view.labels, true), id));
    fields.inline(name("Priority", &["priority"]), priority);
    fields.inline(name("Status", &["status"]), status.map(words::call_status));
    fields.inline(
        name("Origin", &["origin"]),
        match (origin, from) {
            (Some(origin), Some(from)) => Some(safe!("{} ({})", origin, from)),
            (origin, from) => origin.or(from),
        },
    );
    if let Some(id) = call.from_911 {
        let told = safe!("{} #{}", words::emergency(view.labels, true), id);
        fields.link(told, view.world.emergency_called(id));
    }
    known_meta(&mut fields, &call.meta, &["plate"]);

    let units: Vec<SafeText> = call.units.iter().map(|i| unit::on_call(view, *i, call.primary == Some(*i))).collect();
    let nobody = || (!closed).then(|| "Nobody yet".into());
    fields.wide("Units", draft::list(&units, " · ", 800).or_else(nobody));
    if let Some(closed_at) = call.closed_at.filter(|_| !call.joined_late) {
        fields.inline("Duration", Some(words::duration(closed_at.since(call.opened_at))));
        let first = call.first_unit_at.map(|at| words::duration(at.since(call.opened_at)));
        fields.inline("First unit after", Some(first.unwrap_or_else(|| "None came".into())));
    }
    let last = call.notes.iter().rev().find_map(note_line);
    let label = if call.notes.len() > 1 { safe!("Last of {} notes", call.notes.len()) } else { "Last note".into() };
    fields.wide(label, last.map(|note| note.cut(600)));
    fields.wide("Timeline", timeline(call, view));
    fields
}

/// `1180 Lantern Quay, Brineford (block 1100)`.
fn address(call: &Dispatch) -> Option<SafeText> {
    let block = draft::line(call.block.as_deref(), 60);
    match (draft::line(call.address.as_deref(), 300), block) {
        (Some(address), Some(block)) => Some(safe!("{} (block {})", address, block)),
        (None, Some(block)) => Some(safe!("Block {}", block)),
        (address, None) => address,
    }
}

/// `<t:…:t> D-1: Caller hears glass breaking.` The note's time is shown only if it is a moment: a bare clock is the game's own.
pub(super) fn note_line(note: &Note) -> Option<SafeText> {
    let content = draft::block(Some(&note.content), 600)?;
    let at = note.time.as_deref().and_then(|t| t.trim().parse::<jiff::Timestamp>().ok());
    let mut out = at.map(|at| safe!("{} ", words::time(UnixMs(at.as_millisecond())))).unwrap_or_default();
    if let Some(label) = draft::line(note.label.as_deref(), 60) {
        out = safe!("{}{}: ", out, label);
    }
    if !note.kind.eq_ignore_ascii_case("text")
        && let Some(kind) = draft::line(Some(&note.kind), 24)
    {
        out = safe!("{}({}) ", out, kind);
    }
    Some(safe!("{}{}", out, content))
}

/// The last six moments; the first line of an attachment says how long it took.
fn timeline(call: &Dispatch, view: &View<'_>) -> Option<SafeText> {
    let moments = call.timeline.iter().skip(call.timeline.len().saturating_sub(MOMENTS));
    let told: Vec<SafeText> = moments.map(|moment| moment_words(call, moment, view)).collect();
    draft::list(&told, " · ", 1_000)
}

fn moment_words(call: &Dispatch, moment: &TimelineEntry, view: &View<'_>) -> SafeText {
    let at = words::time(moment.at);
    // The duration is known only for a call that we saw begin, not for one found there.
    let after = || match call.joined_late {
        true if moment.at == call.opened_at => SafeText::default(),
        true => safe!(" ({})", at),
        false => safe!(" ({})", words::duration(moment.at.since(call.opened_at))),
    };
    match &moment.what {
        MomentKind::Called => safe!("📞 {} {}", at, words::emergency(view.labels, true)),
        MomentKind::Dispatched if call.joined_late => safe!("👁️ {} first seen", at),
        MomentKind::Dispatched => safe!("🚔 {} dispatched", at),
        MomentKind::Priority { from, to } => {
            safe!("🔺 {} priority {} → {}", at, words::bare_priority(from.as_ref()), words::bare_priority(to.as_ref()))
        }
        MomentKind::Edited(names) => {
            let names = SafeText::join(names.iter().take(9).filter_map(|name| draft::line(Some(name), 24)), ", ");
            safe!("✏️ {} edited {}", at, if names.is_empty() { "call".into() } else { names })
        }
        MomentKind::Attached(ident) => safe!("{} attached{}", unit::short(view, *ident), after()),
        MomentKind::Detached(ident) => safe!("{} detached{}", unit::short(view, *ident), after()),
        MomentKind::Noted => safe!("📝 {} note", at),
        MomentKind::Closed => safe!("⬛ {} closed", at),
    }
}

/// A note as a message of its own, for the call's thread. `None` if nothing in it is visible, or in the public style.
#[must_use]
pub fn note(note: &Note, subject: Subject, at: UnixMs, view: &View<'_>) -> Option<Message> {
    let about = match subject {
        Subject::Dispatch(call, _) => words::call_by(view, call),
        Subject::Emergency(call, _) => words::emergency_by(view, call),
        Subject::Panic(..) | Subject::Event(..) => return None,
    };
    if view.style == Style::Public {
        return None;
    }
    let mut draft = Draft::new(view, safe!("📝 Note on {}", about), colors::OTHER, about, at);
    let line = note_line(note)?;
    if view.style != Style::Card {
        draft.title = draft::title(view, &draft.title, Some(&note.content), "", None);
    }
    draft.description = Some(line);
    Some(draft.finish(view))
}

/// An attached or detached unit as a message of its own for the call's thread. `None` in the public style.
#[must_use]
pub fn attachment(ident: Ident, on: bool, call: CallId, at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let (emoji, done) = if on { ("🚓", "attached") } else { ("↩️", "detached") };
    let line = safe!("{} {} {} {}", words::time(at), emoji, unit::name(view, ident), done);
    let mut draft = Draft::new(view, "", if on { colors::ON_DUTY } else { colors::OFF_DUTY }, words::call_by(view, call), at);
    draft.description = Some(line);
    let mut message = draft.finish(&View { style: Style::Card, ..*view });
    message.content = None;
    message.roles.clear();
    if let Some(embed) = message.embeds.first_mut() {
        embed.title = None;
    }
    Some(message)
}

/// The reply about a call that rose to the highest priority.
pub(super) fn raised(call: &Dispatch, view: &View<'_>) -> Message {
    let priority = call.priority.as_ref().filter(|p| view.style != Style::Public || matches!(p, Priority::Level(_)));
    let priority = priority.and_then(|p| words::priority(view.labels, p)).unwrap_or_else(|| "urgent".into());
    let about = if view.style == Style::Public { words::call_of(call) } else { reference(call) };
    let sentence = safe!("🔺 Now {}: {}", priority, about);
    let (content, roles) = draft::content(view, &sentence);
    Message { content: content.or(Some(sentence)), roles, ..Message::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RoleId;
    use crate::render::sample::{self, show};
    use crate::world::Server;
    use insta::assert_snapshot;

    fn shown(world: &Server, style: Style, roles: &[RoleId]) -> String {
        let view = View { roles, ..sample::view(world, style) };
        show(&crate::render::card(Subject::Dispatch(CallId(501), sample::OPENED), &view))
    }

    fn call(world: &mut Server) -> &mut Dispatch {
        world.dispatches.get_mut(&CallId(501)).unwrap()
    }

    #[test]
    fn open() {
        let world = sample::world();
        assert_snapshot!(shown(&world, Style::Card, &[RoleId(7)]), @r##"
        > <@&7> P1: 211 Armed Robbery, 1180 Mission Row, Los Santos (9001) · A-10, E-1, Unit 9999
        #C0392B 🚔 P1 · 211 Armed Robbery · 1180 Mission Row
        Two suspects at the bait shop.
        {Address} 1180 Mission Row, Los Santos (block 1100)
        {Postal} 9001
        {Code} 211
        {Priority} P1
        {Status} Active
        {Origin} Caller (911 #302)
        {Plate} 46EEK
        [Units] 🔵 A-10 ★ · ▫️ E-1 · Unit 9999
        [Last of 2 notes] <t:1763700060:t> D-1: Caller hears glass breaking.
        [Timeline] 📞 <t:1763699970:t> 911 · 🚔 <t:1763700000:t> dispatched · A-10 attached (38 s) · 📝 <t:1763700060:t> note
        -- Server 1 · Call #501 @ 1763700000
        "##);
        assert_snapshot!(shown(&world, Style::Compact, &[]), @r##"
        #C0392B 🚔 P1 · 211 Armed Robbery · 1180 Mission Row
        -- Server 1 · Call #501 @ 1763700000
        "##);
        assert_snapshot!(shown(&world, Style::Log, &[]), @r##"
        #C0392B (no title)
        <t:1763700000:t> 🚔 P1 · 211 Armed Robbery · 1180 Mission Row
        -- Server 1 · Call #501 @ 1763700000
        "##);
        assert_snapshot!(shown(&world, Style::Public, &[]), @r##"
        #C0392B 🚔 P1 · 211 · Mission Row / Los Santos
        {Street} Mission Row / Los Santos
        {State} Active
        {Since} <t:1763700000:t>
        -- Server 1 · Call #501 @ 1763700000
        "##);
    }

    #[test]
    fn edited_fields_have_a_star() {
        let mut world = sample::world();
        let call = call(&mut world);
        call.edited = vec!["priority".into(), "block".into(), "title".into(), "description".into()];
        call.priority = Some(Priority::Level(3));
        let at = sample::OPENED.plus_ms(120_000);
        call.timeline.push(TimelineEntry::new(at, MomentKind::Priority { from: Some(Priority::Level(1)), to: Some(Priority::Level(3)) }));
        call.timeline.push(TimelineEntry::new(at, MomentKind::Edited(vec!["block".into(), "title".into()])));
        assert_snapshot!(shown(&world, Style::Card, &[]), @r##"
        #3498DB 🚔 P3 · ★ 211 Armed Robbery · 1180 Mission Row
        ★ Two suspects at the bait shop.
        {★ Address} 1180 Mission Row, Los Santos (block 1100)
        {Postal} 9001
        {Code} 211
        {★ Priority} P3
        {Status} Active
        {Origin} Caller (911 #302)
        {Plate} 46EEK
        [Units] 🔵 A-10 ★ · ▫️ E-1 · Unit 9999
        [Last of 2 notes] <t:1763700060:t> D-1: Caller hears glass breaking.
        [Timeline] 📞 <t:1763699970:t> 911 · 🚔 <t:1763700000:t> dispatched · A-10 attached (38 s) · 📝 <t:1763700060:t> note · 🔺 <t:1763700120:t> priority 1 → 3 · ✏️ <t:1763700120:t> edited block, title
        -- Server 1 · Call #501 @ 1763700000
        "##);
    }

    #[test]
    fn closed() {
        let mut world = sample::world();
        let call = call(&mut world);
        call.closed_at = Some(sample::OPENED.plus_ms(845_000));
        call.timeline.push(TimelineEntry::new(sample::OPENED.plus_ms(845_000), MomentKind::Closed));
        assert_snapshot!(shown(&world, Style::Card, &[]), @r##"
        #95A5A6 ⬛ Closed · 211 Armed Robbery · 1180 Mission Row
        Two suspects at the bait shop.
        {Address} 1180 Mission Row, Los Santos (block 1100)
        {Postal} 9001
        {Code} 211
        {Priority} P1
        {Status} Closed
        {Origin} Caller (911 #302)
        {Plate} 46EEK
        [Units] 🔵 A-10 ★ · ▫️ E-1 · Unit 9999
        {Duration} 14 min
        {First unit after} 38 s
        [Last of 2 notes] <t:1763700060:t> D-1: Caller hears glass breaking.
        [Timeline] 📞 <t:1763699970:t> 911 · 🚔 <t:1763700000:t> dispatched · A-10 attached (38 s) · 📝 <t:1763700060:t> note · ⬛ <t:1763700845:t> closed
        -- Server 1 · Call #501 @ 1763700000
        "##);
        assert_snapshot!(shown(&world, Style::Public, &[]), @r##"
        #95A5A6 ⬛ Closed · 211 · Mission Row / Los Santos
        {Street} Mission Row / Los Santos
        {State} Closed
        {Since} <t:1763700000:t>
        {Over} <t:1763700845:t>
        -- Server 1 · Call #501 @ 1763700000
        "##);
    }

    #[test]
    fn nothing_but_a_number() {
        let mut world = sample::world();
        *call(&mut world) = sample::empty_dispatch(CallId(501));
        assert_snapshot!(shown(&world, Style::Card, &[]), @r##"
        #3498DB 🚔 Dispatch · Call #501
        [Units] Nobody yet
        -- Server 1 · Call #501 @ 1763700000
        "##);
        assert_snapshot!(shown(&world, Style::Public, &[]), @r##"
        #3498DB 🚔 Call
        {State} Active
        {Since} <t:1763700000:t>
        -- Server 1 · Call #501 @ 1763700000
        "##);
    }

    #[test]
    fn the_public_sees_a_code_only_if_it_looks_like_one() {
        for (code, shown) in [
            ("10-50", Some("10-50")),
            ("211", Some("211")),
            ("459R", Some("459R")),
            ("Code 3", Some("Code 3")),
            ("10-62 - Burglary at John's", Some("10-62")),
            ("John Doe", None),
            ("46EEK572", None),
            ("555-0100", None),
            ("1180 Alta St", None),
            ("10-50-1-2", None),
            ("-", None),
            (" ", None),
            ("<@1>", None),
        ] {
            assert_eq!(public_code(code), shown, "{code}");
        }
        let mut world = sample::world();
        call(&mut world).code = Some("John Doe, 1180 Alta St".into());
        assert!(shown(&world, Style::Public, &[]).contains("🚔 P1 · Call · Mission Row"));
    }

    #[test]
    fn a_911_that_came_without_a_number_is_linked_by_its_later_one() {
        let mut world = sample::world();
        let mut from = world.emergencies.remove(&CallId(302)).unwrap();
        from.call.id = Some(CallId(302));
        let opened = from.opened_at;
        world.emergencies.insert(CallId(-7), from);
        let view = sample::view(&world, Style::Card);
        let message = card(&world.dispatches[&CallId(501)], &view);
        assert_eq!(message.links().collect::<Vec<_>>(), [Subject::Emergency(CallId(-7), opened).to_string()]);
    }

    #[test]
    fn only_the_last_six_moments() {
        let mut world = sample::world();
        let moment = |n: i64| TimelineEntry::new(sample::OPENED.plus_ms(n * 1000), MomentKind::Attached(Ident(5000 + n)));
        call(&mut world).timeline = (0..24).map(moment).collect();
        let shown = shown(&world, Style::Card, &[]);
        assert!(!shown.contains("Unit 5017 attached") && shown.contains("Unit 5018 attached (18 s) · Unit 5019"), "{shown}");
    }

    #[test]
    fn what_the_title_says() {
        let said = |code: &str, title: &str| {
            let call = Dispatch { code: Some(code.into()), title: Some(title.into()), ..sample::empty_dispatch(CallId(1)) };
            what(&call).unwrap_or_default()
        };
        assert_eq!(said("211", "Armed Robbery"), "211 Armed Robbery");
        assert_eq!(said("10-62 - Burglary", "Burglary in progress"), "10-62 Burglary in progress");
        assert_eq!(said("10-62 - Burglary", "10-62 at the pier"), "10-62 at the pier");
        assert_eq!(said("Traffic stop, felony", "White van"), "White van");
        assert_eq!(said("10-62 - Burglary", " "), "10-62 - Burglary");
        assert_eq!(said("", ""), "");
    }

    #[test]
    fn notes_for_the_thread_and_the_rise() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        let said = Note {
            time: Some("19:47:30".into()),
            label: Some("A-10".into()),
            kind: "text".into(),
            content: "On scene.\n@everyone run".into(),
        };
        assert_snapshot!(show(&note(&said, Subject::Dispatch(CallId(501), sample::OPENED), sample::NOW, &view)), @r##"
        #3498DB 📝 Note on Call #501
        A-10: On scene.
        @¦everyone run
        -- Server 1 · Call #501 @ 1763700600
        "##);
        let pinged = View { roles: &[RoleId(7)], ..view };
        assert_snapshot!(show(&Some(raised(&world.dispatches[&CallId(501)], &pinged))), @r##"> <@&7> 🔺 Now P1: Call #501 · 211 Armed Robbery"##);
        let blank = Note { content: "\u{200B}".into(), ..said };
        assert_eq!(note(&blank, Subject::Dispatch(CallId(501), sample::OPENED), sample::NOW, &view), None);
    }
}
