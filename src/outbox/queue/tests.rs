//! Cases that random scenarios (`store/queue_scenarios.rs`) hardly ever meet, or can't judge.

use std::time::Duration;

use super::*;
use crate::clock::UnixMs;
use crate::ids::{CommunityId, MessageId, ServerId};
use crate::outbox::{DesiredPost, Obstacle, Place, Settlement};
use crate::render::Message;
use crate::route::Threads;

const GUILD: GuildId = GuildId(1);
const CHANNEL: ChannelId = ChannelId(7);

fn draft(subject: &str, card: Option<&str>) -> DesiredPost {
    let message = Message { content: Some(crate::render::text::SafeText::trusted(subject)), ..Message::default() };
    let draft = DesiredPost::own(GUILD, CHANNEL, CommunityId::new("c"), ServerId(1), subject.into(), message, UnixMs(1));
    let place = if card.is_some() { Place::Thread } else { Place::Channel };
    DesiredPost { place, threads: Threads::Always, parent: card.map(str::to_owned), ..draft }
}

fn claim(queue: &mut Queue, now: i64) -> Claim {
    let now = UnixMs(now);
    let request = ClaimRequest { channel: CHANNEL, now, panics_only: false, creates: true, edits: true, creates_left: None };
    match queue.claim(&request) {
        ClaimOutcome::Claimed(claim) => *claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_channel_with_too_many_threads_holds_only_notes_that_need_a_new_one() {
    let mut queue = Queue::new("i", Duration::ZERO, PostId(1));
    queue.serve([(GUILD, CommunityId::new("c"))].into());
    queue.desire([draft("open", None), draft("closed", None), draft("first note", Some("open"))], UnixMs(1));
    for message in 50..53 {
        let sent = claim(&mut queue, 1);
        if sent.lead.place == Place::Thread {
            queue.opened_thread(&sent, ChannelId(900));
        }
        queue.settle(&sent, &Settlement::Delivered(MessageId(message)), UnixMs(1));
    }
    let notes = [("a", "closed"), ("b", "open"), ("c", "closed")];
    queue.desire(notes.map(|(note, card)| draft(note, Some(card))), UnixMs(2));
    let refused = claim(&mut queue, 2);
    assert_eq!((refused.lead.about.subject.to_string().as_str(), refused.thread), ("a", None));
    let again = Settlement::Again {
        due: UnixMs(5_002),
        counts: true,
        in_doubt: false,
        reason: String::new(),
        obstacle: Some(Obstacle::Full),
        on_purpose: false,
    };
    assert!(queue.settle(&refused, &again, UnixMs(2)).report);
    let next = claim(&mut queue, 2);
    assert_eq!((next.lead.about.subject.to_string().as_str(), next.thread), ("b", Some(ChannelId(900))));
    queue.settle(&next, &Settlement::Delivered(MessageId(60)), UnixMs(2));
    let held = queue.posts().filter(|post| post.obstacle.as_deref() == Some("full"));
    assert_eq!(
        held.map(|post| (post.about.subject.to_string(), post.due_at)).collect::<Vec<_>>(),
        [("a".to_owned(), UnixMs(5_002)), ("c".to_owned(), UnixMs(5_002)),]
    );
}

#[test]
fn what_came_while_a_message_was_refused_is_tried_and_a_card_that_stands_keeps_its_notes() {
    let fail = Settlement::Fail { reason: "no".into() };
    let mut queue = Queue::new("i", Duration::ZERO, PostId(1));
    queue.serve([(GUILD, CommunityId::new("c"))].into());
    let text = |text: &str| {
        let message = Message { content: Some(crate::render::text::SafeText::trusted(text)), ..Message::default() };
        DesiredPost { message, ..draft("card", None) }
    };
    // It changes while it is being sent: only the text that was sent was rejected.
    queue.desire([text("one")], UnixMs(1));
    let sent = claim(&mut queue, 1);
    queue.desire([text("two")], UnixMs(2));
    queue.settle(&sent, &fail, UnixMs(2));
    let second = claim(&mut queue, 2);
    assert_eq!(second.lead.message.content.as_deref(), Some("two"));
    queue.settle(&second, &Settlement::Delivered(MessageId(50)), UnixMs(3));
    // An edit is rejected: posts for its thread are written there all the same.
    queue.desire([text("three"), draft("note", Some("card"))], UnixMs(4));
    let edit = claim(&mut queue, 4);
    assert_eq!(edit.lead.about.subject.to_string(), "card");
    queue.settle(&edit, &fail, UnixMs(4));
    assert_eq!(queue.state(edit.lead.id), Some(PostState::Failed { reason: "no".into() }));
    assert_eq!(claim(&mut queue, 4).lead.about.subject.to_string(), "note");
}

#[test]
fn a_card_that_was_deleted_and_is_over_stays_away_and_comes_back_by_another_nonce_if_its_call_is_opened_again() {
    let mut queue = Queue::new("i", Duration::ZERO, PostId(1));
    queue.serve([(GUILD, CommunityId::new("c"))].into());
    let text = |text: &str, over| {
        let message = Message { content: Some(crate::render::text::SafeText::trusted(text)), ..Message::default() };
        DesiredPost { message, over, ..draft("card", None) }
    };
    queue.desire([text("open", false)], UnixMs(1));
    let made = claim(&mut queue, 1);
    queue.settle(&made, &Settlement::Delivered(MessageId(50)), UnixMs(1));
    // Somebody deleted it. While its last edit is in flight, one more comes: that isn't worth a new message.
    queue.desire([text("closed", true)], UnixMs(2));
    let edit = claim(&mut queue, 2);
    queue.desire([text("closed, and a note", true)], UnixMs(3));
    queue.settle(&edit, &Settlement::Over, UnixMs(3));
    assert_eq!(queue.state(made.lead.id), Some(PostState::Delivered));
    queue.desire([text("open again", false)], UnixMs(4));
    let again = claim(&mut queue, 4);
    assert_eq!(again.lead.message_id, None);
    assert_ne!(again.nonce, made.nonce, "Discord would bring the deleted message back");
}
