//! The parts of a filter, and their limits.

use crate::event::Topic;

/// Limit on the values of one criterion.
pub const MAX_VALUES: usize = 20;
/// Limit on the characters of one value.
pub const MAX_VALUE_CHARS: usize = 60;

/// One part of a filter, as the options of `/alerts filter` name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// `1`, `1-2`, or a word of a custom layout.
    Priority,
    /// `LSPD`.
    Department,
    /// `police`, `fire`, `ems`, `dispatch`.
    Service,
    /// Words of which one must be mentioned.
    Include,
    /// Words of which none may be.
    Exclude,
    /// `9001`, `90*`, `9000-9099`.
    Postal,
}

impl Criterion {
    /// Every criterion.
    pub const ALL: [Self; 6] = [Self::Priority, Self::Department, Self::Service, Self::Include, Self::Exclude, Self::Postal];

    /// The word in commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Department => "department",
            Self::Service => "service",
            Self::Include => "include",
            Self::Exclude => "exclude",
            Self::Postal => "postal",
        }
    }

    /// What to type.
    #[must_use]
    pub fn example(self) -> &'static str {
        match self {
            Self::Priority => "1, 2",
            Self::Department => "LSPD, BCSO",
            Self::Service => "fire, ems",
            Self::Include => "fire, smoke",
            Self::Exclude => "drill, training",
            Self::Postal => "9001, 90*, 9000-9099",
        }
    }

    /// Whether it applies to this kind of news at all. Among [`Topic::Other`], callouts have a postal ([`super::FilterFacts::callout`]).
    #[must_use]
    pub fn judges(self, topic: Topic) -> bool {
        match self {
            Self::Priority => matches!(topic, Topic::Dispatch | Topic::Emergency | Topic::Civil),
            Self::Department | Self::Service => {
                matches!(topic, Topic::Dispatch | Topic::Panic | Topic::Duty | Topic::Status | Topic::Pager)
            }
            Self::Postal => matches!(topic, Topic::Emergency | Topic::Civil | Topic::Dispatch | Topic::Other),
            Self::Include | Self::Exclude => true,
        }
    }
}
