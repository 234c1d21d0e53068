//! Parses the community's labels from a form, and writes them back. Pure; the text is stored as written, since every renderer
//! passes it through [`text`] anyway.

use std::collections::BTreeMap;

use super::text::{self, SafeText, safe};
use super::{Labels, words};
use crate::event::Priority;

/// Longest label for a kind of call, in units.
pub const WORD: usize = 12;
/// Longest name of a status or priority, in units.
pub const NAME: usize = 24;
/// Longest emoji that is shown whole, in units: a family or a couple with skin tones.
const EMOJI: usize = 16;
/// Limit on statuses.
pub const STATUSES: usize = 20;
/// Limit on priorities.
pub const PRIORITIES: usize = 10;
/// Highest number of a status or priority.
const HIGHEST: i64 = 999;

/// One text for each input. An empty one means the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// `911`.
    pub emergency: String,
    /// `311`.
    pub civil: String,
    /// One per line: `1 = P1`.
    pub priorities: String,
    /// One per line: `2 🟢 Available`.
    pub statuses: String,
}

/// One sentence for the person who wrote it: which line, what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormError(pub SafeText);

impl Form {
    /// The current labels.
    #[must_use]
    pub fn of(labels: &Labels) -> Self {
        let status = |(number, (emoji, name)): (&i64, &(String, String))| match emoji.trim() {
            "" => format!("{number} {name}"),
            emoji => format!("{number} {emoji} {name}"),
        };
        Self {
            emergency: labels.emergency.clone(),
            civil: labels.civil.clone(),
            priorities: labels.priorities.iter().map(|(number, name)| format!("{number} = {name}")).collect::<Vec<_>>().join("\n"),
            statuses: labels.statuses.iter().map(status).collect::<Vec<_>>().join("\n"),
        }
    }

    /// The labels that were typed.
    ///
    /// # Errors
    /// [`FormError`] about the first invalid line.
    pub fn read(&self) -> Result<Labels, FormError> {
        let mut labels = Labels::default();
        if let Some(own) = word(&self.emergency, "emergency calls")? {
            labels.emergency = own;
        }
        if let Some(own) = word(&self.civil, "non-emergency calls")? {
            labels.civil = own;
        }
        let priorities = entries(&self.priorities, "priorities", "1 = P1", PRIORITIES, |_, rest| Ok((String::new(), rest)))?;
        if !priorities.is_empty() {
            labels.priorities = priorities.into_iter().map(|(number, (_, name))| (number, name)).collect();
        }
        let statuses = entries(&self.statuses, "statuses", "2 🟢 Available", STATUSES, emoji)?;
        if !statuses.is_empty() {
            labels.statuses = statuses;
        }
        Ok(labels)
    }
}

/// The labels as every card shows them, for the person who set them.
#[must_use]
pub fn told(labels: &Labels) -> SafeText {
    let priorities: Vec<SafeText> = labels
        .priorities
        .keys()
        .filter_map(|number| Some(safe!("{} = {}", number, words::priority(labels, &Priority::Level(*number))?)))
        .collect();
    let statuses: Vec<SafeText> = labels
        .statuses
        .keys()
        .map(|number| {
            let (emoji, name) = words::status_words(labels, *number);
            safe!("{} {} {}", number, emoji, name)
        })
        .collect();
    safe!(
        "Emergency calls: {}\nNon-emergency calls: {}\nPriorities: {}\nStatuses: {}",
        words::emergency(labels, true),
        words::emergency(labels, false),
        SafeText::join(priorities, " · "),
        SafeText::join(statuses, " · ")
    )
}

fn word(typed: &str, of: &'static str) -> Result<Option<String>, FormError> {
    let word = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    if word.is_empty() {
        return Ok(None);
    }
    if text::visible(Some(&word)).is_none() {
        return Err(FormError(safe!(
            "The word for {} has nothing in it that can be seen: write one, or leave it empty for the default.",
            of
        )));
    }
    let long = text::units(&word);
    if long > WORD {
        return Err(FormError(safe!("The word for {} has {} characters: at most {} are possible.", of, long, WORD)));
    }
    Ok(Some(word))
}

