//! `/unit panic`: asks once, since a slip of the finger sends everybody. The button's custom id holds all there is to know:
//!
//! ```text
//! u1:panic:server      u1:calm:server      the server in plain digits
//! ```
//!
//! It says nothing about whose panic: that is the presser's own.

use serenity::all::{ButtonStyle, ComponentInteraction, CreateActionRow, CreateButton, CreateInteractionResponse};

use crate::actions::{CadAction, Refused};
use crate::commands::components::private;
use crate::commands::errors::Error;
use crate::commands::reply::{GREEN, Page, RED, YELLOW};
use crate::commands::{Context, Desk, actor, acts, autocomplete, cards, reply, waiting};
use crate::ids::{GuildId, ServerId, UserId};
use crate::render::button::On;

/// Ids of another form belong to another version.
const VERSION: &str = "u1";

/// Press your panic button, or end your panic
#[poise::command(slash_command, guild_only)]
pub(super) async fn panic(
    ctx: Context<'_>,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (acting, actor) = (ctx.data().acting()?, acts::actor_of(ctx)?);
    let found = async {
        let server = acts::server(acting, &actor, server).await?;
        Ok::<_, Error>((server, acting.in_panic(&actor, server).await?))
    };
    let (server, is_on) = acts::patiently(ctx, found).await?;
    reply::show(ctx, question(is_on, server)).await
}

fn question(is_on: bool, server: ServerId) -> Page {
    let (title, text, label, style, color) = if is_on {
        ("Your panic is on", "Is it over?", "Panic over", ButtonStyle::Success, YELLOW)
    } else {
        ("Press your panic button?", "Everybody is called to you, in the CAD and here.", "Yes, panic", ButtonStyle::Danger, RED)
    };
    let button = CreateButton::new(id(!is_on, server)).label(label).style(style);
    Page { rows: vec![CreateActionRow::Buttons(vec![button])], ..Page::new(title, text, color) }
}

fn id(on: bool, server: ServerId) -> String {
    format!("{VERSION}:{}:{server}", if on { "panic" } else { "calm" })
}

/// Back from a custom id. `None` unless [`id`] would write exactly this.
pub(in crate::commands) fn parse(custom_id: &str) -> Option<(bool, ServerId)> {
    let mut parts = custom_id.split(':');
    let (_, word, server) = (parts.next().filter(|version| *version == VERSION)?, parts.next()?, parts.next()?);
    let read = (word == "panic", ServerId(server.parse().ok()?));
    (id(read.0, read.1) == custom_id).then_some(read)
}

/// The answer to the question.
pub(in crate::commands) async fn press(
    ctx: &serenity::all::Context,
    desk: &Desk,
    component: &ComponentInteraction,
    (on, server): (bool, ServerId),
) -> Result<(), Error> {
    let Some(guild) = component.guild_id else {
        return Ok(component.create_response(ctx, private("This works in a server only, not in direct messages.")).await?);
    };
    // The question goes with its answer: nobody presses twice.
    component.create_response(ctx, CreateInteractionResponse::Acknowledge).await?;
    let who = actor(GuildId(guild.get()), UserId(component.user.id.get()), component.member.as_ref());
    let done = match desk.acting() {
        Ok(acting) => waiting::shown(who.user, acting.act(&who, server, CadAction::Panic(on)), &(ctx, component)).await,
        Err(refused) => Err(refused),
    };
    let page = match done {
        Ok(said) => {
            let left = match desk.acting() {
                Ok(acting) if !on => acting.own_left_911(&who, server).await,
                _ => None,
            };
            let rows = left.map(|subject| cards::offer(On { server, subject })).into_iter().collect();
            Page { rows, ..Page::new(if on { "Panic" } else { "Panic over" }, said, if on { RED } else { GREEN }) }
        }
        Err(refused) => Page::new(failed(&refused), refused.to_string(), YELLOW),
    };
    component.edit_response(ctx, page.edit()).await?;
    Ok(())
}

/// A title that says no more than is known.
fn failed(refused: &Refused) -> &'static str {
    match refused {
        Refused::Busy => "Not confirmed",
        Refused::Cad(error) if error.may_have_happened() => "Not confirmed",
        _ => "Your panic was not changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::Refusal;
    use crate::cad::rest::RestError;

    #[test]
    fn a_title_does_not_deny_what_may_have_happened() {
        for refused in [Refused::Busy, RestError::InDoubt { cause: "status 503".into() }.into()] {
            assert_eq!(failed(&refused), "Not confirmed", "{refused}");
        }
        for refused in [Refused::NoCad, RestError::PlanTooLow.into(), Refusal::NotOnDuty { server: ServerId(1) }.into()] {
            assert_eq!(failed(&refused), "Your panic was not changed", "{refused}");
        }
    }

    #[test]
    fn only_what_we_would_write_is_read() {
        for (on, server) in [(true, 1), (false, u32::MAX)] {
            let written = id(on, ServerId(server));
            assert_eq!(parse(&written), Some((on, ServerId(server))));
            assert!(written.len() <= 100);
        }
        for other in ["", "u1", "u1:panic", "u1:panic:01", "u1:panic:+1", "u1:panic:1:1", "u2:panic:1", "u1:fly:1", "u1:panic:4294967296"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
