//! Records: BOLOs, warrants and the rest. They contain names and plates: nothing of them is public.

use super::draft::{self, Draft, Fields};
use super::text::{self, SafeText, safe};
use super::{Embed, Message, Style, View, colors, words};
use crate::clock::UnixMs;
use crate::event::{Record, RecordAction, RecordField};

/// Limit on the fields shown.
const MAX_FIELDS: usize = 9;
/// Record kinds (docs/cad-contract.md#n8).
const WARRANT: i64 = 2;
const BOLO: i64 = 3;
/// Record types and their names (docs/cad-contract.md#n8).
const KINDS: [(i64, &str); 14] = [
    (WARRANT, "Warrant"),
    (BOLO, "BOLO"),
    (4, "License"),
    (5, "Vehicle registration"),
    (7, "Character"),
    (8, "Police record"),
    (9, "Police report"),
    (10, "Medical record"),
    (11, "Medical report"),
    (12, "Fire record"),
    (13, "Fire report"),
    (14, "DMV record"),
    (15, "Law record"),
    (16, "Law report"),
];
/// Words in a field's label that make its value useful in the title.
const DESCRIPTIVE: [&str; 12] =
    ["model", "vehicle", "make", "colour", "color", "plate", "name", "first", "last", "suspect", "subject", "title"];
/// Words that don't, whatever is beside them: who wrote it and when.
const OFFICIAL: [&str; 7] = ["officer", "unit", "agency", "department", "status", "date", "time"];

pub(super) fn record(action: RecordAction, record: &Record, at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let (emoji, color, kind) = match record.kind {
        Some(BOLO) => ("🟡", colors::BOLO, "BOLO"),
        Some(WARRANT) => ("🟣", colors::WARRANT, "Warrant"),
        _ => ("🔵", colors::RECORD, "Record"),
    };
    let kind = draft::line(record.name.as_deref(), 24).unwrap_or_else(|| kind.into());
    let closed = record.closed == Some(true);
    let over = closed || action == RecordAction::Removed;
    let outcome = match action {
        RecordAction::Removed => " removed",
        _ if closed => " closed",
        RecordAction::Added => "",
        RecordAction::Edited => " edited",
    };
    let (emoji, color) = if over { ("⬛", colors::CLOSED) } else { (emoji, color) };
    let subject = subject(record);
    let title = draft::title(view, safe!("{} {}{}", emoji, kind, outcome), subject.as_deref(), "", None);
    let about = match text::visible(record.id.as_deref()) {
        Some(id) => safe!("Record {}", text::plain(id, 40)),
        None => "Record".into(),
    };
    let mut draft = Draft::new(view, title, color, about, at);
    draft.sentence = match draft::line(subject.as_deref(), 120) {
        Some(subject) => safe!("{}{}: {}", kind, outcome, subject),
        None => safe!("{}{}", kind, outcome),
    };
    let mut fields = Fields::default();
    let shown = record.fields.iter().filter_map(|field| Some((draft::line(Some(&field.label), 60)?, value(record, field)?)));
    for (label, value) in shown.take(MAX_FIELDS) {
        fields.inline(label, Some(value));
    }
    draft.fields = fields.0;
    Some(draft.finish(view))
}

/// A record from a search: its kind in words, its name, its first fields.
#[must_use]
pub fn found(record: &Record) -> Embed {
    let (emoji, color) = match record.kind {
        Some(BOLO) => ("🟡", colors::BOLO),
        Some(WARRANT) => ("🟣", colors::WARRANT),
        _ => ("🔵", colors::RECORD),
    };
    let (emoji, color) = if record.closed == Some(true) { ("⬛", colors::CLOSED) } else { (emoji, color) };
    let word = record.kind.and_then(|kind| KINDS.iter().find(|(known, _)| *known == kind)).map_or("Record", |(_, word)| *word);
    let title = match draft::line(record.name.as_deref(), 40) {
        Some(name) if name.to_lowercase() == word.to_lowercase() => safe!("{} {}", emoji, name),
        Some(name) if word == "BOLO" || word == "DMV record" => safe!("{} {} ({})", emoji, name, word),
        Some(name) => safe!("{} {} ({})", emoji, name, text::line(&word.to_lowercase(), 40)),
        None => safe!("{} {}", emoji, word),
    };
    let mut fields = Fields::default();
    let shown = record.fields.iter().filter_map(|field| Some((draft::line(Some(&field.label), 40)?, value(record, field)?)));
    for (label, value) in shown.take(MAX_FIELDS) {
        fields.inline(label, Some(value.cut(80)));
    }
    if record.closed == Some(true) {
        fields.inline("State", Some("Closed".into()));
    }
    fields.0.truncate(MAX_FIELDS);
    let footer = text::visible(record.id.as_deref()).map(|id| safe!("Record {}", text::plain(id, 40)));
    Embed { title: Some(title), color, fields: fields.0, footer, ..Embed::default() }
}

