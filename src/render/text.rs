//! Makes text from players and from the community harmless, and is the only place that creates [`SafeText`].
//!
//! Nothing disappears without a trace. What Discord would act on is made inert; invisible characters become one visible [`MARK`] per run;
//! text that is too long ends in an ellipsis. The ways:
//!
//! | Threat | Answer |
//! |---|---|
//! | `*` `_` `~` `` ` `` `|` `[` `]` `\` | a backslash before it |
//! | `#` `>` `-` `+` `1. ` `1) ` at the start of a line | a backslash before the mark |
//! | `@everyone`, `<@1>`, `<#1>`, `</x:1>`, `<t:1>`, `<:x:1>`, `<https://…>` | a zero-width space after `@` and `<`: Discord reads mentions out of the raw text, where a backslash counts for nothing |
//! | `https://host`, `discord.gg/x` | a zero-width space after the `:` of `://` and after the dot of a host: no link, no invite card, still readable |
//! | controls, bidi, zero-width, tags, fillers | [`MARK`] |
//! | piles of combining marks or joined emoji | the first few stay, the rest is one [`MARK`] |
//! | line separators of every kind | a newline, or a space where one line is wanted; runs are shortened |
//!
//! Lengths are UTF-16 units throughout, as Discord counts them.

mod safe_text;

use serde::{Deserialize, Deserializer};
use url::Url;

pub(crate) use safe_text::safe;
pub use safe_text::{Harmless, SafeText, placeholders};

/// Stands where characters were that nobody can see.
pub const MARK: char = '\u{FFFD}';
/// Ends text that was cut.
pub const ELLIPSIS: char = '…';

/// Breaks a mention or a link invisibly.
const BREAK: char = '\u{200B}';
/// Combining marks kept on one base: Vietnamese and pointed Hebrew need three.
const MAX_MARKS: usize = 4;
/// Joined emoji kept in one: the longest in use (a family, a couple with skin tones) has nine members with their selectors.
const MAX_JOINS: usize = 9;
/// Lines kept in one text; later line breaks are shown as [`RETURN`].
const MAX_LINES: usize = 20;
/// Replaces a line break beyond [`MAX_LINES`].
const RETURN: char = '↵';
/// Longest address shown as a link, in units.
const MAX_URL: usize = 500;
/// Longest host shown as a link, in units.
const MAX_HOST: usize = 64;

/// Reads a text of a stored message: it was safe when it was written.
pub(super) fn stored<'de, D: Deserializer<'de>>(from: D) -> Result<SafeText, D::Error> {
    String::deserialize(from).map(|text| SafeText(text.into()))
}

/// [`stored`] where there may be none.
pub(super) fn stored_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SafeText>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.map(|text| SafeText(text.into())))
}

/// UTF-16 units of `text`.
#[must_use]
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Made harmless, as several lines, uncut.
#[must_use]
pub fn escape(raw: &str) -> SafeText {
    SafeText(guard(&clean(raw, true, usize::MAX), true).into())
}

/// Made harmless, as several lines, at most `max` units.
#[must_use]
pub fn block(raw: &str, max: usize) -> SafeText {
    SafeText(cut(&guard(&clean(raw, true, max), true), max).into())
}

/// Made harmless, as one line, at most `max` units.
#[must_use]
pub fn line(raw: &str, max: usize) -> SafeText {
    SafeText(cut(&guard(&clean(raw, false, max), true), max).into())
}

/// As [`line()`] for places where Discord reads no markdown and would show the backslashes: footers, alternative texts.
#[must_use]
pub fn plain(raw: &str, max: usize) -> SafeText {
    SafeText(cut(&guard(&clean(raw, false, max), false), max).into())
}

/// Text that was made harmless for markdown, as a name of at most `max` units: Discord renders no markdown in the names of threads and
/// forum posts, and would show the backslashes and our own `<t:…>`. Broken mentions and links stay broken, marks stay marks.
#[must_use]
pub fn name(safe: &SafeText, max: usize) -> SafeText {
    let (mut out, mut rest) = (String::new(), safe.as_str());
    while !rest.is_empty() {
        let (atom, after) = rest.split_at(atom_len(rest));
        rest = after;
        // A time; a `<` from the game has a break after it.
        if atom.starts_with("<t:") && atom.ends_with('>') {
            rest = rest.trim_start();
            continue;
        }
        out.push_str(atom.strip_prefix('\\').filter(|escaped| !escaped.is_empty()).unwrap_or(atom));
    }
    SafeText(cut(out.trim(), max).into())
}

