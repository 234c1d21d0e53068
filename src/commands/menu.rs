//! The message menu "Add as CAD note": a message in a call's thread becomes a note of that call.

use serenity::all as serenity;

use super::cad_args;
use super::context::{CommandContext, Context};
use super::errors::Error;
use crate::actions::{CadAction, MAX_NOTE_CHARS};
use crate::ids::{ChannelId, GuildId};
use crate::outbox::PostKey;
use crate::render::button::On;
use crate::render::text::ELLIPSIS;
use crate::world::Subject;

const ELSEWHERE: &str = "This works on messages in the thread of a call's card, or in its forum post: there the bot knows which call is meant. Elsewhere `/unit note` writes one.";

const NO_CALL: &str = "Notes belong to calls, and this thread is about something else: nothing was sent.";

/// The menu's label.
#[poise::command(context_menu_command = "Add as CAD note", guild_only, interaction_context = "Guild")]
pub(super) async fn add_note(ctx: Context<'_>, message: serenity::Message) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let found = call_of_thread(ctx.data(), actor.guild, ChannelId(message.channel_id.get())).await?;
    let (_, on) = found.ok_or_else(|| Error::refused(ELSEWHERE))?;
    if !matches!(on.subject, Subject::Emergency(..) | Subject::Dispatch(..)) {
        return Err(Error::refused(NO_CALL));
    }
    let author = (message.author.id.get() != actor.user.0).then(|| message.author.global_name.as_deref().unwrap_or(&message.author.name));
    let note = note(&message.content, author).ok_or_else(|| Error::refused("That message has no text: nothing was sent."))?;
    cad_args::act(ctx, &actor, on.server, CadAction::Note(on.subject, note)).await
}

/// The card whose thread, or whose forum post, a channel is, and its subject.
pub(super) async fn call_of_thread(context: &CommandContext, guild: GuildId, thread: ChannelId) -> Result<Option<(PostKey, On)>, Error> {
    let community = context.community(guild)?;
    let Some(key) = context.store.card_of_thread(guild, thread).await?.filter(|key| key.community == community.id) else {
        return Ok(None);
    };
    // A post that isn't a card has no subject of the world.
    let on = key.subject.parse().ok().map(|subject| On { server: key.server, subject });
    Ok(on.map(|on| (key, on)))
}

/// A message as a note: at most as long as notes may be, with its author if somebody else signs the note. `None` without text.
pub(super) fn note(content: &str, author: Option<&str>) -> Option<String> {
    let content = crate::render::text::visible(Some(content))?.trim();
    let whole = match author {
        Some(author) => {
            let author: String = author.chars().filter(|c| !c.is_control()).take(40).collect();
            format!("{} (Discord): {content}", author.trim())
        }
        None => content.to_owned(),
    };
    if whole.chars().count() <= MAX_NOTE_CHARS {
        return Some(whole);
    }
    let kept: String = whole.chars().take(MAX_NOTE_CHARS - 1).collect();
    Some(format!("{}{ELLIPSIS}", kept.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_note_that_fits() {
        assert_eq!(note("  gate 4 ", None).as_deref(), Some("gate 4"));
        assert_eq!(note("gate 4", Some("Bob\n")).as_deref(), Some("Bob (Discord): gate 4"));
        assert_eq!(note(" \u{200b} ", None), None);
        let long = note(&"é".repeat(2_000), Some("Bob")).unwrap();
        assert_eq!(long.chars().count(), MAX_NOTE_CHARS);
        assert!(long.ends_with(ELLIPSIS));
    }
}
