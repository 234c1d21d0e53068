//! The text that a message may hold. [`render::text`](super) makes it from raw text, this file puts it together.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::Serialize;

use crate::ids::{BoardId, CallId, ChannelId, GuildId, Ident, MessageId, RoleId, RouteId, ServerId, UserId};

/// Text that can't ping, imitate our formatting, or break a message's layout. Embeds, fields, titles, footers, names of threads, and
/// answers take nothing else.
///
/// It is made from raw text by the functions of `render::text`, from our own constants, and by [`compose`](Self::compose) from other safe
/// parts:
///
/// ```
/// use tenfour::render::text::{self, SafeText};
/// let typed = String::from("@everyone");
/// let text = SafeText::compose("Note: {}", &[&text::line(&typed, 80)]);
/// assert_eq!(text, "Note: @\u{200B}everyone");
/// ```
///
/// Nothing outside `render::text` can wrap a `String`, or put one into a template:
///
/// ```compile_fail
/// use tenfour::render::text::{self, SafeText};
/// let typed = String::from("@everyone");
/// let text = SafeText::compose("Note: {}", &[&typed]);
/// ```
///
/// ```compile_fail
/// let typed = String::from("@everyone");
/// let text = tenfour::render::text::SafeText(typed.into());
/// ```
///
/// A borrowed text isn't a constant:
///
/// ```compile_fail
/// fn title(typed: &str) -> tenfour::render::text::SafeText {
///     typed.into()
/// }
/// ```
///
/// It can't be deserialized either. Only the fields of a stored [`Message`](crate::render::Message) can, because they were safe when they were
/// written:
///
/// ```compile_fail
/// let text: tenfour::render::text::SafeText = serde_json::from_str("\"@everyone\"").unwrap();
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SafeText(pub(super) Cow<'static, str>);

impl SafeText {
    /// One of our own texts.
    #[must_use]
    pub const fn constant(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// What `safe!` calls: `template` with its placeholders (`{}`, or `{:#}` for the alternate form) replaced by `parts`, in order.
    #[must_use]
    pub fn compose(template: &'static str, parts: &[&dyn Harmless]) -> Self {
        use fmt::Write as _;
        let mut out = String::with_capacity(template.len() + 16 * parts.len());
        let (mut rest, mut parts) = (template, parts.iter());
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (alternate, after) = match after.strip_prefix(":#}") {
                Some(after) => (true, after),
                None => (false, after.strip_prefix('}').unwrap_or(after)),
            };
            // Writing to a string can't fail.
            let _ = match parts.next() {
                Some(part) if alternate => write!(out, "{part:#}"),
                Some(part) => write!(out, "{part}"),
                None => Ok(()),
            };
            rest = after;
        }
        out.push_str(rest);
        Self(out.into())
    }

    /// `parts` with one of our own separators between them.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = Self>, separator: &'static str) -> Self {
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Self::default() };
        let mut out = first.into_string();
        for part in parts {
            out.push_str(separator);
            out.push_str(&part);
        }
        Self(out.into())
    }

    /// `a, b and c`, with one of our own words before the last.
    #[must_use]
    pub fn list(parts: impl IntoIterator<Item = impl Into<Self>>, word: &'static str) -> Self {
        let mut parts: Vec<Self> = parts.into_iter().map(Into::into).collect();
        let last = parts.pop().unwrap_or_default();
        if parts.is_empty() { last } else { Self::compose("{} {} {}", &[&Self::join(parts, ", "), &word, &last]) }
    }

    /// The text alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text alone, for places that take any text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }

    /// Without spaces around it.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        Self(self.trim().to_owned().into())
    }

    /// What stands before the first `mark`, one of our own; all of it if there is none.
    #[must_use]
    pub fn before(&self, mark: &'static str) -> Self {
        Self(self.split_once(mark).map_or(self.as_str(), |(before, _)| before).to_owned().into())
    }

    /// What stands behind the first `mark`, one of our own, as a text that may begin a line.
    #[must_use]
    pub fn after(&self, mark: &'static str) -> Option<Self> {
        let (_, rest) = self.split_once(mark)?;
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = rest.len() - digits.len();
        let list = number > 0
            && digits.starts_with(['.', ')'])
            && digits.get(1..).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        let at = match list {
            true => number,
            false if rest.starts_with(['#', '>', '-', '+']) => 0,
            false => return Some(Self(rest.to_owned().into())),
        };
        let (number, rest) = rest.split_at(at);
        Some(Self(format!("{number}\\{rest}").into()))
    }

    /// Without the mentions of `roles` that it begins with.
    #[must_use]
    pub fn without_mentions(&self, roles: &[RoleId]) -> Self {
        let mut rest = self.as_str();
        for role in roles {
            rest = rest.strip_prefix(&format!("<@&{role}>")).map_or(rest, str::trim_start);
        }
        Self(rest.to_owned().into())
    }

    /// With `new` instead of the first `old`.
    #[must_use]
    pub fn replacing(&self, old: &Self, new: &Self) -> Self {
        Self(self.replacen(old.as_str(), new, 1).into())
    }

    /// Takes any text for safe, so that tests can build messages as they like.
    #[cfg(test)]
    pub(crate) fn trusted(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }
}

impl From<&'static str> for SafeText {
    fn from(text: &'static str) -> Self {
        Self::constant(text)
    }
}

impl From<&SafeText> for SafeText {
    fn from(text: &SafeText) -> Self {
        text.clone()
    }
}

impl From<SafeText> for String {
    fn from(text: SafeText) -> Self {
        text.into_string()
    }
}

impl std::ops::Deref for SafeText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for SafeText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SafeText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for SafeText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for SafeText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

mod sealed {
    pub trait Sealed {}
}

/// What a [`SafeText`] may be put together from: safe text, our own constants, numbers, and ids. No other file can add a type.
pub trait Harmless: fmt::Display + sealed::Sealed {}

macro_rules! harmless {
    ($($part:ty),*) => {
        $(
            impl sealed::Sealed for $part {}
            impl Harmless for $part {}
        )*
    };
}
harmless!(SafeText, &'static str, i64, u32, u64, usize);
harmless!(BoardId, CallId, ChannelId, GuildId, Ident, MessageId, RoleId, RouteId, ServerId, UserId);

impl<T: sealed::Sealed> sealed::Sealed for &T {}
impl<T: Harmless> Harmless for &T {}

/// How many placeholders a template has.
#[must_use]
pub const fn placeholders(template: &str) -> usize {
    let (mut bytes, mut count) = (template.as_bytes(), 0);
    while let [first, rest @ ..] = bytes {
        if *first == b'{' {
            count += 1;
        }
        bytes = rest;
    }
    count
}

/// Puts a [`SafeText`] together as `format!` does a `String`, but only from parts that are [`Harmless`]: `safe!("{} · {}", head, place)`.
macro_rules! safe {
    ($template:literal $(, $part:expr)* $(,)?) => {{
        const { assert!($crate::render::text::placeholders($template) == <[&str]>::len(&[$(stringify!($part)),*]), "one part for each placeholder") };
        $crate::render::text::SafeText::compose($template, &[$(&$part as &dyn $crate::render::text::Harmless),*])
    }};
}
pub(crate) use safe;