/// Whether a raw text contains a raw `part` already, as whole words, ignoring case and extra spaces: `shots fired at Alta St` contains
/// `Alta St`, but `Route 681` does not contain `Route 68`.
#[must_use]
pub fn says(raw: &str, part: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let (text, part) = (plain(raw), plain(part));
    let part = part.trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ' '));
    let bounded = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at.saturating_add(part.len())..).and_then(|after| after.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    !part.is_empty() && text.match_indices(part).any(|(at, _)| bounded(at))
}

/// The text, if anything in it is visible.
#[must_use]
pub fn visible(raw: Option<&str>) -> Option<&str> {
    raw.filter(|text| text.chars().any(|c| !c.is_whitespace() && !hidden(c) && !combining(c) && !joiner(c) && !selector(c) && c != MARK))
}

/// An emoji from the community's settings: a custom one (`<:name:id>`, `<a:name:id>`) stays whole, anything else is a short [`line()`].
#[must_use]
pub fn emoji(raw: &str) -> SafeText {
    let custom = raw.strip_prefix("<a:").or_else(|| raw.strip_prefix("<:")).and_then(|rest| rest.strip_suffix('>'));
    if let Some((name, id)) = custom.and_then(|inner| inner.split_once(':'))
        && (2..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && (17..=20).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_digit())
    {
        return SafeText(raw.to_owned().into());
    }
    line(raw, 16)
}

/// A link that shows the host it leads to, e.g. `[tones.example.org](https://tones.example.org/a.mp3)`. `None` unless it is http(s), short
/// enough and free of user names (`https://discord.com@evil.example`). For addresses that the CAD itself hands out, never for prose.
#[must_use]
pub fn link(address: &str) -> Option<SafeText> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let mut target = String::new();
    for c in url.as_str().chars() {
        match c {
            '(' => target.push_str("%28"),
            ')' => target.push_str("%29"),
            '@' => target.push_str("%40"),
            '<' => target.push_str("%3C"),
            '>' => target.push_str("%3E"),
            '\\' => target.push_str("%5C"),
            c if c.is_whitespace() || c.is_control() || !c.is_ascii() => return None,
            c => target.push(c),
        }
    }
    // A host cut short would hide its end, which is the part that says whose it is.
    (target.len() <= MAX_URL && units(host) <= MAX_HOST).then(|| SafeText(format!("[{}]({target})", escape(host)).into()))
}

/// What somebody typed, to be copied: in a code block, which nothing in it can end, and where Discord reads no mention and no markdown.
#[must_use]
pub fn code_block(raw: &str, max: usize) -> SafeText {
    SafeText(format!("```\n{}\n```", cut(&raw.replace('`', "'"), max)).into())
}

/// A short text to copy, between backticks, which nothing in it can end. Discord reads no markdown there.
#[must_use]
pub fn code_span(raw: &str, max: usize) -> SafeText {
    let seen = visible(Some(raw)).map_or_else(|| MARK.to_string(), |raw| raw.replace('`', "'"));
    SafeText(format!("`{}`", plain(&seen, max)).into())
}

impl SafeText {
    /// At most `max` units of it, as [`cut()`] shortens.
    #[must_use]
    pub fn cut(&self, max: usize) -> Self {
        Self(cut(self, max).into())
    }
}

/// An id as it is shown between backticks: every character that isn't usual in an id is left out.
#[must_use]
pub fn code(raw: &str) -> SafeText {
    SafeText(raw.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(64).collect::<String>().into())
}

/// Cuts text that is already harmless to `max` units, never inside a character, an escape, one of our own tokens (`<t:1:R>`), a link, a
/// flag or a joined emoji. A cut ends in [`ELLIPSIS`].
#[must_use]
pub fn cut(safe: &str, max: usize) -> String {
    if units(safe) <= max {
        return safe.to_owned();
    }
    let Some(room) = max.checked_sub(1) else { return String::new() };
    let (mut kept, mut used, mut rest) = (String::new(), 0, safe);
    while !rest.is_empty() {
        let (atom, after) = rest.split_at(atom_len(rest));
        let cost = units(atom);
        if used + cost > room {
            break;
        }
        kept.push_str(atom);
        used += cost;
        rest = after;
    }
    kept.truncate(kept.trim_end_matches(|c: char| c.is_whitespace() || c == BREAK).len());
    kept.push(ELLIPSIS);
    kept
}

