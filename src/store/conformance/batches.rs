//! Cards that share a message, claims made with a commit, and edits in doubt.

use super::*;
use crate::outbox::{Post, PostSubject};

fn card(subject: &str, text: &str) -> DesiredPost {
    let embed = crate::render::Embed { title: Some(crate::render::text::SafeText::trusted(text)), ..crate::render::Embed::default() };
    let message = Message { embeds: vec![embed], ..Message::default() };
    DesiredPost { message, ..draft(7, subject, "", Lane::New) }
}

fn crowded(now: i64) -> ClaimRequest {
    ClaimRequest { creates_left: Some(1), ..ClaimRequest::any(ChannelId(7), UnixMs(now)) }
}

async fn claim_batch(store: &Store, now: i64) -> Claim {
    let ClaimOutcome::Claimed(claim) = store.take(crowded(now)).await.unwrap() else { panic!("nothing to claim") };
    *claim
}

fn subjects(claim: &Claim) -> Vec<&str> {
    fn text(post: &Post) -> &str {
        match &post.about.subject {
            PostSubject::Other(text) => text,
            subject => panic!("{subject}"),
        }
    }
    claim.posts().map(text).collect()
}

#[tokio::test]
async fn cards_share_a_message_when_more_wait_than_may_be_made_and_are_edited_together() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let line = DesiredPost { lane: Lane::Log, ..card("line", "line") };
    let panic = DesiredPost { lane: Lane::Panic, ..card("panic", "p") };
    let answer = DesiredPost { parent: Some("elsewhere".into()), ..card("answer", "x") };
    let threaded = DesiredPost { threads: Threads::Always, ..card("threaded", "x") };
    put(&store, vec![card("a", "one"), line, panic, card("b", "two"), answer, threaded, card("c", "three")], 1).await;
    let first = claim_batch(&store, 2).await;
    assert_eq!(subjects(&first), ["panic"], "a panic shares with nobody");
    store.settle(&first, Settlement::Delivered(MessageId(1)), UnixMs(2)).await.unwrap();
    let second = claim_batch(&store, 3).await;
    assert_eq!(subjects(&second), ["a", "b", "c"]);
    let alone: Vec<Vec<String>> = {
        let mut alone = Vec::new();
        for message in 2..=4 {
            let claim = claim_batch(&store, 3).await;
            alone.push(subjects(&claim).into_iter().map(str::to_owned).collect());
            store.settle(&claim, Settlement::Delivered(MessageId(message)), UnixMs(3)).await.unwrap();
        }
        alone
    };
    assert_eq!(alone, [["answer"], ["threaded"], ["line"]], "what hangs on a message, or answers one, has one of its own");
    assert_eq!(
        store.take(crowded(3)).await.unwrap(),
        ClaimOutcome::NotBefore(UnixMs(3).plus(crate::outbox::LEASE)),
        "all of the batch is claimed"
    );
    store.settle(&second, Settlement::Delivered(MessageId(9)), UnixMs(4)).await.unwrap();
    for subject in ["a", "b", "c"] {
        assert_eq!(store.message_of(ChannelId(7), subject).await, Some(MessageId(9)));
    }
    // One of them changes: the whole message is sent, in the same order, and only what was claimed is settled.
    put(&store, vec![DesiredPost { lane: Lane::Edit, ..card("b", "two and a half") }], 5).await;
    let edit = claim_batch(&store, 6).await;
    assert_eq!((subjects(&edit), edit.lead.message_id, edit.lane), (vec!["a", "b", "c"], Some(MessageId(9)), Lane::Edit));
    assert_eq!(edit.others.iter().map(crate::outbox::Post::is_waiting).collect::<Vec<_>>(), [true, false]);
    put(&store, vec![DesiredPost { lane: Lane::Edit, ..card("c", "three and a half") }], 7).await;
    store.settle(&edit, Settlement::Delivered(MessageId(9)), UnixMs(8)).await.unwrap();
    let rest = claim_batch(&store, 9).await;
    assert_eq!(rest.others[1].message.embeds[0].title.as_deref(), Some("three and a half"));
    assert!(rest.others[1].is_waiting() && !rest.others[0].is_waiting());
}

