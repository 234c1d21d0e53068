//! Errors of commands: for the person, one sentence with the fix. A problem that they can't fix becomes one neutral sentence and a
//! log line, connected by a short reference.

use crate::actions::ActionError;
use crate::discord::rest::{AskError, without_address};
use crate::render::text::{self, SafeText, safe};
use crate::route::{AttentionError, FilterError};
use crate::store::StoreError;

/// What people read in a server that is linked to no community.
pub(super) const NOT_LINKED: &str = "This Discord server isn't linked to the CAD community that this bot serves, so nothing is shown here. Someone with Manage Server can link it: run `/cad link` and enter the community's ID and API key.";

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The person can fix it: a sentence for them.
    #[error("{0}")]
    Refused(SafeText),
    /// They cannot.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// A refusal.
    pub(super) fn refused(sentence: impl Into<SafeText>) -> Self {
        Self::Refused(sentence.into())
    }

    /// What the person reads. Writes the log line of an internal one.
    pub(super) fn sentence(&self, doing: &str) -> SafeText {
        match self {
            Self::Refused(sentence) => sentence.clone(),
            Self::Internal(error) => {
                let reference = reference();
                tracing::error!(reference, doing, "{error:#}");
                neutral(&reference)
            }
        }
    }
}

pub(super) fn reference() -> String {
    format!("{:06x}", fastrand::u32(..0x100_0000))
}

pub(super) fn neutral(reference: &str) -> SafeText {
    safe!(
        "That did not work, and it is not your fault: try again, and if it stays give your bot's operator the reference `{}` (it is in the log).",
        text::code(reference)
    )
}

impl From<ActionError> for Error {
    fn from(error: ActionError) -> Self {
        Self::Refused(error.sentence())
    }
}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Self {
        Self::Refused(error.sentence())
    }
}

impl From<AttentionError> for Error {
    fn from(error: AttentionError) -> Self {
        Self::Refused(error.sentence())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<serenity::Error> for Error {
    fn from(error: serenity::Error) -> Self {
        Self::Internal(without_address(error).into())
    }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Wait(wait) => Self::Refused(safe!("Discord asks the bot to wait: try again in {} s.", wait.as_secs().max(1))),
            other => Self::Internal(other.into()),
        }
    }
}
