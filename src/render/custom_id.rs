//! Custom ids of the buttons under cards, and the format of numbers in every custom id.
//!
//! ```text
//! c1:verb:server:kind:id:opened      numbers in base 36; kind 9 (911), d (dispatch call), p (panic), e (page)
//! c1:pick                            the list under a message of several cards
//! ```
//!
//! A press's data is all in its id, so buttons survive a restart. Ids come back from Discord, but people have seen them: they are
//! parsed strictly, in one form only, and say nothing about who may press. `commands::custom_id` parses every id that the bot writes; these
//! are here because cards are rendered here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};
use crate::world::Subject;

/// Discord's limit of a custom id and of an option's value, in characters. Ours are ASCII.
pub const MAX_CUSTOM_ID: usize = 100;
/// The custom id of the list under a message of several cards; its values are the ends of custom ids ([`On::parse`]).
pub const PICK: &str = "c1:pick";

/// Ids with another prefix belong to another version.
const VERSION: &str = "c1";

/// The action of a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Attach oneself to the call. A 911 becomes a dispatch call first.
    Respond,
    /// Write a note (a form).
    Note,
    /// More actions (a private panel).
    More,
    /// Acknowledge it: nobody else is pinged.
    Take,
    /// The panic is over.
    Over,
    /// The buttons of one card among several in a message (a private panel).
    Panel,
    /// Leave the call.
    Detach,
    /// Close the dispatch call.
    Close,
    /// Remove the 911.
    Dismiss,
    /// Change the postal (a form).
    Postal,
    /// Choose another priority.
    Priority,
    /// Choose the primary unit.
    Primary,
    /// The panic is over, even another unit's: confirms that this is meant.
    OverSure,
    /// Remove the 911 that the game created for a panic which is over.
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
}

/// The subject of a press. Its text is the end of a custom id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct On {
    /// Which server of the guild's community.
    pub server: ServerId,
    /// Which card.
    pub subject: Subject,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id, opened) = match self.subject {
            Subject::Emergency(id, at) => ('9', id.0, at.0),
            Subject::Dispatch(id, at) => ('d', id.0, at.0),
            Subject::Panic(ident, at) => ('p', ident.0, at.0),
            Subject::Event(seq, nth) => ('e', seq, i64::from(nth)),
        };
        write!(f, "{}:{kind}:{}:{}", base36(self.server.0), base36(id), base36(opened))
    }
}

impl On {
    /// Parses its text. `None` unless it would be written exactly so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, ':');
        let (server, kind, one, other) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (server, one, other) = (ServerId(from_base36(server)?), from_base36(one)?, from_base36(other)?);
        let subject = match kind {
            "9" => Subject::Emergency(CallId(one), UnixMs(other)),
            "d" => Subject::Dispatch(CallId(one), UnixMs(other)),
            "p" => Subject::Panic(Ident(one), UnixMs(other)),
            "e" => Subject::Event(one, u32::try_from(other).ok()?),
            _ => return None,
        };
        let on = Self { server, subject };
        (on.to_string() == text).then_some(on)
    }
}

/// The custom id of a card's button.
#[must_use]
pub fn card(verb: Verb, on: impl fmt::Display) -> String {
    format!("{VERSION}:{}:{on}", verb.word())
}

/// Parses a custom id. `None` unless [`card`] would write exactly this.
#[must_use]
pub fn parse_card(text: &str) -> Option<(Verb, On)> {
    let (word, on) = text.strip_prefix(VERSION)?.strip_prefix(':')?.split_once(':')?;
    let verb = Verb::ALL.iter().find(|(_, known)| *known == word).map(|(verb, _)| *verb)?;
    Some((verb, On::parse(on)?))
}

/// A number in the format of custom ids.
#[must_use]
pub fn base36(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
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

/// Parses [`base36`]. Also accepts capital letters, a plus sign, and leading zeros: the parser of a custom id compares it with what would
/// be written.
#[must_use]
pub fn from_base36<T: TryFrom<i128>>(text: &str) -> Option<T> {
    T::try_from(i128::from_str_radix(text, 36).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            let written = card(verb, on);
            prop_assert!(written.len() <= MAX_CUSTOM_ID, "{written}");
            prop_assert_eq!(parse_card(&written), Some((verb, on)));
        }

        #[test]
        fn only_what_we_would_write_is_read(text in "c1:(more|take|[a-z]{0,4}):[-0-9a-zA-Z+]{0,8}:[9dpe]:[-0-9a-zA-Z+]{0,14}:[-0-9a-z:]{0,14}") {
            if let Some((verb, on)) = parse_card(&text) {
                prop_assert_eq!(card(verb, on), text);
            }
        }

        #[test]
        fn anything_else_is_nothing_and_does_no_harm(text in ".{0,120}") {
            prop_assert!(parse_card(&text).is_none_or(|(verb, on)| card(verb, on) == text));
        }

        #[test]
        fn numbers_are_read_back(signed: i64, unsigned: u64) {
            prop_assert_eq!(from_base36(&base36(signed)), Some(signed));
            prop_assert_eq!(from_base36(&base36(unsigned)), Some(unsigned));
        }
    }

    #[test]
    fn every_verb_has_a_word_of_its_own() {
        let mut words: Vec<&str> = Verb::ALL.iter().map(|(_, word)| *word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Verb::ALL.len());
        assert!(Verb::ALL.iter().all(|(verb, word)| verb.word() == *word));
    }
}
