//! `/call new`: a form, either plain or from one of the community's layouts.

use std::collections::BTreeMap;
use std::time::Duration;

use serenity::all::{CreateAutocompleteResponse, CreateModal};

use super::layout;
use super::layout::Layout;
use crate::actions::{Actor, CadAction};
use crate::authorization::Permission;
use crate::cad::rest::{NewCustomDispatch, NewDispatch, Template, UnitSelector};
use crate::commands::context::{CommandContext, Context};
use crate::commands::custom_id::{CustomId, NewCallOptions};
use crate::commands::errors::Error;
use crate::commands::forms::{FormValues, Input};
use crate::commands::wording::and;
use crate::commands::{autocomplete, cad_args, choices, forms};
use crate::render::Labels;
use crate::render::text::{self, SafeText, safe};

/// On the radio (docs/cad-contract.md#n3), since the sender isn't a caller.
const RADIO: i64 = 1;
/// docs/cad-contract.md#n4.
const ACTIVE: i64 = 1;
/// A form must be shown within three seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Make a dispatch call
#[poise::command(slash_command, guild_only)]
pub(super) async fn new(
    ctx: Context<'_>,
    #[description = "One of your community's layouts"]
    #[autocomplete = "template"]
    #[max_length = 100]
    template: Option<String>,
    #[description = "Attach yourself; left out: only if you are no dispatcher"] attach: Option<bool>,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    let (actor, context) = (cad_args::actor_of(ctx)?, ctx.data());
    let community = context.community(actor.guild)?;
    let cad_actions = context.cad_actions(actor.guild)?;
    cad_actions.rule_of(actor.guild)?;
    let server = match server {
        Some(_) => Some(cad_args::server(&cad_actions, &actor, server).await?),
        None => None,
    };
    let Some(typed) = template else {
        let labels = cad_args::labels(context, actor.guild);
        return forms::open(ctx, plain_form(NewCallOptions { server, attach, layout: None }, &labels)).await;
    };
    if attach == Some(false) {
        return Err(Error::refused("The CAD wants a unit on a call of a layout, and that is yours: leave `attach:` out."));
    }
    let slow = || Error::refused("The CAD takes long to tell its layouts: try again in a moment, or leave `template:` out.");
    let known = tokio::time::timeout(PATIENCE, context.names.layouts(&community, &actor)).await.map_err(|_| slow())??;
    let Some(found) = chosen(&known, &typed) else {
        return Err(Error::refused("There is no such layout: choose one from the list that appears while you type."));
    };
    let layout = Layout::of(found).map_err(Error::refused)?;
    let wanted = NewCallOptions { server, attach, layout: Some((found.id, layout::version(found))) };
    forms::open(ctx, layout.form(CustomId::NewCall(wanted).to_string(), found.name.as_deref().unwrap_or("Call"))).await
}

/// The community's layouts, cached for a minute.
async fn template(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let none = CreateAutocompleteResponse::new;
    let Ok(actor) = cad_args::actor_of(ctx) else { return none() };
    let (Ok(cad_actions), Ok(community)) = (ctx.data().cad_actions(actor.guild), ctx.data().community(actor.guild)) else { return none() };
    if !cad_actions.may_see(&actor).await {
        return CreateAutocompleteResponse::new();
    }
    let asked = tokio::time::timeout(PATIENCE, ctx.data().names.layouts(&community, &actor)).await;
    let known = asked.ok().and_then(Result::ok).unwrap_or_default();
    let shown = known
        .iter()
        .map(|layout| (text::plain(layout.name.as_deref().unwrap_or("Without a name"), 90).into_string(), layout.id.to_string()));
    choices::response(shown, partial)
}

fn chosen<'a>(known: &'a [Template], typed: &str) -> Option<&'a Template> {
    let typed = typed.trim();
    let named = |layout: &&Template| layout.name.as_deref().is_some_and(|name| name.trim().to_lowercase() == typed.to_lowercase());
    known.iter().find(|layout| layout.id.to_string() == typed).or_else(|| known.iter().find(named))
}

