//! Renders facts into a [`Message`].
//!
//! Job: one renderer per event family (files named as in `event`), the card, compact, log and public forms, words and colours of the
//! product, Discord's text limits in UTF-16 units. Never does I/O, never asks the clock, never decides who is pinged, never lets text
//! from the game through unescaped (a message takes only [`text::SafeText`], which only [`text`] makes), never puts a role's mention into an embed.
//!
//! ```text
//! Subject ─▶ card    ─┐                 ┌─ emergency, dispatch, panic      (world: the whole life)
//! Event   ─▶ event   ─┼─▶ one family ───┼─ station, pager, record, tone, other (the event alone)
//! Change  ─▶ duty,    │      │          └─ unit                            (a change of the world)
//!            status  ─┘      ▼
//!                         Draft ── style ──▶ limits::fit ──▶ Message ──▶ late, linked, gather
//! ```

mod batch;
mod board;
pub mod button;
mod colors;
pub mod custom_id;
mod dispatch;
mod draft;
mod emergency;
#[cfg(test)]
mod hostile;
pub mod labels;
pub mod limits;
mod message;
mod meta;
pub mod notice;
#[cfg(test)]
mod numbers;
mod other;
mod pager;
mod panic;
mod record;
#[cfg(test)]
mod sample;
mod station;
mod street;
pub mod text;
mod tone;
mod unit;
mod view;
mod words;

use std::time::Duration;

use text::{SafeText, safe};

use crate::clock::UnixMs;
use crate::event::Event;
use crate::world::Subject;

pub use batch::batch;
pub use board::{BoardKind, board};
pub use dispatch::{attachment, note};
pub use draft::gather;
pub use message::{Button, CardLink, Choice, Embed, Field, File, Message};
pub use record::found;
pub use unit::{duty, status};
pub use view::{Labels, Style, View};

/// Older than this when delivered: the footer says how late.
const LATE: Duration = Duration::from_secs(60);
/// Older than this when delivered: nobody is pinged any more.
const TOO_LATE_TO_PING: Duration = Duration::from_secs(600);

/// The card of a subject from the current world. `None` if the world doesn't know it (any more); of events that stand alone it
/// knows pages.
///
/// Title, texts and fields change during the subject's life; footer and timestamp never do.
#[must_use]
pub fn card(subject: Subject, view: &View<'_>) -> Option<Message> {
    let world = view.world;
    match subject {
        Subject::Emergency(id, at) => world.emergencies.get(&id).filter(|e| e.opened_at == at).map(|e| emergency::card(e, id, view)),
        Subject::Dispatch(id, at) => world.dispatches.get(&id).filter(|d| d.opened_at == at).map(|d| dispatch::card(d, view)),
        Subject::Panic(ident, at) => match world.panics_of(ident, at).as_slice() {
            [] => None,
            [alone] if alone.shared.is_none() => Some(panic::card(alone, view)),
            several => Some(panic::shared(several, subject, view)),
        },
        Subject::Event(seq, nth) => world.pages.get(&(seq, nth)).and_then(|paged| pager::card(paged, subject, view)),
    }
}

