//! Decides when people are pinged: `when`, cool-down, mute and quiet hours. Pure: time, roster and last ping are arguments.
//!
//! ```text
//! does this kind ping? ─ when, or the table of defaults ─┐
//! is it too soon? ─ cool-down, not for panics ───────────┼─▶ ping
//! is the route silent? ─ mute, quiet hours ──────────────┴─▶ neither ping nor sound; a panic overrides it unless they say otherwise
//! ```

mod duration;
mod error;
mod quiet;
mod zone;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Listens, Occasion, Route};
use crate::clock::UnixMs;
use crate::event::{Priority, Topic};

pub use error::AttentionError;
pub use quiet::Quiet;
pub use zone::timezones;

/// Pause after the ping of a tone, unless the route says otherwise: a tone board is pressed more than once.
const TONE_COOLDOWN: Duration = Duration::from_secs(30);

/// When a route's role is pinged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// For everything new.
    Always,
    /// For what has the highest priority only.
    #[serde(rename = "priority-1")]
    Priority1,
    /// While no unit with `isDispatch` is on duty on that server.
    NoDispatcher,
    Never,
}

impl When {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Always, Self::Priority1, Self::NoDispatcher, Self::Never];

    /// The word in commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Priority1 => "priority-1",
            Self::NoDispatcher => "no-dispatcher",
            Self::Never => "never",
        }
    }

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|when| when.as_str() == word)
    }
}

/// A route that makes no sound for a while: its cards come without pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Its end.
    pub until: UnixMs,
    /// Panics too.
    #[serde(default)]
    pub panic: bool,
}

impl Mute {
    /// Shortest.
    pub const MIN: Duration = Duration::from_secs(60);
    /// Longest: a route that is muted forever is forgotten, and then missed.
    pub const MAX: Duration = Duration::from_secs(30 * 86_400);

    /// A duration as people type it: `30m`, `2h`, `1h30m`, `90 min`, `1d`.
    ///
    /// # Errors
    /// [`AttentionError::Duration`], [`AttentionError::OutOfRange`].
    pub fn parse_for(text: &str) -> Result<Duration, AttentionError> {
        duration::parse(text, Self::MIN..=Self::MAX)
    }

    /// Whether it holds at `now`.
    #[must_use]
    pub fn covers(&self, now: UnixMs) -> bool {
        now < self.until
    }
}

/// The facts beside the route and the occasion.
#[derive(Clone, Copy, Debug)]
pub struct AttentionFacts<'a> {
    pub now: UnixMs,
    /// Whether a unit with `isDispatch` is on duty on that server.
    pub dispatcher_on_duty: bool,
    /// The guild's quiet hours.
    pub quiet: Option<&'a Quiet>,
    /// When this route's role was last pinged.
    pub last_ping: Option<UnixMs>,
}

/// How a route alerts people about something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Its role is pinged, if it has one.
    pub ping: bool,
    /// It is sent as a suppressed notification. Never with `ping`.
    pub silent: bool,
}

/// How `route` alerts people about a new card. Edits ping nobody and don't use this.
#[must_use]
pub fn attention(route: &Route, occasion: &Occasion<'_>, moment: &AttentionFacts<'_>) -> Attention {
    let panic = occasion.topic == Topic::Panic;
    let muted = route.spec.rule.mute.is_some_and(|mute| mute.covers(moment.now) && (mute.panic || !panic));
    let quiet = moment.quiet.is_some_and(|quiet| (quiet.panic || !panic) && quiet.covers(moment.now));
    let silent = muted || quiet;
    let ping = !silent && calls(route, occasion, moment.dispatcher_on_duty) && (panic || !cooling(route, occasion.topic, moment));
    Attention { ping, silent }
}

/// Whether it is too soon after the last ping. Events from two sources may come out of order, so a ping "later than now" counts alike.
fn cooling(route: &Route, topic: Topic, moment: &AttentionFacts<'_>) -> bool {
    let usual = if topic == Topic::Tone { TONE_COOLDOWN } else { Duration::ZERO };
    let cooldown = route.spec.rule.cooldown_s.map_or(usual, |seconds| Duration::from_secs(seconds.into()));
    moment.last_ping.is_some_and(|last| moment.now.apart(last) < cooldown)
}

fn calls(route: &Route, occasion: &Occasion<'_>, dispatcher_on_duty: bool) -> bool {
    match route.spec.rule.when {
        None => by_default(route.spec.event, occasion),
        Some(When::Always) => !matches!(occasion.topic, Topic::Duty | Topic::Status | Topic::Other),
        Some(When::Priority1) => match occasion.topic {
            Topic::Panic => true,
            Topic::Dispatch | Topic::Emergency => occasion.priority == Some(&Priority::Level(1)),
            Topic::Pager => occasion.urgent,
            _ => false,
        },
        Some(When::NoDispatcher) => {
            // A route for everything that replaces an absent dispatcher still pings for every panic; a route for panics only does what its
            // setting says.
            let regardless = occasion.topic == Topic::Panic && route.spec.event != Listens::To(Topic::Panic);
            by_default(route.spec.event, occasion) && (regardless || !dispatcher_on_duty)
        }
        Some(When::Never) => false,
    }
}

/// Without `when`: a role on a route for exactly this kind is pinged, lines are never worth a ping, and a route for everything pings
/// only for urgent news.
fn by_default(event: Listens, occasion: &Occasion<'_>) -> bool {
    match occasion.topic {
        Topic::Emergency | Topic::Panic | Topic::Station => true,
        Topic::Dispatch => occasion.priority == Some(&Priority::Level(1)),
        Topic::Pager => occasion.urgent,
        Topic::Civil | Topic::Record | Topic::Bolo | Topic::Tone => event != Listens::All,
        Topic::Duty | Topic::Status | Topic::Other => false,
    }
}

#[cfg(test)]
mod tests;