/// The state is a number in the CAD (0 active, 1 closed): said in words where decoding found out which it is.
fn value(record: &Record, field: &RecordField) -> Option<SafeText> {
    if field.label.trim().eq_ignore_ascii_case("status")
        && let Some(closed) = record.closed
        && matches!(field.value.trim(), "0" | "1")
    {
        return Some(if closed { "Closed" } else { "Active" }.into());
    }
    draft::block(Some(&field.value), 300)
}

/// `Blue Sedan XP123BS`: the first three useful values, else the first two that aren't official. Raw.
fn subject(record: &Record) -> Option<String> {
    let labelled = |field: &RecordField, words: &[&str]| {
        let label = field.label.to_lowercase();
        words.iter().any(|word| label.contains(word))
    };
    let short = |field: &&RecordField| field.value.trim().chars().count() <= 32 && text::visible(Some(&field.value)).is_some();
    let usable = || record.fields.iter().filter(short).filter(|f| !labelled(f, &OFFICIAL));
    let mut values: Vec<&str> = usable().filter(|f| labelled(f, &DESCRIPTIVE)).take(3).map(|f| f.value.trim()).collect();
    if values.is_empty() {
        values = usable().take(2).map(|f| f.value.trim()).collect();
    }
    (!values.is_empty()).then(|| words::capital(&values.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RoleId;
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    fn bolo() -> Record {
        let field = |label: &str, value: &str| RecordField { label: label.into(), value: value.into() };
        Record {
            id: Some("8842".into()),
            record_type: Some(3),
            kind: Some(BOLO),
            name: Some("BOLO".into()),
            fields: vec![
                field("Flags", "ARMED, STOLEN"),
                field("Model", "Blue Sedan"),
                field("Plate", "XP123BS"),
                field("Status", "0"),
                field("Officer", "Dana Okafor"),
                field("Notes", "Last seen\nnear **Alta St**"),
            ],
            closed: Some(false),
        }
    }

    #[test]
    fn through_its_life() {
        let world = sample::world();
        let view = View { roles: &[RoleId(7)], ..sample::view(&world, Style::Card) };
        assert_snapshot!(show(&record(RecordAction::Added, &bolo(), sample::NOW, &view)), @r##"
        > <@&7> BOLO: Blue Sedan XP123BS
        #F1C40F 🟡 BOLO · Blue Sedan XP123BS
        {Flags} ARMED, STOLEN
        {Model} Blue Sedan
        {Plate} XP123BS
        {Status} Active
        {Officer} Dana Okafor
        {Notes} Last seen
        near \*\*Alta St\*\*
        -- Server 1 · Record 8842 @ 1763700600
        "##);
        let view = sample::view(&world, Style::Compact);
        let mut closed = bolo();
        closed.closed = Some(true);
        assert_snapshot!(show(&record(RecordAction::Edited, &bolo(), sample::NOW, &view)), @r##"
        #F1C40F 🟡 BOLO edited · Blue Sedan XP123BS
        -- Server 1 · Record 8842 @ 1763700600
        "##);
        assert_snapshot!(show(&record(RecordAction::Edited, &closed, sample::NOW, &view)), @r##"
        #95A5A6 ⬛ BOLO closed · Blue Sedan XP123BS
        -- Server 1 · Record 8842 @ 1763700600
        "##);
        assert_snapshot!(show(&record(RecordAction::Removed, &bolo(), sample::NOW, &view)), @r##"
        #95A5A6 ⬛ BOLO removed · Blue Sedan XP123BS
        -- Server 1 · Record 8842 @ 1763700600
        "##);
        assert_eq!(record(RecordAction::Added, &bolo(), sample::NOW, &sample::view(&world, Style::Public)), None);
    }

    #[test]
    fn kinds_and_emptiness() {
        let world = sample::world();
        let view = sample::view(&world, Style::Log);
        let warrant = Record { kind: Some(WARRANT), ..Record::default() };
        assert_snapshot!(show(&record(RecordAction::Added, &warrant, sample::NOW, &view)), @r##"
        #8E44AD (no title)
        <t:1763700600:t> 🟣 Warrant
        -- Server 1 · Record @ 1763700600
        "##);
        assert_snapshot!(show(&record(RecordAction::Added, &Record::default(), sample::NOW, &view)), @r##"
        #5865F2 (no title)
        <t:1763700600:t> 🔵 Record
        -- Server 1 · Record @ 1763700600
        "##);
        let mut many = bolo();
        many.fields = (0..40).map(|n| RecordField { label: format!("L{n}"), value: "v".into() }).collect();
        let message = record(RecordAction::Added, &many, sample::NOW, &sample::view(&world, Style::Card)).unwrap();
        assert_eq!(message.embeds[0].fields.len(), MAX_FIELDS);
    }
}
