use proptest::prelude::*;

use super::*;
use crate::route::timezones;

fn at(rfc3339: &str) -> UnixMs {
    UnixMs(rfc3339.parse::<Timestamp>().unwrap().as_millisecond())
}

#[test]
fn times_as_people_type_them() {
    for (typed, minute) in [
        ("22:00", 1_320),
        ("7", 420),
        ("7:30", 450),
        ("07:30", 450),
        ("10pm", 1_320),
        ("10 PM", 1_320),
        ("10:15pm", 1_335),
        ("12am", 0),
        ("12 pm", 720),
        ("12:01am", 1),
        ("0", 0),
        ("24:00", 0),
        ("23.59", 1_439),
    ] {
        assert_eq!(super::minute(typed), Some(minute), "{typed}");
    }
    for typed in
        ["", "25", "24:01", "7:60", "7:3", "7:300", "-1", "+7", "0am", "13pm", "pm", "7:30:00", "noonish", "٧", "7 30", "2200", ":30"]
    {
        assert_eq!(super::minute(typed), None, "{typed}");
    }
}

#[test]
fn a_night_is_quiet_from_its_first_minute_to_before_its_last() {
    let night = Quiet::new("22:00", "7:00", "utc", false).unwrap();
    for (time, covered) in [
        ("2026-11-21T21:59:59.999Z", false),
        ("2026-11-21T22:00:00Z", true),
        ("2026-11-21T23:59:59Z", true),
        ("2026-11-22T00:00:00Z", true),
        ("2026-11-22T06:59:59.999Z", true),
        ("2026-11-22T07:00:00Z", false),
        ("2026-11-22T12:00:00Z", false),
    ] {
        assert_eq!(night.covers(at(time)), covered, "{time}");
    }
    let day = Quiet::new("9", "17", "UTC", false).unwrap();
    for (time, covered) in
        [("2026-11-21T08:59:59Z", false), ("2026-11-21T09:00:00Z", true), ("2026-11-21T16:59:00Z", true), ("2026-11-21T17:00:00Z", false)]
    {
        assert_eq!(day.covers(at(time)), covered, "{time}");
    }
    // Until the day's end.
    let until_midnight = Quiet::new("18:00", "24:00", "UTC", false).unwrap();
    assert!(until_midnight.covers(at("2026-11-21T23:59:59Z")));
    assert!(!until_midnight.covers(at("2026-11-22T00:00:00Z")));
}

#[test]
fn the_wall_clock_decides_where_clocks_change() {
    let berlin = Quiet::new("22:00", "7:00", "europe/berlin", false).unwrap();
    assert_eq!(berlin.timezone, "Europe/Berlin");
    for (time, covered) in [
        // Summer: UTC+2.
        ("2026-07-01T19:59:59Z", false),
        ("2026-07-01T20:00:00Z", true),
        ("2026-07-02T05:00:00Z", false),
        // Winter: UTC+1.
        ("2026-01-15T20:59:59Z", false),
        ("2026-01-15T21:00:00Z", true),
        // The night of 29 March 2026 is an hour shorter: it begins in winter time and ends in summer time.
        ("2026-03-28T20:59:59Z", false),
        ("2026-03-28T21:00:00Z", true),
        ("2026-03-29T04:59:59Z", true),
        ("2026-03-29T05:00:00Z", false),
        // The night of 25 October 2026 is an hour longer.
        ("2026-10-24T20:00:00Z", true),
        ("2026-10-25T05:59:59Z", true),
        ("2026-10-25T06:00:00Z", false),
    ] {
        assert_eq!(berlin.covers(at(time)), covered, "{time}");
    }
    // Hours skipped in spring never come; those repeated in autumn are quiet twice.
    let gap = Quiet::new("2:00", "3:00", "Europe/Berlin", false).unwrap();
    assert!(!gap.covers(at("2026-03-29T00:59:59Z")), "01:59:59");
    assert!(!gap.covers(at("2026-03-29T01:00:00Z")), "03:00");
    assert!(gap.covers(at("2026-10-25T00:30:00Z")), "02:30, summer time");
    assert!(gap.covers(at("2026-10-25T01:30:00Z")), "02:30, winter time");
    assert!(!gap.covers(at("2026-10-25T02:00:00Z")), "03:00");
}

#[test]
fn phoenix_changes_no_clocks() {
    let phoenix = Quiet::new("10pm", "7am", "America/Phoenix", false).unwrap();
    for day in ["2026-01-15", "2026-03-08", "2026-03-09", "2026-07-01", "2026-11-01", "2026-11-02"] {
        for (time, covered) in [("04:59:59", false), ("05:00:00", true), ("13:59:59", true), ("14:00:00", false)] {
            assert_eq!(phoenix.covers(at(&format!("{day}T{time}Z"))), covered, "{day} {time}");
        }
    }
}

