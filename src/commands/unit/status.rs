//! `/unit status`.

use crate::actions::CadAction;
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::{autocomplete, cad_args, choices, reply};
use crate::render::Labels;
use crate::render::text::{self, safe};

/// Set your status
#[poise::command(slash_command, guild_only)]
pub(super) async fn status(
    ctx: Context<'_>,
    #[description = "Your new status; a number works too"]
    #[autocomplete = "choices::status"]
    #[max_length = 100]
    status: String,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let labels = cad_args::labels(ctx.data(), actor.guild);
    let number = read(&labels, &status).map_err(Error::refused)?;
    let server = cad_args::server(&cad_actions, &actor, server).await?;
    cad_actions.act(&actor, server, CadAction::Status(number)).await?;
    let word = match labels.statuses.get(&number) {
        Some((emoji, name)) => safe!("{} {}", text::emoji(emoji), text::line(name, 60)),
        None => safe!("Status {}", number),
    };
    reply::say(ctx, safe!("✅ Your status is set: {}.", word)).await
}

/// A number, or the name of one of the community's statuses.
fn read(labels: &Labels, typed: &str) -> Result<i64, &'static str> {
    let typed = typed.trim();
    let named = || {
        let same = |name: &str| name.trim().to_lowercase() == typed.to_lowercase();
        labels.statuses.iter().find(|(_, (_, name))| same(name)).map(|(number, _)| *number)
    };
    match typed.parse::<i64>().ok().or_else(named) {
        Some(choices::OFFLINE) => Err("You cannot go off duty from Discord: do it in the CAD."),
        Some(number @ 0..choices::OFFLINE) => Ok(number),
        _ => Err("There is no such status: choose one from the list that appears while you type."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_read_and_offline_is_not_a_status_to_set() {
        let read = |typed| read(Labels::usual(), typed);
        assert_eq!((read("3"), read(" on SCENE "), read("42")), (Ok(3), Ok(4), Ok(42)));
        for typed in ["100", "Offline", "-1", "101", "nonsense", ""] {
            assert!(read(typed).is_err(), "{typed}");
        }
    }
}
