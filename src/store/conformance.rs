//! What every database must do, whatever its make. Run over SQLite now; a second database runs the same.

use super::*;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId, UserId};
use crate::outbox::{Lane, PostKey, Settlement};
use crate::render::{Message, Style};
use crate::route::{Listens, NewRoute};
use crate::world::Entity;

/// A folder that goes with the test.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tenfour-store-{:016x}", fastrand::u64(..)));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn store(folder: &Folder) -> Store {
    Store::open(&folder.0.join("tenfour.db")).await.unwrap()
}

fn draft(channel: u64, subject: &str, text: &str, lane: Lane) -> Draft {
    Draft {
        key: PostKey { channel: ChannelId(channel), community: CommunityId::new("c"), server: ServerId(1), subject: subject.into() },
        guild: GuildId(1),
        lane,
        style: Style::Card,
        roles: vec![RoleId(5)],
        place: crate::outbox::Place::Channel,
        threads: crate::route::Threads::Off,
        over: false,
        parent: None,
        message: Message { content: Some(text.into()), ..Message::default() },
        happened_at: UnixMs(1),
    }
}

async fn put(store: &Store, posts: Vec<Draft>, now: i64) {
    store.ingest(Batch { posts, now: UnixMs(now), ..Batch::default() }).await.unwrap();
}

#[tokio::test]
async fn a_claim_holds_until_settled_and_the_next_version_makes_it_pending_again() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
    assert_eq!(store.due().await.unwrap(), vec![Due { channel: ChannelId(7), at: UnixMs(10), posts: 1 }]);
    let claim = store.claim(ChannelId(7), UnixMs(10)).await.unwrap().unwrap();
    assert!(store.claim(ChannelId(7), UnixMs(11)).await.unwrap().is_none(), "a claimed post must not be claimed twice");

    // It moves on while being sent.
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 12).await;
    store.settle(&claim, Settlement::Delivered(MessageId(99)), UnixMs(13)).await.unwrap();
    let second = store.claim(ChannelId(7), UnixMs(14)).await.unwrap().unwrap();
    assert_eq!((second.standing, second.version, second.message.content.as_deref()), (Some(MessageId(99)), 2, Some("two")));
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
        order.push(claim.key.subject.clone());
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
        assert_eq!(claim.creating_since, None, "the first send is not in doubt");
        (claim.nonce, store.instance().to_owned())
    };
    let store = reopen(&folder).await;
    assert_eq!(store.instance(), instance);
    assert!(store.claim(ChannelId(7), UnixMs(1_001)).await.unwrap().is_none(), "the lease still holds");
    assert_eq!(store.release_all().await.unwrap(), 1);
    let again = store.claim(ChannelId(7), UnixMs(5_000)).await.unwrap().unwrap();
    assert_eq!((again.nonce.as_str(), again.creating_since), (nonce.as_str(), Some(UnixMs(1_000))));
    assert!(!again.must_look_first(UnixMs(100_000)) && again.must_look_first(UnixMs(200_000)));
    // Trouble leaves the doubt, and so does a definite "no" to a later try: it says nothing about the first.
    store
        .settle(&again, Settlement::Again { due: UnixMs(6_000), counts: true, in_doubt: true, reason: String::new() }, UnixMs(5_000))
        .await
        .unwrap();
    let third = store.claim(ChannelId(7), UnixMs(6_000)).await.unwrap().unwrap();
    assert_eq!((third.creating_since, third.attempts), (Some(UnixMs(1_000)), 1));
    store
        .settle(&third, Settlement::Again { due: UnixMs(7_000), counts: false, in_doubt: false, reason: String::new() }, UnixMs(6_000))
        .await
        .unwrap();
    assert_eq!(store.claim(ChannelId(7), UnixMs(7_000)).await.unwrap().unwrap().creating_since, Some(UnixMs(1_000)));
}

