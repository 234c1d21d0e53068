//! Lists shown while a person types what they want to do in the CAD: calls, units, statuses. They come from the world alone, which
//! answers at once; permissions are checked when the command runs.

use serenity::all::{AutocompleteChoice, CreateAutocompleteResponse, ResolvedValue};

use super::cad_args;
use super::calls::OpenCall;
use super::context::Context;
use crate::actions::{Actor, CadActions};
use crate::render::button::On;
use crate::render::{Labels, text};

/// Discord's limit on choices.
const MAX_CHOICES: usize = 25;
/// Off duty: not a status that can be set.
pub(super) const OFFLINE: i64 = 100;

/// Who types, if they may see what is open.
async fn onlooker(ctx: Context<'_>) -> Option<(CadActions, Actor, Labels)> {
    let actor = cad_args::actor_of(ctx).ok()?;
    let cad_actions = ctx.data().cad_actions(actor.guild).ok()?;
    let labels = cad_args::labels(ctx.data(), actor.guild);
    cad_actions.may_see(&actor).await.then_some((cad_actions, actor, labels))
}

async fn calls(ctx: Context<'_>, partial: &str, wanted: impl Fn(&OpenCall) -> bool) -> CreateAutocompleteResponse {
    let Some((cad_actions, _, labels)) = onlooker(ctx).await else { return CreateAutocompleteResponse::new() };
    let several = cad_actions.servers().len() > 1;
    let mut open = cad_args::open_calls(&cad_actions, &labels).await.unwrap_or_default();
    open.retain(|call| call.number.is_some());
    let shown = open.iter().filter(|call| wanted(call)).map(|call| (call.choice(several), call.on.to_string()));
    response(shown, partial)
}

/// Open calls and waiting 911s.
pub(super) async fn call(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    calls(ctx, partial, |_| true).await
}

/// Open dispatch calls.
pub(super) async fn dispatch(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    calls(ctx, partial, OpenCall::is_dispatch).await
}

/// Waiting 911s.
pub(super) async fn emergency(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    calls(ctx, partial, |call| !call.is_dispatch()).await
}

/// The call chosen in the same command.
fn chosen_call(ctx: Context<'_>) -> Option<On> {
    let option = ctx.args.iter().find(|option| option.name == "call")?;
    match option.value {
        ResolvedValue::String(value) => On::parse(value),
        _ => None,
    }
}

async fn units(ctx: Context<'_>, partial: &str, attached: bool) -> CreateAutocompleteResponse {
    let Some((cad_actions, _, labels)) = onlooker(ctx).await else { return CreateAutocompleteResponse::new() };
    let known = cad_args::units(&cad_actions, &labels, chosen_call(ctx), attached).await.unwrap_or_default();
    response(known.iter().map(|unit| (unit.choice.clone(), cad_args::unit_value(unit))), partial)
}

/// Units on duty on the call's server.
pub(super) async fn unit(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    units(ctx, partial, false).await
}

/// Units attached to the call.
pub(super) async fn attached(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    units(ctx, partial, true).await
}

/// The community's statuses.
pub(super) async fn status(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Ok(actor) = cad_args::actor_of(ctx) else { return CreateAutocompleteResponse::new() };
    let labels = cad_args::labels(ctx.data(), actor.guild);
    let numbers = labels.statuses.keys().filter(|number| **number != OFFLINE);
    response(numbers.map(|number| (super::calls::status_word(&labels, *number), number.to_string())), partial)
}

/// The entries that match what was typed, in order.
pub(super) fn response(shown: impl Iterator<Item = (String, String)>, partial: &str) -> CreateAutocompleteResponse {
    let fitting = fitting(shown, partial).into_iter().map(|(name, value)| AutocompleteChoice::new(name, value));
    CreateAutocompleteResponse::new().set_choices(fitting.collect())
}

fn fitting(shown: impl Iterator<Item = (String, String)>, partial: &str) -> Vec<(String, String)> {
    let wanted = partial.trim().to_lowercase();
    // An earlier choice appears as its value.
    let fits = |name: &str, value: &str| wanted.is_empty() || value == wanted || name.to_lowercase().contains(&wanted);
    shown.filter(|(name, value)| fits(name, value)).map(|(name, value)| (text::cut(&name, 100), value)).take(MAX_CHOICES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_narrows_and_limits_hold() {
        let all = || (1..=60).map(|id| (format!("Call #{id} · {}", "x".repeat(120)), format!("1:d:{id}:1")));
        assert_eq!(fitting(all(), "").len(), MAX_CHOICES);
        assert!(fitting(all(), "").iter().all(|(name, _)| text::units(name) <= 100));
        assert_eq!(fitting(all(), " cALL #60 ").len(), 1);
        assert_eq!(fitting(all(), "1:d:7:1").len(), 1);
        assert!(fitting(all(), "nothing").is_empty());
    }
}
