//! Buttons under cards, and the custom ids by which presses name what they are about.
//!
//! ```text
//! c1:verb:server:kind:id:opened      numbers in base 36; kind 9 (911), d (dispatch call), p (panic), e (page)
//! ```
//!
//! Everything a press needs stands in its id, so that it survives a restart. Ids come back from Discord, but were shown to people: they
//! are read strictly, in one form only, and say nothing about who may press.

use serde::{Deserialize, Serialize};

use super::{Message, View, text};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};
use crate::world::Subject;

/// Ids of another form belong to another version.
const VERSION: &str = "c1";
/// The custom id of the list under a message of several cards; its values are the ends of custom ids ([`chosen`]).
pub const PICK: &str = "c1:pick";
/// Discord's limit of a custom id and of an option's value.
pub const LONGEST: usize = 100;

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Attach oneself; of a 911: take it.
    Respond,
    /// Write a note (a form).
    Note,
    /// What else can be done (a private panel).
    More,
    /// Answer for it: nobody else is called.
    Take,
    /// The panic is over.
    Over,
    /// The buttons of one card of several in a message (a private panel).
    Panel,
    /// Leave the call.
    Detach,
    /// Close the dispatch call.
    Close,
    /// Remove the 911.
    Dismiss,
    /// Write another postal (a form).
    Postal,
    /// Choose another priority.
    Priority,
    /// Choose the primary unit.
    Primary,
    /// The panic is over, also of another unit: the answer to the question whether that is meant.
    OverSure,
    /// Remove the 911 that the game placed for a panic which is over.
    AlsoClear,
}

impl Verb {
    /// Every verb, with its word in custom ids.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Respond, "respond"),
        (Self::Note, "note"),
        (Self::More, "more"),
        (Self::Take, "take"),
        (Self::Over, "over"),
        (Self::Panel, "panel"),
        (Self::Detach, "detach"),
        (Self::Close, "close"),
        (Self::Dismiss, "dismiss"),
        (Self::Postal, "postal"),
        (Self::Priority, "priority"),
        (Self::Primary, "primary"),
        (Self::OverSure, "over-sure"),
        (Self::AlsoClear, "also-clear"),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(verb, _)| *verb == self).map_or("more", |(_, word)| word)
    }

    /// What stands on the button, with its emoji.
    #[must_use]
    pub fn face(self) -> (&'static str, &'static str) {
        match self {
            Self::Respond => ("🚓", "Respond"),
            Self::Note => ("📝", "Note"),
            Self::More | Self::Panel => ("⚙️", "More…"),
            Self::Take => ("🙋", "Take it"),
            Self::Over => ("✅", "Panic over"),
            Self::OverSure => ("✅", "Yes, panic over"),
            Self::AlsoClear => ("☑️", "Also clear the 911"),
            Self::Detach => ("↩️", "Leave call"),
            Self::Close => ("⬛", "Close call"),
            Self::Dismiss => ("☑️", "Dismiss"),
            Self::Postal => ("📮", "Postal"),
            Self::Priority => ("🔺", "Priority"),
            Self::Primary => ("⭐", "Primary"),
        }
    }

    /// Discord's button style: 1 blue, 2 grey, 3 green, 4 red.
    #[must_use]
    pub fn style(self) -> u8 {
        match self {
            Self::Respond => 1,
            Self::Over | Self::OverSure | Self::Take => 3,
            Self::Close | Self::Dismiss => 4,
            _ => 2,
        }
    }
}

/// What a press is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct On {
    /// Which server of the guild's community.
    pub server: ServerId,
    /// Which card.
    pub subject: Subject,
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What it does.
    pub verb: Verb,
    /// The end of its custom id: server and subject.
    pub on: String,
}

impl Button {
    /// Its custom id.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{VERSION}:{}:{}", self.verb.word(), self.on)
    }
}

/// One card of several that share a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The end of its custom id.
    pub on: String,
    /// Its title; at most 100 UTF-16 units.
    pub label: String,
}

/// The custom id of a press.
#[must_use]
pub fn id(verb: Verb, on: On) -> String {
    format!("{VERSION}:{}:{}", verb.word(), tail(on))
}

