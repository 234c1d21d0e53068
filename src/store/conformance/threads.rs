//! Posts in the threads of cards.

use super::*;

fn in_thread(subject: &str, place: Place) -> DesiredPost {
    let lane = if place == Place::Channel { Lane::Urgent } else { Lane::Log };
    DesiredPost { parent: Some("card".into()), place, over: true, ..draft(7, subject, subject, lane) }
}

#[tokio::test]
async fn what_hangs_on_a_card_waits_for_it_and_the_thread_is_put_away_last() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let answer = in_thread("answer", Place::Channel);
    put(&store, vec![in_thread("away", Place::Archive), in_thread("note", Place::Thread), answer.clone()], 10).await;
    // There is no card at all: an answer goes alone, what belongs into a thread waits.
    assert_eq!(deliver(&store, 10).await, ["answer"]);
    assert!(store.due().await.unwrap().is_empty(), "and nobody is sent looking for it");
    // A card that is still to come is waited for.
    let second = DesiredPost { key: PostKey { subject: "second answer".into(), ..answer.key.clone() }, ..answer };
    put(&store, vec![draft(7, "card", "card", Lane::New), second], 11).await;
    assert_eq!(deliver(&store, 11).await, ["card", "second answer", "note", "away"]);
    // A card that is given up takes along what was to hang on it.
    put(&store, vec![draft(7, "card", "changed", Lane::Edit), in_thread("late note", Place::Thread)], 12).await;
    let claim = store.claim(ChannelId(7), UnixMs(12)).await.unwrap().unwrap();
    store.settle(&claim, Settlement::Over, UnixMs(12)).await.unwrap();
    assert_eq!(store.counts().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_claim_in_a_thread_knows_its_card_and_its_thread() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let titled = crate::render::Embed { title: Some("P1 Fire".into()), ..crate::render::Embed::default() };
    let message = Message { embeds: vec![titled], ..Message::default() };
    put(&store, vec![DesiredPost { message, ..draft(7, "card", "", Lane::New) }, in_thread("note", Place::Thread)], 10).await;
    let card = store.claim(ChannelId(7), UnixMs(10)).await.unwrap().unwrap();
    store.settle(&card, Settlement::Delivered(MessageId(50)), UnixMs(10)).await.unwrap();
    let note = store.claim(ChannelId(7), UnixMs(10)).await.unwrap().unwrap();
    assert_eq!((note.reply_to, note.thread, note.thread_name.as_str()), (Some(MessageId(50)), None, "P1 Fire"));
    assert_eq!(note.channel(), ChannelId(50), "a thread has the number of its message");
    store.opened_thread(&note, ChannelId(51)).await.unwrap();
    store.release(note.clone(), UnixMs(10)).await.unwrap();
    let note = store.claim(ChannelId(7), UnixMs(10)).await.unwrap().unwrap();
    assert_eq!((note.thread, note.channel()), (Some(ChannelId(51)), ChannelId(51)));
}