/// An event that stands alone. `None` for events that change a subject's card or a unit ([`card`], [`duty`], [`status`], [`note`]),
/// for those of no interest, and where the public style leaves nothing to show.
#[must_use]
pub fn event(event: &Event, at: UnixMs, view: &View<'_>) -> Option<Message> {
    match event {
        Event::StationAlert(alert) => Some(station::alert(alert, at, view)),
        Event::Record { action, record } => record::record(*action, record, at, view),
        Event::Tone { url, targets } => tone::tone(url.as_deref(), targets, at, view),
        Event::GroupAdd { idents, group } => unit::group(idents, "Joined group", Some(group), None, at, view),
        Event::GroupRemove { idents, group } => unit::group(idents, "Left group", group.as_deref(), None, at, view),
        Event::GroupRename { idents, old, new } => unit::group(idents, "Group renamed", Some(new), old.as_deref(), at, view),
        Event::Bodycam { ident, on } => other::bodycam(*ident, *on, at, view),
        Event::StreetSign { ids, lines } => other::street_sign(ids, lines, at, view),
        Event::Callout(callout) => other::callout(callout, at, view),
        Event::CharacterSelected { character, .. } => other::character(character, at, view),
        Event::LinkVerified { community_user, .. } => other::account_linked(community_user, at, view),
        Event::PrintRecord { ident, url } => other::printed(*ident, url.as_deref(), at, view),
        Event::EmergencyNew(_)
        | Event::EmergencyRemoved { .. }
        | Event::Panic { .. }
        | Event::UnitLogin { .. }
        | Event::UnitLogout { .. }
        | Event::UnitStatus { .. }
        | Event::UnitUpdate { .. }
        | Event::DispatchNew(_)
        | Event::DispatchEdited(_)
        | Event::DispatchClosed { .. }
        | Event::DispatchNote { .. }
        | Event::UnitAttach { .. }
        | Event::UnitDetach { .. }
        | Event::Pager(_)
        | Event::Acknowledged { .. }
        | Event::EmergencyNote { .. }
        | Event::Ignored
        | Event::Unknown => None,
    }
}

/// A new message under a card, for news that would be overlooked in an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A panic is over. Makes no sound, pings nobody.
    PanicOver,
    /// A dispatch call rose to the highest priority. Pings `view.roles`.
    Raised,
    /// Nobody has answered a 911 call, panic or page. Pings `view.roles`.
    Unanswered {
        /// Since when it waits.
        since: UnixMs,
    },
}

/// The reply, or `None` if the subject is unknown or not of that kind.
#[must_use]
pub fn reply(reply: Reply, subject: Subject, view: &View<'_>) -> Option<Message> {
    let message = match (reply, subject) {
        (Reply::PanicOver, Subject::Panic(ident, at)) => Some(panic::over(&view.world.panics_of(ident, at), view)?),
        (Reply::Raised, Subject::Dispatch(id, at)) => {
            view.world.dispatches.get(&id).filter(|d| d.opened_at == at).map(|d| dispatch::raised(d, view))
        }
        (Reply::Unanswered { since }, _) => {
            let sentence = safe!("⏰ Nobody has taken this yet: {} so far", words::duration(view.now.since(since)));
            let (content, roles) = draft::content(view, &sentence);
            Some(Message { content: content.or(Some(sentence)), roles, ..Message::default() })
        }
        _ => None,
    };
    message.map(limits::fit)
}

/// The sentence of a card with its pings, as a message of its own: for an existing card that pinged nobody. `None` if there is nobody to
/// ping.
#[must_use]
pub fn announcement(subject: Subject, view: &View<'_>) -> Option<Message> {
    let Message { content, roles, .. } = card(subject, view)?;
    (!roles.is_empty()).then_some(Message { content, roles, ..Message::default() })
}

/// The first message of a thread that is opened with its card: says what the thread is for. Makes no sound.
#[must_use]
pub fn thread_opening(subject: Subject, view: &View<'_>) -> Message {
    let what = match subject {
        Subject::Dispatch(id, _) => words::call_by(view, id),
        Subject::Emergency(id, _) => words::emergency_by(view, id),
        Subject::Panic(..) | Subject::Event(..) => "This alert".into(),
    };
    let content = match subject {
        Subject::Dispatch(..) => safe!("🧵 {}: every note and every unit that comes or goes is written here until it is closed.", what),
        _ => safe!("🧵 {}: a place to talk about it until it is over.", what),
    };
    limits::fit(Message { content: Some(content), silent: true, ..Message::default() })
}

