//! `/cad labels`: the words a community has for calls, priorities and statuses, in one form.
//!
//! The form's custom id has everything, so it may be submitted after a restart of the bot.

use serenity::all::{
    ActionRowComponent, CreateActionRow, CreateAllowedMentions, CreateInputText, CreateInteractionResponse,
    CreateInteractionResponseMessage, CreateModal, EditInteractionResponse, InputTextStyle, ModalInteraction,
};

use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::custom_id::CustomId;
use crate::commands::errors::Error;
use crate::commands::press_permission::{NOT_YOURS, manages};
use crate::commands::reply::{BLUE, GREEN, ReplyPage};
use crate::commands::{audit_hook, forms, reply};
use crate::ids::{GuildId, UserId};
use crate::render::Labels;
use crate::render::labels::{Form, WORD, told};
use crate::render::text::{self, SafeText, safe};

/// Longest list that fits the form (UTF-16 units): twenty statuses with custom emoji.
const LIST: u16 = 2_000;

/// The inputs: custom id, label, whether it has several lines, and what an empty one shows.
const INPUTS: [(&str, &str, bool, &str); 4] = [
    ("emergency", "Word for emergency calls", false, "911"),
    ("civil", "Word for non-emergency calls", false, "311"),
    ("priorities", "Priorities, one per line: 1 = P1", true, "1 = P1"),
    ("statuses", "Statuses, one per line: 2 🟢 Available", true, "2 🟢 Available"),
];

/// Your words: 911 or 112, statuses, priorities
#[poise::command(slash_command, guild_only)]
pub(super) async fn labels(ctx: Context<'_>, #[description = "Back to the default words"] reset: Option<bool>) -> Result<(), Error> {
    let guild = guild_of(ctx)?;
    if reset == Some(true) {
        ctx.defer_response(true).await?;
        let page = set(ctx.data(), guild, None).await?;
        return reply::show(ctx, page).await;
    }
    let routing = ctx.data().store.routing_now();
    ctx.data().open_forms.add((guild, UserId(ctx.interaction.user.id.get())), ctx.data().clock.now());
    let form = routing.guilds.get(&guild).map_or_else(|| Form::of(&Labels::default()), |guild| Form::of(&guild.labels));
    forms::open(ctx, modal(&form)).await
}

fn modal(form: &Form) -> CreateModal {
    let rows = INPUTS.into_iter().map(|(id, label, several, placeholder)| {
        let value = match id {
            "emergency" => &form.emergency,
            "civil" => &form.civil,
            "priorities" => &form.priorities,
            _ => &form.statuses,
        };
        let (style, longest) =
            if several { (InputTextStyle::Paragraph, LIST) } else { (InputTextStyle::Short, u16::try_from(WORD).unwrap_or(LIST)) };
        let input = CreateInputText::new(style, label, id).required(false).placeholder(placeholder).max_length(longest);
        // A value longer than its input is left out: otherwise Discord shows no form at all.
        CreateActionRow::InputText(if text::units(value) <= usize::from(longest) { input.value(value) } else { input })
    });
    CreateModal::new(CustomId::Labels.to_string(), "Words of your community").components(rows.collect())
}

fn typed(modal: &ModalInteraction) -> Form {
    let inputs = modal.data.components.iter().flat_map(|row| &row.components);
    let typed: Vec<(&str, &str)> = inputs
        .filter_map(|input| match input {
            ActionRowComponent::InputText(input) => Some((input.custom_id.as_str(), input.value.as_deref().unwrap_or_default())),
            _ => None,
        })
        .collect();
    let of = |id: &str| typed.iter().find(|(known, _)| *known == id).map(|(_, value)| (*value).to_owned()).unwrap_or_default();
    Form { emergency: of("emergency"), civil: of("civil"), priorities: of("priorities"), statuses: of("statuses") }
}

/// A submitted form is gone from the screen: what was typed is returned for copying.
fn unchanged(why: impl Into<SafeText>, form: &Form) -> ReplyPage {
    ReplyPage::new("Nothing was changed", safe!("{}\n\nThis is what you typed:\n{}", why.into(), typed_again(form)), reply::YELLOW)
}

