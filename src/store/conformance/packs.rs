//! Cards that share a message, claims made with a commit, and edits in doubt.

use super::*;
use crate::outbox::Claim;

fn card(subject: &str, text: &str) -> Draft {
    let embed = crate::render::Embed { title: Some(text.into()), ..crate::render::Embed::default() };
    let message = Message { embeds: vec![embed], ..Message::default() };
    Draft { message, ..draft(7, subject, "", Lane::New) }
}

fn crowded(now: i64) -> Ask {
    Ask { places: Some(1), ..Ask::any(ChannelId(7), UnixMs(now)) }
}

async fn pack(store: &Store, now: i64) -> Claim {
    let Found::Post(claim) = store.take(crowded(now)).await.unwrap() else { panic!("nothing to claim") };
    *claim
}

fn subjects(claim: &Claim) -> Vec<&str> {
    std::iter::once(&claim.key).chain(claim.others.iter().map(|member| &member.key)).map(|key| key.subject.as_str()).collect()
}

#[tokio::test]
async fn cards_share_a_message_when_more_wait_than_may_be_made_and_are_edited_together() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let line = Draft { lane: Lane::Log, ..card("line", "line") };
    let panic = Draft { lane: Lane::Panic, ..card("panic", "p") };
    let answer = Draft { parent: Some("elsewhere".into()), ..card("answer", "x") };
    let threaded = Draft { threads: Threads::Always, ..card("threaded", "x") };
    put(&store, vec![card("a", "one"), line, panic, card("b", "two"), answer, threaded, card("c", "three")], 1).await;
    let first = pack(&store, 2).await;
    assert_eq!(subjects(&first), ["panic"], "a panic shares with nobody");
    store.settle(&first, Settlement::Delivered(MessageId(1)), UnixMs(2)).await.unwrap();
    let second = pack(&store, 3).await;
    assert_eq!(subjects(&second), ["a", "b", "c"]);
    let alone: Vec<Vec<String>> = {
        let mut alone = Vec::new();
        for message in 2..=4 {
            let claim = pack(&store, 3).await;
            alone.push(subjects(&claim).into_iter().map(str::to_owned).collect());
            store.settle(&claim, Settlement::Delivered(MessageId(message)), UnixMs(3)).await.unwrap();
        }
        alone
    };
    assert_eq!(alone, [["answer"], ["threaded"], ["line"]], "what hangs on a message, or answers one, has one of its own");
    assert_eq!(store.take(crowded(3)).await.unwrap(), Found::Later(UnixMs(3 + crate::outbox::LEASE_MS)), "all of the pack is claimed");
    store.settle(&second, Settlement::Delivered(MessageId(9)), UnixMs(4)).await.unwrap();
    for subject in ["a", "b", "c"] {
        let key = PostKey { subject: subject.into(), ..second.key.clone() };
        assert_eq!(store.message_of(key).await.unwrap(), Some(MessageId(9)));
    }
    // One of them changes: the whole message is sent, in the same order, and only what was claimed is settled.
    put(&store, vec![Draft { lane: Lane::Edit, ..card("b", "two and a half") }], 5).await;
    let edit = pack(&store, 6).await;
    assert_eq!((subjects(&edit), edit.standing, edit.lane), (vec!["a", "b", "c"], Some(MessageId(9)), Lane::Edit));
    assert_eq!(edit.others.iter().map(|member| member.pending).collect::<Vec<_>>(), [true, false]);
    put(&store, vec![Draft { lane: Lane::Edit, ..card("c", "three and a half") }], 7).await;
    store.settle(&edit, Settlement::Delivered(MessageId(9)), UnixMs(8)).await.unwrap();
    let rest = pack(&store, 9).await;
    assert_eq!(rest.others[1].message.embeds[0].title.as_deref(), Some("three and a half"));
    assert!(rest.others[1].pending && !rest.others[0].pending);
}

