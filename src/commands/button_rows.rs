//! Builds the rows of buttons and select menus in replies to commands: those of a card and of the forms behind them.

use serenity::all::{
    ButtonStyle, CreateActionRow, CreateButton, CreateSelectMenu, CreateSelectMenuKind, CreateSelectMenuOption, ReactionType,
};

use super::custom_id::CustomId;
use crate::render::button::{On, Verb};
use crate::render::{Button, Message};

/// The button that removes the 911 of a panic that is over.
pub(super) fn offer(on: On) -> CreateActionRow {
    CreateActionRow::Buttons(vec![button_of(Verb::AlsoClear, on)])
}

/// The buttons of a card, as in its channel.
pub(super) fn of_card(card: &Message) -> Vec<CreateActionRow> {
    let on = |button: &Button| On::parse(&button.on).map(|on| button_of(button.verb, on));
    let buttons: Vec<CreateButton> = card.buttons.iter().filter_map(on).collect();
    if buttons.is_empty() { Vec::new() } else { vec![CreateActionRow::Buttons(buttons)] }
}

pub(super) fn button_of(verb: Verb, on: On) -> CreateButton {
    let (emoji, label) = verb.face();
    let style = match verb.style() {
        1 => ButtonStyle::Primary,
        3 => ButtonStyle::Success,
        4 => ButtonStyle::Danger,
        _ => ButtonStyle::Secondary,
    };
    let emoji = ReactionType::Unicode(emoji.to_owned());
    CreateButton::new(CustomId::Card(verb, on).to_string()).label(label).style(style).emoji(emoji)
}

pub(super) fn list_of(verb: Verb, on: On, placeholder: &str, options: Vec<CreateSelectMenuOption>) -> CreateActionRow {
    let kind = CreateSelectMenuKind::String { options };
    CreateActionRow::SelectMenu(CreateSelectMenu::new(CustomId::Card(verb, on).to_string(), kind).placeholder(placeholder))
}