type Split<'a> = (String, &'a str);

/// Lines of `number rest`; `split` separates the emoji from the rest. Empty lines count, but are skipped.
fn entries(
    typed: &str,
    what: &'static str,
    form: &'static str,
    most: usize,
    split: impl for<'a> Fn(&SafeText, &'a str) -> Result<Split<'a>, FormError>,
) -> Result<BTreeMap<i64, (String, String)>, FormError> {
    let mut entries = BTreeMap::new();
    for (nth, line) in (1_u32..).zip(typed.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let place = safe!("Line {} of the {} ({})", nth, what, text::code_span(line, 40));
        let digits = line.trim_start_matches('#');
        let (digits, rest) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
        let Some(number) = digits.parse::<i64>().ok().filter(|number| *number <= HIGHEST) else {
            let why = if digits.is_empty() { "does not begin with a number".into() } else { safe!("has a number above {}", HIGHEST) };
            return Err(FormError(safe!("{} {}: write it like `{}`.", place, why, form)));
        };
        let (emoji, rest) = split(&place, without_separators(rest))?;
        let name = without_separators(rest).split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(name) = text::visible(Some(&name)).map(str::to_owned) else {
            return Err(FormError(safe!("{} has no name: write it like `{}`.", place, form)));
        };
        if shortcode(&name) {
            return Err(FormError(safe!("{} has an emoji by its name only: put the emoji itself there, like `{}`.", place, form)));
        }
        let long = text::units(&name);
        if long > NAME {
            return Err(FormError(safe!("{} has a name of {} characters: at most {} are possible.", place, long, NAME)));
        }
        if entries.insert(number, (emoji, name)).is_some() {
            return Err(FormError(safe!("{} names {} a second time: keep one of the two lines.", place, number)));
        }
        if entries.len() > most {
            return Err(FormError(safe!("{} is one too many: at most {} {} are possible.", place, most, what)));
        }
    }
    Ok(entries)
}

fn without_separators(rest: &str) -> &str {
    rest.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '=' | ':' | '-' | '–' | '—' | '.' | ')' | ',' | '|')
        // Of a number written as a keycap.
        || matches!(c, '\u{FE0F}' | '\u{20E3}')
    })
}

/// Only Discord's own clients turn `:green_circle:` into an emoji.
fn shortcode(name: &str) -> bool {
    let Some((first, _)) = name.split_once(char::is_whitespace).or(Some((name, ""))) else { return false };
    let inner = first.strip_prefix(':').or(Some(first)).and_then(|inner| inner.strip_suffix(':'));
    inner.is_some_and(|inner| inner.len() > 1 && inner.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
}

/// The emoji at the beginning, if there is one: a custom one of Discord's, or a run of characters that are neither letters nor ASCII.
fn emoji<'a>(place: &SafeText, mut rest: &'a str) -> Result<Split<'a>, FormError> {
    loop {
        if rest.starts_with("<:") || rest.starts_with("<a:") {
            let (custom, after) = rest.split_at(rest.find('>').map_or(0, |end| end + 1));
            if !custom.is_empty() && text::emoji(custom) == custom {
                return Ok((custom.to_owned(), after));
            }
        }
        let keycap = rest.char_indices().take(3).find(|(_, c)| *c == '\u{20E3}').map(|(at, c)| at + c.len_utf8());
        let keycap = keycap.filter(|_| rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '#' | '*')));
        let end = keycap.unwrap_or_else(|| rest.find(|c| !pictorial(c)).unwrap_or(rest.len()));
        let (run, after) = rest.split_at(end);
        if run.is_empty() {
            return Ok((String::new(), after));
        }
        if text::visible(Some(run)).is_some() {
            if text::units(run) > EMOJI {
                return Err(FormError(safe!("{} has too many emoji: one is enough.", place)));
            }
            return Ok((run.to_owned(), after));
        }
        // Invisible characters aren't kept: the emoji may come after them.
        rest = without_separators(after);
    }
}

