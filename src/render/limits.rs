//! Discord's limits on a message, and the one function that enforces them all.
//!
//! Renderers already cut each text to a sensible length; [`fit`] is the guarantee behind them. Numbers: Discord's API, embed limits and
//! "create message", counted in UTF-16 units.

use super::text::{self, SafeText, safe};
use super::{Embed, Field, Message};
use crate::clock::UnixMs;

/// Our own limit on a title, in characters.
pub const TITLE: usize = 80;
/// `content`.
pub const CONTENT: usize = 2_000;
/// An embed's description.
pub const DESCRIPTION: usize = 4_096;
/// A field's name.
pub const FIELD_NAME: usize = 256;
/// A field's value.
pub const FIELD_VALUE: usize = 1_024;
/// Fields of one embed.
pub const FIELDS: usize = 25;
/// An embed's footer.
pub const FOOTER: usize = 2_048;
/// Embeds of one message.
pub const EMBEDS: usize = 10;
/// Titles, descriptions, fields and footers of all embeds together.
pub const TOTAL: usize = 6_000;
/// Files of one message.
pub const FILES: usize = 10;
/// Alternative text of a file.
pub const FILE_DESCRIPTION: usize = 1_024;
/// Units of `content` that mentions may use, so that the sentence fits.
pub(super) const MENTIONS: usize = 1_000;
/// 9999-12-31T23:59:59.999Z, the last moment that ISO 8601 can write without agreement.
const LAST_MOMENT: UnixMs = UnixMs(253_402_300_799_999);

/// The message within every limit. Texts are cut with an ellipsis; fields are dropped from the end, because renderers put the
/// least important last, and a final field says how many. A message that already fits stays unchanged.
#[must_use]
pub fn fit(mut message: Message) -> Message {
    message.content = message.content.take().filter(|c| !c.trim().is_empty()).map(|c| c.cut(CONTENT));
    message.embeds = message.embeds.into_iter().take(EMBEDS).map(within_own_limits).filter(|e| size(e) > 0).collect();
    for file in &mut message.files {
        file.description = file.description.cut(FILE_DESCRIPTION);
    }
    message.files.truncate(FILES);

    let mut total = message.embeds.iter().map(size).sum::<usize>();
    for embed in message.embeds.iter_mut().rev() {
        let before = size(embed);
        shrink(embed, total.saturating_sub(TOTAL));
        // It may have grown: the final field can be longer than the short field that it replaces.
        total = total - before + size(embed);
    }
    // Titles and footers alone are too much: only many embeds can do that, and the first one says what the message is about.
    while total > TOTAL
        && message.embeds.len() > 1
        && let Some(embed) = message.embeds.pop()
    {
        total -= size(&embed);
    }
    message.embeds.retain(|embed| size(embed) > 0);

    if message.content.is_none() && message.embeds.is_empty() && message.files.is_empty() {
        message.content = Some("(an alert without any text)".into());
    }
    message
}

/// Shortens `embeds` to `room` units together, as far as possible: titles and footers stay.
pub(super) fn shrink_to(embeds: &mut [Embed], room: usize) {
    let mut over = embeds.iter().map(size).sum::<usize>().saturating_sub(room);
    for embed in embeds.iter_mut().rev() {
        let before = size(embed);
        shrink(embed, over);
        over = over.saturating_sub(before.saturating_sub(size(embed)));
    }
}

/// Units that count toward [`TOTAL`].
#[must_use]
pub fn size(embed: &Embed) -> usize {
    let texts = [&embed.title, &embed.description, &embed.footer];
    texts.into_iter().flatten().map(|t| text::units(t)).sum::<usize>() + embed.fields.iter().map(field_size).sum::<usize>()
}

fn field_size(field: &Field) -> usize {
    text::units(&field.name) + text::units(&field.value)
}

fn within_own_limits(mut embed: Embed) -> Embed {
    let fitted = |text: Option<SafeText>, max| text.filter(|t| !t.trim().is_empty()).map(|t| t.cut(max));
    embed.title = fitted(embed.title, TITLE);
    embed.description = fitted(embed.description, DESCRIPTION);
    embed.footer = fitted(embed.footer, FOOTER);
    embed.timestamp = embed.timestamp.filter(|at| (UnixMs(0)..=LAST_MOMENT).contains(at));
    embed.color &= 0x00FF_FFFF;
    embed.fields.retain(|f| !f.name.trim().is_empty() && !f.value.trim().is_empty());
    for field in &mut embed.fields {
        field.name = field.name.cut(FIELD_NAME);
        field.value = field.value.cut(FIELD_VALUE);
    }
    let extra = embed.fields.len().saturating_sub(FIELDS);
    if extra > 0 {
        embed.fields.truncate(FIELDS - 1);
        embed.fields.push(left_out(extra + 1));
    }
    embed
}

