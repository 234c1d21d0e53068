//! Buttons under cards, and the private panels and forms that they open. The custom id has everything ([`crate::render::button`]), so that
//! a press survives a restart; permissions are checked each time, in [`crate::actions`].
//!
//! ```text
//! press ─┬─ a form is opened at once: Discord accepts none after a deferral ─▶ submitted ─▶ deferred ─▶ done, private reply
//!        └─ deferred at once: the CAD may take longer than Discord's three seconds ─▶ done, private reply
//! ```

use serenity::all::{
    ActionRowComponent, ComponentInteraction, ComponentInteractionDataKind, Context, CreateActionRow, CreateAllowedMentions,
    CreateInputText, CreateInteractionResponse, CreateInteractionResponseMessage, CreateModal, CreateSelectMenuOption,
    EditInteractionResponse, EditMessage, InputTextStyle, MessageFlags, ModalInteraction,
};

use super::button_rows::{button_of, list_of, offer};
use super::context::{CommandContext, actor};
use super::custom_id::CustomId;
use super::errors::Error;
use super::reply::{BLUE, ReplyPage, YELLOW};
use super::{calls, waiting};
use crate::actions::{ActionError, Actor, CadAction, CardState, MAX_NOTE_CHARS};
use crate::cad::rest::DispatchPatch;
use crate::ids::{GuildId, Ident, UserId};
use crate::render::Labels;
use crate::render::button::{On, Verb};
use crate::render::text::{self, SafeText, safe};
use crate::world::Subject;

/// The text typed into a form.
const TYPED: &str = "typed";
/// Longest postal (characters).
const MAX_POSTAL_CHARS: u16 = 20;

/// A press, or a choice from a list.
pub(super) async fn press(
    ctx: &Context,
    context: &CommandContext,
    component: &ComponentInteraction,
    guild: GuildId,
    (verb, on): (Verb, On),
) -> Result<(), Error> {
    if let Some(form) = form_of(verb, on) {
        return Ok(component.create_response(ctx, CreateInteractionResponse::Modal(form)).await?);
    }
    let later = CreateInteractionResponseMessage::new().ephemeral(true);
    component.create_response(ctx, CreateInteractionResponse::Defer(later)).await?;
    let who = actor(guild, UserId(component.user.id.get()), component.member.as_ref());
    let done = waiting::shown(who.user, act(context, &who, verb, on, chosen(component)), &(ctx, component)).await;
    let answer = match done {
        Ok(Answer::Said(sentence)) => said(&sentence),
        Ok(Answer::Offer(sentence, on)) => said(&sentence).components(vec![offer(on)]),
        Ok(Answer::Panel(page)) => page.edit(),
        Err(refused) => {
            // A card that the bot no longer knows would keep its buttons forever.
            if matches!(refused, ActionError::Over { redrawn: false, .. }) && !is_private(component) {
                strip(ctx, component).await;
            }
            said(&refused.sentence())
        }
    };
    component.edit_response(ctx, answer).await?;
    Ok(())
}

/// A submitted form.
pub(super) async fn form(
    ctx: &Context,
    context: &CommandContext,
    modal: &ModalInteraction,
    who: &Actor,
    (verb, on): (Verb, On),
) -> Result<(), Error> {
    let later = CreateInteractionResponseMessage::new().ephemeral(true);
    modal.create_response(ctx, CreateInteractionResponse::Defer(later)).await?;
    let typed = modal.data.components.iter().flat_map(|row| &row.components).find_map(|input| match input {
        ActionRowComponent::InputText(input) if input.custom_id == TYPED => input.value.clone(),
        _ => None,
    });
    let typed = typed.unwrap_or_default();
    let done = waiting::shown(who.user, act(context, who, verb, on, Some(&typed)), &(ctx, modal)).await;
    let sentence = match done {
        Ok(Answer::Said(sentence) | Answer::Offer(sentence, _)) => sentence,
        Ok(Answer::Panel(_)) => "Press the button again.".into(),
        // The form is gone from the screen: what was typed is returned.
        Err(refused) => safe!("{}\n\nThis is what you typed:\n{}", refused.sentence(), text::code_block(&typed, 1_000)),
    };
    modal.edit_response(ctx, said(&sentence)).await?;
    Ok(())
}

enum Answer {
    Said(SafeText),
    Panel(ReplyPage),
    /// A panic is over, and the 911 that the game created for it still waits.
    Offer(SafeText, On),
}

/// Asks for confirmation before ending another unit's panic.
fn question(on: On, name: &SafeText) -> ReplyPage {
    let text = safe!("This is {}'s panic, not yours. Ending it tells everyone that {} is safe.", name, name);
    let rows = vec![CreateActionRow::Buttons(vec![button_of(Verb::OverSure, on)])];
    ReplyPage { rows, ..ReplyPage::new("End this panic?", text, YELLOW) }
}

