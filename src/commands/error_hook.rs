//! Answers every command that failed, whatever the error.

use poise::FrameworkError;
use serenity::all::{CreateInteractionResponse, CreateInteractionResponseMessage};

use super::context::CommandContext;
use super::errors::{Error, neutral, reference};
use super::{audit_hook, reply};
use crate::discord::rest::without_address;
use crate::render::text::{self, SafeText, safe};

/// poise's error hook: every error ends here, with an answer.
pub(super) async fn on_error(error: FrameworkError<'_, CommandContext, Error>) {
    // It may have changed something before it failed.
    if let FrameworkError::Command { ctx, .. } | FrameworkError::CommandPanic { ctx, .. } = &error {
        audit_hook::after(*ctx, "done, but the command failed afterwards").await;
    }
    let (ctx, sentence) = match error {
        FrameworkError::Command { error, ctx, .. } => (ctx, error.sentence(&ctx.command().qualified_name)),
        FrameworkError::CommandPanic { payload, ctx, .. } => {
            let reference = reference();
            tracing::error!(reference, command = %ctx.command().qualified_name, payload, "a command panicked");
            (ctx, neutral(&reference))
        }
        FrameworkError::ArgumentParse { error, ctx, .. } => (ctx, unusable(&*error)),
        FrameworkError::CommandStructureMismatch { description, ctx, .. } => {
            tracing::warn!(description, command = %ctx.command().qualified_name, "Discord shows an older form of a command");
            (ctx.into(), STALE.into())
        }
        FrameworkError::GuildOnly { ctx, .. } => (ctx, "This works in a server only, not in direct messages.".into()),
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
        tracing::warn!(%error, "an error could not be reported");
    }
}

const STALE: &str = "This command has changed since your Discord loaded it: reload Discord (Ctrl+R) and try again.";

/// The error may quote what was typed.
fn unusable(error: &dyn std::error::Error) -> SafeText {
    safe!("That value cannot be used: {}.", text::line(&error.to_string(), 300))
}

fn log(error: &Error) {
    match error {
        Error::Refused(sentence) => tracing::debug!(%sentence, "refused"),
        Error::Internal(error) => tracing::error!("an interaction failed: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_a_value_cannot_ping_with_it() {
        let error = std::io::Error::other("@everyone **x**");
        assert_eq!(unusable(&error), "That value cannot be used: @\u{200B}everyone \\*\\*x\\*\\*.");
    }
}
