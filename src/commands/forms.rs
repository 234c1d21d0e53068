//! Forms: their inputs, opening one, and reading what was typed. A form must be the first answer to a command, since Discord accepts none
//! after a deferral.

use std::sync::atomic::Ordering;

use serenity::all::{
    ActionRowComponent, CreateActionRow, CreateInputText, CreateInteractionResponse, CreateModal, InputTextStyle, ModalInteraction,
};

use super::context::Context;
use super::errors::Error;
use crate::render::text::{self, SafeText, safe};

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
    // Otherwise poise would answer instead.
    ctx.has_sent_initial_response.store(true, Ordering::SeqCst);
    Ok(())
}

/// What was typed, by input.
#[derive(Clone, Debug, Default)]
pub(super) struct FormValues(Vec<(String, String)>);

impl FormValues {
    pub(super) fn of(modal: &ModalInteraction) -> Self {
        let inputs = modal.data.components.iter().flat_map(|row| &row.components);
        let typed = inputs.filter_map(|input| match input {
            ActionRowComponent::InputText(input) => Some((input.custom_id.clone(), input.value.clone().unwrap_or_default())),
            _ => None,
        });
        Self(typed.collect())
    }

    /// The text of an input; `None` if empty.
    pub(super) fn get(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// As a text to copy.
    pub(super) fn again(&self) -> SafeText {
        let lines: Vec<&str> = self.0.iter().map(|(_, value)| value.trim()).filter(|value| !value.is_empty()).collect();
        safe!("This is what you typed:\n{}", text::code_block(&lines.join("\n"), 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_cannot_end_its_block() {
        let typed = FormValues(vec![("a".into(), "``` @everyone".into()), ("b".into(), "x".repeat(5_000)), ("c".into(), " ".into())]);
        assert_eq!(typed.again().matches("```").count(), 2);
        assert!(text::units(&typed.again()) < 1_100);
        assert_eq!((typed.get("c"), typed.get("d")), (None, None));
    }
}
