//! Checks push events, from their bytes to their messages: the envelope, every decoder, a growing world, and every style.
//!
//! Input: bodies with 0x1e between them (which JSON never holds), as they would come from the CAD one after another.

use secrecy::SecretString;
use serde_json::Value;
use tenfour::clock::UnixMs;
use tenfour::event::{self, Envelope, Event, decode};
use tenfour::ids::{BoardId, RoleId, ServerId};
use tenfour::json::{self, JsonError, JsonReader, Secrets};
use tenfour::render::{self, BoardKind, Labels, Message, Reply, Style, View};
use tenfour::world::{CardChange, Change, Server, Subject};

/// What serde_json's own names begin with.
const SERDE: &[u8] = b"$serde_json::private";
/// Between two bodies.
const SEPARATOR: u8 = 0x1e;
/// Bodies of one input that are used.
const BODIES: usize = 16;
/// Limit on the events of one body.
const EVENTS: usize = 200;
const BEGIN: UnixMs = UnixMs(1_760_000_000_000);
const STYLES: [Style; 4] = [Style::Card, Style::Compact, Style::Log, Style::Public];
const ROLES: [RoleId; 1] = [RoleId(71)];

/// Panics if a promise is broken.
pub(super) fn check(data: &[u8]) {
    let (mut world, mut rows, mut now) = (Server::default(), Server::default(), BEGIN);
    for body in data.split(|byte| *byte == SEPARATOR).take(BODIES) {
        // Time passes by the body's length: a minute here, ten there.
        now = now.plus_ms(i64::try_from(body.len() % 61).unwrap_or_default() * 11_000);
        for event in opened(body) {
            let applied = world.apply(&event, now);
            for entity in &applied.touched {
                let (kind, id) = entity.key();
                let row = world.row(*entity).expect("what was touched is there");
                rows.load(kind, id, &row).expect("a row that was written is read");
            }
            drawn(&world, &event, &applied.changes, now);
            // The same event again changes nothing for people, except for events that stand alone.
            let again = world.clone().apply(&event, now);
            let news = |change: &&Change| {
                matches!(change, Change::Card { change: CardChange::Created, .. } | Change::Duty { .. } | Change::Status { .. })
            };
            // An event without a number may have happened twice.
            let nameless = match &event {
                Event::EmergencyNew(call) => call.id.is_none_or(|id| id.0 < 1),
                Event::DispatchNew(call) => call.id.is_none_or(|id| id.0 < 1),
                _ => false,
            };
            assert!(nameless || again.changes.iter().find(news).is_none(), "a copy is news: {:?} of {event:?}", again.changes);
        }
    }
    // A restart finds what was in memory.
    assert_eq!(world.units, rows.units);
    assert_eq!(world.emergencies, rows.emergencies);
    assert_eq!(world.dispatches, rows.dispatches);
    assert_eq!(world.panics, rows.panics);
    for kind in BoardKind::ALL {
        fits(&render::board(BoardId(1), kind, &[(ServerId(1), &world), (ServerId(2), &rows)], Labels::usual()));
    }
    for entity in world.forget(now.plus_ms(1), std::time::Duration::ZERO) {
        assert!(world.row(entity).is_none(), "{entity:?} is forgotten and there");
    }
}

/// What a body says.
fn opened(body: &[u8]) -> Vec<Event> {
    looked_at(body);
    let Ok((envelope, key)) = event::envelope::open(body) else { return Vec::new() };
    let Envelope { kind, data, extras } = &envelope;
    assert!(!kind.is_empty() && kind.chars().count() <= event::envelope::MAX_KIND && kind.trim() == kind, "{kind:?}");
    assert!(!extras.keys().any(|name| name.eq_ignore_ascii_case("key") || name.eq_ignore_ascii_case("logkey")));
    assert_eq!(format!("{key:?}").contains("REDACTED"), key.is_some());

    let written = envelope.to_json();
    let (again, key) = event::envelope::open(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert!(key.is_none());
    assert_eq!(again.kind, *kind);
    let decoded = decode(&envelope);
    // Reading a float may miss it by the last bit, as serde_json is set.
    if exact(data) && extras.values().all(exact) {
        assert_eq!(again, envelope);
        assert_eq!(decode(&again), decoded);
    }
    match decoded {
        Ok(events) => {
            assert!(!events.is_empty() && events.len() <= EVENTS);
            let unknown = !event::known_kinds().any(|known| known == kind);
            assert_eq!(unknown, events == [Event::Unknown]);
            events
        }
        Err(error) => {
            assert!(error.to_string().len() < 100);
            Vec::new()
        }
    }
}

/// The check that builds nothing accepts what a JSON parser accepts, and what is built then has a size and no secret.
fn looked_at(body: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(body);
    match json::scan(body, event::envelope::MAX_VALUES) {
        Ok(outline) => {
            assert!(outline.measure.values <= event::envelope::MAX_VALUES);
            // serde_json's own names have a meaning there.
            let named = body.windows(SERDE.len()).any(|part| part == SERDE) || body.contains(&b'\\');
            let theirs = theirs.ok().filter(|_| !named);
            assert!(theirs.is_some() || named);
            let ours = JsonReader::new(event::envelope::MAX_VALUES, &Secrets::default()).read(body).expect("it was looked at");
            assert!(theirs.is_none_or(|theirs| theirs == ours));
        }
        Err(JsonError::TooMany) => {}
        Err(JsonError::Unreadable) => assert!(theirs.is_err()),
    }
    let secret = "callid";
    let secrets = Secrets::new([SecretString::from(secret)]);
    let Ok(sealed) = event::envelope::look(body) else { return };
    let Ok(envelope) = sealed.open(&secrets) else { return };
    assert!(!holds(&envelope.data, secret) && !envelope.extras.values().any(|value| holds(value, secret)));
}

fn holds(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text.to_ascii_lowercase().contains(secret),
        Value::Array(list) => list.iter().any(|value| holds(value, secret)),
        Value::Object(map) => map.iter().any(|(name, value)| name.to_ascii_lowercase().contains(secret) || holds(value, secret)),
        _ => false,
    }
}

