//! What people are told when it does not work: one sentence with the fix. What is not theirs to mend becomes one neutral sentence and a
//! log line, tied together by a short reference.

use poise::FrameworkError;
use serenity::all::{CreateInteractionResponse, CreateInteractionResponseMessage};

use super::{Desk, recorded, reply};
use crate::actions::Refused;
use crate::discord::rest::{AskError, without_address};
use crate::route::{AttentionError, FilterError};
use crate::store::StoreError;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The person can mend it: a sentence for them.
    #[error("{0}")]
    Refused(String),
    /// They cannot.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// A refusal.
    pub(super) fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// What the person reads. Writes the log line of an internal one.
    pub(super) fn sentence(&self, doing: &str) -> String {
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

fn reference() -> String {
    format!("{:06x}", fastrand::u32(..0x100_0000))
}

fn neutral(reference: &str) -> String {
    format!(
        "That did not work, and it is not your fault: try again, and if it stays give your bot's operator the reference `{reference}` (it is in the log)."
    )
}

impl From<Refused> for Error {
    fn from(error: Refused) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<AttentionError> for Error {
    fn from(error: AttentionError) -> Self {
        Self::Refused(error.to_string())
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
            AskError::Wait(seconds) => Self::Refused(format!("Discord asks the bot to wait: try again in {} s.", seconds.max(1))),
            other => Self::Internal(other.into()),
        }
    }
}

/// poise's hook: whatever went wrong ends here, answered.
pub(super) async fn on_error(error: FrameworkError<'_, Desk, Error>) {
    // It may have changed something before it failed.
    if let FrameworkError::Command { ctx, .. } | FrameworkError::CommandPanic { ctx, .. } = &error {
        recorded::after(*ctx, "done, but the command failed afterwards").await;
    }
    let (ctx, sentence) = match error {
        FrameworkError::Command { error, ctx, .. } => (ctx, error.sentence(&ctx.command().qualified_name)),
        FrameworkError::CommandPanic { payload, ctx, .. } => {
            let reference = reference();
            tracing::error!(reference, command = %ctx.command().qualified_name, payload, "a command panicked");
            (ctx, neutral(&reference))
        }
        FrameworkError::ArgumentParse { error, ctx, .. } => (ctx, format!("That value cannot be used: {error}.")),
        FrameworkError::CommandStructureMismatch { description, ctx, .. } => {
            tracing::warn!(description, command = %ctx.command().qualified_name, "Discord shows an older form of a command");
            (ctx.into(), STALE.to_owned())
        }
        FrameworkError::GuildOnly { ctx, .. } => (ctx, "This works in a server only, not in direct messages.".to_owned()),
        FrameworkError::UnknownInteraction { framework, interaction, .. } => {
            let answer = CreateInteractionResponseMessage::new().content(STALE).ephemeral(true);
            let sent = interaction.create_response(framework.serenity_context, CreateInteractionResponse::Message(answer)).await;
            if let Err(error) = sent.map_err(without_address) {
                tracing::debug!(%error, "an unknown command could not be answered");
            }
            return;
        }
        FrameworkError::EventHandler { error, .. } => return log(&error),
        other => {
            tracing::error!(error = %other, "the command framework");
            return;
        }
    };
    if let Err(error) = reply::framework(ctx, sentence).await {
        // Usually the person is gone, or Discord gave up waiting.
        tracing::warn!(%error, "an error could not be told");
    }
}

const STALE: &str = "This command has changed since your Discord loaded it: reload Discord (Ctrl+R) and try again.";

fn log(error: &Error) {
    match error {
        Error::Refused(sentence) => tracing::debug!(sentence, "refused"),
        Error::Internal(error) => tracing::error!("an interaction failed: {error:#}"),
    }
}
