//! `/call view`: the card as channels show it.

use crate::actions::ActionError;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{cad_args, choices, reply};
use crate::render::text::SafeText;
use crate::render::{self, Style, View};

/// One call's card, with its buttons, for you alone
#[poise::command(slash_command, guild_only)]
pub(super) async fn view(
    ctx: Context<'_>,
    #[description = "Which call; a number works too"]
    #[autocomplete = "choices::call"]
    #[max_length = 100]
    call: String,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let buttons = cad_actions.rule_of(actor.guild)?.buttons;
    let on = cad_args::call(ctx, &actor, &call).await?;
    let (labels, now) = (cad_args::labels(ctx.data(), actor.guild), ctx.data().clock.now());
    let card = cad_actions.look(on.server, move |world| {
        let view = View { world, server: on.server, labels: &labels, style: Style::Card, roles: &[], test: false, buttons, now };
        render::card(on.subject, &view)
    });
    match card.await? {
        Some(card) => reply::message(ctx, &card).await,
        None => {
            Err(ActionError::NothingToDo(SafeText::constant("The bot does not know this call any more: `/call list` shows what is open."))
                .into())
        }
    }
}
