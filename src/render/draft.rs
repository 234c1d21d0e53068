//! What every event family fills in, and the four styles made from it.
//!
//! | Style | `content` | Embed |
//! |---|---|---|
//! | card | mentions and sentence, only if somebody is pinged | title, description, fields |
//! | compact | same | title |
//! | log | same | description: one line, `time title` |
//! | public | same, with the public title as sentence | built separately by each family, see [`Draft::public`] |
//!
//! Color, footer and timestamp are in all of them: the delivery finds its own message again by footer and timestamp. A log line is an
//! embed rather than `content`, because lines are collected into one description of 4,096 units (content holds 2,000), keep a color, and
//! notify nobody; [`gather`] combines them.

use super::text::{SafeText, safe};
use super::{Button, CardLink, Embed, Field, File, Message, Style, View, limits, street, text, words};
use crate::clock::UnixMs;
use crate::world::Subject;

/// Raw material of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// Without TEST; at most 80 units.
    pub(super) title: SafeText,
    pub(super) color: u32,
    pub(super) description: Option<SafeText>,
    pub(super) fields: Vec<Field>,
    pub(super) footer: SafeText,
    /// Timestamp of the embed: the same in every edit.
    pub(super) at: UnixMs,
    /// What stands behind the mentions.
    pub(super) sentence: SafeText,
    pub(super) files: Vec<File>,
    pub(super) buttons: Vec<Button>,
}

impl Draft {
    /// Title, colour, footer, time: the rest is added by the family. The sentence is the title unless replaced.
    pub(super) fn new(view: &View<'_>, title: impl Into<SafeText>, color: u32, about: impl Into<SafeText>, at: UnixMs) -> Self {
        let title = title.into();
        Self { sentence: title.clone(), title, color, footer: footer(view, about), at, ..Self::default() }
    }

    /// The public form: kind, street without house number, state, time. It accepts nothing else, so nothing else can be on it; `head` and
    /// `state` are our own words, `location` is the raw one.
    pub(super) fn public(
        view: &View<'_>,
        head: impl Into<SafeText>,
        location: Option<&str>,
        color: u32,
        about: impl Into<SafeText>,
        state: PublicState,
    ) -> Self {
        let street = location.and_then(street::public);
        let mut draft = Self::new(view, title(view, head, None, "", street.as_deref()), color, about, state.since);
        let mut fields = Fields::default();
        fields.inline("Street", street.map(|s| text::line(&s, 200)));
        fields.inline("State", Some(state.word));
        fields.inline("Since", Some(words::time(state.since)));
        fields.inline("Over", state.over.map(words::time));
        draft.fields = fields.0;
        draft
    }

    /// The message in the requested style.
    pub(super) fn finish(self, view: &View<'_>) -> Message {
        let test = if view.test { "TEST · " } else { "" };
        let title = safe!("{}{}", test, self.title);
        let (content, roles) = content(view, &safe!("{}{}", test, self.sentence));
        let mut embed = Embed { color: self.color, footer: Some(self.footer), timestamp: Some(self.at), ..Embed::default() };
        let mut files = Vec::new();
        match view.style {
            Style::Card | Style::Public => {
                embed.title = Some(title);
                embed.description = self.description;
                embed.fields = self.fields;
                files = self.files;
            }
            Style::Compact => embed.title = Some(title),
            Style::Log => embed.description = Some(safe!("{} {}", words::time(self.at), title)),
        }
        limits::fit(Message { content, embeds: vec![embed], roles, files, buttons: self.buttons, ..Message::default() })
    }
}

/// State of the public form.
pub(super) struct PublicState {
    pub(super) word: SafeText,
    pub(super) since: UnixMs,
    pub(super) over: Option<UnixMs>,
}

/// Mentions, then the sentence; nothing at all if nobody is pinged. Roles that do not fit are not pinged.
pub(super) fn content(view: &View<'_>, sentence: &SafeText) -> (Option<SafeText>, Vec<crate::ids::RoleId>) {
    let (mut parts, mut taken, mut roles) = (Vec::new(), 0, Vec::new());
    for role in view.roles {
        let mention = safe!("<@&{}>", role);
        // And the space behind it.
        let units = mention.len() + 1;
        if taken + units <= limits::MENTIONS && !roles.contains(role) {
            taken += units;
            parts.push(mention);
            roles.push(*role);
        }
    }
    parts.push(sentence.clone());
    ((!roles.is_empty()).then(|| SafeText::join(parts, " ")), roles)
}

