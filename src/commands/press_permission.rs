//! Decides who may press the buttons of an answer to `/cad`.

use std::time::Duration;

use serenity::all::{ComponentInteraction, Message, MessageFlags, MessageInteractionMetadata, Permissions};

use crate::clock::millis;

pub(super) const NOT_YOURS: &str =
    "Only whoever ran the command may use this, for an hour, and people with Manage Server: run the command yourself, or ask one of them.";

/// How long somebody who ran a command may continue with its answer: the permission to run it may be revoked.
pub(super) const GOES_ON: Duration = Duration::from_secs(3_600);

/// Manage Server, or everything.
pub(super) fn manages(permissions: Option<Permissions>) -> bool {
    permissions.unwrap_or_default().intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR)
}

/// Whether somebody may press the buttons of an answer to `/cad`: the person who was allowed to run that command, or may manage the server.
pub(super) fn may_press(component: &ComponentInteraction) -> bool {
    let manages = manages(component.member.as_ref().and_then(|member| member.permissions));
    let age = component.id.created_at().unix_timestamp() - component.message.id.created_at().unix_timestamp();
    manages || (is_answer_to(&component.message, component.user.id) && age < millis(GOES_ON) / 1_000)
}

/// Whether a message is the private answer to that person's command.
///
/// This is safe, even if the guild allows the command to anybody: Discord let that person run it, by the command's own permissions or
/// those that the guild set under Integrations. Only that person sees such an answer, and Discord accepts presses on it from nobody else.
/// Discord writes the flag and whose command it was: no bot, webhook or person can put either on a message, and a press says only which
/// component of which message it is on. A button with the same custom id elsewhere has neither.
fn is_answer_to(message: &Message, user: serenity::all::UserId) -> bool {
    let is_private = message.flags.is_some_and(|flags| flags.contains(MessageFlags::EPHEMERAL));
    let asked = message.interaction_metadata.as_deref();
    is_private && matches!(asked, Some(MessageInteractionMetadata::Command(command)) if command.user.id == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ones_own_private_answer_to_a_command_is_ones_own() {
        let me = serenity::all::UserId::new(7);
        let made = |flags: u64, kind: u8, user: &str| {
            let user = serde_json::json!({ "id": user, "username": "ann", "discriminator": "0", "avatar": null });
            let owners = serde_json::json!({ "0": "1" });
            let mut asked = serde_json::json!({ "id": "9", "type": kind, "user": user, "authorizing_integration_owners": owners });
            if kind == 3 {
                asked["interacted_message_id"] = "8".into();
            }
            let message = serde_json::json!({
                "id": "9", "channel_id": "1", "author": user, "content": "", "timestamp": "2026-11-21T18:00:00Z", "edited_timestamp": null,
                "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
                "pinned": false, "type": 20, "flags": flags, "interaction_metadata": asked
            });
            serde_json::from_value::<Message>(message).unwrap()
        };
        assert!(is_answer_to(&made(64, 2, "7"), me));
        assert!(!is_answer_to(&made(0, 2, "7"), me), "all see it");
        assert!(!is_answer_to(&made(64, 2, "6"), me), "somebody else's");
        assert!(!is_answer_to(&made(64, 3, "7"), me), "anybody may press a button somewhere");
        let mut unasked = made(64, 2, "7");
        unasked.interaction_metadata = None;
        assert!(!is_answer_to(&unasked, me), "nobody's command");
    }
}
