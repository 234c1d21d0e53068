//! Forms that act in the CAD: opened as the first answer of a command, since Discord takes none after a deferral, and sent whenever the person
//! is done. Who may is asked then. A form is gone from the screen once it is sent, so that with a refusal comes what was typed.

use std::sync::atomic::Ordering;

use serenity::all::{
    ActionRowComponent, CreateActionRow, CreateAllowedMentions, CreateInputText, CreateInteractionResponse,
    CreateInteractionResponseMessage, CreateModal, EditInteractionResponse, InputTextStyle, ModalInteraction,
};

use super::components::private;
use super::errors::Error;
use super::{Context, Desk, actor, call, emergency, waiting};
use crate::actions::Actor;
use crate::ids::{GuildId, UserId};
use crate::render::text;

/// Discord's limit of a form's title and of an input's label (UTF-16 units).
pub(super) const LABEL: usize = 45;

/// One input.
pub(super) struct Input<'a> {
    pub(super) id: &'a str,
    pub(super) label: &'a str,
    pub(super) long: bool,
    pub(super) required: bool,
    pub(super) longest: u16,
    pub(super) placeholder: &'a str,
    pub(super) value: &'a str,
}

impl Input<'_> {
    pub(super) fn row(&self) -> CreateActionRow {
        let style = if self.long { InputTextStyle::Paragraph } else { InputTextStyle::Short };
        let mut input = CreateInputText::new(style, text::cut(self.label, LABEL), self.id).required(self.required).max_length(self.longest);
        if !self.placeholder.is_empty() {
            input = input.placeholder(text::cut(self.placeholder, 100));
        }
        if !self.value.is_empty() {
            input = input.value(self.value);
        }
        CreateActionRow::InputText(input)
    }
}

/// Answers a command with a form.
pub(super) async fn open(ctx: Context<'_>, form: CreateModal) -> Result<(), Error> {
    ctx.interaction.create_response(ctx.serenity_context(), CreateInteractionResponse::Modal(form)).await?;
    // poise would answer in our place otherwise.
    ctx.has_sent_initial_response.store(true, Ordering::SeqCst);
    Ok(())
}

/// What was typed, by input.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed(Vec<(String, String)>);

impl Typed {
    pub(super) fn of(modal: &ModalInteraction) -> Self {
        let inputs = modal.data.components.iter().flat_map(|row| &row.components);
        let typed = inputs.filter_map(|input| match input {
            ActionRowComponent::InputText(input) => Some((input.custom_id.clone(), input.value.clone().unwrap_or_default())),
            _ => None,
        });
        Self(typed.collect())
    }

    /// What stands in an input; `None` if nothing.
    pub(super) fn get(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// In a block of code, which nothing in it can end.
    fn again(&self) -> String {
        let lines: Vec<&str> = self.0.iter().map(|(_, value)| value.trim()).filter(|value| !value.is_empty()).collect();
        format!("This is what you typed:\n```\n{}\n```", text::cut(&lines.join("\n").replace('`', "'"), 1_000))
    }
}

/// Which form.
enum Form {
    Call(call::new::Wanted),
    Emergency(emergency::Wanted),
}

fn parse(custom_id: &str) -> Option<Form> {
    call::new::parse(custom_id).map(Form::Call).or_else(|| emergency::parse(custom_id).map(Form::Emergency))
}

/// Whether a custom id is that of one of these forms.
pub(super) fn is_ours(custom_id: &str) -> bool {
    parse(custom_id).is_some()
}

/// A form that was sent.
pub(super) async fn sent(ctx: &serenity::all::Context, desk: &Desk, modal: &ModalInteraction) -> Result<(), Error> {
    let Some((form, guild)) = parse(&modal.data.custom_id).zip(modal.guild_id) else {
        return Ok(modal.create_response(ctx, private("This form is from another version of the bot: run the command again.")).await?);
    };
    let later = CreateInteractionResponseMessage::new().ephemeral(true);
    modal.create_response(ctx, CreateInteractionResponse::Defer(later)).await?;
    let who = actor(GuildId(guild.get()), UserId(modal.user.id.get()), modal.member.as_ref());
    let typed = Typed::of(modal);
    let done = waiting::shown(who.user, done(desk, &who, form, &typed), &(ctx, modal)).await;
    let said = match done {
        Ok(said) => said,
        Err(error) => format!("{}\n\n{}", error.sentence("a form"), typed.again()),
    };
    let answer = EditInteractionResponse::new().content(text::cut(&said, 2_000)).allowed_mentions(CreateAllowedMentions::new());
    modal.edit_response(ctx, answer).await?;
    Ok(())
}

async fn done(desk: &Desk, who: &Actor, form: Form, typed: &Typed) -> Result<String, Error> {
    match form {
        Form::Call(wanted) => call::new::made(desk, who, &wanted, typed).await,
        Form::Emergency(wanted) => emergency::placed(desk, who, wanted, typed).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_cannot_end_its_block() {
        let typed = Typed(vec![("a".into(), "``` @everyone".into()), ("b".into(), "x".repeat(5_000)), ("c".into(), " ".into())]);
        assert_eq!(typed.again().matches("```").count(), 2);
        assert!(text::units(&typed.again()) < 1_100);
        assert_eq!((typed.get("c"), typed.get("d")), (None, None));
    }
}
