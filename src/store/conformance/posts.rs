//! Posts: which is claimed next, what follows from each result, and what may be late.

use super::*;
use crate::outbox::EXPIRES;

#[tokio::test]
async fn a_claim_holds_until_settled_and_the_next_version_makes_it_pending_again() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
    assert_eq!(
        store.due().await.unwrap(),
        vec![ChannelDue { channel: ChannelId(7), community: CommunityId::new("c"), at: UnixMs(10), posts: 1, panic: false }]
    );
    let claim = store.claim(ChannelId(7), UnixMs(10)).await.unwrap().unwrap();
    assert!(store.claim(ChannelId(7), UnixMs(11)).await.unwrap().is_none(), "a claimed post must not be claimed twice");

    // It moves on while being sent.
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 12).await;
    store.settle(&claim, Settlement::Delivered(MessageId(99)), UnixMs(13)).await.unwrap();
    let second = store.claim(ChannelId(7), UnixMs(14)).await.unwrap().unwrap();
    assert_eq!(
        (second.lead.message_id, second.lead.version, second.lead.message.content.as_deref()),
        (Some(MessageId(99)), 2, Some("two"))
    );
    store.settle(&second, Settlement::Delivered(MessageId(99)), UnixMs(15)).await.unwrap();
    assert!(store.due().await.unwrap().is_empty());

    // An identical render is nothing to send.
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 16).await;
    assert!(store.due().await.unwrap().is_empty());
}

#[tokio::test]
async fn lanes_come_first_then_age() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(
        &store,
        vec![
            draft(7, "old", "", Lane::New),
            draft(7, "line", "", Lane::Log),
            draft(7, "panic", "", Lane::Panic),
            draft(7, "new", "", Lane::New),
        ],
        1,
    )
    .await;
    let mut order = Vec::new();
    while let Some(claim) = store.claim(ChannelId(7), UnixMs(5)).await.unwrap() {
        order.push(claim.lead.about.subject.to_string());
        store.settle(&claim, Settlement::Delivered(MessageId(order.len() as u64)), UnixMs(5)).await.unwrap();
    }
    assert_eq!(order, ["panic", "old", "new", "line"]);
}

#[tokio::test]
async fn a_create_that_a_crash_cut_off_stays_in_doubt_and_keeps_its_nonce() {
    let folder = Folder::new();
    let (nonce, instance) = {
        let store = store(&folder).await;
        put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
        let claim = store.claim(ChannelId(7), UnixMs(1_000)).await.unwrap().unwrap();
        assert_eq!(claim.lead.creating_since, None, "the first send is not in doubt");
        (claim.nonce, store.instance().to_owned())
    };
    let store = reopen(&folder).await;
    assert_eq!(store.instance(), instance);
    assert!(store.claim(ChannelId(7), UnixMs(1_001)).await.unwrap().is_none(), "the lease still holds");
    assert_eq!(store.release_all(UnixMs(1_002)).await.unwrap(), 1);
    let again = store.claim(ChannelId(7), UnixMs(5_000)).await.unwrap().unwrap();
    assert_eq!((again.nonce.as_str(), again.lead.creating_since), (nonce.as_str(), Some(UnixMs(1_000))));
    assert!(!again.must_look_first(UnixMs(100_000)) && again.must_look_first(UnixMs(200_000)));
    // Trouble leaves the doubt, and so does a definite "no" to a later try: it says nothing about the first.
    store.settle(&again, again_at(6_000, Failed::InDoubt), UnixMs(5_000)).await.unwrap();
    let third = store.claim(ChannelId(7), UnixMs(6_000)).await.unwrap().unwrap();
    assert_eq!((third.lead.creating_since, third.lead.attempts), (Some(UnixMs(1_000)), 1));
    store.settle(&third, again_at(7_000, Failed::Uncounted), UnixMs(6_000)).await.unwrap();
    assert_eq!(store.claim(ChannelId(7), UnixMs(7_000)).await.unwrap().unwrap().lead.creating_since, Some(UnixMs(1_000)));
}

