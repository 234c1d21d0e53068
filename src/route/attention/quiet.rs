//! A guild's quiet hours, in local time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AttentionError;
use super::zone::{self, MAX_NAME, zone};
use crate::clock::UnixMs;
use crate::render::text::{self, SafeText, safe};

/// Minutes of a day.
const DAY: u16 = 1_440;

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
    /// From typed times such as `22:00`, `7`, `7:30`, `10pm`, and a place's IANA name in any letter case.
    ///
    /// # Errors
    /// [`AttentionError`]: not a time, equal times, or not a time zone.
    pub fn new(from: &str, to: &str, timezone: &str, panic: bool) -> Result<Self, AttentionError> {
        Self { from: 0, to: 0, timezone: String::new(), panic }.with(Some(from), Some(to), Some(timezone), None)
    }

    /// The same with the typed changes; `None` keeps the value.
    ///
    /// # Errors
    /// As [`Quiet::new`].
    pub fn with(&self, from: Option<&str>, to: Option<&str>, timezone: Option<&str>, panic: Option<bool>) -> Result<Self, AttentionError> {
        let time = |typed: &str| minute(typed).ok_or_else(|| AttentionError::Time(text::line(typed, 40)));
        let (from, to) = (from.map(time).transpose()?.unwrap_or(self.from), to.map(time).transpose()?.unwrap_or(self.to));
        if from == to {
            return Err(AttentionError::NoLength(clock(from)));
        }
        let timezone = timezone.map(zone::place).transpose()?.unwrap_or_else(|| self.timezone.clone());
        Ok(Self { from, to, timezone, panic: panic.unwrap_or(self.panic) })
    }

    /// The fix for a time zone that was accepted once and wouldn't be now; it keeps working until somebody changes it.
    #[must_use]
    pub fn hint(&self) -> Option<SafeText> {
        let error = zone::place(&self.timezone).err()?;
        Some(safe!("💡 {} Set it with `/alerts quiet timezone:`.", error.sentence()))
    }

    /// Whether `now` is in them. Local time decides, so a night in which the clocks change is an hour longer or shorter. Equal
    /// times cover nothing; so does an unknown time zone, since a missed call is worse than a loud one.
    #[must_use]
    pub fn covers(&self, now: UnixMs) -> bool {
        let (Some(zone), Ok(now)) = (zone(&self.timezone), Timestamp::from_millisecond(now.0)) else { return false };
        let local = now.to_zoned(zone);
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        if self.from <= self.to { (self.from..self.to).contains(&minute) } else { minute >= self.from || minute < self.to }
    }

    /// As one sentence for people.
    #[must_use]
    pub fn sentence(&self) -> SafeText {
        let panics = if self.panic { "panics too" } else { "but not for panics" };
        safe!("Quiet from {} to {} each day ({}), {}.", clock(self.from), clock(self.to), text::line(&self.timezone, MAX_NAME), panics)
    }
}

/// `22:00`.
fn clock(minute: u16) -> SafeText {
    text::plain(&format!("{:02}:{:02}", minute / 60, minute % 60), 5)
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

#[cfg(test)]
mod tests;
