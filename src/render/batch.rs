//! Combines several cards in one message, when Discord accepts fewer messages than there are cards.

use std::collections::BTreeSet;

use super::text::{SafeText, safe};
use super::{Choice, Embed, Message, button, limits};
use crate::ids::RoleId;

/// One message from several: their embeds one below the other, each role once, their sentences one below the other. It makes a sound if one
/// of them does. If they have grown too large for one message since they were combined, each is cut to its share.
#[must_use]
pub fn batch(mut messages: Vec<Message>) -> Message {
    let fair = limits::TOTAL / messages.len().max(1);
    let over = |messages: &[Message]| messages.iter().flat_map(|m| &m.embeds).map(limits::size).sum::<usize>() > limits::TOTAL;
    let crowded = messages.len() > 1 && over(&messages);
    let mut named = BTreeSet::new();
    let mut roles: Vec<RoleId> = Vec::new();
    let mut sentences = Vec::new();
    let mut embeds: Vec<Embed> = Vec::new();
    let mut silent = true;
    let choices = messages.iter().filter_map(button::choice).collect();
    let buttons = if messages.len() == 1 { messages.iter_mut().flat_map(|m| std::mem::take(&mut m.buttons)).collect() } else { Vec::new() };
    let choices: Vec<Choice> = if buttons.is_empty() { choices } else { Vec::new() };
    // Every sentence looks as if it pinged: cards that don't ping (any more) leave theirs out.
    let calls = messages.iter().any(|message| !message.roles.is_empty());
    for mut message in messages {
        silent &= message.silent;
        let sentence = spoken(&message).filter(|_| !calls || !message.roles.is_empty());
        sentences.extend(sentence.filter(|sentence| !sentence.is_empty() && !sentences.contains(sentence)));
        roles.extend(message.roles.iter().filter(|role| named.insert(**role)));
        if crowded {
            limits::shrink_to(&mut message.embeds, fair);
        }
        embeds.extend(message.embeds);
    }
    let mentions = SafeText::join(roles.iter().map(|role| safe!("<@&{}>", role)), " ");
    let content = [mentions, SafeText::join(sentences, "\n")].into_iter().filter(|part| !part.is_empty());
    let content = SafeText::join(content, " ");
    limits::fit(Message { content: Some(content).filter(|c| !c.is_empty()), embeds, roles, silent, buttons, choices, ..Message::default() })
}

/// What a message says beside its mentions.
fn spoken(message: &Message) -> Option<SafeText> {
    Some(message.content.as_ref()?.without_mentions(&message.roles))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Field, hostile};

    fn card(title: impl Into<SafeText>, fields: usize, roles: &[u64]) -> Message {
        let title = title.into();
        let field =
            |n: usize| Field { name: safe!("field {}", n), value: SafeText::trusted("v".repeat(200)), inline: false, links: Vec::new() };
        let embed =
            Embed { title: Some(title.clone()), fields: (0..fields).map(field).collect(), footer: Some(title.clone()), ..Embed::default() };
        let mentions = SafeText::join(roles.iter().map(|role| safe!("<@&{}>", RoleId(*role))), " ");
        Message {
            content: (!roles.is_empty()).then(|| safe!("{} {} at the harbour", mentions, title)),
            embeds: vec![embed],
            roles: roles.iter().map(|role| RoleId(*role)).collect(),
            ..Message::default()
        }
    }

    #[test]
    fn roles_once_sentences_below_each_other() {
        let batched = batch(vec![card("one", 1, &[5, 6]), Message { silent: true, ..card("two", 1, &[5]) }, card("three", 0, &[])]);
        assert_eq!(batched.content.as_deref(), Some("<@&5> <@&6> one at the harbour\ntwo at the harbour"));
        assert_eq!(batched.roles, [RoleId(5), RoleId(6)]);
        let titles: Vec<_> = batched.embeds.iter().filter_map(|embed| embed.title.as_deref()).collect();
        assert_eq!((titles, batched.silent), (vec!["one", "two", "three"], false));
        assert!(batch(vec![Message { silent: true, ..card("a", 0, &[]) }, Message { silent: true, ..card("b", 0, &[]) }]).silent);
    }

    #[test]
    fn one_card_stays_as_it_is() {
        let alone = limits::fit(card("one", 3, &[5]));
        assert_eq!(batch(vec![alone.clone()]), alone);
    }

    #[test]
    fn what_has_grown_is_cut_fairly_and_no_card_is_dropped() {
        let packed = batch((0..10_usize).map(|n| card(safe!("card {}", n), if n == 3 { 20 } else { 5 }, &[])).collect());
        assert_eq!(packed.embeds.len(), 10);
        hostile::assert_fits(&packed);
        assert!(packed.embeds.iter().all(|embed| embed.footer.is_some() && embed.title.is_some()));
        let left = |at: usize| packed.embeds[at].fields.len();
        assert_eq!(left(3), left(4), "the long one is cut to its share, not its neighbours to nothing");
    }
}