#[test]
fn what_is_refused_says_the_fix() {
    let refused = |from, to, zone| Quiet::new(from, to, zone, false).unwrap_err().to_string();
    assert_eq!(refused("late", "7", "UTC"), "“late” isn't a time of day. Try `22:00`, `7:30` or `10pm`.");
    assert_eq!(refused("22", "*7*", "UTC"), "“\\*7\\*” isn't a time of day. Try `22:00`, `7:30` or `10pm`.");
    assert!(refused("22:00", "10pm", "UTC").contains("end at 22:00, when they begin"));
    assert!(refused("0:00", "24:00", "UTC").contains("choose two different times"));
    for zone in ["", " ", "Berlin", "Etc/Unknown", "Mars/Olympus", "../../etc/passwd", "\u{0}", &"Europe/Berlin".repeat(100)] {
        assert!(matches!(Quiet::new("22", "7", zone, false), Err(AttentionError::Timezone(..))), "{zone:?}");
    }
    assert_eq!(Quiet::new("22", "7", " america/new york ", false).unwrap().timezone, "America/New_York");
}

#[test]
fn a_row_that_could_not_have_been_made_covers_nothing() {
    for (from, to, zone) in [(420, 420, "UTC"), (0, 1_439, "Mars/Olympus"), (0, 1_439, ""), (9_000, 9_001, "UTC")] {
        let quiet = Quiet { from, to, timezone: zone.into(), panic: false };
        assert!(!quiet.covers(at("2026-11-21T12:00:00Z")), "{quiet:?}");
    }
    let always = Quiet { from: 0, to: 1_439, timezone: "UTC".into(), panic: false };
    assert!(!always.covers(UnixMs(i64::MAX)) && !always.covers(UnixMs(i64::MIN)), "outside of every calendar");
}

#[test]
fn a_zone_that_was_taken_once_goes_on_and_says_what_is_better() {
    let old = Quiet { from: 1_320, to: 420, timezone: "EST".into(), panic: false };
    assert!(old.covers(at("2026-07-01T04:00:00Z")) && !old.covers(at("2026-07-01T13:00:00Z")));
    let hint = old.hint().unwrap();
    assert!(hint.contains("“EST” isn't a time zone name") && hint.contains("`America/New_York`"), "{hint}");
    // Options that aren't named stay, even that.
    let later = old.with(Some("23:00"), None, None, Some(true)).unwrap();
    assert_eq!(later, Quiet { from: 1_380, panic: true, ..old.clone() });
    assert_eq!(old.with(None, None, Some("america/new york"), None).unwrap().timezone, "America/New_York");
    assert!(old.with(Some("7:00"), None, None, None).is_err(), "no length");
    assert_eq!(Quiet::new("22", "7", "Europe/Berlin", false).unwrap().hint(), None);
}

#[test]
fn sentences() {
    let said = |panic| Quiet::new("22:00", "7", "America/New_York", panic).unwrap().sentence();
    assert_eq!(said(false), "Quiet from 22:00 to 07:00 each day (America/New\\_York), but not for panics.");
    assert_eq!(said(true), "Quiet from 22:00 to 07:00 each day (America/New\\_York), panics too.");
}

#[test]
fn rows_of_before_the_panic_flag_are_read() {
    let read: Quiet = serde_json::from_str(r#"{"from":1320,"to":420,"timezone":"UTC"}"#).unwrap();
    assert_eq!(read, Quiet::new("22", "7", "UTC", false).unwrap());
}

#[test]
fn names_of_time_zones_complete_what_is_typed() {
    let familiar = timezones(" ");
    assert_eq!(familiar.len(), 25);
    for name in &familiar {
        assert_eq!(Quiet::new("22", "7", name, false).unwrap().timezone, *name);
    }
    assert_eq!(timezones("BERLIN"), ["Europe/Berlin"]);
    assert_eq!(timezones("new york"), ["America/New_York"]);
    let europe = timezones("europe/b");
    assert!(europe.len() > 3 && europe.iter().all(|name| name.starts_with("Europe/B")), "{europe:?}");
    // A city that begins with it comes before one that contains it.
    let found = timezones("ber");
    let (berlin, canberra) = (found.iter().position(|n| n == "Europe/Berlin"), found.iter().position(|n| n == "Australia/Canberra"));
    assert!(berlin.is_some() && berlin < canberra, "{found:?}");
    assert_eq!(timezones("a").len(), 25);
    for typed in ["unknown", "zzz", "\u{0}", &"a".repeat(10_000)] {
        assert_eq!(timezones(typed), [""; 0], "{typed:.20}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_words_are_an_error_or_make_quiet_hours(from in "\\PC{0,8}|[0-9:apm ]{0,6}", to in "[0-9]{1,2}", zone in "\\PC{0,80}|UTC", now in any::<i64>()) {
        if let Ok(quiet) = Quiet::new(&from, &to, &zone, false) {
            prop_assert!(quiet.from < DAY && quiet.to < DAY && quiet.from != quiet.to);
            let _total = quiet.covers(UnixMs(now));
        }
        prop_assert!(timezones(&zone).len() <= 25);
    }

    /// Quiet from `a` to `b` and from `b` to `a` divide the day between them.
    #[test]
    fn the_other_way_round_covers_the_rest(from in 0_u16..1_440, to in 0_u16..1_440, now in 0_i64..4_000_000_000_000) {
        prop_assume!(from != to);
        let quiet = |from, to| Quiet { from, to, timezone: "Europe/Berlin".into(), panic: false };
        prop_assert_ne!(quiet(from, to).covers(UnixMs(now)), quiet(to, from).covers(UnixMs(now)));
    }
}