async fn act(context: &CommandContext, who: &Actor, verb: Verb, on: On, given: Option<&str>) -> Result<Answer, ActionError> {
    let cad_actions = context.cad_actions(who.guild)?;
    let On { server, subject } = on;
    let number = |given: Option<&str>| given.and_then(|text| text.parse::<i64>().ok());
    let nothing = || ActionError::NothingToDo(SafeText::constant("Nothing was chosen: nothing was sent."));
    if matches!(verb, Verb::Close | Verb::Dismiss | Verb::AlsoClear | Verb::Postal | Verb::Priority | Verb::Primary) {
        // These name a call by its number, which may be another call's by now.
        cad_actions.card(who.guild, server, subject).await?;
    }
    let action = match (verb, subject) {
        (Verb::More | Verb::Panel, _) => {
            let mut state = cad_actions.card(who.guild, server, subject).await?;
            // Its names are escaped for messages: a list would show the backslashes.
            let idents: Vec<Ident> = state.units.iter().map(|(ident, ..)| *ident).collect();
            let names =
                cad_actions.look(server, move |world| idents.iter().map(|ident| calls::unit_name(world, *ident)).collect::<Vec<_>>());
            for ((_, shown, _), name) in state.units.iter_mut().zip(names.await?) {
                *shown = name;
            }
            let labels = context.store.routing_now().guilds.get(&who.guild).map(|guild| (*guild.labels).clone()).unwrap_or_default();
            return Ok(Answer::Panel(panel(on, &state, &labels)));
        }
        (Verb::Respond, _) => CadAction::Respond(subject),
        (Verb::Take, _) => CadAction::Acknowledge(subject),
        (Verb::Over, _) => {
            if let Some(name) = cad_actions.others_panic(who, server, subject).await? {
                return Ok(Answer::Panel(question(on, &name)));
            }
            CadAction::PanicOver(subject)
        }
        (Verb::OverSure, _) => CadAction::PanicOver(subject),
        (Verb::Detach, _) => CadAction::LeaveCall(subject),
        (Verb::Note, _) => CadAction::Note(subject, given.unwrap_or_default().to_owned()),
        (Verb::Close, Subject::Dispatch(call, _)) => CadAction::Close(call),
        (Verb::Dismiss | Verb::AlsoClear, Subject::Emergency(call, _)) => CadAction::Dismiss(call),
        (Verb::Postal, Subject::Dispatch(call, _)) => CadAction::Postal(call, given.unwrap_or_default().trim().to_owned()),
        (Verb::Priority, Subject::Dispatch(call, _)) => {
            let priority = number(given).filter(|n| (1..=3).contains(n)).ok_or_else(nothing)?;
            CadAction::Edit(call, Box::new(DispatchPatch { priority: Some(priority), ..DispatchPatch::default() }))
        }
        (Verb::Primary, Subject::Dispatch(call, _)) => CadAction::Primary(call, number(given).map(Ident).ok_or_else(nothing)?),
        _ => return Err(ActionError::NothingToDo(SafeText::constant("This cannot be done here: nothing was sent."))),
    };
    let said = cad_actions.act(who, server, action).await?;
    let left = match (verb, subject) {
        (Verb::Over | Verb::OverSure, Subject::Panic(ident, _)) => cad_actions.left_911(server, ident).await,
        _ => None,
    };
    Ok(match left {
        Some(subject) => Answer::Offer(said, On { server, subject }),
        None => Answer::Said(said),
    })
}

/// The value chosen from a list.
pub(super) fn chosen(component: &ComponentInteraction) -> Option<&str> {
    match &component.data.kind {
        ComponentInteractionDataKind::StringSelect { values } => values.first().map(String::as_str),
        _ => None,
    }
}

fn said(sentence: &SafeText) -> EditInteractionResponse {
    EditInteractionResponse::new().content(sentence.cut(2_000)).allowed_mentions(CreateAllowedMentions::new())
}

fn is_private(component: &ComponentInteraction) -> bool {
    component.message.flags.is_some_and(|flags| flags.contains(MessageFlags::EPHEMERAL))
}

/// Removes the buttons from our own message without a post.
async fn strip(ctx: &Context, component: &ComponentInteraction) {
    let bare = EditMessage::new().components(Vec::new()).allowed_mentions(CreateAllowedMentions::new());
    if let Err(error) = component.channel_id.edit_message(ctx, component.message.id, bare).await {
        tracing::debug!(%error, "buttons of a forgotten card could not be taken away");
    }
}