#[tokio::test]
async fn a_pack_in_doubt_keeps_its_company_and_its_nonce_and_one_that_surely_was_not_made_lets_go() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![card("a", "one"), card("b", "two")], 1).await;
    let again = |in_doubt| super::again_at(10, in_doubt, in_doubt);
    let first = pack(&store, 2).await;
    store.settle(&first, again(false), UnixMs(3)).await.unwrap();
    put(&store, vec![card("c", "three")], 4).await;
    let second = pack(&store, 10).await;
    assert_eq!(subjects(&second), ["a", "b", "c"]);
    store.settle(&second, again(true), UnixMs(11)).await.unwrap();
    put(&store, vec![card("d", "four")], 12).await;
    // Whatever is asked for: what may stand there already is asked for as it was.
    let Found::Post(third) = store.take(Ask::any(ChannelId(7), UnixMs(13))).await.unwrap() else { panic!("nothing to claim") };
    assert_eq!((subjects(&third), &third.nonce, third.creating_since), (vec!["a", "b", "c"], &second.nonce, Some(UnixMs(10))));
    assert!(third.may_bring_back_older());
    // A crash with it in hand changes nothing of that.
    store.release_all(UnixMs(1_002)).await.unwrap();
    let fourth = pack(&store, 14).await;
    assert_eq!((subjects(&fourth), &fourth.nonce), (vec!["a", "b", "c"], &second.nonce));
    // Discord does not take them together.
    store.settle(&fourth, Settlement::Alone, UnixMs(15)).await.unwrap();
    let mut alone = Vec::new();
    while let Found::Post(claim) = store.take(crowded(16)).await.unwrap() {
        assert!(claim.others.is_empty() && !claim.anew && claim.nonce != second.nonce, "{claim:?}");
        alone.push(claim.key.subject.clone());
    }
    assert_eq!(alone, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_deleted_pack_comes_back_card_by_card_as_far_as_it_is_open() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![card("a", "one"), card("b", "two"), card("c", "three")], 1).await;
    let made = pack(&store, 2).await;
    store.settle(&made, Settlement::Delivered(MessageId(9)), UnixMs(3)).await.unwrap();
    put(&store, vec![Draft { over: true, lane: Lane::Edit, ..card("b", "over") }], 4).await;
    let edit = pack(&store, 5).await;
    store.settle(&edit, Settlement::Repost, UnixMs(6)).await.unwrap();
    let again = pack(&store, 7).await;
    assert_eq!((subjects(&again), again.standing, again.anew), (vec!["a", "c"], None, true));
}

#[tokio::test]
async fn storing_an_event_may_claim_what_it_made() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let batch = Batch { posts: vec![draft(7, "a", "one", Lane::New)], now: UnixMs(1), ..Batch::default() };
    let asks = vec![Ask::any(ChannelId(8), UnixMs(1)), Ask::any(ChannelId(7), UnixMs(1))];
    let found = store.ingest(batch, asks).await.unwrap();
    let [Found::Nothing, Found::Post(claim)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(claim.key.subject, "a");
    assert_eq!(store.claim(ChannelId(7), UnixMs(2)).await.unwrap(), None, "claimed twice");
    // What is asked for decides: nothing new while no message may be made.
    put(&store, vec![draft(7, "b", "two", Lane::New)], 3).await;
    let only_edits = Ask { creates: false, ..Ask::any(ChannelId(7), UnixMs(4)) };
    assert_eq!(store.take(only_edits).await.unwrap(), Found::Later(UnixMs(3)));
    let (_, next) = store
        .settle_and_take(claim, Settlement::Delivered(MessageId(1)), UnixMs(5), Some(Ask::any(ChannelId(7), UnixMs(5))))
        .await
        .unwrap();
    assert!(matches!(next, Found::Post(claim) if claim.key.subject == "b"));
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
    let again = super::again_at(6, true, true);
    store.settle(&lost, again, UnixMs(6)).await.unwrap();
    made(store.claim(ChannelId(7), UnixMs(7)).await.unwrap().unwrap(), 8).await;
    assert_eq!(store.claim(ChannelId(7), UnixMs(5_007)).await.unwrap(), None, "too early");
    let sure = store.claim(ChannelId(7), UnixMs(5_008)).await.unwrap().unwrap();
    assert_eq!(sure.message.content.as_deref(), Some("two"));
    made(sure, 5_009).await;
    assert!(store.due().await.unwrap().is_empty(), "once is enough");
    // So is what a process had in hand when it ended.
    put(&store, vec![draft(7, "a", "three", Lane::Edit)], 6_000).await;
    store.claim(ChannelId(7), UnixMs(6_001)).await.unwrap().unwrap();
    store.release_all(UnixMs(6_002)).await.unwrap();
    made(store.claim(ChannelId(7), UnixMs(6_003)).await.unwrap().unwrap(), 6_004).await;
    assert!(store.claim(ChannelId(7), UnixMs(11_004)).await.unwrap().is_some());
}