/// Bytes of the first piece of `text` that must stay whole; at least one character.
fn atom_len(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    let Some((_, first)) = chars.next() else { return 0 };
    match first {
        // Game text never has a bare `[`, and never `<` without a break after it: these are ours.
        '[' => {
            if let Some((label, rest)) = text.split_once("](")
                && let Some(end) = rest.find(')')
                && !label.contains('\n')
            {
                return label.len() + 2 + end + 1;
            }
        }
        '<' if !matches!(chars.peek(), Some((_, BREAK))) => {
            if let Some(end) = text.find('>')
                && end <= 64
                && !text.split_at(end).0.contains(char::is_whitespace)
            {
                return end + 1;
            }
        }
        '\\' => {
            chars.next();
        }
        '\u{1F1E6}'..='\u{1F1FF}' => {
            chars.next_if(|(_, c)| regional(*c));
        }
        _ => {}
    }
    while let Some((_, next)) = chars.next_if(|(_, c)| combining(*c) || joiner(*c) || skin_tone(*c) || selector(*c) || *c == BREAK) {
        if next == '\u{200D}' {
            chars.next();
        }
    }
    chars.peek().map_or(text.len(), |(at, _)| *at)
}

/// First pass: whitespace normalized, invisible characters marked, piles shortened. Stops soon after `enough` units: the rest would be
/// cut anyway.
fn clean(raw: &str, lines: bool, enough: usize) -> String {
    let mut out = Cleaner { out: String::new(), used: 0, newlines: 0, space: false, marks: 0, joins: 0, last: None, lines };
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if out.used > enough.saturating_add(1) {
            break;
        }
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.newline();
            }
            '\n' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.newline(),
            c if c.is_whitespace() => out.space = true,
            c if joiner(c) => {
                let next = chars.peek().copied();
                if out.joins_here(c, next) {
                    out.joins += 1;
                    out.keep(c);
                } else {
                    out.mark();
                }
            }
            c if hidden(c) => out.mark(),
            c if selector(c) => {
                if out.last.is_some_and(|l| pictorial(l) || l.is_ascii_digit() || matches!(l, '#' | '*')) {
                    out.keep(c);
                } else {
                    out.mark();
                }
            }
            c if combining(c) => {
                out.marks += 1;
                if out.marks > MAX_MARKS {
                    out.mark();
                } else {
                    out.keep(c);
                }
            }
            c => {
                if out.last != Some('\u{200D}') && !skin_tone(c) {
                    out.joins = 0;
                }
                out.marks = 0;
                out.keep(c);
            }
        }
    }
    out.out
}

/// The output of [`clean`] so far.
struct Cleaner {
    out: String,
    used: usize,
    /// Line breaks written.
    newlines: usize,
    /// A space is pending before the next character, if one comes.
    space: bool,
    marks: usize,
    joins: usize,
    last: Option<char>,
    lines: bool,
}

impl Cleaner {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.used += c.len_utf16();
    }

    fn keep(&mut self, c: char) {
        if std::mem::take(&mut self.space) && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.put(' ');
        }
        self.put(c);
        self.last = Some(c);
    }

    fn mark(&mut self) {
        if self.space || !self.out.ends_with(MARK) {
            self.keep(MARK);
        }
    }

    /// At most one empty line in a row, [`MAX_LINES`] in all, none at the start.
    fn newline(&mut self) {
        (self.marks, self.joins) = (0, 0);
        if !self.lines {
            self.space = true;
            return;
        }
        self.space = false;
        if self.out.is_empty() || self.out.ends_with("\n\n") {
            return;
        }
        if self.newlines + 1 < MAX_LINES {
            self.newlines += 1;
            self.put('\n');
            self.last = None;
        } else {
            if !self.out.ends_with(RETURN) && !self.out.ends_with('\n') {
                self.space = true;
                self.keep(RETURN);
            }
            self.space = true;
        }
    }

    /// Whether a zero-width (non-)joiner is meaningful here: inside an emoji, or in a script that is written with them.
    fn joins_here(&self, c: char, next: Option<char>) -> bool {
        let Some((last, next)) = self.last.zip(next) else { return false };
        if self.space || self.joins >= MAX_JOINS {
            return false;
        }
        let shaped = |c: char| matches!(c, '\u{0600}'..='\u{109F}' | '\u{1780}'..='\u{18AF}');
        let emoji = c == '\u{200D}' && (pictorial(last) || selector(last) || skin_tone(last)) && pictorial(next);
        emoji || (shaped(last) && shaped(next))
    }
}

