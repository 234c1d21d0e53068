//! The subject of a post, as a value: rows hold it as text, and nothing else parses that text.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ids::{BoardId, CommunityId, ServerId};
use crate::world::Subject;

/// The subject of a post. Equal texts are equal values and vice versa, so that rows and memory never disagree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PostSubject {
    /// The card of a call, panic or page.
    Card(Subject),
    /// A separate message about a card.
    Reply {
        card: Subject,
        /// Which message.
        reply: CardReply,
    },
    /// Lines of one channel that share a message, named by the event that began it.
    LogPage {
        /// The event's number in the journal.
        seq: i64,
        /// The position in that event.
        nth: u32,
        /// Distinguishes pages that one event began.
        page: u32,
    },
    Board(BoardId),
    /// A message of the bot's own: a notice, a confirmation, a test alert. Also whatever another version wrote.
    Other(Arc<str>),
}

/// A message about a card, besides the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardReply {
    /// The panic is over.
    Over,
    /// Pings roles after the card was created.
    Call,
    /// The first message of its thread.
    ThreadOpening,
    /// Archives its thread.
    Archive,
    /// A note in its thread.
    Note {
        /// Number in the journal.
        seq: i64,
        /// The position in that event.
        nth: u32,
        /// Counts the notes of one event.
        count: u32,
    },
    /// Pings a second role, since nobody answered.
    Escalation {
        /// The route with that step.
        route: i64,
        /// After how many minutes.
        minutes: u32,
    },
}

/// A subject of one server of one community: call numbers mean nothing without it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubjectKey {
    pub community: CommunityId,
    pub server: ServerId,
    /// Its subject.
    pub subject: PostSubject,
}

impl PostSubject {
    /// Parses the text of a row. A text that we wouldn't write stays a text, so nothing is ever lost.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        known(text).filter(|subject| subject.to_string() == text).unwrap_or_else(|| Self::Other(text.into()))
    }
}

fn known(text: &str) -> Option<PostSubject> {
    if let Some((card, reply)) = text.split_once('#') {
        return Some(PostSubject::Reply { card: card.parse().ok()?, reply: reply.parse().ok()? });
    }
    if let Some(number) = text.strip_prefix("board:") {
        return number.parse().ok().map(BoardId).map(PostSubject::Board);
    }
    if let Some(numbers) = text.strip_prefix("line:") {
        let (seq, nth, page) = three(numbers)?;
        return Some(PostSubject::LogPage { seq, nth, page });
    }
    text.parse().ok().map(PostSubject::Card)
}

fn three(text: &str) -> Option<(i64, u32, u32)> {
    let mut numbers = text.splitn(3, '.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The text isn't about a message about a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message about a card")]
pub struct CardReplyError;

impl FromStr for CardReply {
    type Err = CardReplyError;

    fn from_str(text: &str) -> Result<Self, CardReplyError> {
        let (word, numbers) = text.split_once('.').unwrap_or((text, ""));
        let reply = match word {
            "over" => Some(Self::Over),
            "call" => Some(Self::Call),
            "thread" => Some(Self::ThreadOpening),
            "archive" => Some(Self::Archive),
            "note" => three(numbers).map(|(seq, nth, count)| Self::Note { seq, nth, count }),
            "escalate" => numbers
                .split_once('.')
                .and_then(|(route, minutes)| Some(Self::Escalation { route: route.parse().ok()?, minutes: minutes.parse().ok()? })),
            _ => None,
        };
        reply.ok_or(CardReplyError)
    }
}

impl fmt::Display for CardReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("over"),
            Self::Call => f.write_str("call"),
            Self::ThreadOpening => f.write_str("thread"),
            Self::Archive => f.write_str("archive"),
            Self::Note { seq, nth, count } => write!(f, "note.{seq}.{nth}.{count}"),
            Self::Escalation { route, minutes } => write!(f, "escalate.{route}.{minutes}"),
        }
    }
}

impl fmt::Display for PostSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card(subject) => subject.fmt(f),
            Self::Reply { card, reply } => write!(f, "{card}#{reply}"),
            Self::LogPage { seq, nth, page } => write!(f, "line:{seq}.{nth}.{page}"),
            Self::Board(number) => write!(f, "board:{number}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{CallId, Ident};

    #[test]
    fn every_text_comes_back_as_it_was_and_those_that_we_write_are_understood() {
        let card = Subject::Dispatch(CallId(501), UnixMs(17));
        for (text, subject) in [
            ("911:302@1", PostSubject::Card(Subject::Emergency(CallId(302), UnixMs(1)))),
            ("event:77.3", PostSubject::Card(Subject::Event(77, 3))),
            ("call:501@17#over", PostSubject::Reply { card, reply: CardReply::Over }),
            ("call:501@17#call", PostSubject::Reply { card, reply: CardReply::Call }),
            ("call:501@17#thread", PostSubject::Reply { card, reply: CardReply::ThreadOpening }),
            ("call:501@17#archive", PostSubject::Reply { card, reply: CardReply::Archive }),
            ("call:501@17#note.9.0.2", PostSubject::Reply { card, reply: CardReply::Note { seq: 9, nth: 0, count: 2 } }),
            (
                "panic:4107@9#escalate.3.5",
                PostSubject::Reply { card: Subject::Panic(Ident(4107), UnixMs(9)), reply: CardReply::Escalation { route: 3, minutes: 5 } },
            ),
            ("line:9.1.0", PostSubject::LogPage { seq: 9, nth: 1, page: 0 }),
            ("board:4", PostSubject::Board(BoardId(4))),
        ] {
            assert_eq!(PostSubject::parse(text), subject, "{text}");
            assert_eq!(subject.to_string(), text);
        }
        let odd =
            ["", "a", "911:x@1", "board:04", "board:+4", "line:1.2", "call:501@17#", "call:501@17#over.1", "CALL:1@1", "notice:lost:1:9"];
        for text in odd {
            assert_eq!(PostSubject::parse(text), PostSubject::Other(text.into()), "{text}");
            assert_eq!(PostSubject::parse(text).to_string(), text);
        }
    }
}
