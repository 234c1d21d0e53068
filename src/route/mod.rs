//! Routes decide which channels get what: the rows that people create by slash command, and a pure match.
//!
//! Never does I/O, never renders, never reads the clock.

pub mod attention;
mod escalation;
pub mod filter;
mod matching;
mod occasion;

use serde::{Deserialize, Serialize};

use crate::event::Topic;
use crate::ids::{BoardId, ChannelId, CommunityId, GuildId, RoleId, RouteId, ServerId};
use crate::render::Style;

pub use crate::render::BoardKind;
pub use attention::{Attention, AttentionError, AttentionFacts, Mute, Quiet, When, attention, timezones};
pub use escalation::{Escalation, EscalationStep, MAX_MINUTES, MAX_STEPS};
pub use filter::{Criterion, Filter, FilterError, FilterFacts, KnownPriorities};
pub use matching::{MatchedTarget, targets};
pub use occasion::Occasion;

/// What a route listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listens {
    /// Everything that is posted at all.
    All,
    To(Topic),
}

impl Listens {
    /// The word in commands: `all`, `911`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::To(topic) => topic.as_str(),
        }
    }

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if word == "all" { Some(Self::All) } else { Topic::parse(word).map(Self::To) }
    }

    /// Whether any of it is a card that lives until its call or panic is over: only such a card can have a thread.
    #[must_use]
    pub fn has_cards(self) -> bool {
        matches!(self, Self::All | Self::To(Topic::Emergency | Topic::Civil | Topic::Panic | Topic::Dispatch))
    }

    /// Whether all of it is such cards: a forum accepts nothing else, since everything in it is a post of its own.
    #[must_use]
    pub fn only_cards(self) -> bool {
        self != Self::All && self.has_cards()
    }

    /// Whether a forum accepts it in this style.
    #[must_use]
    pub fn fits_forum(self, style: Style) -> bool {
        self.only_cards() && style != Style::Log
    }
}

/// What a person asks for: events of this kind go to this channel, in this way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    pub event: Listens,
    pub channel: ChannelId,
    /// Only this server; `None` = all of the community's.
    pub server: Option<ServerId>,
    /// Pinged when something new comes.
    pub role: Option<RoleId>,
    pub style: Style,
    /// The channel is a forum: each card is a post of its own.
    pub forum: bool,
    /// What it lets through, and how it pings people.
    pub rule: Rule,
}

impl RouteSpec {
    /// Whether its cards get threads, as it is now: lines have no card to open one on, and a public card must not have one, since notes
    /// with names would stand in it.
    #[must_use]
    pub fn threads(&self) -> Threads {
        if self.event.has_cards() && matches!(self.style, Style::Card | Style::Compact) { self.rule.threads } else { Threads::Off }
    }
}

/// A route of a guild: what was asked for, under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub id: RouteId,
    pub guild: GuildId,
    /// The community the guild watches.
    pub community: CommunityId,
    /// Switched on.
    pub enabled: bool,
    pub spec: RouteSpec,
}

/// A route's finer settings. One JSON column: fields may be added, none may change its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// What it lets through.
    pub filter: Filter,
    /// When its role is pinged; `None` = the default of each kind.
    pub when: Option<When>,
    /// Pause after a ping, in seconds; `None` = the default of the kind. Panics don't wait.
    pub cooldown_s: Option<u32>,
    /// Whether calls get threads.
    pub threads: Threads,
    /// What members write in these threads becomes notes of their calls.
    pub thread_notes: bool,
    /// No pings and no sounds for a while.
    pub mute: Option<Mute>,
    /// Who is pinged next when nobody answers.
    pub escalation: Escalation,
}

/// Whether a call's card gets a thread, in which every note and attachment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threads {
    /// Never.
    #[default]
    Off,
    /// With the first note.
    OnFirstNote,
    /// With the card.
    Always,
}

impl Threads {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Off, Self::OnFirstNote, Self::Always];

    /// The word in commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::OnFirstNote => "on-first-note",
            Self::Always => "always",
        }
    }

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// A self-updating message (`/board`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    pub id: BoardId,
    pub guild: GuildId,
    pub community: CommunityId,
    pub channel: ChannelId,
    /// What it shows.
    pub kind: BoardKind,
    /// Only this server; `None` = all that the bot serves.
    pub server: Option<ServerId>,
}

impl Board {
    /// Subject of its post. No `world::Subject` has this form.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("board:{}", self.id)
    }
}

/// What is to become of a route (`/alerts edit`); `None` = as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteEdit {
    pub event: Option<Listens>,
    /// The channel, and whether it is a forum.
    pub channel: Option<(ChannelId, bool)>,
    /// The server; `Some(None)` = all.
    pub server: Option<Option<ServerId>>,
    /// The role; `Some(None)` = nobody.
    pub role: Option<Option<RoleId>>,
    pub style: Option<Style>,
}

impl RouteEdit {
    /// The route after the change.
    #[must_use]
    pub fn of(&self, route: &Route) -> Route {
        let was = &route.spec;
        let (channel, forum) = self.channel.unwrap_or((was.channel, was.forum));
        let spec = RouteSpec {
            event: self.event.unwrap_or(was.event),
            channel,
            forum,
            server: self.server.unwrap_or(was.server),
            role: self.role.unwrap_or(was.role),
            style: self.style.unwrap_or(was.style),
            rule: was.rule.clone(),
        };
        Route { spec, ..route.clone() }
    }
}

/// A change of a route's pings (`/alerts ping`); `None` = unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PingEdit {
    /// The role; `Some(None)` = nobody.
    pub role: Option<Option<RoleId>>,
    /// When; `Some(None)` = the default of the event.
    pub when: Option<Option<When>>,
    /// The pause after a ping, in seconds; `Some(None)` = the default of the event.
    pub cooldown_s: Option<Option<u32>>,
}

impl PingEdit {
    /// The route after the change.
    #[must_use]
    pub fn of(&self, route: &Route) -> Route {
        let mut route = route.clone();
        let spec = &mut route.spec;
        spec.role = self.role.unwrap_or(spec.role);
        spec.rule.when = self.when.unwrap_or(spec.rule.when);
        spec.rule.cooldown_s = self.cooldown_s.unwrap_or(spec.rule.cooldown_s);
        route
    }
}

/// A ready-made set of routes for one channel (`/alerts preset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 911, panic, dispatch, pager.
    Essentials,
    /// Everything except single status changes.
    Full,
    /// Units on and off duty, collected lines.
    Duty,
    /// Stations, pager, tones, 911.
    FireEms,
    /// Records and BOLOs.
    Records,
    /// Calls without names, for everybody.
    Public,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 6] = [Self::Essentials, Self::Full, Self::Duty, Self::FireEms, Self::Records, Self::Public];

    /// The word in commands.
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

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == word)
    }

    /// Its content, in words.
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