#[tokio::test]
async fn a_definite_no_to_the_first_try_leaves_no_doubt() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
    let no = |due| Settlement::Again { due: UnixMs(due), counts: false, in_doubt: false, reason: String::new() };
    let first = store.claim(ChannelId(7), UnixMs(1_000)).await.unwrap().unwrap();
    store.settle(&first, no(2_000), UnixMs(1_000)).await.unwrap();
    let second = store.claim(ChannelId(7), UnixMs(2_000)).await.unwrap().unwrap();
    assert_eq!(second.creating_since, None);
    store.settle(&second, Settlement::Park { until: UnixMs(3_000), reason: String::new() }, UnixMs(2_000)).await.unwrap();
    assert_eq!(store.claim(ChannelId(7), UnixMs(3_000)).await.unwrap().unwrap().creating_since, None);
}

/// The writer thread lets go of the file a moment after the last clone is dropped: wait for the fact.
async fn reopen(folder: &Folder) -> Store {
    for _ in 0..200 {
        match Store::open(&folder.0.join("tenfour.db")).await {
            Err(StoreError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            other => return other.unwrap(),
        }
    }
    panic!("the lock was never given back");
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_it() {
    let folder = Folder::new();
    let first = store(&folder).await;
    let error = Store::open(&folder.0.join("tenfour.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)) && error.to_string().contains("another Tenfour"), "{error}");
    drop(first);
    reopen(&folder).await;
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_neighbours_are_untouched() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let row = |seq| JournalRow {
        seq,
        community: CommunityId::new("c"),
        server: ServerId(1),
        source: Source::Hub,
        kind: "X".into(),
        received_at: UnixMs(1),
        body: "{}".into(),
    };
    let good = store.ingest(Batch { journal: vec![row(1)], ..Batch::default() });
    let bad = store.ingest(Batch { journal: vec![row(2), row(2)], posts: vec![draft(7, "never", "", Lane::New)], ..Batch::default() });
    let (good, bad) = tokio::join!(good, bad);
    good.unwrap();
    assert!(matches!(bad, Err(StoreError::Failed(_))));
    assert_eq!(store.last_seq().await.unwrap(), 1);
    assert!(store.due().await.unwrap().is_empty());
}

#[tokio::test]
async fn sequence_numbers_never_go_back_even_when_the_journal_is_pruned() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let row = JournalRow {
        seq: 41,
        community: CommunityId::new("c"),
        server: ServerId(1),
        source: Source::Http,
        kind: "X".into(),
        received_at: UnixMs(1),
        body: "{}".into(),
    };
    store.ingest(Batch { journal: vec![row], ..Batch::default() }).await.unwrap();
    assert_eq!(store.prune(UnixMs(2), UnixMs(0), UnixMs(2)).await.unwrap(), 1);
    assert_eq!(store.last_seq().await.unwrap(), 41);
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
        vec![Due { channel: ChannelId(7), at: UnixMs(100), posts: 1 }],
        "nothing is due before the channel is tried again"
    );
    let claim = store.claim(ChannelId(7), UnixMs(100)).await.unwrap().unwrap();
    assert!(!store.settle(&claim, park(300), UnixMs(100)).await.unwrap().newly_parked, "people are told once");
    assert_eq!((store.refusals(ChannelId(7)).await.unwrap(), store.parked().await.unwrap().len()), (2, 1));
    let claim = store.claim(ChannelId(7), UnixMs(300)).await.unwrap().unwrap();
    assert!(store.settle(&claim, Settlement::Delivered(MessageId(1)), UnixMs(301)).await.unwrap().reopened);
    assert!(store.parked().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reply_finds_the_message_it_answers() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "panic:1", "", Lane::Panic)], 1).await;
    let claim = store.claim(ChannelId(7), UnixMs(2)).await.unwrap().unwrap();
    store.settle(&claim, Settlement::Delivered(MessageId(55)), UnixMs(3)).await.unwrap();
    put(&store, vec![Draft { parent: Some("panic:1".into()), ..draft(7, "panic:1#over", "", Lane::Edit) }], 4).await;
    assert_eq!(store.claim(ChannelId(7), UnixMs(5)).await.unwrap().unwrap().reply_to, Some(MessageId(55)));
}