#[tokio::test]
async fn a_batch_in_doubt_keeps_its_cards_and_its_nonce_and_one_that_definitely_failed_is_dissolved() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![card("a", "one"), card("b", "two")], 1).await;
    let again = |failed| super::again_at(10, failed);
    let first = claim_batch(&store, 2).await;
    store.settle(&first, again(Failed::Uncounted), UnixMs(3)).await.unwrap();
    put(&store, vec![card("c", "three")], 4).await;
    let second = claim_batch(&store, 10).await;
    assert_eq!(subjects(&second), ["a", "b", "c"]);
    store.settle(&second, again(Failed::InDoubt), UnixMs(11)).await.unwrap();
    put(&store, vec![card("d", "four")], 12).await;
    // Whatever is asked for: what may stand there already is asked for as it was.
    let ClaimOutcome::Claimed(third) = store.take(ClaimRequest::any(ChannelId(7), UnixMs(13))).await.unwrap() else {
        panic!("nothing to claim")
    };
    assert_eq!((subjects(&third), &third.nonce, third.lead.creating_since), (vec!["a", "b", "c"], &second.nonce, Some(UnixMs(10))));
    assert!(third.may_bring_back_older());
    // A crash with it in hand changes nothing of that.
    store.release_all(UnixMs(1_002)).await.unwrap();
    let fourth = claim_batch(&store, 14).await;
    assert_eq!((subjects(&fourth), &fourth.nonce), (vec!["a", "b", "c"], &second.nonce));
    // Discord does not take them together.
    store.settle(&fourth, Settlement::Alone, UnixMs(15)).await.unwrap();
    let mut alone = Vec::new();
    while let ClaimOutcome::Claimed(claim) = store.take(crowded(16)).await.unwrap() {
        assert!(claim.others.is_empty() && !claim.lead.is_recreated() && claim.nonce != second.nonce, "{claim:?}");
        alone.push(claim.lead.about.subject.to_string());
    }
    assert_eq!(alone, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_deleted_batch_comes_back_card_by_card_if_open() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![card("a", "one"), card("b", "two"), card("c", "three")], 1).await;
    let made = claim_batch(&store, 2).await;
    store.settle(&made, Settlement::Delivered(MessageId(9)), UnixMs(3)).await.unwrap();
    put(&store, vec![DesiredPost { over: true, lane: Lane::Edit, ..card("b", "over") }], 4).await;
    let edit = claim_batch(&store, 5).await;
    store.settle(&edit, Settlement::Repost, UnixMs(6)).await.unwrap();
    let again = claim_batch(&store, 7).await;
    assert_eq!((subjects(&again), again.lead.message_id, again.lead.is_recreated()), (vec!["a", "c"], None, true));
}

#[tokio::test]
async fn storing_an_event_may_claim_what_it_made() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let batch = Batch { posts: vec![draft(7, "a", "one", Lane::New)], now: UnixMs(1), ..Batch::default() };
    let asks = vec![ClaimRequest::any(ChannelId(8), UnixMs(1)), ClaimRequest::any(ChannelId(7), UnixMs(1))];
    let found = own(&store).ingest(batch, asks).await.unwrap();
    let [ClaimOutcome::Nothing, ClaimOutcome::Claimed(claim)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(claim.lead.about.subject.to_string(), "a");
    assert_eq!(store.claim(ChannelId(7), UnixMs(2)).await.unwrap(), None, "claimed twice");
    // What is asked for decides: nothing new while no message may be made.
    put(&store, vec![draft(7, "b", "two", Lane::New)], 3).await;
    let only_edits = ClaimRequest { creates: false, ..ClaimRequest::any(ChannelId(7), UnixMs(4)) };
    assert_eq!(store.take(only_edits).await.unwrap(), ClaimOutcome::NotBefore(UnixMs(3)));
    let (_, next) = store
        .settle_and_take(
            &Arc::new(*claim.clone()),
            Settlement::Delivered(MessageId(1)),
            UnixMs(5),
            Some(ClaimRequest::any(ChannelId(7), UnixMs(5))),
        )
        .await
        .unwrap();
    assert!(matches!(next, ClaimOutcome::Claimed(claim) if claim.lead.about.subject.to_string() == "b"));
}

#[tokio::test]
async fn an_edit_that_may_come_late_is_sent_once_more_when_that_is_past() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let made = async |claim: Claim, at| store.settle(&claim, Settlement::Delivered(MessageId(1)), UnixMs(at)).await.unwrap();
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    made(store.claim(ChannelId(7), UnixMs(2)).await.unwrap().unwrap(), 3).await;
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 4).await;
    let lost = store.claim(ChannelId(7), UnixMs(5)).await.unwrap().unwrap();
    let again = super::again_at(6, Failed::InDoubt);
    store.settle(&lost, again, UnixMs(6)).await.unwrap();
    made(store.claim(ChannelId(7), UnixMs(7)).await.unwrap().unwrap(), 8).await;
    assert_eq!(store.claim(ChannelId(7), UnixMs(5_007)).await.unwrap(), None, "too early");
    let sure = store.claim(ChannelId(7), UnixMs(5_008)).await.unwrap().unwrap();
    assert_eq!(sure.lead.message.content.as_deref(), Some("two"));
    made(sure, 5_009).await;
    assert!(store.due().await.unwrap().is_empty(), "once is enough");
    // So is what a process had in hand when it ended.
    put(&store, vec![draft(7, "a", "three", Lane::Edit)], 6_000).await;
    store.claim(ChannelId(7), UnixMs(6_001)).await.unwrap().unwrap();
    store.release_all(UnixMs(6_002)).await.unwrap();
    made(store.claim(ChannelId(7), UnixMs(6_003)).await.unwrap().unwrap(), 6_004).await;
    assert!(store.claim(ChannelId(7), UnixMs(11_004)).await.unwrap().is_some());
}
