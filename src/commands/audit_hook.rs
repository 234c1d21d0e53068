//! Records who changed which setting, around every command, so that no command can forget it.
//!
//! ```text
//! pre_command: remember the routing ─▶ the command ─▶ post_command, on_error: is it different for this guild? ─▶ one entry
//! ```
//!
//! Settings are what [`Routing`] holds of a guild: ingest needs all of them there. A command that changed nothing, or was refused, leaves
//! no entry; one that changed something and then failed to say so leaves one. Presses and forms that change settings
//! call [`note`] themselves. If two people change settings at the same moment, each entry may contain the other's change too: better than
//! a missing one.

use std::sync::Arc;

use serenity::all::{ResolvedOption, ResolvedValue};

use super::context::{CommandContext, Context};
use super::errors::Error;
use super::wording::and;
use crate::ids::{GuildId, UserId};
use crate::render::Labels;
use crate::render::text::{SafeText, safe};
use crate::store::audit::{AuditEntry, AuditKind};
use crate::store::{Guild, Routing};

/// Commands that change no setting themselves, by their qualified names. Everything else is recorded.
const NOT_SETTINGS: &[&str] = &[
    "alerts list",
    "alerts test",
    // Renders existing boards again.
    "board refresh",
    "cad audit",
    "cad diagnose",
    "cad export",
    // They write their entries together with the change: an unlinked server has no settings to compare.
    "cad link",
    "cad unlink",
    // Shows the difference; the press that replaces settings writes the entry in its own transaction.
    "cad import",
    // Its presses record what they created.
    "cad setup",
    "cad status",
    "duty log",
    "duty leaderboard",
    "duty export",
    "cad stats",
    // Actions in the CAD are recorded where they are done.
    "unit me",
    "unit link",
    "unit status",
    "unit panic",
    "unit respond",
    "unit clear",
    "unit note",
    "call list",
    "call view",
    "call new",
    "call assign",
    "call unassign",
    "call note",
    "call close",
    "call from911",
    "lookup plate",
    "lookup name",
    "911",
    "add_note",
];

/// Limit on the routes and boards named in one entry.
const NAMED: usize = 6;

fn is_recorded(command: &str) -> bool {
    !NOT_SETTINGS.contains(&command)
}

/// poise's hook before each command.
pub(super) async fn before(ctx: poise::Context<'_, CommandContext, Error>) {
    if is_recorded(&ctx.command().qualified_name) {
        ctx.set_invocation_data(ctx.data().store.routing_now()).await;
    }
}

/// poise's hook after each command that did not fail, and a part of the one for those that did.
pub(super) async fn after(ctx: poise::Context<'_, CommandContext, Error>, outcome: &str) {
    let poise::Context::Application(own) = ctx else { return };
    let before = ctx.invocation_data::<Arc<Routing>>().await.map(|before| Arc::clone(&before));
    let Some((before, guild)) = before.zip(own.interaction.guild_id) else { return };
    let by = (GuildId(guild.get()), UserId(own.interaction.user.id.get()));
    let action = format!("/{}", ctx.command().qualified_name);
    note_as(ctx.data(), by, action, given(own), &before, outcome).await;
}

/// Records what a press or a form changed since `before`, if anything.
pub(super) async fn note(context: &CommandContext, by: (GuildId, UserId), action: &str, detail: String, before: &Routing) {
    note_as(context, by, action.to_owned(), detail, before, "done").await;
}

async fn note_as(context: &CommandContext, by: (GuildId, UserId), action: String, detail: String, before: &Routing, outcome: &str) {
    let (guild, user) = by;
    let target = changed(before, &context.store.routing_now(), guild);
    if target.is_empty() {
        return;
    }
    let at = context.clock.now();
    let entry = AuditEntry {
        guild,
        at,
        user,
        kind: AuditKind::Setting,
        action,
        target: and(&target).into_string(),
        detail,
        outcome: outcome.to_owned(),
    };
    // The setting is stored, and the answer says so: a failed record is the operator's problem.
    if let Err(error) = context.store.audit(entry).await {
        tracing::error!(%error, %guild, %user, "a change of settings could not be recorded");
    }
}

