//! Parses typed text into the values of a criterion.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Criterion, MAX_VALUE_CHARS, MAX_VALUES};
use crate::event::Priority;
use crate::render::text::{self, SafeText, safe};

/// Highest accepted level: 1 to 3 are documented, custom layouts may have more.
const LAST_LEVEL: i64 = 9;
/// Limit on the digits of a postal in a range.
const MAX_DIGITS: usize = 9;
/// Limit on typed text inside an error, in UTF-16 units.
pub(super) const QUOTED: usize = 40;

/// An error in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// More than [`MAX_VALUES`].
    TooMany(Criterion),
    /// Longer than [`MAX_VALUE_CHARS`].
    TooLong(Criterion),
    /// Nothing in it is visible.
    Unseen(Criterion),
    /// A number beyond the levels.
    Priority(SafeText),
    /// No call has it, and nobody named it: what was typed, and what can be.
    UnknownPriority(SafeText, SafeText),
    /// What must be mentioned must not be.
    Nothing,
    /// Not one of [`Service::ALL`].
    Service(SafeText),
    /// Neither a postal nor a prefix nor a range.
    Postal(SafeText),
}

impl FilterError {
    /// What the person reads.
    #[must_use]
    pub fn sentence(&self) -> SafeText {
        match self {
            Self::TooMany(of) => {
                safe!("At most {} values fit into `{}`: leave some out, e.g. `{}`.", MAX_VALUES, of.as_str(), of.example())
            }
            Self::TooLong(of) => safe!(
                "A value of `{}` may have at most {} characters: shorten it and separate values by commas, e.g. `{}`.",
                of.as_str(),
                MAX_VALUE_CHARS,
                of.example()
            ),
            Self::Unseen(of) => {
                safe!("A value of `{}` holds only characters that nobody can see: type it again, e.g. `{}`.", of.as_str(), of.example())
            }
            Self::Priority(typed) => {
                safe!("There is no priority “{}”: 1 is the highest and 3 usually the lowest, e.g. `1, 2` or `1-2`.", typed)
            }
            Self::UnknownPriority(typed, choices) => safe!(
                "“{}” isn't a priority here. Choose from {}, e.g. `1, 2`. If your CAD has another one, name it with `/cad labels` first.",
                typed,
                choices
            ),
            Self::Nothing => {
                "Nothing could pass: every word of `include` holds one of `exclude`. Change one of the two, e.g. `exclude:any`.".into()
            }
            Self::Service(typed) => safe!("“{}” isn't a service. Choose from police, fire, ems and dispatch, e.g. `fire, ems`.", typed),
            Self::Postal(typed) => {
                safe!("“{}” isn't a postal, a prefix or a range. Each needs a number, e.g. `9001`, `90*` or `9000-9099`.", typed)
            }
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentence().fmt(f)
    }
}

impl std::error::Error for FilterError {}

/// What kind of unit: its page in the CAD (docs/cad-contract.md#n2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Page 0.
    Police,
    /// Page 1.
    Fire,
    /// Page 2.
    Ems,
    /// Page 3.
    Dispatch,
}

impl Service {
    /// Every service, in the order of their pages.
    pub const ALL: [Self; 4] = [Self::Police, Self::Fire, Self::Ems, Self::Dispatch];

    /// The word in commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Police => "police",
            Self::Fire => "fire",
            Self::Ems => "ems",
            Self::Dispatch => "dispatch",
        }
    }

    /// The label for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        if self == Self::Ems { "EMS" } else { self.as_str() }
    }

    /// Parses the word, in any letter case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str().eq_ignore_ascii_case(word.trim()))
    }

    /// Of a unit's page; `None` for the page −1 (unknown) and others.
    #[must_use]
    pub fn of_page(page: i64) -> Option<Self> {
        match page {
            0 => Some(Self::Police),
            1 => Some(Self::Fire),
            2 => Some(Self::Ems),
            3 => Some(Self::Dispatch),
            _ => None,
        }
    }
}

/// Postals in one of three forms, written and parsed as people type them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PostalPattern {
    /// `9001`, in any letter case.
    One(String),
    /// `90*`.
    Prefix(String),
    /// `9000-9099`, both included.
    Range(u32, u32),
}

impl PostalPattern {
    /// Whether postals may look like this: each form has a number in it. Rows of earlier versions may have others, which stay readable.
    fn is_plausible(&self) -> bool {
        match self {
            Self::Range(..) => true,
            Self::One(text) | Self::Prefix(text) => {
                let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '–' | '_' | '.' | '/' | '#');
                text.chars().all(fits) && text.bytes().any(|b| b.is_ascii_digit())
            }
        }
    }

    /// Whether a postal matches.
    #[must_use]
    pub fn covers(&self, postal: &str) -> bool {
        let postal = postal.trim();
        match self {
            Self::One(asked) => alike(postal, asked),
            Self::Prefix(asked) => folded(postal).starts_with(&folded(asked)),
            Self::Range(from, to) => number(postal).is_some_and(|postal| (*from..=*to).contains(&postal)),
        }
    }
}

