//! Makes times, random ids, and texts for the log.

/// Now, as the CAD writes it: ISO 8601, UTC, whole seconds.
pub(super) fn iso_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A random lower-case hexadecimal text, for ids and tokens.
pub(super) fn random_hex(bytes: usize) -> String {
    (0..bytes).map(|_| format!("{:02x}", fastrand::u8(..))).collect()
}

/// At most 256 characters, for the log.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