/// What is different for a guild, by the numbers people know.
fn changed(before: &Routing, after: &Routing, guild: GuildId) -> Vec<SafeText> {
    fn numbers<'a, T: PartialEq + 'a, I: Ord>(
        was: impl Iterator<Item = &'a T>,
        is: impl Iterator<Item = &'a T>,
        id: fn(&T) -> I,
    ) -> Vec<I> {
        let (was, is): (Vec<&T>, Vec<&T>) = (was.collect(), is.collect());
        let gone = was.iter().filter(|one| !is.iter().any(|other| id(one) == id(other)));
        let new = is.iter().filter(|one| !was.contains(one));
        let mut numbers: Vec<I> = gone.chain(new).map(|one| id(one)).collect();
        numbers.sort_unstable();
        numbers
    }
    let mut said: Vec<SafeText> = numbers(
        before.routes.iter().filter(|route| route.guild == guild),
        after.routes.iter().filter(|route| route.guild == guild),
        |route| route.id,
    )
    .into_iter()
    .map(|id| safe!("route #{}", id))
    .collect();
    let boards = numbers(
        before.boards.iter().filter(|board| board.guild == guild),
        after.boards.iter().filter(|board| board.guild == guild),
        |board| board.id,
    );
    said.extend(boards.into_iter().map(|id| safe!("board #{}", id)));
    if said.len() > NAMED {
        let more = said.len() - NAMED;
        said.truncate(NAMED);
        said.push(safe!("{} more", more));
    }
    // Destructured, so that new parts of a guild aren't forgotten here. Whether it is known at all isn't a setting.
    let own = |routing: &Routing| {
        routing.guilds.get(&guild).cloned().map_or_else(Default::default, |guild| {
            let Guild { id: _, community: _, notices, labels, quiet, action_rule } = guild;
            (notices, (*labels).clone(), quiet, action_rule)
        })
    };
    let ((notices, words, quiet, action_rule), now): ((_, Labels, _, _), _) = (own(before), own(after));
    let differs = [
        (notices != now.0, "notices channel"),
        (words != now.1, "words"),
        (quiet != now.2, "quiet hours"),
        (action_rule != now.3, "acting in the CAD"),
    ];
    said.extend(differs.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what.into()));
    said
}

/// The options as a person reads them: `event:911 channel:<#5>`. No option is a secret: secrets are typed only into forms.
fn given(ctx: Context<'_>) -> String {
    fn leaves(options: &[ResolvedOption<'_>], said: &mut Vec<String>) {
        for option in options {
            let value = match &option.value {
                ResolvedValue::SubCommand(inner) | ResolvedValue::SubCommandGroup(inner) => {
                    leaves(inner, said);
                    continue;
                }
                ResolvedValue::Boolean(yes) => if *yes { "True" } else { "False" }.to_owned(),
                ResolvedValue::Integer(number) => number.to_string(),
                ResolvedValue::Number(number) => number.to_string(),
                ResolvedValue::String(word) => (*word).to_owned(),
                ResolvedValue::Channel(channel) => format!("<#{}>", channel.id),
                ResolvedValue::Role(role) => format!("<@&{}>", role.id),
                ResolvedValue::User(user, _) => format!("<@{}>", user.id),
                ResolvedValue::Attachment(file) => file.filename.clone(),
                _ => "?".to_owned(),
            };
            said.push(format!("{}:{value}", option.name));
        }
    }
    let mut said = Vec::new();
    leaves(&ctx.interaction.data.options(), &mut said);
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that can be run, by poise's qualified name.
    fn runnable(commands: &[poise::Command<CommandContext, Error>], above: &str, found: &mut Vec<String>) {
        for command in commands {
            let name = format!("{above}{}", command.name);
            if command.subcommands.is_empty() {
                found.push(name.clone());
            }
            runnable(&command.subcommands, &format!("{name} "), found);
        }
    }

    /// A new command must decide here whether it changes settings: those that do are recorded automatically.
    #[test]
    fn every_command_is_recorded_or_known_to_change_no_setting() {
        const SETTINGS: [&str; 16] = [
            "alerts add",
            "alerts edit",
            "alerts escalate",
            "alerts filter",
            "alerts mute",
            "alerts ping",
            "alerts preset",
            "alerts quiet",
            "alerts remove",
            "alerts thread",
            "alerts unmute",
            "board create",
            "board remove",
            "cad actions",
            "cad labels",
            "cad notices",
        ];
        let mut all = Vec::new();
        runnable(&super::super::framework::commands(), "", &mut all);
        for command in &all {
            assert!(
                !is_recorded(command) || SETTINGS.contains(&command.as_str()),
                "/{command}: put it into NOT_SETTINGS if it changes none, or else into this test's list"
            );
        }
        for name in NOT_SETTINGS {
            assert!(all.iter().any(|command| command == name), "there is no /{name}");
            assert!(!SETTINGS.contains(name));
        }
    }
}