/// Second pass: what Discord would act on is disarmed. Works on [`clean`]ed text.
fn guard(clean: &str, markdown: bool) -> String {
    let mut out = String::with_capacity(clean.len() + clean.len() / 8);
    // Still in a run of digits that began its line: `12.` would be a list.
    let (mut start, mut number) = (true, false);
    let mut previous = None;
    let mut chars = clean.trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let special = match c {
            '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' => true,
            '#' | '>' | '-' | '+' => start,
            '.' | ')' => number && next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if special && markdown {
            out.push('\\');
        }
        out.push(c);
        let breaks = match c {
            '@' | '<' => true,
            ':' => next == Some('/'),
            '.' => {
                let mut ahead = chars.clone();
                previous.is_some_and(char::is_alphanumeric)
                    && ahead.next().is_some_and(char::is_alphabetic)
                    && ahead.next().is_some_and(char::is_alphanumeric)
            }
            _ => false,
        };
        if breaks {
            out.push(BREAK);
        }
        number = c.is_ascii_digit() && (start || number);
        start = c == '\n';
        previous = Some(c);
    }
    out
}

fn joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// Text or emoji presentation.
fn selector(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

fn skin_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

fn regional(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

/// Roughly: shown as a picture.
fn pictorial(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}'
        | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Characters that show nothing, change the direction of what follows, or are not characters: Unicode's Default_Ignorable_Code_Point
/// and Bidi_Control, the controls, blank letters (Hangul fillers, Braille blank) and noncharacters. Joiners and presentation selectors
/// are handled separately.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'
            | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0D}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
        || (c as u32) & 0xFFFE == 0xFFFE
}