#[tokio::test]
async fn a_definite_no_to_the_first_try_leaves_no_doubt() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
    let no = |due| again_at(due, Failed::Uncounted);
    let first = store.claim(ChannelId(7), UnixMs(1_000)).await.unwrap().unwrap();
    store.settle(&first, no(2_000), UnixMs(1_000)).await.unwrap();
    let second = store.claim(ChannelId(7), UnixMs(2_000)).await.unwrap().unwrap();
    assert_eq!(second.lead.creating_since, None);
    store.settle(&second, Settlement::Park { until: UnixMs(3_000), reason: String::new() }, UnixMs(2_000)).await.unwrap();
    assert_eq!(store.claim(ChannelId(7), UnixMs(3_000)).await.unwrap().unwrap().lead.creating_since, None);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_neighbours_are_untouched() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let row =
        |seq| JournalRow { seq, server: ServerId(1), source: Source::Hub, kind: "X".into(), received_at: UnixMs(1), body: "{}".into() };
    let own = own(&store);
    let good = own.ingest(Batch { journal: vec![row(1)], ..Batch::default() }, Vec::new());
    let bad =
        own.ingest(Batch { journal: vec![row(2), row(2)], posts: vec![draft(7, "never", "", Lane::New)], ..Batch::default() }, Vec::new());
    let (good, bad) = tokio::join!(good, bad);
    good.unwrap();
    assert!(matches!(bad, Err(StoreError::Failed { .. })));
    assert_eq!(last_seq(&store).await.unwrap(), 1);
    assert!(store.due().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_channel_is_parked_once_and_opens_on_the_first_delivery() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let park = |until| Settlement::Park { until: UnixMs(until), reason: "Missing Access".into() };
    let claim = store.claim(ChannelId(7), UnixMs(2)).await.unwrap().unwrap();
    assert!(store.settle(&claim, park(100), UnixMs(2)).await.unwrap().newly_parked);
    assert_eq!(
        store.due().await.unwrap(),
        vec![ChannelDue { channel: ChannelId(7), community: CommunityId::new("c"), at: UnixMs(100), posts: 1, panic: false }],
        "nothing is due before the channel is tried again"
    );
    let claim = store.claim(ChannelId(7), UnixMs(100)).await.unwrap().unwrap();
    assert!(!store.settle(&claim, park(300), UnixMs(100)).await.unwrap().newly_parked, "people get one notice");
    assert_eq!((store.refusals(ChannelId(7)).await.unwrap(), store.parked().await.unwrap().len()), (2, 1));
    let claim = store.claim(ChannelId(7), UnixMs(300)).await.unwrap().unwrap();
    assert!(store.settle(&claim, Settlement::Delivered(MessageId(1)), UnixMs(301)).await.unwrap().reopened);
    assert!(store.parked().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_waited_on_purpose_is_not_late() {
    let folder = Folder::new();
    let store = store_with(&folder, StoreOptions { edit_window: ms(500), ..StoreOptions::default() }).await;
    let due_since = async |now| store.claim(ChannelId(7), UnixMs(now)).await.unwrap().map(|claim| (claim.lead.due_since().0, claim));
    put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
    let (since, claim) = due_since(20).await.unwrap();
    assert_eq!(since, 1, "a new message counts from its event");
    store.settle(&claim, Settlement::Delivered(MessageId(1)), UnixMs(30)).await.unwrap();
    // The edit window.
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 1_000).await;
    let (since, claim) = due_since(1_600).await.unwrap();
    assert_eq!(since, 1_500);
    // Discord's own pace for old messages (30046).
    let paced =
        Settlement::Again { due: UnixMs(301_600), counts: false, in_doubt: false, reason: String::new(), obstacle: None, on_purpose: true };
    store.settle(&claim, paced, UnixMs(1_600)).await.unwrap();
    let (since, claim) = due_since(301_700).await.unwrap();
    assert_eq!(since, 301_600);
    // A channel that is closed.
    store.settle(&claim, Settlement::Park { until: UnixMs(400_000), reason: String::new() }, UnixMs(301_700)).await.unwrap();
    let (since, claim) = due_since(400_100).await.unwrap();
    assert_eq!(since, 400_000);
    // Failures are no purpose: what they cost is late.
    store.settle(&claim, again_at(460_000, Failed::Counted), UnixMs(400_100)).await.unwrap();
    let (since, claim) = due_since(460_000).await.unwrap();
    assert_eq!(since, 400_000);
    // Changed while it was on its way: the next one waits for the window again.
    put(&store, vec![draft(7, "a", "three", Lane::Edit)], 460_010).await;
    store.settle(&claim, Settlement::Delivered(MessageId(1)), UnixMs(460_100)).await.unwrap();
    assert_eq!(due_since(470_000).await.unwrap().0, 460_600);
}

#[tokio::test]
async fn a_reply_finds_the_message_it_answers() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "panic:1", "", Lane::Panic)], 1).await;
    let claim = store.claim(ChannelId(7), UnixMs(2)).await.unwrap().unwrap();
    store.settle(&claim, Settlement::Delivered(MessageId(55)), UnixMs(3)).await.unwrap();
    put(&store, vec![DesiredPost { parent: Some("panic:1".into()), ..draft(7, "panic:1#over", "", Lane::Edit) }], 4).await;
    assert_eq!(store.claim(ChannelId(7), UnixMs(5)).await.unwrap().unwrap().reply_to, Some(MessageId(55)));
}

