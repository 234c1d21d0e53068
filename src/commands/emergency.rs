//! `/911`: anybody with an account in the CAD places a call. Off until a guild switches it on (`/cad actions`).

use serenity::all::CreateModal;

use super::context::{CommandContext, Context};
use super::custom_id::CustomId;
use super::errors::Error;
use super::forms::{FormValues, Input};
use super::{autocomplete, cad_args, forms};
use crate::actions::{Actor, CadAction};
use crate::authorization::{self, Permission};
use crate::cad::rest::NewEmergency;
use crate::ids::ServerId;
use crate::render::text::SafeText;

const OFF: &str = "Placing calls from Discord is switched off here: somebody with Manage Server can switch it on with `/cad actions`.";

/// Call for help in the CAD
#[poise::command(slash_command, guild_only, rename = "911", interaction_context = "Guild")]
pub(super) async fn emergency(
    ctx: Context<'_>,
    #[description = "Which CAD server"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let rule = cad_actions.rule_of(actor.guild)?;
    if !rule.emergency {
        return Err(Error::refused(OFF));
    }
    // Checked before anything is typed, and again when the form is submitted.
    authorization::by_role_for(&rule, &actor.roles, Permission::PlaceCall).map_err(|refusal| Error::refused(refusal.sentence()))?;
    let server = match server {
        Some(_) => Some(cad_args::server(&cad_actions, &actor, server).await?),
        None => None,
    };
    forms::open(ctx, form(server)).await
}

fn form(server: Option<ServerId>) -> CreateModal {
    let plain = Input { id: "", label: "", long: false, required: false, longest: 100, placeholder: "", value: "" };
    let rows = [
        Input {
            id: "what",
            label: "What happened?",
            long: true,
            required: true,
            longest: 900,
            placeholder: "Two men with masks left the bank",
            ..plain
        },
        Input { id: "where", label: "Where?", required: true, longest: 200, placeholder: "Alta St, by the car park", ..plain },
        Input { id: "postal", label: "Postal", longest: 20, ..plain },
        Input { id: "caller", label: "Who calls?", longest: 80, placeholder: "Left empty: your name in the CAD", ..plain },
    ];
    CreateModal::new(CustomId::PlaceEmergency(server).to_string(), "Call for help").components(rows.iter().map(Input::row).collect())
}

/// Creates the call.
pub(super) async fn placed(context: &CommandContext, who: &Actor, server: Option<ServerId>, typed: &FormValues) -> Result<SafeText, Error> {
    let cad_actions = context.cad_actions(who.guild)?;
    let server = cad_args::server_for(&cad_actions, who, server.map(|server| i64::from(server.0)), Permission::PlaceCall).await?;
    let text = |id: &str| typed.get(id).unwrap_or_default().to_owned();
    let caller = match typed.get("caller") {
        Some(caller) => caller.to_owned(),
        None => cad_actions
            .account(who, Permission::PlaceCall)
            .await?
            .map(|member| member.name)
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| "Unknown".into()),
    };
    let new = NewEmergency {
        emergency: true,
        caller,
        location: text("where"),
        description: text("what"),
        meta: typed.get("postal").map(|postal| ("postal".to_owned(), postal.to_owned())).into_iter().collect(),
        delete_after_minutes: None,
    };
    Ok(cad_actions.act(who, server, CadAction::Call(Box::new(new))).await?)
}