/// Marks that pile up on the character before them. Close enough to Unicode's category M for the scripts that pile.
fn combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}'
        | '\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6DC}' | '\u{6DF}'..='\u{6E4}' | '\u{6E7}'
        | '\u{6E8}' | '\u{6EA}'..='\u{6ED}' | '\u{711}' | '\u{730}'..='\u{74A}' | '\u{7A6}'..='\u{7B0}' | '\u{7EB}'..='\u{7F3}'
        | '\u{816}'..='\u{82D}' | '\u{859}'..='\u{85B}' | '\u{898}'..='\u{89F}' | '\u{8CA}'..='\u{903}' | '\u{93A}'..='\u{93C}'
        | '\u{93E}'..='\u{94F}' | '\u{951}'..='\u{957}' | '\u{981}'..='\u{983}' | '\u{9BC}'..='\u{9CD}' | '\u{E31}' | '\u{E34}'..='\u{E3A}'
        | '\u{E47}'..='\u{E4E}' | '\u{EB1}' | '\u{EB4}'..='\u{EBC}' | '\u{EC8}'..='\u{ECE}' | '\u{F18}' | '\u{F19}' | '\u{F35}' | '\u{F37}'
        | '\u{F39}' | '\u{F71}'..='\u{F84}' | '\u{F86}' | '\u{F87}' | '\u{F8D}'..='\u{FBC}' | '\u{135D}'..='\u{135F}'
        | '\u{1AB0}'..='\u{1AFF}' | '\u{1B6B}'..='\u{1B73}' | '\u{1CD0}'..='\u{1CF9}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{2CEF}'..='\u{2CF1}' | '\u{2DE0}'..='\u{2DFF}' | '\u{302A}'..='\u{302F}' | '\u{3099}' | '\u{309A}' | '\u{A66F}'..='\u{A672}'
        | '\u{A674}'..='\u{A67D}' | '\u{A6F0}' | '\u{A6F1}' | '\u{A8E0}'..='\u{A8F1}' | '\u{FE20}'..='\u{FE2F}' | '\u{101FD}'
        | '\u{1D165}'..='\u{1D169}' | '\u{1D16D}'..='\u{1D172}' | '\u{1D17B}'..='\u{1D182}' | '\u{1E000}'..='\u{1E02A}'
        | '\u{1E130}'..='\u{1E136}' | '\u{1E2EC}'..='\u{1E2EF}' | '\u{1E8D0}'..='\u{1E8D6}' | '\u{1E944}'..='\u{1E94A}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CallId, RoleId};
    use proptest::prelude::*;

    #[test]
    fn a_name_has_no_backslashes_and_stays_harmless() {
        let named = |raw: &str| name(&line(raw, 200), 100);
        for raw in ["*Shots* _fired_ [here] ~|`\\", "# Fire", "- 1. list", "\\(9001\\)"] {
            assert_eq!(named(raw), raw, "as it was written");
        }
        assert_eq!(named("@everyone <@1> https://x.example"), plain("@everyone <@1> https://x.example", 100));
        assert_eq!(named("a\u{202E}b\u{200B}c\u{0}d"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d");
        assert_eq!(name(&safe!("<t:1763700000:t> {}", line("Fire_1", 80)), 100), "Fire_1", "no time is rendered in a name");
        assert_eq!(units(&name(&line(&"_".repeat(200), 400), 100)), 100);
    }

    #[test]
    fn safe_texts_are_put_together_from_safe_parts() {
        let text = safe!("<@&{}> Call{:#} · {} ({})", RoleId(7), CallId(501), line("*Fire*", 80), 3_usize);
        assert_eq!(text, "<@&7> Call #501 · \\*Fire\\* (3)");
        assert_eq!(safe!("Call{:#}", CallId(-1)), "Call");
        // What looks like a placeholder in a part is text.
        assert_eq!(safe!("{}, {}", line("{}", 80), "b"), "{}, b");
        assert_eq!(SafeText::join([line("a", 9), line("b", 9)], " · "), "a · b");
        assert_eq!(SafeText::join([], " · "), "");
        let listed = |words: &[&'static str]| SafeText::list(words.iter().copied(), "and");
        assert_eq!((listed(&[]), listed(&["a"]), listed(&["a", "b", "c"])), ("".into(), "a".into(), "a, b and c".into()));
        assert_eq!((placeholders("{} a {:#}"), placeholders("none")), (2, 0));
    }

    #[test]
    fn a_part_of_a_safe_text_is_safe_where_a_line_begins() {
        let rest = |raw: &str| safe!("🚔 P2 · {}", line(&format!("x {raw}"), 80)).after(" · x ").map(String::from);
        for (raw, safe) in [
            ("# h", "\\# h"),
            ("> q", "\\> q"),
            ("-# sub", "\\-# sub"),
            ("+ a", "\\+ a"),
            ("12. a", "12\\. a"),
            ("1) a", "1\\) a"),
            ("1.", "1\\."),
            ("1.5", "1.5"),
            ("# *b*", "\\# \\*b\\*"),
            ("Fire", "Fire"),
        ] {
            assert_eq!(rest(raw).as_deref(), Some(safe), "{raw}");
        }
        assert_eq!(line("Fire", 80).after(" · "), None);
        assert_eq!((line("a · b · c", 80).before(" · "), line("a", 80).before(" · ")), ("a".into(), "a".into()));
    }

    #[test]
    fn only_the_mentions_of_given_roles_are_taken_off() {
        let content = safe!("<@&{}> <@&{}> {}", RoleId(7), RoleId(8), line("<@&9> fire", 80));
        assert_eq!(content.without_mentions(&[RoleId(7), RoleId(8), RoleId(9)]), "<\u{200B}@\u{200B}&9> fire");
        assert_eq!(content.without_mentions(&[RoleId(8)]), content);
    }

    #[test]
    fn an_id_between_backticks_cannot_leave_them() {
        assert_eq!(code("my`community @everyone_1.x"), "mycommunityeveryone_1.x");
        assert_eq!(units(&code(&"a".repeat(100))), 64);
        assert_eq!(code_span("\u{301}", 80), "`\u{FFFD}`");
        assert_eq!(code_span("a` @everyone **x**", 80), "`a' @\u{200B}everyone **x**`");
    }

    #[test]
    fn a_place_is_said_by_whole_words() {
        assert!(says("shots fired at  alta st.", "Alta St") && says("(9001)", "9001") && says("Alta St", "Alta St."));
        assert!(!says("Route 681", "Route 68") && !says("Malta St", "Alta St") && !says("x", "") && !says("x", " . "));
    }

    /// A break, readable in a table.
    fn seen(text: &str) -> String {
        text.replace(BREAK, "¦")
    }

    #[test]
    fn hostile_samples() {
        for (raw, safe) in [
            // mentions
            ("@everyone look", "@¦everyone look"),
            ("@here", "@¦here"),
            ("<@123> <@!123> <@&123>", "<¦@¦123> <¦@¦!123> <¦@¦&123>"),
            ("<#55> </panic:99> <t:0:R>", "<¦#55> <¦/panic:99> <¦t:0:R>"),
            ("<:fire:1> <a:fire:1> <id:customize>", "<¦:fire:1> <¦a:fire:1> <¦id:customize>"),
            ("a@b", "a@¦b"),
            // already broken by an invisible character: the trick is shown, the mention stays broken
            ("@\u{200B}everyone", "@¦�everyone"),
            ("<\u{200D}@1>", "<¦�@¦1>"),
            // markdown
            ("**b** __u__ ~~s~~ ||x|| `c`", r"\*\*b\*\* \_\_u\_\_ \~\~s\~\~ \|\|x\|\| \`c\`"),
            ("```rs\nx\n```", "\\`\\`\\`rs\nx\n\\`\\`\\`"),
            (r"¯\_(ツ)_/¯", r"¯\\\_(ツ)\_/¯"),
            (r"\", r"\\"),
            ("# h\n## h\n-# sub\n- a\n* b\n+ c\n> q\n>>> q", "\\# h\n\\## h\n\\-# sub\n\\- a\n\\* b\n\\+ c\n\\> q\n\\>>> q"),
            ("1. a\n12) b\n   3. c", "1\\. a\n12\\) b\n3\\. c"),
            ("a # b - c > d 1. e", "a # b - c > d 1. e"),
            // links
            ("[free](https://evil.example)", r"\[free\](https:¦//evil.¦example)"),
            ("see http://evil.example/x.", "see http:¦//evil.¦example/x."),
            ("<https://evil.example>", "<¦https:¦//evil.¦example>"),
            ("discord.gg/abc www.evil.example steam://run/1", "discord.¦gg/abc www.¦evil.¦example steam:¦//run/1"),
            ("3.14 e.g. St. Main", "3.14 e.g. St. Main"),
            // unseen characters
            ("a\u{202E}cba\u{2066}d\u{2069}", "a�cba�d�"),
            ("a\u{200B}\u{2060}\u{FEFF}b", "a�b"),
            ("a\u{AD}b\u{3164}c\u{115F}d\u{2800}e", "a�b�c�d�e"),
            ("x\u{E0041}\u{E0042}y", "x�y"),
            ("a\u{0}b\u{7}\u{1B}[31m", r"a�b�\[31m"),
            ("a\u{FE0F}b\u{FE01}c\u{E0100}d", "a�b�c�d"),
            // whitespace
            ("a\t\u{A0}\u{3000} b", "a b"),
            ("a\r\nb\rc\u{2028}d\u{2029}e\u{85}f", "a\nb\nc\nd\ne\nf"),
            ("\n\n a \n\n\n\n b \n\n", "a\n\nb"),
            // piles
            ("Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}o", "Z\u{300}\u{301}\u{302}\u{303}�o"),
            // kept whole: accents, scripts that need joiners, emoji
            ("Zoë Ngọc Tr\u{1EA7}n", "Zoë Ngọc Tr\u{1EA7}n"),
            ("می\u{200C}خواهم", "می\u{200C}خواهم"),
            ("👩\u{200D}🚒 👨🏽\u{200D}⚕️ 🇩🇪 1️⃣", "👩\u{200D}🚒 👨🏽\u{200D}⚕️ 🇩🇪 1️⃣"),
            ("", ""),
            (" \u{2028} ", ""),
        ] {
            assert_eq!(seen(&escape(raw)), safe, "{raw:?}");
        }
    }

    #[test]
    fn one_line_and_places_without_markdown() {
        assert_eq!(line("a\nb\r\n\n c", 80), "a b c");
        assert_eq!(seen(&plain("*a* @here\n<#1>", 80)), "*a* @¦here <¦#1>");
    }

    #[test]
    fn many_lines_become_one() {
        let safe = escape(&"x\n".repeat(500));
        assert_eq!(safe.lines().count(), MAX_LINES);
        assert!(safe.ends_with("x ↵ x ↵") || safe.ends_with("x ↵ x"), "{safe}");
    }

    #[test]
    fn cuts_keep_pieces_whole() {
        for (safe, max, kept) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("abc def", 5, "abc…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
            (r"ab\*cd", 4, "ab…"),
            (r"ab\*cd", 5, r"ab\*…"),
            ("a🚨b", 3, "a…"),
            ("a🚨bc", 4, "a🚨…"),
            ("a👩\u{200D}🚒b", 6, "a…"),
            ("🇩🇪🇫🇷", 7, "🇩🇪…"),
            ("e\u{301}e\u{301}", 3, "e\u{301}…"),
            ("x <t:1763700000:R> y", 18, "x…"),
            ("x [a.example](https://a.example/) y", 20, "x…"),
            ("👍🏽👍🏽", 7, "👍🏽…"),
        ] {
            assert_eq!(cut(safe, max), kept, "{safe:?} to {max}");
            assert!(units(&cut(safe, max)) <= max);
        }
    }

    #[test]
    fn a_chain_of_joined_emoji_has_an_end() {
        let safe = line(&"👩\u{200D}".repeat(4000), 64);
        assert!(safe.starts_with("👩\u{200D}👩") && safe.contains(MARK), "{safe}");
        assert!(units(&safe) <= 64);
    }

    #[test]
    fn links_show_where_they_lead() {
        assert_eq!(
            link("https://tones.example.org/a b(1)/@everyone?x=<@1>").unwrap(),
            "[tones.\u{200B}example.\u{200B}org](https://tones.example.org/a%20b%281%29/%40everyone?x=%3C%401%3E)"
        );
        for bad in ["javascript:alert(1)", "https://discord.com@evil.example/", "//x", "tone1", "https://", "ftp://x/", ""] {
            assert_eq!(link(bad), None, "{bad}");
        }
        assert_eq!(link(&format!("https://x.example/{}", "a".repeat(600))), None);
        assert_eq!(link(&format!("https://discord.com.{}.evil.example/", "a".repeat(60))), None);
    }

    #[test]
    fn what_can_be_seen() {
        for blank in ["", " \n", "\u{3164}", "\u{200B}\u{2800}", "\u{FE0F}", "\u{202E} \u{E0041}", "\u{301}"] {
            assert_eq!(visible(Some(blank)), None, "{blank:?}");
        }
        assert_eq!(visible(Some(" a ")), Some(" a "));
        assert_eq!(visible(None), None);
    }

    #[test]
    fn emoji_of_the_community() {
        assert_eq!(emoji("🟢"), "🟢");
        assert_eq!(emoji("<:duty:123456789012345678>"), "<:duty:123456789012345678>");
        assert_eq!(seen(&emoji("<@123456789012345678>")).chars().take(3).collect::<String>(), "<¦@");
        assert!(emoji("<:du:ty:123456789012345678>").contains(BREAK));
    }

    proptest! {
        #[test]
        fn escape_is_total_and_leaves_nothing_to_act_on(raw in nasty()) {
            let safe = escape(&raw);
            check_inert(&safe);
        }

        #[test]
        fn cutting_never_exceeds(raw in nasty(), max in 0_usize..200) {
            for safe in [line(&raw, max), block(&raw, max), plain(&raw, max), SafeText::trusted(cut(&raw, max))] {
                prop_assert!(units(&safe) <= max, "{safe:?}");
            }
            check_inert(&line(&raw, max));
            check_inert(&block(&raw, max));
            prop_assert!(!line(&raw, max).contains('\n'));
        }
    }

    fn nasty() -> impl Strategy<Value = String> {
        crate::render::hostile::text()
    }

    /// What must hold for every text that passed through here.
    fn check_inert(safe: &str) {
        crate::render::hostile::assert_inert(safe);
        let mut chars = safe.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => assert!(chars.next().is_some_and(|n| !n.is_alphanumeric() && !n.is_whitespace()), "half an escape: {safe:?}"),
                '*' | '_' | '~' | '`' | '|' | '[' | ']' => panic!("bare {c} in {safe:?}"),
                _ => {}
            }
        }
        for text in safe.lines() {
            assert!(!text.starts_with(['#', '>', '-', '+']), "{safe:?}");
            let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
            let list = [". ", ") "].iter().any(|mark| rest.starts_with(mark)) || matches!(rest, "." | ")");
            assert!(rest.len() == text.len() || !list, "{safe:?}");
        }
    }
}