/// As the value of an option, for [`chosen`].
#[must_use]
pub fn value(on: On) -> String {
    tail(on)
}

fn tail(On { server, subject }: On) -> String {
    let (kind, id, opened) = match subject {
        Subject::Emergency(id, at) => ('9', id.0, at.0),
        Subject::Dispatch(id, at) => ('d', id.0, at.0),
        Subject::Panic(ident, at) => ('p', ident.0, at.0),
        Subject::Event(seq, nth) => ('e', seq, i64::from(nth)),
    };
    format!("{}:{kind}:{}:{}", to36(i64::from(server.0)), to36(id), to36(opened))
}

/// Back from a custom id. `None` unless [`id`] would write exactly this.
#[must_use]
pub fn parse(text: &str) -> Option<(Verb, On)> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parts = text.split(':');
    let (version, word, server, kind, one, other) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != VERSION || parts.next().is_some() {
        return None;
    }
    let verb = Verb::ALL.iter().find(|(_, known)| *known == word).map(|(verb, _)| *verb)?;
    let server = u32::try_from(from36(server)?).ok().map(ServerId)?;
    let (one, other) = (from36(one)?, from36(other)?);
    let subject = match kind {
        "9" => Subject::Emergency(CallId(one), UnixMs(other)),
        "d" => Subject::Dispatch(CallId(one), UnixMs(other)),
        "p" => Subject::Panic(Ident(one), UnixMs(other)),
        "e" => Subject::Event(one, u32::try_from(other).ok()?),
        _ => return None,
    };
    Some((verb, On { server, subject }))
}

/// What was chosen from the list of [`PICK`].
#[must_use]
pub fn chosen(value: &str) -> Option<On> {
    parse(&format!("{VERSION}:{}:{value}", Verb::Panel.word())).map(|(_, on)| on)
}