impl fmt::Display for PostalPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(postal) => f.write_str(postal),
            Self::Prefix(start) => write!(f, "{start}*"),
            Self::Range(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

impl FromStr for PostalPattern {
    type Err = FilterError;

    fn from_str(typed: &str) -> Result<Self, FilterError> {
        let wrong = || FilterError::Postal(text::line(typed, QUOTED));
        let typed = typed.trim();
        if let Some(start) = typed.strip_suffix('*') {
            let start = start.trim_end();
            return if start.is_empty() || start.contains('*') { Err(wrong()) } else { Ok(Self::Prefix(start.to_owned())) };
        }
        if typed.is_empty() || typed.contains('*') {
            return Err(wrong());
        }
        if let Some((from, to)) = range(typed) {
            // A hyphen may be part of a postal's name (`LS-12`), but after a number it is a range.
            return match (number(from), number(to)) {
                (Some(from), Some(to)) => Ok(Self::Range(from.min(to), from.max(to))),
                (None, _) if !from.is_empty() && !from.bytes().all(|b| b.is_ascii_digit()) => Ok(Self::One(typed.to_owned())),
                _ => Err(wrong()),
            };
        }
        Ok(Self::One(typed.to_owned()))
    }
}

impl TryFrom<String> for PostalPattern {
    type Error = FilterError;

    fn try_from(typed: String) -> Result<Self, FilterError> {
        typed.parse()
    }
}

impl From<PostalPattern> for String {
    fn from(pattern: PostalPattern) -> Self {
        pattern.to_string()
    }
}

/// The values of a list, without surrounding spaces and quotes. Empty if the criterion is to be cleared.
pub(super) fn split(criterion: Criterion, typed: &str) -> Result<Vec<&str>, FilterError> {
    let typed = typed.trim();
    if typed == "-" || typed.eq_ignore_ascii_case("any") {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    for value in typed.split(',') {
        let value = bare(value);
        if value.is_empty() {
            continue;
        }
        if value.chars().nth(MAX_VALUE_CHARS).is_some() {
            return Err(FilterError::TooLong(criterion));
        }
        if text::visible(Some(value)).is_none() {
            return Err(FilterError::Unseen(criterion));
        }
        if values.len() == MAX_VALUES {
            return Err(FilterError::TooMany(criterion));
        }
        values.push(value);
    }
    Ok(values)
}

/// Without surrounding spaces and quotes, in one pass: removing one layer after the other would keep the inside of the second.
pub(super) fn bare(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '“' | '”' | '„'))
}

/// Without duplicates, ignoring letter case; the first spelling stays.
pub(super) fn words(typed: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in typed {
        if !words.iter().any(|known| alike(known, word)) {
            words.push((*word).to_owned());
        }
    }
    words
}

/// Levels, ranges of levels, and words. `P1` is the label of level 1 on cards.
pub(super) fn priorities(typed: &[&str]) -> Result<Vec<Priority>, FilterError> {
    let mut found: Vec<Priority> = Vec::new();
    for value in typed {
        let wrong = || FilterError::Priority(text::line(value, QUOTED));
        if let Some(one) = level(value) {
            keep(&mut found, Priority::Level(one.ok_or_else(wrong)?));
        } else if let Some((Some(from), Some(to))) = range(value).map(|(from, to)| (level(from), level(to))) {
            let (from, to) = (from.ok_or_else(wrong)?, to.ok_or_else(wrong)?);
            (from.min(to)..=from.max(to)).for_each(|level| keep(&mut found, Priority::Level(level)));
        } else if value.starts_with(|c: char| c.is_numeric() || matches!(c, '-' | '–' | '+')) {
            return Err(wrong());
        } else {
            keep(&mut found, Priority::Word((*value).to_owned()));
        }
    }
    // A range is one value as typed and several as stored.
    if found.len() > MAX_VALUES { Err(FilterError::TooMany(Criterion::Priority)) } else { Ok(found) }
}

fn keep(found: &mut Vec<Priority>, priority: Priority) {
    let known = found.iter().any(|known| match (known, &priority) {
        (Priority::Word(known), Priority::Word(word)) => alike(known, word),
        (known, priority) => known == priority,
    });
    if !known {
        found.push(priority);
    }
}

/// `1` or `P1`: `None` if it isn't a number, `Some(None)` if there is no such level.
pub(super) fn level(typed: &str) -> Option<Option<i64>> {
    let digits = typed.strip_prefix(['p', 'P']).unwrap_or(typed);
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok().filter(|level| (1..=LAST_LEVEL).contains(level)))
}

/// The services named, in the order of their pages.
pub(super) fn services(typed: &[&str]) -> Result<Vec<Service>, FilterError> {
    let mut found = Vec::new();
    for word in typed {
        found.push(Service::parse(word).ok_or_else(|| FilterError::Service(text::line(word, QUOTED)))?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The patterns named, without duplicates.
pub(super) fn postals(typed: &[&str]) -> Result<Vec<PostalPattern>, FilterError> {
    let mut found: Vec<PostalPattern> = Vec::new();
    for value in typed {
        let pattern: PostalPattern = value.parse()?;
        if !pattern.is_plausible() {
            return Err(FilterError::Postal(text::line(value, QUOTED)));
        }
        if !found.contains(&pattern) {
            found.push(pattern);
        }
    }
    Ok(found)
}

/// The two sides of a hyphen or an en dash.
fn range(typed: &str) -> Option<(&str, &str)> {
    typed.split_once(['-', '–']).map(|(from, to)| (from.trim(), to.trim()))
}

fn number(digits: &str) -> Option<u32> {
    let all = !digits.is_empty() && digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

/// Lowercased character by character: the lower case of a Greek sigma depends on what follows it, and a part of a word must
/// still be found in the whole.
pub(super) fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Equal, ignoring letter case and surrounding spaces.
pub(super) fn alike(one: &str, other: &str) -> bool {
    folded(one.trim()) == folded(other.trim())
}