/// Marks a late message in its footer: over 60 s `delayed 3 min`; over 10 min it pings nobody (roles and their
/// mentions are removed, the sentence stays). Repeated calls mark it once. Apply it to what is about to be sent, not to what is stored:
/// the delivery compares footers by their beginning.
#[must_use]
pub fn late(mut message: Message, happened_at: UnixMs, now: UnixMs) -> Message {
    let delay = now.since(happened_at);
    if delay <= LATE {
        return message;
    }
    let told = words::duration(Duration::from_secs(delay.as_secs() / 60 * 60));
    match message.embeds.last_mut() {
        Some(embed) => {
            let own = embed.footer.take().unwrap_or_default().before(DELAYED);
            embed.footer = Some(if own.is_empty() { safe!("delayed {}", told) } else { safe!("{}{}{}", own, DELAYED, told) });
        }
        None => message.content = message.content.map(|content| safe!("{}{}{}", content.before(DELAYED), DELAYED, told)),
    }
    if delay > TOO_LATE_TO_PING {
        message = unpinged(message);
    }
    limits::fit(message)
}

/// The message without its pings: roles and their mentions are removed, the sentence stays.
#[must_use]
pub fn unpinged(mut message: Message) -> Message {
    let roles = std::mem::take(&mut message.roles);
    message.content = message.content.map(|content| content.without_mentions(&roles)).filter(|content| !content.is_empty());
    message
}

/// Precedes the delay in a footer.
const DELAYED: &str = " · delayed ";

/// Turns the texts that name other cards into links, where `url` knows their message. Apply it to what is about to be sent.
#[must_use]
pub fn linked(mut message: Message, url: impl Fn(&str) -> Option<SafeText>) -> Message {
    for field in message.embeds.iter_mut().flat_map(|embed| &mut embed.fields) {
        for link in std::mem::take(&mut field.links) {
            if let Some(url) = url(&link.to) {
                field.value = field.value.replacing(&link.text, &safe!("[{}]({})", link.text, url));
            }
        }
    }
    limits::fit(message)
}

#[cfg(test)]
mod tests {
    use super::sample::{NOW, OPENED, show};
    use super::*;
    use crate::ids::{CallId, Ident, RoleId};
    use crate::world::Server;

    fn panic_alert() -> Message {
        let world = sample::world();
        let view = View { roles: &[RoleId(7), RoleId(8)], ..sample::view(&world, Style::Card) };
        card(Subject::Panic(Ident(4107), OPENED), &view).unwrap()
    }

    #[test]
    fn late_is_said() {
        let message = panic_alert();
        let footer = |m: &Message| m.embeds[0].footer.clone().unwrap();
        assert_eq!(late(message.clone(), OPENED, OPENED.plus_ms(60_000)), message);
        assert_eq!(late(message.clone(), OPENED, OPENED.plus_ms(-5_000_000)), message);

        let three = late(message.clone(), OPENED, OPENED.plus_ms(190_000));
        assert_eq!(footer(&three), "Server 1 · Panic #4107 · delayed 3 min");
        assert_eq!((&three.roles, &three.content), (&message.roles, &message.content));
        let again = late(three, OPENED, OPENED.plus_ms(250_000));
        assert_eq!(footer(&again), "Server 1 · Panic #4107 · delayed 4 min");

        let ten = late(message.clone(), OPENED, OPENED.plus_ms(600_000));
        assert_eq!(ten.roles, message.roles);
        let after = late(message, OPENED, OPENED.plus_ms(600_001));
        assert!(after.roles.is_empty());
        assert_eq!(after.content.as_deref(), Some("PANIC: A-10 John Doe, Alta St"));
    }

    #[test]
    fn late_without_an_embed() {
        let message = Message { content: Some("<@&7> Now P1".into()), roles: vec![RoleId(7)], ..Message::default() };
        assert_eq!(late(message.clone(), OPENED, OPENED.plus_ms(120_000)).content.unwrap(), "<@&7> Now P1 · delayed 2 min");
        assert_eq!(late(message, OPENED, OPENED.plus_ms(7_320_000)).content.unwrap(), "Now P1 · delayed 2 h 02");
    }

