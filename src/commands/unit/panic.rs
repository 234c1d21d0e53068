//! `/unit panic`: asks for confirmation, since a slip sends everybody. The button's custom id doesn't say whose panic: it is always that of
//! the person who presses.

use serenity::all::{ButtonStyle, ComponentInteraction, CreateActionRow, CreateButton, CreateInteractionResponse};

use crate::actions::{ActionError, CadAction};
use crate::commands::context::{CommandContext, Context, actor};
use crate::commands::custom_id::CustomId;
use crate::commands::errors::Error;
use crate::commands::reply::{GREEN, RED, ReplyPage, YELLOW};
use crate::commands::{autocomplete, button_rows, cad_args, reply, waiting};
use crate::ids::{GuildId, ServerId, UserId};
use crate::render::button::On;

/// Press your panic button, or end your panic
#[poise::command(slash_command, guild_only)]
pub(super) async fn panic(
    ctx: Context<'_>,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let found = async {
        let server = cad_args::server(&cad_actions, &actor, server).await?;
        Ok::<_, Error>((server, cad_actions.in_panic(&actor, server).await?))
    };
    let (server, is_on) = cad_args::patiently(ctx, found).await?;
    reply::show(ctx, question(is_on, server)).await
}

fn question(is_on: bool, server: ServerId) -> ReplyPage {
    let (title, text, label, style, color) = if is_on {
        ("Your panic is on", "Is it over?", "Panic over", ButtonStyle::Success, YELLOW)
    } else {
        ("Press your panic button?", "Everybody is called to you, in the CAD and here.", "Yes, panic", ButtonStyle::Danger, RED)
    };
    let button = CreateButton::new(CustomId::Panic { on: !is_on, server }.to_string()).label(label).style(style);
    ReplyPage { rows: vec![CreateActionRow::Buttons(vec![button])], ..ReplyPage::new(title, text, color) }
}

/// The answer to the question.
pub(in crate::commands) async fn press(
    ctx: &serenity::all::Context,
    context: &CommandContext,
    component: &ComponentInteraction,
    guild: GuildId,
    (on, server): (bool, ServerId),
) -> Result<(), Error> {
    // The question is replaced by its answer: nobody presses twice.
    component.create_response(ctx, CreateInteractionResponse::Acknowledge).await?;
    let who = actor(guild, UserId(component.user.id.get()), component.member.as_ref());
    let done = match context.cad_actions(who.guild) {
        Ok(cad_actions) => waiting::shown(who.user, cad_actions.act(&who, server, CadAction::Panic(on)), &(ctx, component)).await,
        Err(refused) => Err(refused),
    };
    let page = match done {
        Ok(said) => {
            let left = match context.cad_actions(who.guild) {
                Ok(cad_actions) if !on => cad_actions.own_left_911(&who, server).await,
                _ => None,
            };
            let rows = left.map(|subject| button_rows::offer(On { server, subject })).into_iter().collect();
            ReplyPage { rows, ..ReplyPage::new(if on { "Panic" } else { "Panic over" }, said, if on { RED } else { GREEN }) }
        }
        Err(refused) => ReplyPage::new(failed(&refused), refused.sentence(), YELLOW),
    };
    component.edit_response(ctx, page.edit()).await?;
    Ok(())
}

/// A title that claims no more than is known.
fn failed(refused: &ActionError) -> &'static str {
    match refused {
        ActionError::Busy => "Not confirmed",
        ActionError::Cad(error) if error.is_outcome_unknown() => "Not confirmed",
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
        for refused in [ActionError::Busy, RestError::OutcomeUnknown { cause: "status 503".into() }.into()] {
            assert_eq!(failed(&refused), "Not confirmed", "{refused}");
        }
        for refused in [ActionError::NoCad, RestError::PlanTooLow.into(), Refusal::NotOnDuty { server: ServerId(1) }.into()] {
            assert_eq!(failed(&refused), "Your panic was not changed", "{refused}");
        }
    }
}
