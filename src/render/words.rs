//! Words and times: the community's labels, durations, Discord timestamps, names of calls.

use std::time::Duration;

use super::text::{self, SafeText, safe};
use super::{Labels, View};
use crate::clock::UnixMs;
use crate::event::{Meta, NUMBER_AS_SENT, Priority};
use crate::ids::CallId;
use crate::world::{Acknowledgement, Dispatch};

/// Longest label of the community, in units.
const LABEL: usize = 24;

/// `<t:…:t>`: the time of day where the reader is.
pub(super) fn time(at: UnixMs) -> SafeText {
    safe!("<t:{}:t>", at.secs())
}

/// `<t:…:R>`: "3 minutes ago", kept true by Discord.
pub(super) fn ago(at: UnixMs) -> SafeText {
    safe!("<t:{}:R>", at.secs())
}

/// A length of time in at most two parts: `38 s`, `4 min 12 s`, `14 min`, `2 h 14`, `3 d 4 h`.
pub(super) fn duration(span: Duration) -> SafeText {
    let secs = span.as_secs();
    let (mins, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
    match () {
        () if secs < 60 => safe!("{} s", secs),
        () if mins < 10 && !secs.is_multiple_of(60) => safe!("{} min {} s", mins, secs % 60),
        () if mins < 60 => safe!("{} min", mins),
        () if hours < 24 && mins % 60 < 10 => safe!("{} h 0{}", hours, mins % 60),
        () if hours < 24 => safe!("{} h {}", hours, mins % 60),
        () if hours.is_multiple_of(24) => safe!("{} d", days),
        () => safe!("{} d {} h", days, hours % 24),
    }
}

/// `🙋 21:06 taken by @Ann`: a mention inside an embed notifies nobody, and shows the name of now.
pub(super) fn taken(taken: Acknowledgement) -> SafeText {
    safe!("🙋 {} taken by <@{}>", time(taken.at), taken.by)
}

/// `911` or `311`, in the community's words.
pub(super) fn emergency(labels: &Labels, is_emergency: bool) -> SafeText {
    let (own, default) = if is_emergency { (&labels.emergency, "911") } else { (&labels.civil, "311") };
    text::line(text::visible(Some(own)).unwrap_or(default), LABEL)
}

/// Longest number that came as text.
const NUMBER: usize = 24;

/// `Call #501`; `Call` if the number is our own.
pub(super) fn call(id: CallId) -> SafeText {
    safe!("Call{:#}", id)
}

/// `word` with the CAD's number of a call, or what the CAD sent instead of one: `911 #302`, `Call A-17`, `911`.
pub(super) fn numbered(word: impl Into<SafeText>, number: Option<CallId>, meta: &Meta) -> SafeText {
    let (word, sent) = (word.into(), text::visible(meta.get(NUMBER_AS_SENT).map(String::as_str)));
    match (number, sent) {
        (Some(id), _) => safe!("{}{:#}", word, id),
        (None, Some(sent)) => safe!("{} {}", word, text::line(sent, NUMBER)),
        (None, None) => word,
    }
}

/// A dispatch call by its number.
pub(super) fn call_of(call: &Dispatch) -> SafeText {
    numbered("Call", call.cad_number(), &call.meta)
}

/// A dispatch call by its key.
pub(super) fn call_by(view: &View<'_>, key: CallId) -> SafeText {
    view.world.dispatches.get(&key).map_or_else(|| call(key), call_of)
}

/// A 911 by its key.
pub(super) fn emergency_by(view: &View<'_>, key: CallId) -> SafeText {
    let word = |is_emergency| emergency(view.labels, is_emergency);
    match view.world.emergencies.get(&key) {
        Some(known) => numbered(word(true), known.cad_number(key), &known.call.meta),
        None => safe!("{}{:#}", word(true), key),
    }
}

/// `P1`, or the word of the community's own layout.
pub(super) fn priority(labels: &Labels, priority: &Priority) -> Option<SafeText> {
    match priority {
        Priority::Level(n) => Some(match labels.priorities.get(n).and_then(|name| text::visible(Some(name))) {
            Some(name) => text::line(name, LABEL),
            None => safe!("P{}", n),
        }),
        Priority::Word(word) => text::visible(Some(word)).map(|word| text::line(word, LABEL)),
    }
}

/// A priority as the timeline shows it: `3`, `1`, the layout's word, or `none`.
pub(super) fn bare_priority(priority: Option<&Priority>) -> SafeText {
    match priority {
        Some(Priority::Level(n)) => safe!("{}", n),
        Some(Priority::Word(word)) => text::line(text::visible(Some(word)).unwrap_or("none"), LABEL),
        None => "none".into(),
    }
}

/// State of a dispatch call (docs/cad-contract.md#n4).
pub(super) fn call_status(status: i64) -> SafeText {
    match status {
        0 => "Pending".into(),
        1 => "Active".into(),
        2 => "Closed".into(),
        n => safe!("Status {}", n),
    }
}

/// Where a dispatch call came from (docs/cad-contract.md#n3).
pub(super) fn origin(origin: i64) -> SafeText {
    match origin {
        0 => "Caller".into(),
        1 => "Radio".into(),
        2 => "Observed".into(),
        3 => "Walk-up".into(),
        n => safe!("Origin {}", n),
    }
}

/// Emoji and name of a unit's status: `("🔵", "En route")`, `("▫️", "Status 7")` where the community named none.
pub(super) fn unit_status(view: &View<'_>, status: i64) -> (SafeText, SafeText) {
    status_words(view.labels, status)
}

/// [`unit_status`] without a world.
pub(super) fn status_words(labels: &Labels, status: i64) -> (SafeText, SafeText) {
    let own = labels.statuses.get(&status);
    let emoji = own.and_then(|(emoji, _)| text::visible(Some(emoji))).map_or_else(|| "▫️".into(), text::emoji);
    let name = own.and_then(|(_, name)| text::visible(Some(name))).map(|name| text::line(name, LABEL));
    (emoji, name.unwrap_or_else(|| safe!("Status {}", status)))
}

/// First letter as a capital, for text that opens a title.
pub(super) fn capital(raw: &str) -> String {
    let mut chars = raw.trim_start().chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (ms, words) in [
            (999, "0 s"),
            (38_000, "38 s"),
            (60_000, "1 min"),
            (252_000, "4 min 12 s"),
            (600_000, "10 min"),
            (845_000, "14 min"),
            (8_040_000, "2 h 14"),
            (3_660_000, "1 h 01"),
            (86_400_000, "1 d"),
            (273_600_000, "3 d 4 h"),
            (i64::MAX.unsigned_abs(), "106751991167 d 7 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), words, "{ms}");
        }
    }

    #[test]
    fn labels_left_blank_fall_back() {
        let labels = Labels { emergency: " ".into(), priorities: [(1, "\u{200B}".into())].into(), ..Labels::default() };
        assert_eq!(emergency(&labels, true), "911");
        assert_eq!(priority(&labels, &Priority::Level(1)).as_deref(), Some("P1"));
        assert_eq!(priority(&labels, &Priority::Word(" ".into())), None);
        assert_eq!(priority(&labels, &Priority::Level(7)).as_deref(), Some("P7"));
    }
}
