//! Blanks secrets in everything that is printed, whatever library writes a line, at whatever level.
//!
//! Known secrets (the bot's token, the CAD's key) are registered once, with the forms in which they may be written. Interaction tokens come
//! and go, so they are recognized by position: in the URL of a callback or webhook, or after a name that ends in "token". Lines in which
//! libraries log the raw bytes of a connection are left out completely, since a secret in them may have any form.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Shorter ones would blank half of each line, and are hardly secrets.
const SHORTEST: usize = 6;
/// Limit on registered forms.
const MAX_FORMS: usize = 64;
/// A run of token characters this long after "token" or in a URL is one.
const RUN: usize = 16;
const BLANK: &[u8] = b"[secret]";

/// Lower case. A process has one log, so this is the process's.
static SECRETS: RwLock<Vec<Vec<u8>>> = RwLock::new(Vec::new());

/// From now on this text is blanked, in any letter case, and as a URL or JSON would write it.
pub fn hide(secret: &str) {
    let secret = secret.trim();
    if secret.len() < SHORTEST {
        return;
    }
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::to_string(secret).unwrap_or_default();
    for form in [secret, &encoded, json.trim_matches('"')] {
        let form = form.to_ascii_lowercase().into_bytes();
        if secrets.len() < MAX_FORMS && form.len() >= SHORTEST && !secrets.contains(&form) {
            secrets.push(form);
        }
    }
}

/// The text without secrets.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    match blanked(text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// `None` if there is nothing to blank.
fn blanked(line: &[u8]) -> Option<Vec<u8>> {
    let mut spans = Vec::new();
    {
        let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets.iter() {
            each(line, secret, |at| spans.push((at, at + secret.len())));
        }
    }
    for path in [&b"/interactions/"[..], b"/webhooks/"] {
        each(line, path, |at| {
            let id = at + path.len();
            let token = id + run(line, id, |byte| byte.is_ascii_digit());
            if token > id && line.get(token) == Some(&b'/') {
                let end = token + 1 + run(line, token + 1, is_token);
                if end - token > RUN {
                    spans.push((token + 1, end));
                }
            }
        });
    }
    for name in [&b"token"[..], b"bearer", b"?id", b"&id"] {
        each(line, name, |at| {
            // `token="…`, `"token":"…`, `\"token\":\"…`, `token: Some("…`, `Bearer …`.
            let name_end = at + name.len();
            let mark = |byte| matches!(byte, b'\\' | b'"' | b' ' | b':' | b'=' | b'(');
            let mut start = name_end + run(line, name_end, mark);
            if line.get(start..).is_some_and(|rest| rest.starts_with(b"Some(")) {
                start += b"Some(".len();
                start += run(line, start, mark);
            }
            let end = start + run(line, start, is_token);
            if start > name_end && end - start >= RUN {
                spans.push((start, end));
            }
        });
    }
    // "interaction:" in base64: how Discord's interaction tokens begin.
    each(line, b"aw50zxjhy3rpb246", |at| spans.push((at, at + run(line, at, is_token))));
    if spans.is_empty() {
        return None;
    }
    spans.sort_unstable();
    let mut out = Vec::with_capacity(line.len());
    let mut from = 0;
    for (start, end) in spans {
        if start >= from {
            out.extend_from_slice(line.get(from..start).unwrap_or_default());
            out.extend_from_slice(BLANK);
        }
        from = from.max(end);
    }
    out.extend_from_slice(line.get(from..).unwrap_or_default());
    Some(out)
}

/// Calls `found` with each position of `needle` (lower case) in `line`, ignoring letter case.
fn each(line: &[u8], needle: &[u8], mut found: impl FnMut(usize)) {
    let Some((first, rest)) = needle.split_first() else { return };
    for (at, byte) in line.iter().enumerate() {
        if byte.to_ascii_lowercase() == *first && line.get(at + 1..at + needle.len()).is_some_and(|here| here.eq_ignore_ascii_case(rest)) {
            found(at);
        }
    }
}

/// The number of bytes of this kind from `at` on.
fn run(line: &[u8], at: usize, of: impl Fn(u8) -> bool) -> usize {
    line.get(at..).unwrap_or_default().iter().take_while(|byte| of(**byte)).count()
}

/// Base64 of either alphabet, and the characters that join its parts.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'=' | b'%' | b'~')
}

/// Libraries that log raw connection data.
const RAW: [&str; 2] = ["tungstenite", "tokio_tungstenite"];

/// A writer of log lines that lets no secret through.
#[derive(Clone, Debug)]
pub(super) struct Redacting<M>(pub(super) M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = Redacted<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Redacted { inner: self.0.make_writer(), mute: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        let raw = RAW.iter().any(|library| meta.target().split("::").next() == Some(*library));
        Redacted { inner: self.0.make_writer_for(meta), mute: raw && *meta.level() > Level::INFO }
    }
}

/// Takes whole lines, as the formatter writes them.
#[derive(Debug)]
pub(super) struct Redacted<W> {
    inner: W,
    mute: bool,
}

impl<W: Write> Write for Redacted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.mute {
            match blanked(line) {
                None => self.inner.write_all(line)?,
                Some(blanked) => self.inner.write_all(&blanked)?,
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interaction_tokens_are_blanked_wherever_they_stand() {
        let token = "aW50ZXJhY3Rpb24tMTIz_abcDEF-4567.890";
        for line in [
            format!("error sending request for url (https://discord.com/api/v10/interactions/123/{token}/callback): reset"),
            format!("PATCH /webhooks/99/{token}/messages/@original"),
            format!("{{\"token\":\"{token}\",\"type\":2}}"),
            format!("{{\"message\":\"{{\\\"token\\\":\\\"{token}\\\"}}\"}}"),
            format!("create_interaction_response{{interaction_id=5 interaction_token=\"{token}\"}}"),
            format!("Interaction {{ token: \"{token}\" }} {{ token: Some(\"{token}\") }}"),
            format!("Authorization: Bearer {token}"),
            format!("wss://hub.example/apiWsHub?id={token}"),
            format!("https://hub.example/?access_token={token}&x=1"),
            "aW50ZXJhY3Rpb246MTIzNDU2Nzg5".to_owned(),
        ] {
            let shown = redact(&line);
            assert!(!shown.contains(token) && shown.contains("[secret]"), "{line} -> {shown}");
        }
    }

    #[test]
    fn registered_secrets_are_blanked_in_every_form_and_letter_case() {
        hide("Pa55 /w\"ord-4711");
        let shown = redact("key=pA55 /W\"ORD-4711; url Pa55+%2Fw%22ord-4711; json \"Pa55 /w\\\"ord-4711\"").into_owned();
        assert_eq!(shown, "key=[secret]; url [secret]; json \"[secret]\"");
        hide("abc");
        assert_eq!(redact("abc"), "abc", "too short for a secret");
    }

    #[test]
    fn ordinary_lines_are_left_alone() {
        for line in [
            "commands are registered commands=12 place=\"guild 5\"",
            "POST /api/v10/interactions/123/callback",
            "a wrong token ends the start: DISCORD_TOKEN is not accepted",
            "the token: see https://discord.com/developers/applications",
            "/webhooks/123",
        ] {
            assert_eq!(redact(line), line);
        }
    }
}
