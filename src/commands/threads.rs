//! Turns messages in the threads of calls into notes: where a route says so (`/alerts thread notes:on`), and only if the bot
//! may read messages at all (`DISCORD_MESSAGE_CONTENT`).
//!
//! ```text
//! message ─▶ by a person? ─▶ a route with notes? ─▶ thread of a card of it? ─▶ call open? ─▶ their own permission ─┬─▶ 📝
//!                                                                                                                └─▶ ⚠️, once a sentence
//! ```
//!
//! Without the permission Add Reactions there is no reaction, but the note is added all the same.

use serenity::all::{Context, CreateAllowedMentions, CreateMessage, Message, MessageType, ReactionType};

use super::context::CommandContext;
use super::errors::Error;
use super::menu::{call_of_thread, note};
use crate::actions::{ActionError, Actor, CadAction};
use crate::event::Topic;
use crate::ids::{ChannelId, GuildId, RoleId, UserId};
use crate::outbox::PostKey;
use crate::render::text::{SafeText, safe};
use crate::route::{Listens, Route};
use crate::world::Subject;

const NOTED: &str = "📝";
const REFUSED: &str = "⚠️";

/// Shown where a route wants notes from threads and the bot may not read messages.
pub(super) const NO_CONTENT: &str = "The bot does not read messages: its operator must set `DISCORD_MESSAGE_CONTENT=on` and switch on *Message Content Intent* at <https://discord.com/developers/applications> (the application's page *Bot*), then restart it. The menu *Add as CAD note* on a message works without.";

/// Whether a route turns messages in a card's thread into notes. Only calls have notes, panics and pages don't.
fn wants(route: &Route, key: &PostKey, subject: Subject) -> bool {
    let listens = matches!(
        (route.spec.event, subject),
        (Listens::All, Subject::Emergency(..) | Subject::Dispatch(..))
            | (Listens::To(Topic::Emergency | Topic::Civil), Subject::Emergency(..))
            | (Listens::To(Topic::Dispatch), Subject::Dispatch(..))
    );
    let here = route.spec.channel == key.channel
        && route.community == key.community
        && route.spec.server.is_none_or(|server| server == key.server);
    listens && here && route.enabled && route.spec.rule.thread_notes
}

/// A message that somebody wrote somewhere.
pub(super) async fn handle_message(ctx: &Context, context: &CommandContext, message: &Message) -> Result<(), Error> {
    let Some(guild) = message.guild_id.map(|guild| GuildId(guild.get())).filter(|_| context.facts.message_content) else { return Ok(()) };
    let by_a_person = !message.author.bot && message.webhook_id.is_none() && message.author.id.get() != context.facts.bot.user;
    let said = matches!(message.kind, MessageType::Regular | MessageType::InlineReply);
    let routing = context.store.routing_now();
    // Most messages of most guilds end here, without a look into the database.
    if !by_a_person || !said || !routing.routes.iter().any(|route| route.guild == guild && route.spec.rule.thread_notes) {
        return Ok(());
    }
    let thread = ChannelId(message.channel_id.get());
    let Some((key, on)) = call_of_thread(context, guild, thread).await? else { return Ok(()) };
    if !routing.routes.iter().any(|route| route.guild == guild && wants(route, &key, on.subject)) {
        return Ok(());
    }
    let Some(note) = note(&message.content, None) else { return Ok(()) };
    // People go on talking when the call is over: that is nobody's business.
    if context.cad_actions(guild)?.look(on.server, move |world| world.is_over(on.subject)).await? {
        return Ok(());
    }
    let roles = message.member.as_ref().map(|member| member.roles.iter().map(|role| RoleId(role.get())).collect());
    let actor = Actor { guild, user: UserId(message.author.id.get()), roles: roles.unwrap_or_default() };
    if context.notice_throttle.is_refused(actor.user, context.clock.now()) {
        react(ctx, message, REFUSED).await;
        return Ok(());
    }
    match context.cad_actions(guild)?.act(&actor, on.server, CadAction::Note(on.subject, note)).await {
        Ok(_) => react(ctx, message, NOTED).await,
        Err(error) => {
            if matches!(error, ActionError::NotPermitted(_)) {
                context.notice_throttle.refuse(actor.user, context.clock.now());
            }
            react(ctx, message, REFUSED).await;
            if context.notice_throttle.is_due(actor.user, thread, context.clock.now()) {
                let sentence = safe!("Your message was not added as a note. {}", in_public(&error));
                let reply = CreateMessage::new().content(sentence.cut(2_000)).reference_message(message);
                // A reply that pings nobody: the reaction says enough.
                let sent = message.channel_id.send_message(ctx, reply.allowed_mentions(CreateAllowedMentions::new())).await;
                if let Err(error) = sent {
                    tracing::debug!(%error, "could not answer why a message became no note");
                }
            }
        }
    }
    Ok(())
}

