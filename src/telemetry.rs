//! Sets up logging: to standard error, as text for people or JSON for machines.
//!
//! Callers keep secrets out of log fields; `redact` blanks what slips through, and what libraries
//! write. A log whose reader is gone stops nothing.

mod redact;

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use self::redact::Redacting;
pub use self::redact::{hide, redact};
use crate::output::LogSink;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people; colored only on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A description of a valid log filter.
pub const VALID_FILTER: &str =
    "off, error, warn, info, debug or trace, and more of the form target=level with commas between, such as info,tenfour=debug";

/// A log filter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TENFOUR_LOG cannot be used: {why}. Valid: {VALID_FILTER}.")]
pub struct LogFilterError {
    /// What is wrong, as part of a sentence.
    pub why: String,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error(transparent)]
    Filter(#[from] LogFilterError),
    /// Something installed a subscriber before.
    #[error("logging is already set up in this process")]
    AlreadySet,
}

/// Crates that are verbose at `info`, and only useful for warnings: unless the filter names them, or asks for less than warnings.
const NOISY: &[&str] =
    &["serenity", "poise", "hyper", "hyper_util", "h2", "reqwest", "rustls", "tungstenite", "tokio_tungstenite", "rusqlite_migration"];

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// Parses a filter, with noisy crates quieted.
///
/// # Errors
/// If it isn't a filter. A bare word that isn't a level is an error too: the filter language would take `inof` for the name of a crate
/// and show nothing else.
pub fn filter(text: &str) -> Result<EnvFilter, LogFilterError> {
    if text.len() > 1024 {
        return Err(LogFilterError { why: "it is longer than 1,024 characters".into() });
    }
    let mut base = "error".to_owned();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.contains(['=', '[']) {
            continue;
        }
        let word = part.to_ascii_lowercase();
        if !LEVELS.contains(&word.as_str()) {
            // Not quoted: this text may be a secret pasted into the wrong line.
            return Err(LogFilterError { why: "a word in it is neither a level nor of the form target=level".into() });
        }
        base = word;
    }
    let quiet =
        if matches!(base.as_str(), "off" | "error") { String::new() } else { NOISY.iter().map(|name| format!("{name}=warn,")).collect() };
    // Later entries win for the same target.
    EnvFilter::try_new(format!("{quiet}{text}")).map_err(|_| LogFilterError { why: "a part of it is not of the form target=level".into() })
}

/// Sets up logging for the process, to standard error.
///
/// # Errors
/// As [`InitError`] says.
pub fn init(filter_text: &str, format: Format) -> Result<(), InitError> {
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = subscriber(filter(filter_text)?, format, ansi, LogSink::default);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InitError::AlreadySet)
}

/// The subscriber of [`init`] with another writer: for tests that read the log.
pub fn subscriber<W>(filter: EnvFilter, format: Format, ansi: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Redacting(writer));
    match format {
        Format::Text => Box::new(builder.with_ansi(ansi).finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buf);
            Ok(buf.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter_text: &str, format: Format) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(filter(filter_text).unwrap(), format, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "tenfour", call = 5, "ours at info");
            tracing::debug!(target: "tenfour", "ours at debug");
            tracing::info!(target: "serenity::gateway", "noise at info");
            tracing::warn!(target: "serenity::gateway", "noise at warn");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn noisy_crates_are_quiet_unless_named() {
        let text = logged("info", Format::Text);
        assert!(text.contains("ours at info") && text.contains("noise at warn"), "{text}");
        assert!(!text.contains("ours at debug") && !text.contains("noise at info"), "{text}");
        let text = logged("info,serenity=info", Format::Text);
        assert!(text.contains("noise at info"), "{text}");
        let text = logged("error", Format::Text);
        assert!(!text.contains("noise at warn"), "{text}");
        let text = logged("warn,tenfour=debug", Format::Text);
        assert!(text.contains("ours at debug") && !text.contains("noise at info"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn json_lines_are_json() {
        let text = logged("info", Format::Json);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["message"], "ours at info");
        assert_eq!(first["call"], 5);
    }

    #[test]
    fn what_is_no_filter_is_refused_by_name() {
        for bad in ["inof", "tenfour=loud", "info,tenfour", "=", &"x".repeat(2000)] {
            let error = filter(bad).unwrap_err();
            assert!(error.to_string().contains("TENFOUR_LOG"), "{error}");
        }
        for good in ["info", "WARN", "off", "info,tenfour::cad=trace", "info,[span{a=1}]=debug"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }
}
