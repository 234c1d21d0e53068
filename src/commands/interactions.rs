//! Routes every press, choice, and form to its handler, by its custom id.
//!
//! ```text
//! button, list ─┬─ of a card ─────────────────────────────▶ cards
//!               ├─ under a private answer, if allowed ─────▶ cad/wizard, cad/audit, cad/import, settings/restore ─▶ its next page
//!               └─ a confirmation ─────────────────────────▶ unit/panic, cad/unlink
//! form ─────────┬─ of a card's button ─────────────────────▶ cards
//!               ├─ of a command that acts in the CAD ──────▶ call/new, emergency ─▶ one sentence, or what was typed
//!               └─ of a setting ───────────────────────────▶ cad/labels, cad/link
//! ```
//!
//! Nothing but the framework imports this file.

use serenity::all::{
    ComponentInteraction, ComponentInteractionDataKind, Context, CreateAllowedMentions, CreateInteractionResponse,
    CreateInteractionResponseFollowup, CreateInteractionResponseMessage, EditInteractionResponse, Interaction, ModalInteraction,
};

use super::cad::wizard;
use super::cad::wizard::{Picked, Press};
use super::context::{Asker, CommandContext, actor};
use super::custom_id::CustomId;
use super::errors::Error;
use super::forms::FormValues;
use super::press_permission::{NOT_YOURS, may_press};
use super::reply::{ReplyPage, private_answer};
use super::settings::restore;
use super::{cad, call, cards, emergency, unit, waiting};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, RoleId, UserId};
use crate::render::button::{On, Verb};
use crate::render::text::{SafeText, safe};

const STALE_BUTTON: &str = "This button is from another version of the bot: run the command again.";
const STALE_CARD: &str = "This button is from another version of the bot: use the one on the newest card.";
const STALE_FORM: &str = "This form is from another version of the bot: run the command again.";

/// Answers an interaction that isn't a command.
pub(super) async fn dispatch(ctx: &Context, context: &CommandContext, interaction: &Interaction) -> Result<(), Error> {
    match interaction {
        Interaction::Component(component) => pressed(ctx, context, component).await,
        Interaction::Modal(modal) => submitted(ctx, context, modal).await,
        _ => Ok(()),
    }
}

async fn pressed(ctx: &Context, context: &CommandContext, component: &ComponentInteraction) -> Result<(), Error> {
    let stale = async |sentence: &'static str| Ok(component.create_response(ctx, private_answer(sentence)).await?);
    let Some((id, guild)) = CustomId::parse(&component.data.custom_id).zip(component.guild_id) else { return stale(STALE_BUTTON).await };
    let by = (GuildId(guild.get()), UserId(component.user.id.get()));
    match id {
        CustomId::Card(verb, on) => cards::press(ctx, context, component, by.0, (verb, on)).await,
        CustomId::PickCard => match cards::chosen(component).and_then(On::parse) {
            Some(on) => cards::press(ctx, context, component, by.0, (Verb::Panel, on)).await,
            None => stale(STALE_CARD).await,
        },
        CustomId::Setup(step, choice) => {
            let asker = Asker {
                guild: by.0,
                user: by.1,
                here: component.app_permissions.map(|permissions| (ChannelId(component.channel_id.get()), permissions)),
            };
            let shown_at = UnixMs(component.message.id.created_at().unix_timestamp().saturating_mul(1_000));
            let press = Press { step, choice, picked: picked(&component.data.kind), asker, shown_at };
            next_page(ctx, component, wizard::turn(context, press)).await
        }
        CustomId::Audit(query) => next_page(ctx, component, cad::audit::page(context, by.0, query)).await,
        CustomId::ReplaceSettings(import) => next_page(ctx, component, cad::import::replace(context, by, import)).await,
        CustomId::KeepSettings(import) => next_page(ctx, component, cad::import::keep(context, by, import)).await,
        CustomId::RestoreRoutes(change) => next_page(ctx, component, restore::restore(context, by, change)).await,
        CustomId::Panic { on, server } => unit::panic::press(ctx, context, component, by.0, (on, server)).await,
        CustomId::Unlink(target) => cad::unlink::pressed(ctx, context, component, by, target).await,
        CustomId::Labels | CustomId::Link | CustomId::NewCall(_) | CustomId::PlaceEmergency(_) => stale(STALE_BUTTON).await,
    }
}