/// Why a message became no note, readable for everybody: what somebody lacks is private.
fn in_public(error: &ActionError) -> SafeText {
    match error {
        ActionError::NotPermitted(_) => "`/unit link` tells you, and only you, what is missing.".into(),
        ActionError::Over { what, .. } => safe!("{} is over.", what),
        other => other.sentence(),
    }
}

async fn react(ctx: &Context, message: &Message, emoji: &str) {
    let emoji = ReactionType::Unicode(emoji.to_owned());
    if let Err(error) = ctx.http.create_reaction(message.channel_id, message.id, &emoji).await {
        tracing::debug!(%error, "no reaction: the bot may lack Add Reactions");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{CallId, CommunityId, RouteId, ServerId};
    use crate::render::Style;
    use crate::route::Rule;

    #[test]
    fn public_replies_are_short_and_reveal_nothing_private() {
        let over = ActionError::Over { what: "Call #501".into(), redrawn: true };
        assert_eq!(in_public(&over), "Call #501 is over.");
        let lacking = ActionError::from(crate::authorization::Refusal::NotValidated { status: 4 });
        assert_eq!(in_public(&lacking), "`/unit link` tells you, and only you, what is missing.");
    }

    #[test]
    fn a_route_wants_notes_of_its_own_cards_only() {
        let community = CommunityId::new("c");
        let route = |event, server| Route {
            id: RouteId(1),
            guild: GuildId(1),
            community: community.clone(),
            enabled: true,
            spec: crate::route::RouteSpec {
                event: Listens::parse(event).unwrap(),
                channel: ChannelId(5),
                server,
                role: None,
                style: Style::Card,
                forum: false,
                rule: Rule { thread_notes: true, ..Rule::default() },
            },
        };
        let (call, emergency) = (Subject::Dispatch(CallId(1), UnixMs(1)), Subject::Emergency(CallId(1), UnixMs(1)));
        let key =
            |channel| PostKey { channel: ChannelId(channel), community: community.clone(), server: ServerId(2), subject: call.to_string() };
        assert!(wants(&route("dispatch", None), &key(5), call) && wants(&route("all", Some(ServerId(2))), &key(5), emergency));
        assert!(!wants(&route("911", None), &key(5), call) && wants(&route("civil", None), &key(5), emergency));
        assert!(!wants(&route("dispatch", Some(ServerId(1))), &key(5), call) && !wants(&route("dispatch", None), &key(6), call));
        // Notes belong to calls.
        for other in [Subject::Panic(crate::ids::Ident(1), UnixMs(1)), Subject::Event(1, 0)] {
            for event in ["all", "panic", "pager"] {
                assert!(!wants(&route(event, None), &key(5), other), "{event}");
            }
        }
        let mut deaf = route("all", None);
        deaf.spec.rule = Rule::default();
        assert!(!wants(&deaf, &key(5), call));
    }
}
