//! CAD numbers and Discord snowflakes as distinct types, so that a call can't be mistaken for a unit.
//!
//! Imports nothing of ours but the clock; every module may import it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

    };
    ($(#[$doc:meta])* $name:ident, $inner:ty, shown) => {
        number!($(#[$doc])* $name, $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

impl CallId {
    /// Whether the CAD gave it. Numbers below 1 are our own, for calls that came without one: they are never shown to people.
    #[must_use]
    pub fn is_the_cads(self) -> bool {
        self.0 > 0
    }
}

/// `{}` is the bare number, for keys and requests. `{:#}` is for people: ` #501`, and nothing if the number is our own.
impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (f.alternate(), self.is_the_cads()) {
            (true, true) => write!(f, " #{}", self.0),
            (true, false) => Ok(()),
            (false, _) => self.0.fmt(f),
        }
    }
}

number!(
    /// A CAD server of a community: positive, 1 by default (docs/cad-contract.md#r1).
    ServerId,
    u32,
    shown
);
number!(
    /// Number of a 911 call or of a dispatch call. The two are separate tables in the CAD (docs/cad-contract.md#e7): never compare across
    /// kinds.
    CallId,
    i64
);
number!(
    /// Number of a unit's identifier ("ident" in the CAD).
    Ident,
    i64,
    shown
);
number!(
    /// Discord guild (snowflake).
    GuildId,
    u64,
    shown
);
number!(
    /// Discord channel or thread (snowflake).
    ChannelId,
    u64,
    shown
);
number!(
    /// Discord role (snowflake).
    RoleId,
    u64,
    shown
);
number!(
    /// Discord message (snowflake).
    MessageId,
    u64,
    shown
);
number!(
    /// Discord user (snowflake).
    UserId,
    u64,
    shown
);

number!(
    /// Number of a route, shown to people.
    RouteId,
    i64,
    shown
);
number!(
    /// Number of a board, shown to people.
    BoardId,
    i64,
    shown
);

impl MessageId {
    /// The smallest number that a message made at `at` could have.
    #[must_use]
    pub fn earliest(at: UnixMs) -> Self {
        Self(u64::try_from(at.0.saturating_sub(1_420_070_400_000)).unwrap_or(0).min(u64::MAX >> 22) << 22)
    }

    /// When the message was made. Discord documents the epoch 2015-01-01 and the shift of 22 bits.
    #[must_use]
    pub fn made_at(self) -> UnixMs {
        UnixMs(i64::try_from(self.0 >> 22).unwrap_or(i64::MAX).saturating_add(1_420_070_400_000))
    }
}

/// A set of CAD credentials by its name, the CAD's community id. Cheap to clone. Compared without regard to letter case by
/// being kept in lower case: the CAD's UI copies ids in lower case (docs/cad-contract.md#h11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommunityId(Arc<str>);

impl CommunityId {
    /// Trims and lower-cases `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.trim().to_lowercase().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_number_that_was_made_up_is_not_for_people() {
        assert_eq!(format!("There is no open call{:#} here", CallId(501)), "There is no open call #501 here");
        for made_up in [0, -1, -1_795_818_514_080, i64::MIN] {
            assert_eq!(format!("There is no open call{:#} here", CallId(made_up)), "There is no open call here");
        }
    }

    #[test]
    fn snowflakes_contain_their_time() {
        // The example of Discord's documentation: 175928847299117063 was made on 2016-04-30 at 11:18:25.796 UTC.
        assert_eq!(MessageId(175_928_847_299_117_063).made_at(), UnixMs(1_462_015_105_796));
        let earliest = MessageId::earliest(UnixMs(1_462_015_105_796));
        assert!(earliest.made_at() == UnixMs(1_462_015_105_796) && earliest.0 <= 175_928_847_299_117_063);
        assert_eq!(MessageId::earliest(UnixMs(0)), MessageId(0));
    }
}