#[tokio::test]
async fn a_deleted_message_is_posted_again_with_another_nonce() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let first = store.claim(ChannelId(7), UnixMs(2)).await.unwrap().unwrap();
    store.settle(&first, Settlement::Delivered(MessageId(1)), UnixMs(3)).await.unwrap();
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 4).await;
    let edit = store.claim(ChannelId(7), UnixMs(5)).await.unwrap().unwrap();
    store.settle(&edit, Settlement::Repost, UnixMs(6)).await.unwrap();
    let again = store.claim(ChannelId(7), UnixMs(7)).await.unwrap().unwrap();
    assert_eq!(again.lead.message_id, None);
    assert_ne!(again.nonce, first.nonce);
}

#[tokio::test]
async fn what_could_not_be_shown_for_a_day_is_not_shown_at_all() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    store.prune(UnixMs(0), UnixMs(0), UnixMs(2).plus(EXPIRES)).await.unwrap();
    assert!(store.claim(ChannelId(7), UnixMs(2).plus(EXPIRES)).await.unwrap().is_none());
    assert_eq!(store.problems(GuildId(1), 5).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_text_that_links_is_sent_again_when_what_it_links_to_appears() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let linking = |channel: u64| {
        let links = vec![crate::render::CardLink { text: "Call #5".into(), to: "call:5@1".into() }];
        let field = crate::render::Field { name: "Became".into(), value: "Call #5".into(), inline: true, links };
        let embed = crate::render::Embed { fields: vec![field], ..crate::render::Embed::default() };
        DesiredPost { message: Message { embeds: vec![embed], ..Message::default() }, ..draft(channel, "911:3@1", "", Lane::New) }
    };
    put(&store, vec![linking(7)], 10).await;
    let first = store.claim(ChannelId(7), UnixMs(10)).await.unwrap().unwrap();
    assert_eq!(first.urls, []);
    store.settle(&first, Settlement::Delivered(MessageId(50)), UnixMs(10)).await.unwrap();
    put(&store, vec![draft(8, "call:5@1", "call", Lane::New)], 11).await;
    let call = store.claim(ChannelId(8), UnixMs(11)).await.unwrap().unwrap();
    store.settle(&call, Settlement::Delivered(MessageId(60)), UnixMs(11)).await.unwrap();
    let again = store.claim(ChannelId(7), UnixMs(12)).await.unwrap().expect("sent again");
    assert_eq!(again.urls, [(again.lead.about.beside("call:5@1"), "https://discord.com/channels/1/8/60".into())]);
    store.settle(&again, Settlement::Delivered(MessageId(50)), UnixMs(12)).await.unwrap();
    // One that was on its way when the other appeared left without its address.
    put(&store, vec![linking(6)], 12).await;
    let on_its_way = store.claim(ChannelId(6), UnixMs(12)).await.unwrap().unwrap();
    put(&store, vec![draft(6, "call:5@1", "call", Lane::Panic)], 12).await;
    let nearer = store.claim(ChannelId(6), UnixMs(12)).await.unwrap().unwrap();
    store.settle(&nearer, Settlement::Delivered(MessageId(65)), UnixMs(12)).await.unwrap();
    store.settle(&on_its_way, Settlement::Delivered(MessageId(66)), UnixMs(12)).await.unwrap();
    let again = store.claim(ChannelId(6), UnixMs(12)).await.unwrap().expect("sent again");
    assert_eq!(again.urls[0].1, "https://discord.com/channels/1/6/65");
    store.settle(&again, Settlement::Delivered(MessageId(66)), UnixMs(12)).await.unwrap();
    // The same call in a third channel is no nearer to it: nothing changes.
    put(&store, vec![draft(9, "call:5@1", "call", Lane::New)], 13).await;
    let far = store.claim(ChannelId(9), UnixMs(13)).await.unwrap().unwrap();
    store.settle(&far, Settlement::Delivered(MessageId(70)), UnixMs(13)).await.unwrap();
    assert!(store.claim(ChannelId(7), UnixMs(14)).await.unwrap().is_none());
    // In its own channel it is.
    put(&store, vec![draft(7, "call:5@1", "call", Lane::New)], 15).await;
    let near = store.claim(ChannelId(7), UnixMs(15)).await.unwrap().unwrap();
    store.settle(&near, Settlement::Delivered(MessageId(80)), UnixMs(15)).await.unwrap();
    let again = store.claim(ChannelId(7), UnixMs(16)).await.unwrap().expect("a nearer address");
    assert_eq!(again.urls[0].1, "https://discord.com/channels/1/7/80");
}