/// The form that a button opens; `None` if it opens none.
fn form_of(verb: Verb, on: On) -> Option<CreateModal> {
    let what = match on.subject {
        Subject::Emergency(id, _) | Subject::Dispatch(id, _) => safe!("call{:#}", id),
        Subject::Panic(..) | Subject::Event(..) => return None,
    };
    let longest = u16::try_from(MAX_NOTE_CHARS).unwrap_or(u16::MAX);
    let (title, style, label, longest) = match verb {
        Verb::Note => (safe!("Note on {}", what), InputTextStyle::Paragraph, "Note (your CAD name is put under it)", longest),
        Verb::Postal => (safe!("Postal of {}", what), InputTextStyle::Short, "Postal", MAX_POSTAL_CHARS),
        _ => return None,
    };
    let input = CreateInputText::new(style, label, TYPED).min_length(1).max_length(longest).required(true);
    Some(CreateModal::new(CustomId::Card(verb, on).to_string(), title.cut(45)).components(vec![CreateActionRow::InputText(input)]))
}

/// A priority in a list, where Discord reads no markdown.
fn level_name(labels: &Labels, level: i64) -> SafeText {
    let name = labels.priorities.get(&level).map_or_else(|| safe!("P{}", level), |name| text::plain(name, 80));
    safe!("{} ({})", name, level)
}

/// The actions on a card, for one person.
fn panel(on: On, state: &CardState, labels: &Labels) -> ReplyPage {
    let verbs: &[Verb] = match (on.subject, state.taken) {
        (Subject::Dispatch(..), _) => &[Verb::Respond, Verb::Detach, Verb::Note, Verb::Postal, Verb::Close],
        (Subject::Emergency(..), None) => &[Verb::Respond, Verb::Note, Verb::Take, Verb::Dismiss],
        (Subject::Emergency(..), Some(_)) => &[Verb::Respond, Verb::Note, Verb::Dismiss],
        (Subject::Panic(..), None) => &[Verb::Over, Verb::Take],
        (Subject::Panic(..), Some(_)) => &[Verb::Over],
        (Subject::Event(..), _) => &[Verb::Take],
    };
    let mut rows = vec![CreateActionRow::Buttons(verbs.iter().map(|verb| button_of(*verb, on)).collect())];
    if matches!(on.subject, Subject::Dispatch(..)) {
        let options = (1..=3).map(|level| {
            CreateSelectMenuOption::new(level_name(labels, level), level.to_string()).default_selection(state.priority == Some(level))
        });
        rows.push(list_of(Verb::Priority, on, "Priority…", options.collect()));
        let units: Vec<CreateSelectMenuOption> = (state.units.iter().take(25))
            .map(|(ident, name, primary)| CreateSelectMenuOption::new(name.cut(100), ident.to_string()).default_selection(*primary))
            .collect();
        if !units.is_empty() {
            rows.push(list_of(Verb::Primary, on, "Primary unit…", units));
        }
    }
    let text = "Only you can see this. Your CAD permissions are checked when you press a button.";
    let what = match on.subject {
        Subject::Emergency(id, _) => safe!("{}{:#}", text::line(&labels.emergency, 24), id),
        _ => state.what.clone(),
    };
    ReplyPage { rows, ..ReplyPage::new(what, text, BLUE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{CallId, ServerId};

    fn on(subject: Subject) -> On {
        On { server: ServerId(1), subject }
    }

    #[test]
    fn a_priority_in_a_list_is_plain_text_without_tricks() {
        let labels = Labels { priorities: [(1, "*Code* \u{202E}3".into())].into(), ..Labels::default() };
        assert_eq!(level_name(&labels, 1), "*Code* \u{FFFD}3 (1)");
    }

    #[test]
    fn forms_are_for_calls_and_fit() {
        let call = on(Subject::Dispatch(CallId(i64::MAX), UnixMs(i64::MAX)));
        let forms: Vec<Verb> = Verb::ALL.iter().map(|(verb, _)| *verb).filter(|verb| form_of(*verb, call).is_some()).collect();
        assert_eq!(forms, [Verb::Note, Verb::Postal]);
        assert!(form_of(Verb::Note, on(Subject::Panic(Ident(1), UnixMs(1)))).is_none());
        let json = serde_json::to_value(form_of(Verb::Postal, call).unwrap()).unwrap();
        assert!(json["title"].as_str().unwrap().chars().count() <= 45);
    }

    #[test]
    fn a_panel_has_what_its_card_allows() {
        let state = CardState {
            what: "Call #501".into(),
            priority: Some(2),
            postal: None,
            units: (0..30).map(|n| (Ident(n), crate::render::text::SafeText::trusted("x".repeat(300)), n == 3)).collect(),
            taken: None,
        };
        let rows = |subject| {
            let page = panel(on(subject), &state, Labels::usual());
            serde_json::to_value(page.rows)
                .unwrap()
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["components"].as_array().unwrap().len())
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(Subject::Dispatch(CallId(501), UnixMs(1))), [5, 1, 1]);
        assert_eq!(rows(Subject::Emergency(CallId(302), UnixMs(1))), [4]);
        assert_eq!(rows(Subject::Panic(Ident(1), UnixMs(1))), [2]);
        assert_eq!(rows(Subject::Event(1, 0)), [1]);
    }
}