    #[test]
    fn a_911_card_links_to_what_it_became() {
        let mut world = sample::world();
        let call = world.emergencies.get_mut(&CallId(302)).unwrap();
        (call.gone_at, call.became) = (Some(NOW), Some(CallId(501)));
        let message = card(Subject::Emergency(CallId(302), OPENED), &sample::view(&world, Style::Card)).unwrap();
        let url = notice::message_url(crate::ids::GuildId(1), crate::ids::ChannelId(2), crate::ids::MessageId(3));
        assert_eq!(message.links().collect::<Vec<_>>(), [Subject::Dispatch(CallId(501), OPENED).to_string()]);
        let known = Subject::Dispatch(CallId(501), OPENED).to_string();
        let message = linked(message, |to| (to == known).then(|| url.clone()));
        assert!(show(&Some(message)).contains("{Became} [Call #501](https://discord.com/channels/1/2/3) · 211 Armed Robbery\n"));
    }

    #[test]
    fn unknown_subjects_have_no_card() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        // A number that the CAD reused belongs to another subject.
        let reused = OPENED.plus_ms(1);
        for subject in [
            Subject::Emergency(CallId(302), reused),
            Subject::Emergency(CallId(1), OPENED),
            Subject::Dispatch(CallId(501), reused),
            Subject::Dispatch(CallId(302), OPENED),
            Subject::Panic(Ident(4107), reused),
            Subject::Event(1, 0),
        ] {
            assert_eq!(card(subject, &view), None, "{subject:?}");
        }
    }

    #[test]
    fn footer_and_timestamp_are_the_same_through_life_and_in_every_style() {
        let mut world = sample::world();
        let subjects =
            [Subject::Emergency(CallId(302), OPENED), Subject::Dispatch(CallId(501), OPENED), Subject::Panic(Ident(4107), OPENED)];
        let identity = |world: &Server, subject, style| {
            let message = card(subject, &sample::view(world, style)).unwrap();
            (message.embeds[0].footer.clone().unwrap(), message.embeds[0].timestamp)
        };
        let styles = [Style::Card, Style::Compact, Style::Log, Style::Public];
        let all = |world: &Server| subjects.map(|s| styles.map(|style| identity(world, s, style)));
        let before = all(&world);
        world.emergencies.get_mut(&CallId(302)).unwrap().gone_at = Some(NOW);
        world.dispatches.get_mut(&CallId(501)).unwrap().closed_at = Some(NOW);
        world.panics.get_mut(&Ident(4107)).unwrap().over_at = Some(NOW);
        world.units.clear();
        assert_eq!(all(&world), before);
        let footers: std::collections::BTreeSet<_> = before.iter().map(|s| s[0].0.clone()).collect();
        assert_eq!(footers.len(), 3, "two subjects never share a footer: {footers:?}");
    }

    #[test]
    fn replies() {
        let mut world = sample::world();
        let before = world.clone();
        let view = View { roles: &[RoleId(7)], ..sample::view(&before, Style::Card) };
        let waiting = reply(Reply::Unanswered { since: NOW.plus_ms(-300_000) }, Subject::Panic(Ident(4107), OPENED), &view).unwrap();
        assert_eq!(waiting.content.as_deref(), Some("<@&7> ⏰ Nobody has taken this yet: 5 min so far"));
        assert!(reply(Reply::Raised, Subject::Dispatch(CallId(501), OPENED), &view).is_some());
        assert_eq!(reply(Reply::Raised, Subject::Panic(Ident(4107), OPENED), &view), None);
        assert_eq!(reply(Reply::PanicOver, Subject::Panic(Ident(4107), OPENED), &view), None);
        world.panics.get_mut(&Ident(4107)).unwrap().over_at = Some(NOW);
        let over = reply(Reply::PanicOver, Subject::Panic(Ident(4107), OPENED), &View { world: &world, ..view }).unwrap();
        assert!(over.silent && over.roles.is_empty());
    }
}