/// `Server 1 · Call #501`. No text from the game stands in a footer.
pub(super) fn footer(view: &View<'_>, about: impl Into<SafeText>) -> SafeText {
    let (server, about) = (safe!("Server {}", view.server), about.into());
    if about.is_empty() { server } else { safe!("{} · {}", server, about) }
}

/// Units reserved for a location in a title, whatever comes before it.
const PLACE: usize = 28;

/// `head · what`, then `separator` and the place, at most 80 units with TEST before it. `what` and `place` are raw: the place
/// keeps its room, what is too long is cut.
pub(super) fn title(
    view: &View<'_>,
    head: impl Into<SafeText>,
    what: Option<&str>,
    separator: &'static str,
    place: Option<&str>,
) -> SafeText {
    let head = head.into().cut(limits::TITLE / 2);
    let reserved = if view.test { text::units("TEST · ") } else { 0 };
    let room = limits::TITLE.saturating_sub(text::units(&head) + reserved);
    let what = text::visible(what).map(str::to_owned);
    // A location that the text contains isn't repeated, unless it is in the part cut off.
    let fits = |what: &str| text::units(&text::line(what, limits::TITLE)) + 3 <= room;
    let place = text::visible(place).filter(|place| !what.as_deref().is_some_and(|what| fits(what) && text::says(what, place)));
    match (what, place) {
        (None, None) => head,
        (Some(only), None) => safe!("{} · {}", head, text::line(&only, room.saturating_sub(3))),
        (None, Some(only)) => safe!("{} · {}", head, text::line(only, room.saturating_sub(3))),
        (Some(what), Some(place)) => {
            let left = room.saturating_sub(3 + text::units(separator));
            let all = text::units(&text::line(place, limits::TITLE));
            let first = text::line(&what, left.saturating_sub(all.min(PLACE)));
            let place = text::line(place, left.saturating_sub(text::units(&first)));
            safe!("{} · {}{}{}", head, first, separator, place)
        }
    }
}

/// Adds fields, without empty ones.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<Field>);

impl Fields {
    /// Beside its neighbours.
    pub(super) fn inline(&mut self, name: impl Into<SafeText>, value: Option<SafeText>) {
        self.push(name.into(), value, true);
    }

    /// On its own line.
    pub(super) fn wide(&mut self, name: impl Into<SafeText>, value: Option<SafeText>) {
        self.push(name.into(), value, false);
    }

    /// `text`, a part of the field added last, names the card of `subject`.
    pub(super) fn link(&mut self, text: SafeText, subject: Option<Subject>) {
        if let (Some(field), Some(subject)) = (self.0.last_mut().filter(|field| field.value.contains(text.as_str())), subject) {
            field.links.push(CardLink { text, to: subject.to_string() });
        }
    }

    fn push(&mut self, name: SafeText, value: Option<SafeText>, inline: bool) {
        if let Some(value) = value.filter(|v| !v.trim().is_empty()) {
            self.0.push(Field { name, value, inline, links: Vec::new() });
        }
    }
}

/// A raw text as one safe line of at most `max` units, if there is anything in it.
pub(super) fn line(raw: Option<&str>, max: usize) -> Option<SafeText> {
    text::visible(raw).map(|raw| text::line(raw, max))
}

/// A raw text as a safe block of at most `max` units, if there is anything in it.
pub(super) fn block(raw: Option<&str>, max: usize) -> Option<SafeText> {
    text::visible(raw).map(|raw| text::block(raw, max))
}

/// As many `parts` as fit into `max` units, then `+3 more`.
pub(super) fn list(parts: &[SafeText], separator: &'static str, max: usize) -> Option<SafeText> {
    let more = |left: usize| safe!("+{} more", left);
    let (mut kept, mut taken) = (Vec::new(), 0);
    for (shown, part) in parts.iter().enumerate() {
        let glue = if kept.is_empty() { 0 } else { text::units(separator) };
        let left = parts.len() - shown;
        let tail = if left > 1 { text::units(separator) + text::units(&more(left - 1)) } else { 0 };
        if taken + glue + text::units(part) + tail > max {
            if kept.is_empty() {
                return Some(part.cut(max)).filter(|t| !t.is_empty());
            }
            kept.push(more(left));
            break;
        }
        taken += glue + text::units(part);
        kept.push(part.clone());
    }
    Some(SafeText::join(kept, separator)).filter(|list| !list.is_empty())
}