/// Replaces the answer that was pressed with what follows, if that person may continue it.
async fn next_page(
    ctx: &Context,
    component: &ComponentInteraction,
    page: impl Future<Output = Result<ReplyPage, Error>>,
) -> Result<(), Error> {
    if !may_press(component) {
        return Ok(component.create_response(ctx, private_answer(NOT_YOURS)).await?);
    }
    // Discord waits three seconds, and the CAD may take longer.
    component.create_response(ctx, CreateInteractionResponse::Acknowledge).await?;
    match page.await {
        Ok(page) => {
            component.edit_response(ctx, page.edit()).await?;
        }
        Err(error) => {
            let sentence = error.sentence("a button");
            let told =
                CreateInteractionResponseFollowup::new().content(sentence).ephemeral(true).allowed_mentions(CreateAllowedMentions::new());
            component.create_followup(ctx, told).await?;
        }
    }
    Ok(())
}

fn picked(kind: &ComponentInteractionDataKind) -> Picked {
    match kind {
        ComponentInteractionDataKind::StringSelect { values } => Picked::Words(values.clone()),
        ComponentInteractionDataKind::RoleSelect { values } => Picked::Role(values.first().map(|id| RoleId(id.get()))),
        ComponentInteractionDataKind::ChannelSelect { values } => Picked::Channel(values.first().map(|id| ChannelId(id.get()))),
        _ => Picked::Nothing,
    }
}

async fn submitted(ctx: &Context, context: &CommandContext, modal: &ModalInteraction) -> Result<(), Error> {
    let stale = async || Ok(modal.create_response(ctx, private_answer(STALE_FORM)).await?);
    let Some((id, guild)) = CustomId::parse(&modal.data.custom_id).zip(modal.guild_id) else { return stale().await };
    let guild = GuildId(guild.get());
    let (who, typed) = (actor(guild, UserId(modal.user.id.get()), modal.member.as_ref()), FormValues::of(modal));
    match id {
        CustomId::Card(verb, on) => cards::form(ctx, context, modal, &who, (verb, on)).await,
        CustomId::NewCall(options) => acted(ctx, modal, &typed, call::new::made(context, &who, &options, &typed)).await,
        CustomId::PlaceEmergency(server) => acted(ctx, modal, &typed, emergency::placed(context, &who, server, &typed)).await,
        CustomId::Labels => cad::labels::sent(ctx, context, modal, guild).await,
        CustomId::Link => cad::link::sent(ctx, context, modal, guild).await,
        _ => stale().await,
    }
}

/// Answers a form that acts in the CAD: Discord accepts a form only as the first answer to a command, so permissions are checked now, which
/// may take long. The form is gone from the screen once it is submitted, so a refusal includes what was typed.
async fn acted(
    ctx: &Context,
    modal: &ModalInteraction,
    typed: &FormValues,
    work: impl Future<Output = Result<SafeText, Error>>,
) -> Result<(), Error> {
    let later = CreateInteractionResponseMessage::new().ephemeral(true);
    modal.create_response(ctx, CreateInteractionResponse::Defer(later)).await?;
    let said = match waiting::shown(UserId(modal.user.id.get()), work, &(ctx, modal)).await {
        Ok(said) => said,
        Err(error) => safe!("{}\n\n{}", error.sentence("a form"), typed.again()),
    };
    let answer = EditInteractionResponse::new().content(said.cut(2_000)).allowed_mentions(CreateAllowedMentions::new());
    modal.edit_response(ctx, answer).await?;
    Ok(())
}
