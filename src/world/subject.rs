//! The subject of a card, and its text form in rows and custom ids. Never knows the subject's state.

use std::fmt;
use std::str::FromStr;

use crate::clock::UnixMs;
use crate::ids::{CallId, Ident};

/// Identity of a card's subject, unique forever: the CAD may reuse call numbers, so the opening time is part of it.
/// Written and read as text: `911:302@1763700000000`, `call:501@…`, `panic:4107@…`, `event:77.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A 911 or civil call.
    Emergency(CallId, UnixMs),
    Dispatch(CallId, UnixMs),
    Panic(Ident, UnixMs),
    /// An event that stands alone, by its number in the journal and its position in that event. Only pages have a life.
    Event(i64, u32),
}

/// The text isn't a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a subject")]
pub struct SubjectError;

impl Subject {
    /// When it began; `None` for events that stand alone.
    #[must_use]
    pub fn since(self) -> Option<UnixMs> {
        match self {
            Self::Emergency(_, at) | Self::Dispatch(_, at) | Self::Panic(_, at) => Some(at),
            Self::Event(..) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emergency(id, at) => write!(f, "911:{id}@{}", at.0),
            Self::Dispatch(id, at) => write!(f, "call:{id}@{}", at.0),
            Self::Panic(ident, at) => write!(f, "panic:{ident}@{}", at.0),
            Self::Event(seq, nth) => write!(f, "event:{seq}.{nth}"),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let (kind, rest) = text.split_once(':').ok_or(SubjectError)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| SubjectError);
        if kind == "event" {
            let (seq, nth) = rest.split_once('.').ok_or(SubjectError)?;
            return Ok(Self::Event(number(seq)?, nth.parse().map_err(|_| SubjectError)?));
        }
        let (id, at) = rest.split_once('@').ok_or(SubjectError)?;
        let (id, at) = (number(id)?, UnixMs(number(at)?));
        match kind {
            "911" => Ok(Self::Emergency(CallId(id), at)),
            "call" => Ok(Self::Dispatch(CallId(id), at)),
            "panic" => Ok(Self::Panic(Ident(id), at)),
            _ => Err(SubjectError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (subject, text) in [
            (Subject::Emergency(CallId(302), UnixMs(1)), "911:302@1"),
            (Subject::Dispatch(CallId(-1), UnixMs(-5)), "call:-1@-5"),
            (Subject::Panic(Ident(4107), UnixMs(9)), "panic:4107@9"),
            (Subject::Event(77, 3), "event:77.3"),
        ] {
            assert_eq!(subject.to_string(), text);
            assert_eq!(text.parse(), Ok(subject));
        }
        for text in ["", "911:302", "911:x@1", "tone:1@1", "event:1", "event:1.-1"] {
            assert_eq!(text.parse::<Subject>(), Err(SubjectError), "{text}");
        }
    }
}