fn plain_form(wanted: NewCallOptions, labels: &Labels) -> CreateModal {
    let plain = Input { id: "", label: "", long: false, required: false, longest: 200, placeholder: "", value: "" };
    let word = |level: i64| labels.priorities.get(&level).map_or_else(|| safe!("P{}", level), |name| text::plain(name, 24));
    let hint = (1..=3).map(|level| format!("{level} = {}", word(level))).collect::<Vec<_>>().join(", ");
    let rows = [
        Input { id: "title", label: "Title", required: true, longest: 100, placeholder: "211 Armed Robbery", ..plain },
        Input { id: "address", label: "Address", ..plain },
        Input { id: "postal", label: "Postal", longest: 20, ..plain },
        Input { id: "description", label: "Description", long: true, longest: 900, ..plain },
        Input { id: "priority", label: "Priority: 1, 2 or 3", longest: 24, placeholder: &hint, value: "2", ..plain },
    ];
    CreateModal::new(CustomId::NewCall(wanted).to_string(), "New call").components(rows.iter().map(Input::row).collect())
}

/// Creates the call.
pub(in crate::commands) async fn made(
    context: &CommandContext,
    who: &Actor,
    wanted: &NewCallOptions,
    typed: &FormValues,
) -> Result<SafeText, Error> {
    let cad_actions = context.cad_actions(who.guild)?;
    if let Some((layout, version)) = wanted.layout {
        let known = context.names.layouts(&*context.community(who.guild)?, who).await?;
        let current = known.iter().find(|known| known.id == layout && layout::version(known) == version);
        let Some(current) = current else {
            return Err(Error::refused("This layout was changed in the CAD meanwhile: run `/call new` again."));
        };
        let layout = Layout::of(current).map_err(Error::refused)?;
        let values = layout.values(typed).map_err(Error::refused)?;
        let server = cad_args::server(&cad_actions, who, wanted.server.map(|server| i64::from(server.0))).await?;
        let target = UnitSelector::Idents(Vec::new());
        let new = NewCustomDispatch {
            template: current.id,
            values,
            target,
            notes: Vec::new(),
            meta: BTreeMap::new(),
            delete_after_minutes: None,
        };
        let said = cad_actions.act(who, server, CadAction::NewFromTemplate(Box::new(new))).await?;
        let left = layout.left_out();
        return Ok(if left.is_empty() {
            said
        } else {
            safe!("{}\nNot asked for, since a form has room for five inputs: {}. Fill that in in the CAD.", said, and(&left))
        });
    }
    let labels = cad_args::labels(context, who.guild);
    let priority = priority(&labels, typed.get("priority")).ok_or_else(|| Error::refused("The priority must be 1, 2 or 3."))?;
    let server = cad_args::server(&cad_actions, who, wanted.server.map(|server| i64::from(server.0))).await?;
    let attach = match wanted.attach {
        Some(attach) => attach,
        None => !cad_actions.account(who, Permission::SelfDispatch).await?.is_some_and(|member| member.permissions.contains("dispatch")),
    };
    let text = |id: &str| typed.get(id).map(str::to_owned);
    let new = NewDispatch {
        origin: RADIO,
        status: ACTIVE,
        priority,
        title: text("title").unwrap_or_default(),
        address: text("address"),
        postal: text("postal"),
        description: text("description"),
        ..NewDispatch::default()
    };
    Ok(cad_actions.act(who, server, CadAction::New(Box::new(new), attach)).await?)
}

/// A number, or the community's word for it; 2 if nothing was typed.
fn priority(labels: &Labels, typed: Option<&str>) -> Option<i64> {
    let Some(typed) = typed else { return Some(2) };
    let same = |name: &str| name.trim().to_lowercase() == typed.to_lowercase();
    let named = || labels.priorities.iter().find(|(_, name)| same(name)).map(|(level, _)| *level);
    typed.parse::<i64>().ok().or_else(named).filter(|level| (1..=3).contains(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_numbers_or_the_communitys_words() {
        let of = |typed| priority(Labels::usual(), typed);
        assert_eq!((of(None), of(Some("1")), of(Some("p3"))), (Some(2), Some(1), Some(3)));
        assert_eq!((of(Some("0")), of(Some("urgent"))), (None, None));
    }
}