fn to36(number: i64) -> String {
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.extend(u32::try_from(rest % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.into_iter().rev().collect()
}

fn from36(text: &str) -> Option<i64> {
    let number = i64::from_str_radix(text, 36).ok()?;
    // One form only: no capital letters, no plus, no leading zeros.
    (to36(number) == text).then_some(number)
}

/// The buttons of a card, unless there is nobody to press them, or nothing in the CAD by which it could be named.
pub(super) fn buttons(view: &View<'_>, subject: Subject, verbs: &[Verb]) -> Vec<Button> {
    let shown = view.buttons && !view.test && matches!(view.style, super::Style::Card | super::Style::Compact);
    let on = tail(On { server: view.server, subject });
    verbs.iter().filter(|_| shown).map(|verb| Button { verb: *verb, on: on.clone() }).collect()
}

/// What stands for the buttons of a card that shares its message.
pub(super) fn choice(message: &Message) -> Option<Choice> {
    let on = message.buttons.first()?.on.clone();
    Some(Choice { on, label: text::name(&message.title()?, 100) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Style, sample};
    use super::*;
    use crate::ids::UserId;
    use crate::world::Taken;

    fn subjects() -> impl Strategy<Value = Subject> {
        let number = prop_oneof![any::<i64>(), -3..1_000_i64];
        (0..4_u8, number, any::<i64>(), any::<u32>()).prop_map(|(kind, one, other, nth)| match kind {
            0 => Subject::Emergency(CallId(one), UnixMs(other)),
            1 => Subject::Dispatch(CallId(one), UnixMs(other)),
            2 => Subject::Panic(Ident(one), UnixMs(other)),
            _ => Subject::Event(one, nth),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_fits(at in 0..Verb::ALL.len(), server: u32, subject in subjects()) {
            let (verb, on) = (Verb::ALL[at].0, On { server: ServerId(server), subject });
            let written = id(verb, on);
            prop_assert!(written.len() <= LONGEST, "{written}");
            prop_assert_eq!(parse(&written), Some((verb, on)));
        }

        #[test]
        fn only_what_we_would_write_is_read(text in "c1:(more|take|[a-z]{0,4}):[-0-9a-zA-Z+]{0,8}:[9dpe]:[-0-9a-zA-Z+]{0,14}:[-0-9a-z:]{0,14}") {
            if let Some((verb, on)) = parse(&text) {
                prop_assert_eq!(id(verb, on), text);
            }
        }

        #[test]
        fn anything_else_is_nothing_and_does_no_harm(text in ".{0,120}") {
            prop_assert!(parse(&text).is_none_or(|(verb, on)| id(verb, on) == text));
        }
    }

    fn faces(world: &crate::world::Server, subject: Subject, style: Style) -> String {
        let view = View { buttons: true, ..sample::view(world, style) };
        let message = crate::render::card(subject, &view).unwrap();
        message.buttons.iter().map(|button| button.verb.word()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn cards_have_the_buttons_of_their_state() {
        let mut world = sample::world();
        let (opened, by) = (sample::OPENED, Some(Taken { by: UserId(5), at: sample::NOW }));
        let all = [Subject::Emergency(CallId(302), opened), Subject::Dispatch(CallId(501), opened), Subject::Panic(Ident(4107), opened)];
        let shown = |world: &_, style| all.map(|subject| faces(world, subject, style));
        assert_eq!(shown(&world, Style::Card), ["respond note more take", "respond note more", "over take"]);
        assert_eq!(shown(&world, Style::Compact), shown(&world, Style::Card));
        assert_eq!((shown(&world, Style::Log), shown(&world, Style::Public)), (Default::default(), Default::default()));
        world.emergencies.get_mut(&CallId(302)).unwrap().taken = by;
        world.panics.get_mut(&Ident(4107)).unwrap().taken = by;
        assert_eq!(shown(&world, Style::Card), ["respond note more", "respond note more", "over"]);
        let message = crate::render::card(all[0], &sample::view(&world, Style::Card)).unwrap();
        assert!(sample::show(&Some(message)).contains(" · 🙋 <t:1763700600:t> taken by <@5>"));
        world.emergencies.get_mut(&CallId(302)).unwrap().gone_at = Some(sample::NOW);
        world.dispatches.get_mut(&CallId(501)).unwrap().closed_at = Some(sample::NOW);
        world.panics.get_mut(&Ident(4107)).unwrap().over_at = Some(sample::NOW);
        assert_eq!(shown(&world, Style::Card), [""; 3]);
    }

    #[test]
    fn a_guild_may_do_without_and_the_cad_must_know_the_call() {
        let mut world = sample::world();
        let subject = Subject::Emergency(CallId(302), sample::OPENED);
        assert!(crate::render::card(subject, &sample::view(&world, Style::Card)).unwrap().buttons.is_empty());
        // A call without a number of the CAD's.
        let call = world.emergencies.remove(&CallId(302)).unwrap();
        let nameless = crate::world::Emergency { call: crate::event::EmergencyCall { id: None, ..call.call.clone() }, ..call };
        world.emergencies.insert(CallId(-9), nameless);
        assert_eq!(faces(&world, Subject::Emergency(CallId(-9), sample::OPENED), Style::Card), "");
    }

    #[test]
    fn cards_that_share_a_message_share_a_list() {
        let world = sample::world();
        let view = View { buttons: true, ..sample::view(&world, Style::Card) };
        let card = |subject| crate::render::card(subject, &view).unwrap();
        let (one, two) = (Subject::Emergency(CallId(302), sample::OPENED), Subject::Dispatch(CallId(501), sample::OPENED));
        let packed = crate::render::pack(vec![card(one), card(two)]);
        assert!(packed.buttons.is_empty());
        let on: Vec<Option<On>> = packed.choices.iter().map(|choice| chosen(&choice.on)).collect();
        assert_eq!(on, [one, two].map(|subject| Some(On { server: view.server, subject })));
        assert_eq!(packed.choices[0].label, "🚨 911 · Shots fired near Alta St");
        let alone = crate::render::pack(vec![card(one)]);
        assert_eq!((alone.buttons.len(), alone.choices.len()), (4, 0));
    }

    #[test]
    fn every_verb_has_a_word_and_a_face_of_its_own() {
        let mut words: Vec<&str> = Verb::ALL.iter().map(|(_, word)| *word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Verb::ALL.len());
        assert!(Verb::ALL.iter().all(|(verb, word)| verb.word() == *word && !verb.face().1.is_empty()));
    }
}