fn pictorial(c: char) -> bool {
    matches!(c, '\u{1F000}'..='\u{1FAFF}') || !(c.is_ascii() || c.is_alphanumeric() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    fn statuses(typed: &str) -> Result<Vec<(i64, String, String)>, String> {
        let form = Form { statuses: typed.into(), ..Form::default() };
        let labels = form.read().map_err(|error| error.to_string())?;
        Ok(labels.statuses.into_iter().map(|(number, (emoji, name))| (number, emoji, name)).collect())
    }

    fn one(typed: &str) -> (i64, String, String) {
        statuses(typed).unwrap().remove(0)
    }

    #[test]
    fn the_default_words_are_written_and_read_back() {
        let form = Form::of(&Labels::default());
        assert_eq!(form.priorities, "1 = P1\n2 = P2\n3 = P3");
        assert!(form.statuses.contains("2 🟢 Available\n3 🔵 En route"));
        assert_eq!(form.read().unwrap(), Labels::default());
        assert_eq!(Form::default().read().unwrap(), Labels::default(), "empty means the default");
        assert_eq!(Form { statuses: " \n\n".into(), ..Form::default() }.read().unwrap(), Labels::default());
    }

    #[test]
    fn lines_are_read_however_people_write_them() {
        let of = |number: i64, emoji: &str, name: &str| (number, emoji.to_owned(), name.to_owned());
        for (typed, expected) in [
            ("2 🟢 Available", of(2, "🟢", "Available")),
            ("  2=🟢   On   patrol ", of(2, "🟢", "On patrol")),
            ("2: Available", of(2, "", "Available")),
            ("#2 - 🟢 - Available", of(2, "🟢", "Available")),
            ("2) 🟢Available", of(2, "🟢", "Available")),
            ("2️⃣ Available", of(2, "", "Available")),
            ("2 2️⃣ Available", of(2, "2️⃣", "Available")),
            ("2 10-8", of(2, "", "10-8")),
            ("2 👩\u{200D}🚒 Feuer", of(2, "👩\u{200D}🚒", "Feuer")),
            ("2 🇩🇪 Dienst", of(2, "🇩🇪", "Dienst")),
            ("2 <:duty:123456789012345678> Duty", of(2, "<:duty:123456789012345678>", "Duty")),
            ("2 <a:duty:123456789012345678>Duty", of(2, "<a:duty:123456789012345678>", "Duty")),
            ("2 <@123456789012345678>", of(2, "", "<@123456789012345678>")),
            ("2 対応中", of(2, "", "対応中")),
            ("2 \u{FDD0},🟢 Available", of(2, "🟢", "Available")),
            ("999 Außer Dienst", of(999, "", "Außer Dienst")),
        ] {
            assert_eq!(one(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_line() {
        let many: String = (0..21).map(|n| format!("{n} Status\n")).collect();
        let wrong = [
            "0 ⚫ Off\nAvailable",
            "1234 Far",
            "99999999999999999999 Far",
            "2 🟢",
            "2 \u{200B}",
            "2 :green_circle: Available",
            "2 🟢 A name that is far too long for a card",
            "2 🟢 One\n\n2 🔵 Two",
            "2 🟢🟢🟢🟢🟢🟢🟢🟢🟢 Available",
            "`@everyone` **x**",
            &many,
        ];
        let told: Vec<String> = wrong.iter().map(|typed| statuses(typed).unwrap_err()).collect();
        assert_snapshot!(told.join("\n").replace('\u{200B}', "¦"), @r##"
        Line 2 of the statuses (`Available`) does not begin with a number: write it like `2 🟢 Available`.
        Line 1 of the statuses (`1234 Far`) has a number above 999: write it like `2 🟢 Available`.
        Line 1 of the statuses (`99999999999999999999 Far`) has a number above 999: write it like `2 🟢 Available`.
        Line 1 of the statuses (`2 🟢`) has no name: write it like `2 🟢 Available`.
        Line 1 of the statuses (`2 �`) has no name: write it like `2 🟢 Available`.
        Line 1 of the statuses (`2 :green_circle: Available`) has an emoji by its name only: put the emoji itself there, like `2 🟢 Available`.
        Line 1 of the statuses (`2 🟢 A name that is far too long for a…`) has a name of 38 characters: at most 24 are possible.
        Line 3 of the statuses (`2 🔵 Two`) names 2 a second time: keep one of the two lines.
        Line 1 of the statuses (`2 🟢🟢🟢🟢🟢🟢🟢🟢🟢 Available`) has too many emoji: one is enough.
        Line 1 of the statuses (`'@¦everyone' **x**`) does not begin with a number: write it like `2 🟢 Available`.
        Line 21 of the statuses (`20 Status`) is one too many: at most 20 statuses are possible.
        "##);
        let error = |form: Form| form.read().unwrap_err().to_string();
        let words = [
            error(Form { emergency: "a very long word".into(), ..Form::default() }),
            error(Form { civil: "\u{200B}".into(), ..Form::default() }),
            error(Form { priorities: "P1".into(), ..Form::default() }),
            error(Form { priorities: (0..11).map(|n| format!("{n} = P{n}\n")).collect(), ..Form::default() }),
        ];
        assert_snapshot!(words.join("\n"), @r##"
        The word for emergency calls has 16 characters: at most 12 are possible.
        The word for non-emergency calls has nothing in it that can be seen: write one, or leave it empty for the default.
        Line 1 of the priorities (`P1`) does not begin with a number: write it like `1 = P1`.
        Line 11 of the priorities (`10 = P10`) is one too many: at most 10 priorities are possible.
        "##);
    }

    #[test]
    fn labels_are_previewed_as_cards_show_them() {
        let form = Form {
            emergency: "**112**".into(),
            civil: "101".into(),
            priorities: "1 = @everyone".into(),
            statuses: "2 🟢 Available\n3 [x](https://evil.example)".into(),
        };
        let labels = Form { statuses: "2 🟢 Available\n3 _x_ <@1>".into(), ..form.clone() }.read().unwrap();
        assert_snapshot!(told(&labels).replace('\u{200B}', "¦"), @r##"
        Emergency calls: \*\*112\*\*
        Non-emergency calls: 101
        Priorities: 1 = @¦everyone
        Statuses: 2 🟢 Available · 3 ▫️ \_x\_ <¦@¦1>
        "##);
        assert!(form.read().is_err(), "too long");
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_and_read_back(
            words in (".{0,14}", ".{0,14}"),
            priorities in proptest::collection::vec(("[0-9]{1,3}", "[ =:-]{1,3}", crate::render::hostile::text()), 0..4),
            statuses in proptest::collection::vec(("[0-9]{1,3}", "[ =:-]{1,3}", prop_oneof![Just("🟢"), Just("▫️ "), Just("")], ".{0,20}"), 0..4),
        ) {
            let form = Form {
                emergency: words.0,
                civil: words.1,
                priorities: priorities.into_iter().map(|(n, s, t)| format!("{n}{s}{t}\n")).collect(),
                statuses: statuses.into_iter().map(|(n, s, e, t)| format!("{n}{s}{e}{t}\n")).collect(),
            };
            match form.read() {
                Ok(labels) => {
                    prop_assert!(labels.statuses.len() <= STATUSES);
                    prop_assert!(labels.statuses.values().all(|(emoji, name)| text::units(name) <= NAME && text::units(emoji) <= 60));
                    prop_assert_eq!(Form::of(&labels).read(), Ok(labels));
                }
                Err(error) => prop_assert!(text::units(&error.to_string()) < 300 && !error.to_string().contains('\n')),
            }
        }
    }
}