/// Removes `over` units from `embed` as far as possible: fields first, then the end of the description.
fn shrink(embed: &mut Embed, over: usize) {
    if over == 0 {
        return;
    }
    let before = size(embed);
    let goal = before.saturating_sub(over);
    let note = field_size(&left_out(1_000));
    // An earlier final field counts for the fields that it replaced.
    let (mut left, mut dropped) = (before, 0);
    while left + note > goal
        && let Some(field) = embed.fields.pop()
    {
        left -= field_size(&field);
        dropped += noted(&field).unwrap_or(1);
    }
    if dropped > 0 {
        embed.fields.push(left_out(dropped));
    }
    let still = size(embed).saturating_sub(goal);
    if still > 0
        && let Some(description) = embed.description.take()
    {
        let room = text::units(&description).saturating_sub(still);
        embed.description = Some(description.cut(room)).filter(|d| !d.is_empty());
    }
}

const LEFT_OUT: &str = " left out: no room";

fn left_out(count: usize) -> Field {
    Field { name: "…".into(), value: safe!("{} fields{}", count, LEFT_OUT), inline: false, links: Vec::new() }
}

fn noted(field: &Field) -> Option<usize> {
    field.value.strip_suffix(LEFT_OUT)?.strip_suffix(" fields")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::File;
    use crate::render::hostile;
    use proptest::prelude::*;

    fn field(n: usize, len: usize) -> Field {
        Field { name: safe!("f{}", n), value: SafeText::trusted("v".repeat(len)), inline: true, links: Vec::new() }
    }

    #[test]
    fn what_fits_is_left_alone() {
        let message = Message {
            content: Some("hello".into()),
            embeds: vec![Embed {
                title: Some("t".into()),
                fields: (0..25).map(|n| field(n, 10)).collect(),
                timestamp: Some(UnixMs(1)),
                ..Embed::default()
            }],
            ..Message::default()
        };
        assert_eq!(fit(message.clone()), message);
    }

    #[test]
    fn the_last_fields_go_first_and_are_counted() {
        let embed = Embed {
            description: Some(SafeText::trusted("d".repeat(4096))),
            fields: (0..9).map(|n| field(n, 400)).collect(),
            ..Embed::default()
        };
        let fitted = fit(Message { embeds: vec![embed], ..Message::default() });
        let embed = &fitted.embeds[0];
        assert_eq!(embed.fields.len(), 5);
        assert_eq!(embed.fields[3].name, "f3");
        assert_eq!(embed.fields[4].value, "5 fields left out: no room");
        assert_eq!(embed.description.as_ref().unwrap().len(), 4096);
        assert!(size(embed) <= TOTAL);
    }

    #[test]
    fn too_many_fields_are_counted_once() {
        let embed = Embed {
            description: Some(SafeText::trusted("d".repeat(4000))),
            fields: (0..40).map(|n| field(n, 100)).collect(),
            ..Embed::default()
        };
        let fitted = fit(Message { embeds: vec![embed], ..Message::default() });
        let embed = &fitted.embeds[0];
        let shown = embed.fields.len() - 1;
        assert_eq!(embed.fields[shown].value, safe!("{} fields left out: no room", 40 - shown));
    }

    #[test]
    fn one_field_too_many() {
        let with = |n: usize| {
            let embed = Embed { fields: (0..n).map(|n| field(n, 1)).collect(), ..Embed::default() };
            fit(Message { embeds: vec![embed], ..Message::default() }).embeds.remove(0).fields
        };
        assert_eq!(with(25)[24].name, "f24");
        assert_eq!(with(26).len(), 25);
        assert_eq!(with(26)[24].value, "2 fields left out: no room");
    }

    #[test]
    fn nothing_empty_is_left() {
        let blank =
            |name: &'static str, value: &'static str| Field { name: name.into(), value: value.into(), inline: false, links: Vec::new() };
        let embed = Embed {
            title: Some(" ".into()),
            fields: vec![blank("", "x"), blank("x", "\n")],
            timestamp: Some(UnixMs(-1)),
            ..Embed::default()
        };
        let fitted = fit(Message { content: Some("  ".into()), embeds: vec![embed], ..Message::default() });
        assert!(fitted.embeds.is_empty());
        assert_eq!(fitted.content.as_deref(), Some("(an alert without any text)"));
        let file = File { name: "a.mp3".into(), base64: "AAAA".into(), description: SafeText::trusted("d".repeat(2000)) };
        let fitted = fit(Message { files: vec![file; 12], ..Message::default() });
        assert_eq!((fitted.files.len(), fitted.content), (FILES, None));
        assert_eq!(text::units(&fitted.files[0].description), FILE_DESCRIPTION);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_message_fits(
            content in hostile::text(),
            texts in proptest::collection::vec((hostile::text(), 0_usize..40), 0..40),
        ) {
            let long = |(t, n): &(String, usize)| SafeText::trusted(t.repeat(*n));
            let embeds = texts.chunks(5).map(|chunk| Embed {
                title: chunk.first().map(long),
                description: chunk.get(1).map(long),
                footer: chunk.get(2).map(long),
                fields: chunk.iter().skip(3).flat_map(|(t, n)| (0..*n).map(move |_| Field {
                    name: SafeText::trusted(t.clone()), value: SafeText::trusted(t.repeat(*n)), inline: true, links: Vec::new(),
                })).collect(),
                ..Embed::default()
            }).collect();
            let once = fit(Message { content: Some(SafeText::trusted(content.repeat(100))), embeds, ..Message::default() });
            hostile::assert_fits(&once);
            prop_assert_eq!(fit(once.clone()), once);
        }
    }
}
