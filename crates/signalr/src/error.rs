//! Errors, with texts fit for logs: no token, no query, no response body; the server's own words are shortened and cleaned.

use std::time::Duration;

/// A step of opening or keeping a connection, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `POST …/negotiate`.
    Negotiate,
    /// TCP, TLS and the WebSocket upgrade.
    Upgrade,
    /// The first record each way.
    Handshake,
    /// The caller's hook after the handshake.
    OnConnected,
    /// Waiting for anything from the server.
    Receive,
    /// Sending our data.
    Send,
    /// Waiting for the answer to a call.
    Call,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Negotiate => "negotiate",
            Self::Upgrade => "the WebSocket upgrade",
            Self::Handshake => "the handshake",
            Self::OnConnected => "signing in after the handshake",
            Self::Receive => "receiving",
            Self::Send => "sending",
            Self::Call => "a call",
        })
    }
}

/// Why a connection could not be opened, ended, or why a call failed. Texts from the server are already cleaned: bounded, no control characters, no tokens.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HubError {
    /// The settings cannot work. Only from building.
    #[error("the hub's settings are not usable: {0}")]
    Config(String),
    /// Negotiating got an HTTP status other than 200 (`status`), or an unusable answer.
    #[error("negotiate failed: {message}")]
    Negotiate {
        /// The HTTP status, if that is the problem.
        status: Option<u16>,
        /// What happened.
        message: String,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// 401 or 403 at either step, or 404 where no token can be the cause.
    #[error("{step} was refused with HTTP status {status} ({})", refusal(*.status))]
    Refused {
        step: Step,
        /// 401, 403 or 404.
        status: u16,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The WebSocket upgrade got an HTTP answer other than 101.
    #[error("the WebSocket upgrade was answered with HTTP status {status}{}", upgrade_hint(*.status))]
    Upgrade {
        /// The HTTP status.
        status: u16,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The server sent us to another domain than its own. Nothing was sent there.
    #[error(
        "the hub sent us to {host}, which is not in its own domain; nothing was sent there. If {host} belongs to the CAD (for example Azure SignalR), allow it with SONORAN_HUB_REDIRECTS={host}"
    )]
    Redirect { host: String },
    /// The server refused the handshake.
    #[error("the hub refused the handshake: {error}")]
    Handshake {
        /// The server's message.
        error: String,
    },
    /// A step took longer than its limit.
    #[error("{step} took longer than {limit:?}")]
    Timeout { step: Step, limit: Duration },
    /// The server ended the connection with a Close record.
    #[error("the hub closed the connection{}{}", error.as_deref().map(|text| format!(": {text}")).unwrap_or_default(),
        if *.allow_reconnect { "" } else { " and does not invite us back" })]
    Closed {
        /// The server's message.
        error: Option<String>,
        /// Whether it allows us to reconnect.
        allow_reconnect: bool,
    },
    /// The connection ended without a Close record.
    #[error("the connection ended{}", code.map(|code| format!(" with WebSocket close code {code}")).unwrap_or_default())]
    Ended {
        /// The WebSocket close code, if there was one.
        code: Option<u16>,
    },
    /// The server broke the protocol.
    #[error("the hub broke the protocol: {0}")]
    Protocol(String),
    /// DNS, TCP or TLS.
    #[error("network trouble: {0}")]
    Io(String),
    /// The caller's hook asked for a new connection.
    #[error("{0}")]
    Rejected(String),
    /// The hub answered a call with an error.
    #[error("the hub answered: {0}")]
    Call(String),
    /// The arguments of a call aren't a list, can't be serialized, or are larger than the hub allows.
    #[error("the arguments of a call cannot be sent: {0}")]
    Arguments(String),
    /// Too many calls are waiting for their answers.
    #[error("too many calls to the hub are waiting for their answers")]
    Busy,
    /// There is no connection that is ready for calls, or it was lost while a call was in flight. Nothing is sent again.
    #[error("there is no connection to the hub")]
    NotConnected,
    /// The hub was stopped by us.
    #[error("the connection to the hub was stopped")]
    Stopped,
}

impl HubError {
    /// Whether the same attempt may succeed later without a change on our side.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Config(_) | Self::Call(_) | Self::Arguments(_) | Self::Stopped)
    }

    /// The server's `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Negotiate { retry_after, .. } | Self::Refused { retry_after, .. } | Self::Upgrade { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The HTTP status, if it was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Negotiate { status, .. } => *status,
            Self::Refused { status, .. } | Self::Upgrade { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// A short name for counting and for comparing errors.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::Negotiate { .. } => "negotiate",
            Self::Refused { .. } => "refused",
            Self::Upgrade { .. } => "upgrade",
            Self::Redirect { .. } => "redirect",
            Self::Handshake { .. } => "handshake",
            Self::Timeout { .. } => "timeout",
            Self::Closed { .. } => "closed",
            Self::Ended { .. } => "ended",
            Self::Protocol(_) => "protocol",
            Self::Io(_) => "io",
            Self::Rejected(_) => "rejected",
            Self::Call(_) => "call",
            Self::Arguments(_) => "arguments",
            Self::Busy => "busy",
            Self::NotConnected => "not_connected",
            Self::Stopped => "stopped",
        }
    }
}

fn refusal(status: u16) -> &'static str {
    match status {
        401 => "not authorised",
        403 => "forbidden; a firewall in front of the hub answers so too",
        _ => "no hub at this address",
    }
}

fn upgrade_hint(status: u16) -> &'static str {
    match status {
        400 => " (not seen as a WebSocket request: a proxy on the way may remove its headers)",
        404 => " (the server does not know the token of the negotiation)",
        409 => " (the token of the negotiation is in use)",
        _ => "",
    }
}

/// A text from the server made fit for a log line: at most 300 characters, no control characters, `secrets` blanked.
#[must_use]
pub(super) fn clean<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = text.to_owned();
    // Blanking short ones would blank half the text, and they are hardly secrets.
    for secret in secrets.into_iter().filter(|secret| secret.len() >= 6) {
        text = text.replace(secret, "[secret]");
    }
    let mut cut: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(300).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_cut_and_blanked() {
        assert_eq!(clean("no\nsuch id tok-12345!", ["tok-12345"]), "no such id [secret]!");
        assert_eq!(clean(&"ä".repeat(400), []).chars().count(), 301);
    }

    #[test]
    fn texts_say_what_happened() {
        let closed = HubError::Closed { error: Some("bye".to_owned()), allow_reconnect: false };
        assert_eq!(closed.to_string(), "the hub closed the connection: bye and does not invite us back");
        let refused = HubError::Refused { step: Step::Negotiate, status: 404, retry_after: None };
        assert_eq!(refused.to_string(), "negotiate was refused with HTTP status 404 (no hub at this address)");
        assert!(refused.is_retryable());
        assert!(!HubError::Stopped.is_retryable());
    }
}
