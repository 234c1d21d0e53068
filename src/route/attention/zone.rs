//! Finds time zones by the names of places, which local time needs: `America/New_York`. Abbreviations and offsets are rejected, since
//! they know no daylight saving time (`EST`) or mean the opposite of what they say (`Etc/GMT+2` is behind UTC); the intended zone is
//! suggested.
//!
//! Never uses the machine's zones: the database is embedded.

use jiff::Timestamp;
use jiff::tz::{self, TimeZone};

use super::AttentionError;
use crate::render::text::{self, SafeText, safe};

/// Longest accepted name, in bytes.
pub(super) const MAX_NAME: usize = 64;
/// Limit on the names in a completion: Discord's.
const MAX_CHOICES: usize = 25;
/// Limit on the names in a refusal.
const MAX_MEANT: usize = 6;
/// A moment in the northern winter and one in its summer (s): zones that change clocks have two offsets.
const SEASONS: [i64; 2] = [1_768_435_200, 1_784_073_600];
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
/// Prefixes of places' names. Of the other names some have no daylight saving time, and the rest have a better one.
const AREAS: [&str; 10] =
    ["Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/"];
/// Names that the database keeps for old files, and their current ones.
const RENAMED: [(&str, &str); 31] = [
    ("Etc/UTC", "UTC"),
    ("US/Alaska", "America/Anchorage"),
    ("US/Aleutian", "America/Adak"),
    ("US/Arizona", "America/Phoenix"),
    ("US/Central", "America/Chicago"),
    ("US/East-Indiana", "America/Indiana/Indianapolis"),
    ("US/Eastern", "America/New_York"),
    ("US/Hawaii", "Pacific/Honolulu"),
    ("US/Indiana-Starke", "America/Indiana/Knox"),
    ("US/Michigan", "America/Detroit"),
    ("US/Mountain", "America/Denver"),
    ("US/Pacific", "America/Los_Angeles"),
    ("US/Samoa", "Pacific/Pago_Pago"),
    ("Canada/Atlantic", "America/Halifax"),
    ("Canada/Central", "America/Winnipeg"),
    ("Canada/Eastern", "America/Toronto"),
    ("Canada/Mountain", "America/Edmonton"),
    ("Canada/Newfoundland", "America/St_Johns"),
    ("Canada/Pacific", "America/Vancouver"),
    ("Canada/Saskatchewan", "America/Regina"),
    ("Canada/Yukon", "America/Whitehorse"),
    ("Mexico/BajaNorte", "America/Tijuana"),
    ("Mexico/BajaSur", "America/Mazatlan"),
    ("Mexico/General", "America/Mexico_City"),
    ("Brazil/Acre", "America/Rio_Branco"),
    ("Brazil/DeNoronha", "America/Noronha"),
    ("Brazil/East", "America/Sao_Paulo"),
    ("Brazil/West", "America/Manaus"),
    ("Chile/Continental", "America/Santiago"),
    ("Chile/EasterIsland", "Pacific/Easter"),
    ("UTC", "UTC"),
];
/// What people type instead of a place, in capital letters, and the places that it means.
const MEANT: &[(&[&str], &[&str])] = &[
    (&["EST", "EDT", "ET", "EST5EDT", "EASTERN", "US/EAST"], &["America/New_York"]),
    (&["CST", "CDT", "CT", "CST6CDT", "CENTRAL"], &["America/Chicago"]),
    (&["MST", "MDT", "MT", "MST7MDT", "MOUNTAIN", "NAVAJO"], &["America/Denver", "America/Phoenix"]),
    (&["PST", "PDT", "PT", "PST8PDT", "PACIFIC"], &["America/Los_Angeles"]),
    (&["AKST", "AKDT", "ALASKA"], &["America/Anchorage"]),
    (&["HST", "HDT", "HAWAII"], &["Pacific/Honolulu"]),
    (&["AST", "ADT", "ATLANTIC"], &["America/Halifax"]),
    (&["NST", "NDT"], &["America/St_Johns"]),
    (&["BRT", "BRST", "BRAZIL"], &["America/Sao_Paulo"]),
    (&["ART", "ARGENTINA"], &["America/Argentina/Buenos_Aires"]),
    (&["CLT", "CLST", "CHILE"], &["America/Santiago"]),
    (
        &["GMT", "GMT0", "GMT+0", "GMT-0", "GREENWICH", "ETC/GMT", "ETC/GMT0", "ETC/GMT+0", "ETC/GMT-0", "ETC/GREENWICH"],
        &["Europe/London", "UTC"],
    ),
    (&["Z", "ZULU", "UCT", "UNIVERSAL", "UTC+0", "UTC-0", "UTC0", "ETC/UCT", "ETC/ZULU", "ETC/UNIVERSAL"], &["UTC"]),
    (&["BST", "GB", "GB-EIRE", "UK", "ENGLAND"], &["Europe/London"]),
    (&["EIRE", "IRELAND"], &["Europe/Dublin"]),
    (&["WET", "WEST", "PORTUGAL"], &["Europe/Lisbon"]),
    (&["CET", "CEST", "MET", "MEST", "MEZ", "MESZ"], &["Europe/Berlin", "Europe/Paris", "Europe/Amsterdam"]),
    (&["GERMANY"], &["Europe/Berlin"]),
    (&["FRANCE"], &["Europe/Paris"]),
    (&["SPAIN"], &["Europe/Madrid"]),
    (&["ITALY"], &["Europe/Rome"]),
    (&["NETHERLANDS"], &["Europe/Amsterdam"]),
    (&["POLAND"], &["Europe/Warsaw"]),
    (&["EET", "EEST"], &["Europe/Athens", "Europe/Helsinki"]),
    (&["MSK", "MSD", "W-SU"], &["Europe/Moscow"]),
    (&["TRT", "TURKEY"], &["Europe/Istanbul"]),
    (&["IST"], &["Asia/Kolkata", "Europe/Dublin"]),
    (&["INDIA"], &["Asia/Kolkata"]),
    (&["GST"], &["Asia/Dubai"]),
    (&["PKT"], &["Asia/Karachi"]),
    (&["ISRAEL", "IDT"], &["Asia/Jerusalem"]),
    (&["IRAN"], &["Asia/Tehran"]),
    (&["SGT", "SINGAPORE"], &["Asia/Singapore"]),
    (&["HKT", "HONGKONG"], &["Asia/Hong_Kong"]),
    (&["PRC", "CHINA"], &["Asia/Shanghai"]),
    (&["ROC", "TAIWAN"], &["Asia/Taipei"]),
    (&["JST", "JAPAN"], &["Asia/Tokyo"]),
    (&["KST", "ROK", "KOREA"], &["Asia/Seoul"]),
    (&["AWST", "AWDT"], &["Australia/Perth"]),
    (&["ACST", "ACDT"], &["Australia/Adelaide"]),
    (&["AEST", "AEDT", "AET"], &["Australia/Sydney", "Australia/Brisbane"]),
    (&["NZST", "NZDT", "NZ"], &["Pacific/Auckland"]),
    (&["NZ-CHAT"], &["Pacific/Chatham"]),
    (&["KWAJALEIN"], &["Pacific/Kwajalein"]),
    (&["SAST"], &["Africa/Johannesburg"]),
    (&["WAT"], &["Africa/Lagos"]),
    (&["EAT"], &["Africa/Nairobi"]),
    (&["EGYPT"], &["Africa/Cairo"]),
    (&["LIBYA"], &["Africa/Tripoli"]),
    (&["ICELAND"], &["Atlantic/Reykjavik"]),
    (&["CUBA"], &["America/Havana"]),
    (&["JAMAICA"], &["America/Jamaica"]),
];

