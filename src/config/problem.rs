//! What is wrong with a setting, in words for the person who set it.

use std::fmt;

/// One problem with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable, or the file `.env`.
    pub variable: String,
    /// The value found, made harmless; `None` for secrets and for what is not set.
    pub seen: Option<String>,
    /// What is wrong, as the rest of a sentence that begins with the name.
    pub wrong: String,
    /// What would be valid.
    pub valid: String,
}

impl Problem {
    pub(super) fn new(variable: &str, seen: Option<&str>, wrong: &str, valid: &str) -> Self {
        Self { variable: variable.into(), seen: seen.map(harmless), wrong: wrong.into(), valid: valid.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variable)?;
        if let Some(seen) = &self.seen {
            write!(f, "={seen}")?;
        }
        write!(f, " {}. Valid: {}.", self.wrong, self.valid)
    }
}

/// Every problem of one reading: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, in the order of `.env.example`.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(mut list: Vec<Problem>) -> Self {
        // Stable: what concerns the file itself comes first, then the order of the manual.
        list.sort_by_key(|problem| super::VARIABLES.iter().position(|known| known.name == problem.variable).map_or(0, |at| at + 1));
        Self(list)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} problem{plural} in the settings (.env.example explains each):", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Longest value shown, in characters.
const MAX_SEEN: usize = 60;

/// A value fit to print: no control characters, not long, no user name or password of an address, nothing that looks like a bot's
/// token (people paste into the wrong line).
pub(super) fn harmless(value: &str) -> String {
    if looks_like_token(value) {
        return "(hidden: it looks like a secret)".into();
    }
    let mut text = value.to_owned();
    if let Some((scheme, rest)) = value.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        text = format!("{scheme}://…@{host}");
    }
    let mut shown: String = text.chars().take(MAX_SEEN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > MAX_SEEN {
        shown.push('…');
    }
    shown
}

/// Discord tokens: three parts of base64url with dots between, some 70 characters.
fn looks_like_token(value: &str) -> bool {
    value.len() >= 50 && value.split('.').count() == 3 && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_made_harmless() {
        assert_eq!(harmless("postgres://me:pa@ss@db:5432/x"), "postgres://…@db:5432/x");
        assert_eq!(harmless("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert_eq!(harmless(&"x".repeat(500)).chars().count(), MAX_SEEN + 1);
        let token = format!("{}.{}.{}", "M".repeat(26), "G".repeat(6), "h".repeat(38));
        assert!(!harmless(&token).contains("MMM"));
    }
}
