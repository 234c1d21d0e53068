//! Arguments of the commands that act in the CAD: who acts, on which server, on which call and unit; and their answer.

use super::calls::{OnDuty, OpenCall};
use super::context::{CommandContext, Context, actor, guild_of};
use super::errors::Error;
use super::{calls, reply, waiting};
use crate::actions::{ActionError, Actor, CadAction, CadActions};
use crate::authorization::Permission;
use crate::ids::{CallId, GuildId, Ident, ServerId, UserId};
use crate::render::Labels;
use crate::render::button::On;
use crate::render::text::safe;
use crate::world::Subject;

/// Who ran a command.
pub(super) fn actor_of(ctx: Context<'_>) -> Result<Actor, Error> {
    let interaction = ctx.interaction;
    Ok(actor(guild_of(ctx)?, UserId(interaction.user.id.get()), interaction.member.as_deref()))
}

/// The community's words.
pub(super) fn labels(context: &CommandContext, guild: GuildId) -> Labels {
    context.store.routing_now().guilds.get(&guild).map(|guild| (*guild.labels).clone()).unwrap_or_default()
}

/// The chosen server, else the one on which the member is on duty, else the first.
pub(super) async fn server(cad_actions: &CadActions, actor: &Actor, chosen: Option<i64>) -> Result<ServerId, Error> {
    server_for(cad_actions, actor, chosen, Permission::Account).await
}

/// [`server`] for an action that needs `permission`.
pub(super) async fn server_for(
    cad_actions: &CadActions,
    actor: &Actor,
    chosen: Option<i64>,
    permission: Permission,
) -> Result<ServerId, Error> {
    let Some(chosen) = chosen else { return Ok(cad_actions.server_of(actor, permission).await?) };
    let known = cad_actions.servers().iter().find(|server| i64::from(server.0) == chosen).copied();
    known.ok_or_else(|| Error::refused(safe!("This bot watches no server {}: choose one from the list.", chosen)))
}

/// Runs the action and shows its result. The command was deferred before.
pub(super) async fn act(ctx: Context<'_>, actor: &Actor, server: ServerId, action: CadAction) -> Result<(), Error> {
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let said = patiently(ctx, cad_actions.act(actor, server, action)).await?;
    reply::say(ctx, said).await
}

/// Runs the CAD requests of a deferred command, and shows while it waits.
pub(super) async fn patiently<T>(ctx: Context<'_>, work: impl Future<Output = T>) -> T {
    let (serenity, interaction) = (ctx.serenity_context(), ctx.interaction);
    let (done, is_shown) = waiting::watched(UserId(interaction.user.id.get()), work, &(serenity, interaction)).await;
    if is_shown {
        // The answer is a message of its own.
        waiting::log(interaction.delete_response(serenity).await);
    }
    done
}

/// What is open on all servers, the most urgent and newest first.
pub(super) async fn open_calls(cad_actions: &CadActions, labels: &Labels) -> Result<Vec<OpenCall>, ActionError> {
    let mut all = Vec::new();
    for server in cad_actions.servers().iter().copied() {
        let labels = labels.clone();
        all.extend(cad_actions.look(server, move |world| calls::open(world, server, &labels)).await?);
    }
    calls::sort(&mut all);
    Ok(all)
}

/// Units on duty on all servers, or those attached to a call.
pub(super) async fn units(cad_actions: &CadActions, labels: &Labels, of: Option<On>, attached: bool) -> Result<Vec<OnDuty>, ActionError> {
    let mut all = Vec::new();
    for server in cad_actions.servers().iter().copied().filter(|server| of.is_none_or(|of| of.server == *server)) {
        let (labels, subject) = (labels.clone(), of.filter(|_| attached).map(|of| of.subject));
        all.extend(cad_actions.look(server, move |world| calls::units(world, server, &labels, subject)).await?);
    }
    Ok(all)
}

/// The call chosen from the list, or whose number was typed: on the member's own server before others.
pub(super) async fn call(ctx: Context<'_>, actor: &Actor, typed: &str) -> Result<On, Error> {
    call_like(ctx, actor, typed, None).await
}

/// As [`call`]: a dispatch call, or a 911, if both have the typed number.
pub(super) async fn call_like(ctx: Context<'_>, actor: &Actor, typed: &str, is_dispatch: Option<bool>) -> Result<On, Error> {
    if let Some(on) = On::parse(typed.trim()) {
        return Ok(on);
    }
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    cad_actions.rule_of(actor.guild)?;
    let Ok(number) = typed.trim().trim_start_matches('#').parse::<i64>() else {
        return Err(Error::refused("Choose a call from the list that appears while you type, or type its number."));
    };
    let open = open_calls(&cad_actions, &labels(ctx.data(), actor.guild)).await?;
    let mut fitting: Vec<&OpenCall> = open.iter().filter(|call| call.number == Some(CallId(number))).collect();
    if let Some(wanted) = is_dispatch
        && fitting.iter().any(|call| call.is_dispatch() == wanted)
    {
        fitting.retain(|call| call.is_dispatch() == wanted);
    }
    let own = if fitting.len() > 1 { Some(cad_actions.server_of(actor, Permission::Account).await?) } else { None };
    // A dispatch call and a 911 may have one number: the first of the list is the more urgent one.
    let on = fitting.iter().find(|call| Some(call.on.server) == own).or(fitting.first());
    on.map(|call| call.on).ok_or_else(|| Error::refused(safe!("There is no open call #{}: `/call list` shows what is open.", number)))
}

/// A dispatch call; for a 911, a sentence.
pub(super) fn dispatched(on: On) -> Result<CallId, Error> {
    match on.subject {
        Subject::Dispatch(id, _) => Ok(id),
        Subject::Emergency(id, _) => Err(Error::refused(safe!(
            "Call{:#} still waits, and only a dispatch call has units: make it one first with `/call from911`.",
            id
        ))),
        Subject::Panic(..) | Subject::Event(..) => Err(Error::refused("That is no call: choose one from the list.")),
    }
}

/// The value of a unit in a list: `server:identifier`.
pub(super) fn unit_value(unit: &OnDuty) -> String {
    format!("{}:{}", unit.server, unit.ident)
}

/// The unit chosen from the list, or whose callsign or number was typed, on a call's server.
pub(super) async fn unit(ctx: Context<'_>, on: On, typed: &str) -> Result<Ident, Error> {
    let typed = typed.trim();
    let elsewhere = || Error::refused(safe!("That unit is not on server {}, where the call is: choose one from the list.", on.server));
    if let Some((server, ident)) = typed.split_once(':')
        && let (Ok(server), Ok(ident)) = (server.parse::<u32>(), ident.parse::<i64>())
    {
        return if ServerId(server) == on.server { Ok(Ident(ident)) } else { Err(elsewhere()) };
    }
    let known = units(&ctx.data().cad_actions(guild_of(ctx)?)?, Labels::usual(), Some(on), false).await?;
    let named: Vec<&OnDuty> = known.iter().filter(|unit| unit.callsign.eq_ignore_ascii_case(typed)).collect();
    match (&named[..], typed.parse::<i64>()) {
        ([one], _) => Ok(one.ident),
        ([], Ok(number)) if known.iter().any(|unit| unit.ident == Ident(number)) => Ok(Ident(number)),
        ([], _) => Err(Error::refused(safe!("No unit on duty on server {} is called that: choose one from the list.", on.server))),
        (_, _) => Err(Error::refused("Several units are called that: choose one from the list that appears while you type.")),
    }
}