/// The zone of a stored name, whatever it is: accepted names keep working.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME {
        return None;
    }
    TimeZone::get(&name.replace(' ', "_")).ok().filter(|zone| !zone.is_unknown())
}

/// The database's spelling of the place that a person typed: in any letter case, spaces for underscores.
///
/// # Errors
/// [`AttentionError::Timezone`], with the suggestion.
pub(super) fn place(typed: &str) -> Result<String, AttentionError> {
    let name = typed.trim().replace(' ', "_");
    if let Some((_, now)) = RENAMED.iter().find(|(old, _)| old.eq_ignore_ascii_case(&name)) {
        return Ok((*now).to_owned());
    }
    let found = zone(&name).and_then(|zone| zone.iana_name().map(str::to_owned)).filter(|name| is_place(name));
    found.ok_or_else(|| AttentionError::Timezone(text::line(typed, 40), advice(typed)))
}

fn is_place(name: &str) -> bool {
    AREAS.iter().any(|area| name.starts_with(area))
}

/// The suggestion.
fn advice(typed: &str) -> SafeText {
    if let Some(Offset { ahead, reversed }) = offset(typed) {
        let (there, other) = (listed(&places(ahead)), listed(&places(-ahead)));
        return if reversed {
            // Its sign is the opposite of what people mean.
            let (says, opposite) = (signed(ahead), signed(-ahead));
            safe!(
                "It stands for {}, and has no daylight saving time. Choose a place: {} for {}, or {} for {}.",
                says,
                there,
                says,
                other,
                opposite
            )
        } else {
            safe!("An offset has no daylight saving time. Choose a place with {}, such as {}.", signed(ahead), there)
        };
    }
    let meant = meant(typed);
    let close = if meant.is_empty() && typed.trim().len() > 2 { matching(typed).into_iter().take(MAX_MEANT).collect() } else { meant };
    if close.is_empty() {
        return "Choose one from the list, e.g. `Europe/Berlin` or `America/New_York`.".into();
    }
    safe!("Use a place's name: did you mean {}?", listed(&close))
}

