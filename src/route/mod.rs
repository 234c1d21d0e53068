//! Which channels hear of what: the rows that people make by slash command, and a pure match.
//!
//! Never does I/O, never renders, never asks the clock.

mod matching;

use serde::{Deserialize, Serialize};

use crate::event::Topic;
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId};
use crate::render::Style;

pub use matching::{Occasion, Target, targets};

/// What a route listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listens {
    /// Everything that is posted at all.
    All,
    /// One topic.
    To(Topic),
}

impl Listens {
    /// The word people type: `all`, `911`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::To(topic) => topic.as_str(),
        }
    }

    /// Back from the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if word == "all" { Some(Self::All) } else { Topic::parse(word).map(Self::To) }
    }
}

/// One row: events of this kind go to this channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Number, shown to people.
    pub id: i64,
    /// Whose.
    pub guild: GuildId,
    /// The community the guild watches.
    pub community: CommunityId,
    /// Of what.
    pub event: Listens,
    /// Where.
    pub channel: ChannelId,
    /// Only this server; `None` = all of the community's.
    pub server: Option<ServerId>,
    /// Pinged when something new comes.
    pub role: Option<RoleId>,
    /// How it looks.
    pub style: Style,
    /// Switched on.
    pub enabled: bool,
}

/// What is needed to make a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoute {
    /// Whose.
    pub guild: GuildId,
    /// Of what.
    pub event: Listens,
    /// Where.
    pub channel: ChannelId,
    /// Only this server.
    pub server: Option<ServerId>,
    /// Pinged.
    pub role: Option<RoleId>,
    /// How it looks.
    pub style: Style,
}

/// A ready-made set of routes for one channel (`/alerts preset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 911, panic, dispatch, pager.
    Essentials,
    /// Everything but single status changes.
    Full,
    /// Units on and off duty, gathered lines.
    Duty,
    /// Stations, pager, tones, 911.
    FireEms,
    /// Records and BOLOs.
    Records,
    /// Calls without names, for everybody to see.
    Public,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 6] = [Self::Essentials, Self::Full, Self::Duty, Self::FireEms, Self::Records, Self::Public];

    /// The word people type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Essentials => "essentials",
            Self::Full => "full",
            Self::Duty => "duty",
            Self::FireEms => "fire-ems",
            Self::Records => "records",
            Self::Public => "public",
        }
    }

    /// Back from the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == word)
    }

    /// What it holds, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Essentials => "911 and civil calls, panics, dispatches, pages",
            Self::Full => "everything but single status changes",
            Self::Duty => "units going on and off duty",
            Self::FireEms => "911 calls, station alerts, pages, tones",
            Self::Records => "records, BOLOs and warrants",
            Self::Public => "calls with street and state only: no names, plates or units",
        }
    }

    /// Its routes: event, style, and whether the role is pinged for it.
    #[must_use]
    pub fn routes(self) -> Vec<(Topic, Style, bool)> {
        use Topic::{Bolo, Civil, Dispatch, Duty, Emergency, Other, Pager, Panic, Record, Station, Tone};
        match self {
            Self::Essentials => vec![
                (Emergency, Style::Card, true),
                (Civil, Style::Card, false),
                (Panic, Style::Card, true),
                (Dispatch, Style::Card, true),
                (Pager, Style::Card, true),
            ],
            Self::Full => vec![
                (Emergency, Style::Card, true),
                (Civil, Style::Card, false),
                (Panic, Style::Card, true),
                (Dispatch, Style::Card, true),
                (Duty, Style::Log, false),
                (Record, Style::Card, false),
                (Bolo, Style::Card, false),
                (Station, Style::Card, true),
                (Pager, Style::Card, true),
                (Tone, Style::Compact, false),
                (Other, Style::Log, false),
            ],
            Self::Duty => vec![(Duty, Style::Log, false)],
            Self::FireEms => vec![
                (Emergency, Style::Card, true),
                (Station, Style::Card, true),
                (Pager, Style::Card, true),
                (Tone, Style::Compact, false),
            ],
            Self::Records => vec![(Record, Style::Card, false), (Bolo, Style::Card, true)],
            Self::Public => vec![(Emergency, Style::Public, false), (Civil, Style::Public, false), (Dispatch, Style::Public, false)],
        }
    }
}