/// Log lines, oldest first, in as few messages as possible: one embed each, one line below the other, with the color and timestamp of
/// the newest line. Messages that aren't log lines (not exactly one embed with only a description, or files, or a ping) stay as they
/// are and keep their position.
#[must_use]
pub fn gather(messages: Vec<Message>) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::new();
    for mut message in messages {
        let joined = match (out.last_mut().and_then(log_line), log_line(&mut message)) {
            (Some(into), Some(from)) => join(into, from),
            _ => false,
        };
        if !joined {
            out.push(message);
        }
    }
    out
}

fn log_line(message: &mut Message) -> Option<&mut Embed> {
    if message.content.is_some() || !message.files.is_empty() {
        return None;
    }
    match message.embeds.as_mut_slice() {
        [embed] if embed.title.is_none() && embed.fields.is_empty() && embed.description.is_some() => Some(embed),
        _ => None,
    }
}

fn join(into: &mut Embed, from: &Embed) -> bool {
    let (Some(old), Some(new)) = (&into.description, &from.description) else { return false };
    if text::units(old) + 1 + text::units(new) > limits::DESCRIPTION {
        return false;
    }
    into.description = Some(safe!("{}\n{}", old, new));
    // Lines about different things have no footer in common but the server.
    let server = |footer: &Option<SafeText>| footer.as_ref().map(|footer| footer.before(" · "));
    into.footer = server(&into.footer).filter(|own| server(&from.footer).as_ref() == Some(own));
    (into.color, into.timestamp) = (from.color, from.timestamp);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn a_title_keeps_its_place() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        let long = "a very long story about everything that happened on the way to the harbour and back";
        let made = title(&view, "🚨 911", Some(long), " near ", Some("Integrity Way"));
        assert_eq!(made, "🚨 911 · a very long story about everything that happened on… near Integrity Way");
        assert!((78..=80).contains(&text::units(&made)));
        let made = title(&View { test: true, ..view }, "🚨 911", Some("fire"), " near ", Some(long));
        assert_eq!(made, "🚨 911 · fire near a very long story about everything that happened on t…");
        assert_eq!(text::units(&made) + text::units("TEST · "), 80);
        assert_eq!(title(&view, "🚨 911", Some("\u{200B}"), " near ", None), "🚨 911");
    }

    #[test]
    fn lists_say_what_is_left() {
        let parts: Vec<SafeText> = (10..20_usize).map(|n| safe!("unit{}", n)).collect();
        assert_eq!(list(&parts, ", ", 200).unwrap().split(", ").count(), 10);
        assert_eq!(list(&parts, ", ", 30).unwrap(), "unit10, unit11, +8 more");
        assert_eq!(list(&parts, ", ", 4).unwrap(), "uni…");
        assert_eq!(list(&[], ", ", 30), None);
    }

    #[test]
    fn log_lines_gather() {
        let world = sample::world();
        let view = sample::view(&world, Style::Log);
        let log = |n: i64| Draft::new(&view, safe!("line {}", n), 1, safe!("Unit {}", n), UnixMs(n * 60_000)).finish(&view);
        let card = Draft::new(&view, "card", 2, "", UnixMs(0)).finish(&View { style: Style::Card, ..view });
        let out = gather(vec![log(1), log(2), card.clone(), log(3)]);
        assert_eq!(out.len(), 3);
        assert_eq!(out[0].embeds[0].description.as_deref(), Some("<t:60:t> line 1\n<t:120:t> line 2"));
        assert_eq!(out[0].embeds[0].footer.as_deref(), Some("Server 1"));
        assert_eq!(out[0].embeds[0].timestamp, Some(UnixMs(120_000)));
        assert_eq!(out[1], card);
        assert_eq!(out[2], log(3));

        let many = gather((0..1000).map(log).collect());
        assert!(many.len() > 1);
        let lines: usize = many.iter().map(|m| m.embeds[0].description.as_ref().unwrap().lines().count()).sum();
        assert_eq!(lines, 1000);
        many.iter().for_each(crate::render::hostile::assert_fits);
    }

    #[test]
    fn only_roles_that_are_named_are_pinged() {
        let world = sample::world();
        let roles: Vec<_> = (0..200).map(|n| crate::ids::RoleId(1_000_000_000_000_000_000 + n % 150)).collect();
        let view = View { roles: &roles, ..sample::view(&world, Style::Card) };
        let message = Draft::new(&view, "title", 1, "", UnixMs(0)).finish(&view);
        let content = message.content.unwrap();
        assert!(content.ends_with("> title"));
        assert_eq!(content.matches("<@&").count(), message.roles.len());
        assert!(text::units(&content) <= limits::CONTENT);
    }
}