/// `` `a`, `b` or `c` ``.
fn listed(names: &[String]) -> SafeText {
    match names {
        [] => "one from the list".into(),
        names => SafeText::list(names.iter().map(|name| text::code_span(name, MAX_NAME)), "or"),
    }
}

/// `UTC+2`, `UTC-3:30`.
fn signed(minutes: i32) -> SafeText {
    let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
    let rest = if size % 60 == 0 { String::new() } else { format!(":{:02}", size % 60) };
    text::plain(&format!("UTC{sign}{}{rest}", size / 60), 9)
}

/// Places by an abbreviation, a country or another word for them.
fn meant(typed: &str) -> Vec<String> {
    let word = typed.trim().replace(' ', "_").to_ascii_uppercase();
    let found = MEANT.iter().find(|(words, _)| words.contains(&word.as_str()));
    found.map(|(_, places)| places.iter().map(|place| (*place).to_owned()).collect()).unwrap_or_default()
}

/// An offset from UTC in place of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    /// Minutes ahead of UTC, in the usual sense.
    ahead: i32,
    /// Written in the database's way, with the opposite sign.
    reversed: bool,
}

/// `GMT+2`, `UTC-05:00`, `+2`, `Etc/GMT-2`.
fn offset(typed: &str) -> Option<Offset> {
    let word: String = typed.chars().filter(|c| !c.is_whitespace()).map(|c| if matches!(c, '−' | '–') { '-' } else { c }).collect();
    let word = word.to_ascii_uppercase();
    let (rest, reversed) = match word.strip_prefix("ETC/GMT") {
        Some(rest) => (rest, true),
        None => (word.strip_prefix("GMT").or_else(|| word.strip_prefix("UTC")).unwrap_or(&word), false),
    };
    let (behind, digits) = match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
        (Some(digits), _) => (false, digits),
        (_, Some(digits)) => (true, digits),
        _ if rest.len() < word.len() => (false, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once([':', '.']) {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |text: &str| ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i32>().ok());
    let (hours, minutes) = (number(hours)??, number(minutes)??);
    let size = hours * 60 + minutes;
    (hours <= 14 && minutes < 60 && size > 0).then_some(Offset { ahead: if behind == reversed { size } else { -size }, reversed })
}

/// Places whose clocks are this far ahead of UTC in winter, and then those where they are in summer: the familiar ones, else any.
fn places(ahead: i32) -> Vec<String> {
    let at = |name: &str, season: i64| {
        let zone = zone(name)?;
        Some(zone.to_offset(Timestamp::from_second(season).ok()?).seconds() / 60)
    };
    let of = |names: &[String]| {
        let fits = |season: i64| names.iter().filter(move |name| at(name, season) == Some(ahead)).cloned();
        let mut found: Vec<String> = SEASONS.into_iter().flat_map(fits).collect();
        let mut seen = std::collections::HashSet::new();
        found.retain(|name| seen.insert(name.clone()));
        found.truncate(MAX_MEANT);
        found
    };
    let familiar = of(&FAMILIAR.map(str::to_owned));
    if !familiar.is_empty() {
        return familiar;
    }
    of(&tz::db().available().map(|name| name.to_string()).filter(|name| is_place(name)).collect::<Vec<_>>())
}

/// Names of places that contain what was typed so far, in any letter case: those that begin with it first, then those with a part that does
/// (`berlin`), then the rest.
fn matching(typed: &str) -> Vec<String> {
    let typed = typed.trim().replace(' ', "_").to_ascii_lowercase();
    if typed.is_empty() || typed.len() > MAX_NAME {
        return Vec::new();
    }
    let mut found: Vec<(u8, String)> = Vec::new();
    for name in tz::db().available() {
        let name = name.as_str();
        if name != "UTC" && !is_place(name) {
            continue;
        }
        let folded = name.to_ascii_lowercase();
        let Some(at) = folded.find(&typed) else { continue };
        let rank = if at == 0 {
            0
        } else if folded.contains(&format!("/{typed}")) {
            1
        } else {
            2
        };
        found.push((rank, name.to_owned()));
    }
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

/// At most 25 names of places for what was typed so far; the meaning of an abbreviation or an offset comes first. Nothing typed: the zones
/// with the most people.
#[must_use]
pub fn timezones(typed: &str) -> Vec<String> {
    if typed.trim().is_empty() {
        return FAMILIAR.map(str::to_owned).to_vec();
    }
    if typed.len() > MAX_NAME {
        return Vec::new();
    }
    let mut names = offset(typed).map(|offset| places(offset.ahead)).unwrap_or_default();
    names.extend(meant(typed));
    let matching = matching(typed);
    names.extend(matching.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    names.truncate(MAX_CHOICES);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(typed: &str) -> String {
        place(typed).unwrap_err().to_string()
    }

    #[test]
    fn only_names_of_places_are_taken() {
        for (typed, name) in [
            ("America/New_York", "America/New_York"),
            (" america/new york ", "America/New_York"),
            ("EUROPE/BERLIN", "Europe/Berlin"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("utc", "UTC"),
            ("Etc/UTC", "UTC"),
            ("us/eastern", "America/New_York"),
            ("Canada/Pacific", "America/Vancouver"),
        ] {
            assert_eq!(place(typed).as_deref(), Ok(name), "{typed}");
        }
        for (old, now) in RENAMED {
            assert_eq!(place(old).as_deref(), Ok(now));
            assert!(zone(now).is_some(), "{now}");
        }
        for name in tz::db().available() {
            if place(name.as_str()).is_ok() {
                assert!(is_place(name.as_str()) || RENAMED.iter().any(|(old, _)| *old == name.as_str()), "{name}");
            }
        }
    }

    #[test]
    fn an_abbreviation_is_refused_with_the_place_that_is_meant() {
        for (typed, meant) in [
            ("EST", "`America/New_York`"),
            ("est", "`America/New_York`"),
            ("EDT", "`America/New_York`"),
            ("EST5EDT", "`America/New_York`"),
            ("CST6CDT", "`America/Chicago`"),
            ("MST", "`America/Phoenix`"),
            ("PST8PDT", "`America/Los_Angeles`"),
            ("Pacific", "`America/Los_Angeles`"),
            ("HST", "`Pacific/Honolulu`"),
            ("BST", "`Europe/London`"),
            ("GMT", "`Europe/London`"),
            ("Etc/GMT", "`UTC`"),
            ("Zulu", "`UTC`"),
            ("CET", "`Europe/Paris`"),
            ("cest", "`Europe/Berlin`"),
            ("MET", "`Europe/Berlin`"),
            ("EET", "`Europe/Athens`"),
            ("WET", "`Europe/Lisbon`"),
            ("JST", "`Asia/Tokyo`"),
            ("Japan", "`Asia/Tokyo`"),
            ("GB", "`Europe/London`"),
            ("NZ", "`Pacific/Auckland`"),
            ("AEST", "`Australia/Sydney`"),
            ("Berlin", "`Europe/Berlin`"),
            ("new york", "`America/New_York`"),
        ] {
            let refused = refused(typed);
            assert!(refused.contains("isn't a time zone name") && refused.contains(meant), "{typed}: {refused}");
        }
        for (words, places) in MEANT {
            for word in *words {
                assert!(place(word).is_err(), "{word}");
                assert_eq!(*word, word.to_ascii_uppercase());
            }
            for name in *places {
                assert_eq!(place(name).as_deref(), Ok(*name));
            }
        }
        assert!(refused("Mars/Olympus").ends_with("Choose one from the list, e.g. `Europe/Berlin` or `America/New_York`."));
    }

    #[test]
    fn an_offset_is_refused_with_places_that_have_it() {
        for (typed, there, not) in [
            ("GMT+2", "`Europe/Athens`", "America/"),
            ("UTC+2", "`Europe/", "America/"),
            ("utc +02:00", "`Europe/Athens`", "America/"),
            ("+2", "`Europe/Athens`", "America/"),
            ("GMT-5", "`America/New_York`", "Asia/"),
            ("UTC−5", "`America/New_York`", "Asia/"),
            ("-0500", "`America/New_York`", "Asia/"),
            ("UTC+5:30", "`Asia/Kolkata`", "America/"),
            ("UTC+9", "`Asia/", "America/"),
        ] {
            let refused = refused(typed);
            assert!(refused.contains(there) && !refused.contains(not) && refused.contains("no daylight saving time"), "{typed}: {refused}");
        }
        // The database's own offsets mean the opposite of what they look like.
        let refused = refused("Etc/GMT-2");
        assert!(refused.contains("stands for UTC+2") && refused.contains("`Europe/Athens`"), "{refused}");
        let refused = super::tests::refused("Etc/GMT+5");
        assert!(
            refused.contains("stands for UTC-5") && refused.contains("`America/New_York`") && refused.contains("for UTC+5"),
            "{refused}"
        );
        for typed in ["UTC+15", "+", "GMT+2x", "+2:60", "+12345", "12"] {
            assert_eq!(offset(typed), None, "{typed}");
        }
    }

    #[test]
    fn what_is_offered_can_be_taken() {
        for typed in ["", "EST", "GMT+2", "gmt-5", "CET", "e", "us/", "etc", "gmt", "utc", "pst8pdt", "new york", "berl", "Etc/GMT+2"] {
            for name in timezones(typed) {
                assert_eq!(place(&name).as_deref(), Ok(name.as_str()), "{typed}");
            }
        }
        assert_eq!(timezones("est").first().map(String::as_str), Some("America/New_York"));
        assert_eq!(timezones("CET").first().map(String::as_str), Some("Europe/Berlin"));
        assert!(timezones("gmt+2").iter().all(|name| name.starts_with("Europe/")), "{:?}", timezones("gmt+2"));
    }
}