#[tokio::test]
async fn a_deleted_message_is_posted_anew_under_another_nonce() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let first = store.claim(ChannelId(7), UnixMs(2)).await.unwrap().unwrap();
    store.settle(&first, Settlement::Delivered(MessageId(1)), UnixMs(3)).await.unwrap();
    put(&store, vec![draft(7, "a", "two", Lane::Edit)], 4).await;
    let edit = store.claim(ChannelId(7), UnixMs(5)).await.unwrap().unwrap();
    store.settle(&edit, Settlement::Repost, UnixMs(6)).await.unwrap();
    let again = store.claim(ChannelId(7), UnixMs(7)).await.unwrap().unwrap();
    assert_eq!(again.standing, None);
    assert_ne!(again.nonce, first.nonce);
}

#[tokio::test]
async fn what_could_not_be_shown_for_a_day_is_not_shown_at_all() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    assert!(store.claim(ChannelId(7), UnixMs(2 + EXPIRES_MS)).await.unwrap().is_none());
    assert_eq!(store.problems(GuildId(1), 5).await.unwrap().len(), 1);
}

use crate::outbox::EXPIRES_MS;

#[tokio::test]
async fn routes_are_added_once_changed_in_place_and_seen_at_once() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(1 << 60);
    let seen = store.routing();
    assert_eq!(store.ensure_guild(guild, &CommunityId::new("C1")).await.unwrap().community.as_str(), "c1");
    let new = NewRoute { guild, event: Listens::All, channel: ChannelId(5), server: None, role: None, style: Style::Card, forum: false };
    let AddRoute::Added(id) = store.add_route(new.clone(), UserId(9), UnixMs(1)).await.unwrap() else { panic!() };
    assert_eq!(store.add_route(new.clone(), UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Same(id));
    let with_role = NewRoute { role: Some(RoleId(3)), ..new.clone() };
    assert_eq!(store.add_route(with_role, UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Changed(id));
    let other_server = NewRoute { server: Some(ServerId(2)), ..new };
    assert!(matches!(store.add_route(other_server, UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Added(_)));
    let routing = seen.borrow().clone();
    assert_eq!((routing.routes.len(), routing.routes[0].role, routing.routes[0].community.as_str()), (2, Some(RoleId(3)), "c1"));
    assert!(!store.remove_route(GuildId(2), id).await.unwrap(), "another guild's route is not ours to remove");
    assert!(store.remove_route(guild, id).await.unwrap());
    store.set_notices(guild, Some(ChannelId(8))).await.unwrap();
    drop(store);
    let store = reopen(&folder).await;
    assert_eq!(store.routing_now().guilds[&guild].notices, Some(ChannelId(8)));
    assert_eq!(store.routing_now().routes.len(), 1);
}

#[tokio::test]
async fn the_world_comes_back_as_it_was_and_a_damaged_row_costs_itself_only() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let mut world = crate::world::Server::default();
    let event = crate::event::Event::Panic { idents: vec![crate::ids::Ident(4107)], on: true };
    let applied = world.apply(&event, UnixMs(5));
    let mut rows: Vec<WorldRow> = applied
        .touched
        .iter()
        .map(|entity| WorldRow { community: CommunityId::new("c"), server: ServerId(1), key: entity.key(), state: world.row(*entity) })
        .collect();
    assert!(applied.touched.contains(&Entity::Panic(crate::ids::Ident(4107))));
    rows.push(WorldRow { community: CommunityId::new("c"), server: ServerId(1), key: ("911", 3), state: Some("{damaged".into()) });
    store.ingest(Batch { world: rows, ..Batch::default() }).await.unwrap();
    let loaded = store.world().await.unwrap();
    assert_eq!(loaded[&(CommunityId::new("c"), ServerId(1))], world);
}

#[test]
fn migrations_are_valid() {
    migrations().validate().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let files: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(files.len() >= 3, "database, write-ahead log, lock: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
    }
}
