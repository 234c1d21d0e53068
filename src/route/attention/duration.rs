//! Parses durations as people type them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::AttentionError;
use crate::render::text;

const MINUTE: Duration = Duration::from_secs(60);
/// Longest accepted text, in bytes.
const MAX_TYPED: usize = 60;

/// Numbers with units: `30m`, `1h30m`, `1 day 12 hours`. Each unit follows its number.
pub(super) fn parse(typed: &str, allowed: RangeInclusive<Duration>) -> Result<Duration, AttentionError> {
    let quoted = || text::line(typed, 40);
    let wrong = || AttentionError::Duration(quoted());
    let mut rest = typed.trim();
    if rest.is_empty() || rest.len() > MAX_TYPED {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let unit = length_of(unit).ok_or_else(wrong)?;
        // Without digits it isn't a number; too many are more than any limit.
        if number.is_empty() {
            return Err(wrong());
        }
        let number: u32 = number.parse().unwrap_or(u32::MAX);
        total = total.saturating_add(unit.saturating_mul(number));
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    if allowed.contains(&total) { Ok(total) } else { Err(AttentionError::OutOfRange(quoted())) }
}

fn length_of(word: &str) -> Option<Duration> {
    match word.to_ascii_lowercase().as_str() {
        "m" | "min" | "mins" | "minute" | "minutes" => Some(MINUTE),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(MINUTE * 60),
        "d" | "day" | "days" => Some(MINUTE * 60 * 24),
        "w" | "week" | "weeks" => Some(MINUTE * 60 * 24 * 7),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Mute;
    use super::*;

    #[test]
    fn what_people_type() {
        for (typed, minutes) in [
            ("30m", 30),
            ("2h", 120),
            ("1h30m", 90),
            ("1h 30m", 90),
            ("90 min", 90),
            ("1d", 1_440),
            ("1 day, 12 hours", 2_160),
            (" 45 Minutes ", 45),
            ("1HR", 60),
            ("1w", 10_080),
            ("30d", 43_200),
            ("1m", 1),
        ] {
            assert_eq!(Mute::parse_for(typed), Ok(MINUTE * minutes), "{typed}");
        }
    }

    #[test]
    fn what_is_no_duration_and_what_is_too_much() {
        for typed in ["", " ", "soon", "30", "m", "h30", "-5m", "1.5h", "30s", "1h30", "1h-30m", "٣m", "1h\u{0}", &"1m ".repeat(30)] {
            assert!(matches!(Mute::parse_for(typed), Err(AttentionError::Duration(_))), "{typed}");
        }
        for typed in ["0m", "31d", "30d 1m", "99999999999999999999h", "9223372036854775807d 9223372036854775807d"] {
            assert!(matches!(Mute::parse_for(typed), Err(AttentionError::OutOfRange(_))), "{typed}");
        }
        let said = Mute::parse_for("<@1> **soon**").unwrap_err().to_string();
        assert_eq!(said, "“<\u{200B}@\u{200B}1> \\*\\*soon\\*\\*” isn't a valid duration. Try `30m`, `1h30m` or `2d`.");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_is_a_duration_within_the_limits_or_an_error(typed in "[0-9]{0,22} ?[mhdw]{0,2}[ ,\\PC]{0,8}") {
            if let Ok(length) = Mute::parse_for(&typed) {
                prop_assert!((60..=2_592_000).contains(&length.as_secs()), "{typed} {length:?}");
            }
        }
    }
}