/// Answers the form of somebody who may not submit it.
fn refused(modal: &ModalInteraction) -> ReplyPage {
    unchanged(NOT_YOURS, &typed(modal))
}

/// Answers the form. The answer is private from the beginning, whatever it is.
pub(in crate::commands) async fn sent(
    ctx: &serenity::all::Context,
    context: &CommandContext,
    modal: &ModalInteraction,
    guild: GuildId,
) -> Result<(), Error> {
    let who = (guild, UserId(modal.user.id.get()));
    let may = manages(modal.member.as_ref().and_then(|member| member.permissions)) || context.open_forms.has(who, context.clock.now());
    let later = CreateInteractionResponseMessage::new().ephemeral(true);
    modal.create_response(ctx, CreateInteractionResponse::Defer(later)).await?;
    let answer = if may { submitted(context, who, modal).await } else { Ok(refused(modal)) };
    let answer = match answer {
        Ok(page) => page.edit(),
        Err(error) => EditInteractionResponse::new().content(error.sentence("a form")).allowed_mentions(CreateAllowedMentions::new()),
    };
    modal.edit_response(ctx, answer).await?;
    Ok(())
}

async fn submitted(context: &CommandContext, who: (GuildId, UserId), modal: &ModalInteraction) -> Result<ReplyPage, Error> {
    let form = typed(modal);
    match form.read() {
        Ok(labels) => {
            let before = context.store.routing_now();
            let page = set(context, who.0, Some(labels)).await?;
            audit_hook::note(context, who, "/cad labels", given(&form), &before).await;
            Ok(page)
        }
        Err(error) => Ok(unchanged(error.0, &form)),
    }
}

/// As the options of a command would be recorded.
fn given(form: &Form) -> String {
    let Form { emergency, civil, priorities, statuses } = form;
    let line = |typed: &str| typed.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
    format!("emergency:{} civil:{} priorities:{} statuses:{}", line(emergency), line(civil), line(priorities), line(statuses))
}

/// As a text to copy.
fn typed_again(form: &Form) -> SafeText {
    text::code_block(&[&form.emergency, &form.civil, &form.priorities, &form.statuses].map(|text| text.trim()).join("\n"), 3_500)
}

async fn set(context: &CommandContext, guild: GuildId, labels: Option<Labels>) -> Result<ReplyPage, Error> {
    context.store.ensure_guild(guild, &context.community(guild)?.id).await?;
    let own = labels.filter(|labels| *labels != Labels::default());
    context.store.set_labels(guild, own.clone()).await?;
    let (title, color) = if own.is_some() { ("✅ Your words are set", GREEN) } else { ("✅ The default words are set", BLUE) };
    let text = safe!(
        "{}\n\nOpen cards and boards change with them. `/cad labels` changes them again, `/cad labels reset:True` takes the defaults.",
        told(&own.unwrap_or_default())
    );
    Ok(ReplyPage::new(title, text, color))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::labels::{NAME, STATUSES};

    #[test]
    fn the_longest_words_fit_the_form_and_the_answer() {
        let emoji = format!("<a:{}:12345678901234567890>", "x".repeat(32));
        let status = |n: usize| (i64::try_from(n + 900).unwrap(), (emoji.clone(), "x".repeat(NAME)));
        let labels = Labels { statuses: (0..STATUSES).map(status).collect(), ..Labels::default() };
        let form = Form::of(&labels);
        assert_eq!(form.read().as_ref(), Ok(&labels));
        assert!(text::units(&form.statuses) <= usize::from(LIST), "{}", text::units(&form.statuses));
        assert!(text::units(&told(&labels)) < 3_000);
        assert!(INPUTS.iter().all(|(_, label, ..)| text::units(label) <= 45));
    }

    #[test]
    fn what_was_typed_cannot_end_its_block() {
        let form = Form { statuses: "``` @everyone".into(), emergency: "x".repeat(5_000), ..Form::default() };
        let shown = typed_again(&form);
        assert_eq!(shown.matches("```").count(), 2);
        assert!(text::units(&shown) < 3_600);
    }
}
