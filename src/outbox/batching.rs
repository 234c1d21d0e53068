//! Decides how many cards share one message. Pure.

use crate::render::limits::{CONTENT, size};
use crate::render::{Message, text};

/// Discord's limit on the embeds of a message.
pub const MAX_CARDS_PER_MESSAGE: usize = 10;
/// A new window has more messages left than this.
const NEW_WINDOW: u32 = 3;
/// Limit on the text units of a new batch, of Discord's 6,000: cards grow, and each must still fit into its message later.
const TEXT: usize = 4_500;

/// How many cards the next message holds, if `waiting` are to be shown and `places` messages may still be created in this window (`None`:
/// unlimited). Without a backlog each card has its own message. During a burst, more cards will arrive for the remaining messages:
/// one message is reserved for them, so that the window's last two messages hold as many as possible.
#[must_use]
pub fn share(waiting: usize, places: Option<u32>) -> usize {
    let Some(places) = places else { return 1 };
    let for_these = if places > NEW_WINDOW { places } else { places.saturating_sub(1) };
    waiting.div_ceil(for_these.max(1) as usize).clamp(1, MAX_CARDS_PER_MESSAGE)
}

/// How many of `messages`, from the first on, share one. At least 1, whatever the first is.
#[must_use]
pub fn batch_size<'m>(messages: impl IntoIterator<Item = &'m Message>) -> usize {
    let (mut cards, mut embeds, mut content, mut texts) = (0, 0, 0, 0);
    for message in messages {
        embeds += message.embeds.len();
        content += message.content.as_deref().map_or(0, |sentence| text::units(sentence) + 1);
        texts += message.embeds.iter().map(size).sum::<usize>();
        let fits = embeds <= MAX_CARDS_PER_MESSAGE && content <= CONTENT && texts <= TEXT;
        // Without an embed, an edit couldn't identify its card.
        let can = !message.embeds.is_empty() && message.files.is_empty();
        if cards > 0 && !(fits && can) {
            break;
        }
        cards += 1;
        if !can {
            break;
        }
    }
    cards.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Embed;

    #[test]
    fn no_backlog_no_batch() {
        assert_eq!([share(0, Some(4)), share(4, Some(4)), share(1, Some(0)), share(500, None)], [1; 4]);
        assert_eq!([share(5, Some(4)), share(12, Some(4)), share(500, Some(4)), share(3, Some(1))], [2, 3, 10, 3]);
        assert_eq!([share(3, Some(3)), share(2, Some(3)), share(9, Some(2)), share(1, Some(1))], [2, 1, 9, 1]);
    }

    fn card(text: usize) -> Message {
        Message {
            embeds: vec![Embed { title: Some(crate::render::text::SafeText::trusted("x".repeat(text))), ..Embed::default() }],
            ..Message::default()
        }
    }

    #[test]
    fn a_batch_keeps_discords_limits_and_leaves_space_to_grow() {
        let of = |messages: &[Message]| batch_size(messages);
        assert_eq!(of(&vec![card(100); 30]), 10);
        assert_eq!(of(&vec![card(1_000); 30]), 4);
        assert_eq!(of(&[card(9_000), card(1)]), 1);
        let sentence = |units: usize| Message { content: Some(crate::render::text::SafeText::trusted("y".repeat(units))), ..card(1) };
        assert_eq!(of(&vec![sentence(999); 5]), 2);
        assert_eq!(of(&[]), 1);
    }

    #[test]
    fn what_cannot_share_stands_alone() {
        let words = Message { content: Some("words".into()), ..Message::default() };
        let file = crate::render::File { name: "a.png".into(), base64: String::new(), description: "".into() };
        let with_file = Message { files: vec![file], ..card(1) };
        assert_eq!(batch_size([&words, &card(1)]), 1);
        assert_eq!(batch_size([&card(1), &card(1), &with_file, &card(1)]), 2);
        assert_eq!(batch_size([&with_file, &card(1)]), 1);
    }
}