#[tokio::test]
async fn changes_of_a_message_wait_for_each_other_and_new_messages_for_nothing() {
    let folder = Folder::new();
    let store = store_with(&folder, StoreOptions { edit_window: ms(500), ..StoreOptions::default() }).await;
    put(&store, vec![draft(7, "card", "one", Lane::New)], 1_000).await;
    assert_eq!(deliver(&store, 1_000).await, ["card"]);
    put(&store, vec![draft(7, "card", "two", Lane::Edit)], 2_000).await;
    put(&store, vec![draft(7, "card", "three", Lane::Edit)], 2_400).await;
    assert_eq!(deliver(&store, 2_499).await, [""; 0]);
    let claim = store.claim(ChannelId(7), UnixMs(2_500)).await.unwrap().expect("the window begins with the first change");
    assert_eq!(claim.lead.message.content.as_deref(), Some("three"));
    // What comes while it is being sent waits for a window of its own.
    put(&store, vec![draft(7, "card", "four", Lane::Edit)], 2_501).await;
    store.settle(&claim, Settlement::Delivered(MessageId(100)), UnixMs(2_600)).await.unwrap();
    assert_eq!(deliver(&store, 3_099).await, [""; 0]);
    assert_eq!(deliver(&store, 3_100).await, ["card"]);
}

#[tokio::test]
async fn an_old_message_is_edited_once_a_minute() {
    let folder = Folder::new();
    let store = store(&folder).await;
    // Made in the first second of Discord's time.
    let made = MessageId(1_000 << 22);
    let now = made.made_at().plus(crate::outbox::OLD_MESSAGE).0 + 1;
    put(&store, vec![draft(7, "card", "one", Lane::New)], made.made_at().0).await;
    let claim = store.claim(ChannelId(7), UnixMs(now)).await.unwrap().unwrap();
    store.settle(&claim, Settlement::Delivered(made), made.made_at()).await.unwrap();
    put(&store, vec![draft(7, "card", "two", Lane::Edit)], now).await;
    let claim = store.claim(ChannelId(7), UnixMs(now)).await.unwrap().expect("the first at once");
    store.settle(&claim, Settlement::Delivered(made), UnixMs(now)).await.unwrap();
    put(&store, vec![draft(7, "card", "three", Lane::Edit)], now + 1).await;
    assert!(store.claim(ChannelId(7), UnixMs(now + 59_999)).await.unwrap().is_none());
    assert!(store.claim(ChannelId(7), UnixMs(now + 60_000)).await.unwrap().is_some());
}