fn exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(list) => list.iter().all(exact),
        Value::Object(map) => map.values().all(exact),
        // A text may contain JSON, and that a float.
        Value::String(text) => !text.trim_start().starts_with(['{', '[']),
        _ => true,
    }
}

/// Every message that people would see of an event, in every style.
fn drawn(world: &Server, event: &Event, changes: &[Change], now: UnixMs) {
    for style in STYLES {
        let view = View { world, server: ServerId(1), labels: Labels::usual(), style, roles: &ROLES, test: false, buttons: true, now };
        let mut messages: Vec<Message> = render::event(event, now, &view).into_iter().collect();
        for change in changes {
            match change {
                Change::Card { subject, .. } => {
                    let card = render::card(*subject, &view);
                    // Nothing of a page is public.
                    let private = style == Style::Public && matches!(subject, Subject::Event(..));
                    assert!(card.is_some() != private, "what changed is known");
                    messages.extend(card);
                    let replies = [Reply::PanicOver, Reply::Raised, Reply::Unanswered { since: BEGIN }];
                    messages.extend(replies.into_iter().filter_map(|reply| render::reply(reply, *subject, &view)));
                    messages.extend(render::announcement(*subject, &view));
                    messages.push(render::thread_opening(*subject, &view));
                }
                Change::Duty { ident, on, after } => messages.extend(render::duty(*ident, *on, *after, now, &view)),
                Change::Status { ident, from, to } => messages.extend(render::status(*ident, *from, *to, now, &view)),
                Change::Note { subject, note } => messages.extend(render::note(note, *subject, now, &view)),
                Change::Attach { subject: Subject::Dispatch(call, _), ident, on } => {
                    messages.extend(render::attachment(*ident, *on, *call, now, &view));
                }
                Change::Attach { .. } => panic!("{change:?} of something that is no call"),
            }
        }
        for message in messages {
            fits(&message);
            let late = render::late(message, now, now.plus_ms(700_000));
            assert!(late.roles.is_empty(), "what is very late calls somebody");
            fits(&late);
        }
    }
}

/// Discord's limits, counted independently, and nothing in it that Discord would act on except our own roles before the sentence.
fn fits(message: &Message) {
    let units = |text: &str| text.encode_utf16().count();
    let mut content = message.content.as_deref().unwrap_or_default();
    assert!(units(content) <= 2_000 && message.embeds.len() <= 10 && message.files.len() <= 10, "{message:?}");
    assert!(!content.is_empty() || !message.embeds.is_empty() || !message.files.is_empty(), "an empty message");
    for role in &message.roles {
        content = content.strip_prefix(&format!("<@&{role}> ")).expect("a role is called in the sentence");
    }
    harmless(content);
    let mut total = 0;
    for embed in &message.embeds {
        for (text, most) in [(&embed.title, 256), (&embed.description, 4_096), (&embed.footer, 2_048)] {
            let text = text.as_deref().unwrap_or_default();
            assert!(units(text) <= most, "{text}");
            total += units(text);
            harmless(text);
        }
        assert!(embed.fields.len() <= 25 && embed.color <= 0x00FF_FFFF);
        for field in &embed.fields {
            assert!((1..=256).contains(&units(&field.name)) && (1..=1_024).contains(&units(&field.value)), "{field:?}");
            total += units(&field.name) + units(&field.value);
            harmless(&field.name);
            harmless(&field.value);
        }
    }
    assert!(total <= 6_000, "{total} units");
}

fn harmless(text: &str) {
    for act in ["@everyone", "@here", "<@", "<#", "</", "<:", "<a:", "<id:", "\u{202E}", "\0"] {
        assert!(!text.contains(act), "{act:?} in {text:?}");
    }
}
