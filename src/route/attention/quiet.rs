//! A guild's quiet hours, by the clock on its wall.

use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use serde::{Deserialize, Serialize};

use super::AttentionError;
use crate::clock::UnixMs;
use crate::render::text;

/// Minutes of a day.
const DAY: u16 = 1_440;
/// Longest name of a time zone that is looked for, in bytes.
const MAX_NAME: usize = 64;
/// Most names in a completion: what Discord takes.
const MAX_CHOICES: usize = 25;
/// Offered before anything is typed, from west to east.
const FAMILIAR: [&str; 25] = [
    "UTC",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/Denver",
    "America/Chicago",
    "America/Mexico_City",
    "America/New_York",
    "America/Toronto",
    "America/Halifax",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/Rome",
    "Europe/Stockholm",
    "Europe/Warsaw",
    "Europe/Athens",
    "Europe/Istanbul",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// A guild's quiet hours, each day: cards come without pings and sounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Minute of the day, 0 ..= 1439, in `timezone`.
    pub from: u16,
    /// Minute of the day, no longer quiet; before `from` = the next day.
    pub to: u16,
    /// IANA name, e.g. `Europe/Berlin`.
    pub timezone: String,
    /// Panics too.
    #[serde(default)]
    pub panic: bool,
}

impl Quiet {
    /// From what a person typed: times such as `22:00`, `7`, `7:30`, `10pm`, and an IANA name in any letter case.
    ///
    /// # Errors
    /// [`AttentionError`]: not a time, equal times, or not a time zone.
    pub fn new(from: &str, to: &str, timezone: &str, panic: bool) -> Result<Self, AttentionError> {
        let time = |typed: &str| minute(typed).ok_or_else(|| AttentionError::Time(text::line(typed, 40)));
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(AttentionError::NoLength(clock(from)));
        }
        let zone = zone(timezone).ok_or_else(|| AttentionError::Timezone(text::line(timezone, 40)))?;
        // As the database spells it.
        let timezone = zone.iana_name().unwrap_or(timezone).to_owned();
        Ok(Self { from, to, timezone, panic })
    }

    /// Whether `now` is in them. The local wall clock decides, so a night in which the clocks change is an hour longer or shorter. Equal
    /// times cover nothing; so does a time zone that is no longer known, since a missed call is worse than a loud one.
    #[must_use]
    pub fn covers(&self, now: UnixMs) -> bool {
        let (Some(zone), Ok(now)) = (zone(&self.timezone), Timestamp::from_millisecond(now.0)) else { return false };
        let local = now.to_zoned(zone);
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        if self.from <= self.to { (self.from..self.to).contains(&minute) } else { minute >= self.from || minute < self.to }
    }

    /// As one sentence for people, harmless in a Discord message.
    #[must_use]
    pub fn sentence(&self) -> String {
        let panics = if self.panic { "panics too" } else { "but not for panics" };
        format!("Quiet from {} to {} each day ({}), {panics}.", clock(self.from), clock(self.to), text::line(&self.timezone, MAX_NAME))
    }
}

/// `22:00`.
fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A time of day as people type it, as the minute of the day. `24:00` is the day's end: 0.
fn minute(typed: &str) -> Option<u16> {
    let typed = typed.trim().to_ascii_lowercase();
    let (clock, half) = match (typed.strip_suffix("am"), typed.strip_suffix("pm")) {
        (Some(clock), _) => (clock.trim_end(), Some(0)),
        (_, Some(clock)) => (clock.trim_end(), Some(12)),
        (None, None) => (typed.as_str(), None),
    };
    let (hour, minute) = match clock.split_once([':', '.']) {
        Some((hour, minute)) if minute.len() == 2 => (hour, digits(minute)?),
        Some(_) => return None,
        None => (clock, 0),
    };
    let hour = digits(hour)?;
    let hour = match half {
        Some(noon) if (1..=12).contains(&hour) => hour % 12 + noon,
        Some(_) => return None,
        None => hour,
    };
    let whole = hour * 60 + minute;
    (minute < 60 && whole <= DAY).then_some(whole % DAY)
}

/// One or two digits.
fn digits(text: &str) -> Option<u16> {
    ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The zone of an IANA name in any letter case, blanks for underscores. From the database inside the program: the machine's is not asked.
fn zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME {
        return None;
    }
    TimeZone::get(&name.replace(' ', "_")).ok().filter(|zone| !zone.is_unknown())
}

/// At most 25 names of time zones that hold what was typed so far, in any letter case: those that begin with it first, then those of which
/// a part does (`berlin`), then the rest. Nothing typed: those that most people live in.
#[must_use]
pub fn timezones(typed: &str) -> Vec<String> {
    let typed = typed.trim().replace(' ', "_").to_ascii_lowercase();
    if typed.is_empty() {
        return FAMILIAR.map(str::to_owned).to_vec();
    }
    if typed.len() > MAX_NAME {
        return Vec::new();
    }
    let mut found: Vec<(u8, String)> = Vec::new();
    for name in tz::db().available() {
        let name = name.as_str();
        let folded = name.to_ascii_lowercase();
        let Some(at) = folded.find(&typed) else { continue };
        let rank = if at == 0 {
            0
        } else if folded.contains(&format!("/{typed}")) {
            1
        } else {
            2
        };
        // Named by nobody who lives somewhere, and refused by `zone`.
        if folded != "etc/unknown" {
            found.push((rank, name.to_owned()));
        }
    }
    found.sort();
    found.truncate(MAX_CHOICES);
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests;
