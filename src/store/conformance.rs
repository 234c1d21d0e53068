//! What every database must do, whatever its make. Run over SQLite now; a second database runs the same.

use std::path::PathBuf;

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::*;
use crate::clock::UnixMs;
use crate::event::Source;
use crate::event::Topic;
use crate::guild_access::How;
use crate::ids::{ChannelId, GuildId, MessageId, RoleId, UserId};
use crate::ids::{CommunityId, RouteId, ServerId};
use crate::outbox::queue::ChannelDue;
use crate::outbox::{Claim, Lane, Place, PostKey, SettleOutcome, Settlement};
use crate::outbox::{ClaimOutcome, ClaimRequest, DesiredPost};
use crate::render::{Message, Style};
use crate::route::{Filter, Listens, Mute, PingEdit, Quiet, Route, RouteEdit, RouteSpec, Rule, Threads, When};
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
    store_with(folder, StoreOptions::default()).await
}

async fn store_with(folder: &Folder, options: StoreOptions) -> Store {
    let store = Store::open_with(&folder.0.join("tenfour.db"), options).await.unwrap();
    link(&store, &[1, 2, 4, 5, 1 << 60]).await;
    store
}

impl Store {
    /// Claims whatever is due first, by itself.
    pub(crate) async fn claim(&self, channel: ChannelId, now: UnixMs) -> Result<Option<Claim>, StoreError> {
        Ok(match self.take(ClaimRequest::any(channel, now)).await? {
            ClaimOutcome::Claimed(claim) => Some(*claim),
            ClaimOutcome::NotBefore(_) | ClaimOutcome::Nothing => None,
        })
    }

    pub(crate) async fn settle(&self, claim: &Claim, settlement: Settlement, now: UnixMs) -> Result<SettleOutcome, StoreError> {
        let settled = self.settle_and_take(&Arc::new(claim.clone()), settlement, now, None).await.map(|(settled, _)| settled);
        // On disk at once, for whoever reads there.
        self.writer.run(|_| Ok(())).await?;
        settled
    }

    /// The message of a post, if it was delivered.
    pub(crate) async fn message_of(&self, channel: ChannelId, subject: &str) -> Option<MessageId> {
        let subject = subject.to_owned();
        let read = move |connection: &Connection| {
            let message = "SELECT message FROM post WHERE channel = ?1 AND subject = ?2";
            let found = connection.query_row(message, (rows::flake(channel.0), subject), |row| rows::message_option(row, "message"));
            found.optional()
        };
        self.reader.run(read).await.unwrap().flatten()
    }
}

/// Links guilds to the tests' community, as somebody who knows its key would.
/// The part of the store of the community that [`link`] links.
pub(crate) fn own(store: &Store) -> CommunityStore {
    store.of(&CommunityId::new("c"))
}

/// The number of the last event on disk.
pub(crate) async fn last_seq(store: &Store) -> Result<i64, StoreError> {
    store.reader.run(super::journal::last_seq).await
}

pub(crate) async fn link(store: &Store, guilds: &[u64]) {
    for guild in guilds {
        store.link(GuildId(*guild), &CommunityId::new("c"), Some(UserId(1)), How::Key, UnixMs(1), Vec::new()).await.unwrap();
    }
}

fn draft(channel: u64, subject: &str, text: &str, lane: Lane) -> DesiredPost {
    DesiredPost {
        key: PostKey { channel: ChannelId(channel), community: CommunityId::new("c"), server: ServerId(1), subject: subject.into() },
        guild: GuildId(1),
        lane,
        style: Style::Card,
        roles: vec![RoleId(5)],
        place: Place::Channel,
        threads: crate::route::Threads::Off,
        over: false,
        parent: None,
        message: Message { content: Some(crate::render::text::SafeText::trusted(text)), ..Message::default() },
        happened_at: UnixMs(1),
        event: 0,
    }
}

fn again_at(due: i64, counts: bool, in_doubt: bool) -> Settlement {
    Settlement::Again { due: UnixMs(due), counts, in_doubt, reason: String::new(), obstacle: None, on_purpose: false }
}

async fn put(store: &Store, posts: Vec<DesiredPost>, now: i64) {
    own(store).ingest(Batch { posts, now: UnixMs(now), ..Batch::default() }, Vec::new()).await.unwrap();
}

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
    store.settle(&again, again_at(6_000, true, true), UnixMs(5_000)).await.unwrap();
    let third = store.claim(ChannelId(7), UnixMs(6_000)).await.unwrap().unwrap();
    assert_eq!((third.lead.creating_since, third.lead.attempts), (Some(UnixMs(1_000)), 1));
    store.settle(&third, again_at(7_000, false, false), UnixMs(6_000)).await.unwrap();
    assert_eq!(store.claim(ChannelId(7), UnixMs(7_000)).await.unwrap().unwrap().lead.creating_since, Some(UnixMs(1_000)));
}

#[tokio::test]
async fn a_definite_no_to_the_first_try_leaves_no_doubt() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 10).await;
    let no = |due| again_at(due, false, false);
    let first = store.claim(ChannelId(7), UnixMs(1_000)).await.unwrap().unwrap();
    store.settle(&first, no(2_000), UnixMs(1_000)).await.unwrap();
    let second = store.claim(ChannelId(7), UnixMs(2_000)).await.unwrap().unwrap();
    assert_eq!(second.lead.creating_since, None);
    store.settle(&second, Settlement::Park { until: UnixMs(3_000), reason: String::new() }, UnixMs(2_000)).await.unwrap();
    assert_eq!(store.claim(ChannelId(7), UnixMs(3_000)).await.unwrap().unwrap().lead.creating_since, None);
}

/// The writer thread lets go of the file a moment after the last clone is dropped: wait for the fact.
pub(crate) async fn reopen(folder: &Folder) -> Store {
    for _ in 0..200 {
        match Store::open(&folder.0.join("tenfour.db")).await {
            Err(StoreError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            other => return other.unwrap(),
        }
    }
    panic!("the lock was never given back");
}

#[tokio::test]
async fn a_closed_store_is_one_file_that_can_be_copied_whatever_clones_live_on() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let clone = store.clone();
    for at in 0..50 {
        put(&store, vec![draft(7, &format!("a{at}"), &"x".repeat(4_000), Lane::New)], at).await;
    }
    assert!(std::fs::metadata(folder.0.join("tenfour.db-wal")).unwrap().len() > 100_000, "this is about a log that holds something");
    // What was asked before is still done, what is asked later is answered.
    let last = put(&store, vec![draft(7, "last", "", Lane::New)], 99);
    let (closed, ()) = tokio::join!(biased_after(store.close(std::time::Duration::from_secs(10))), last);
    assert!(closed);
    assert!(matches!(clone.counts().await, Err(StoreError::Closed)));
    assert!(matches!(clone.probe().await, Err(StoreError::Closed)));
    assert!(clone.close(std::time::Duration::from_secs(10)).await, "closing twice is no failure");
    let mut names: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["tenfour.db", "tenfour.db.lock"]);
    let copy = Folder::new();
    std::fs::copy(folder.0.join("tenfour.db"), copy.0.join("tenfour.db")).unwrap();
    let connection = Connection::open(copy.0.join("tenfour.db")).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    let posts: i64 = connection.query_row("SELECT count(*) FROM post", (), |row| row.get(0)).unwrap();
    assert_eq!((check.as_str(), posts), ("ok", 51));
    // The lock is free although clones live on.
    let again = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
    assert_eq!(again.counts().await.unwrap().waiting, 51);
    drop((store, clone));
}

/// Lets what runs beside it be asked first.
async fn biased_after<T>(later: impl Future<Output = T>) -> T {
    tokio::task::yield_now().await;
    later.await
}

#[tokio::test]
async fn a_reader_of_another_program_holds_a_close_up_only_for_a_moment() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![draft(7, "a", "one", Lane::New)], 1).await;
    let other = Connection::open(folder.0.join("tenfour.db")).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM post").unwrap();
    put(&store, vec![draft(7, "b", "two", Lane::New)], 2).await;
    let asked = std::time::Instant::now();
    assert!(store.close(std::time::Duration::from_secs(10)).await);
    assert!(asked.elapsed() < std::time::Duration::from_secs(5), "{:?}", asked.elapsed());
    drop(other);
    assert_eq!(reopen(&folder).await.counts().await.unwrap().waiting, 2);
}

#[tokio::test]
async fn a_second_opener_learns_who_has_it() {
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
    let store = store_with(&folder, StoreOptions { edit_window_ms: 500, ..StoreOptions::default() }).await;
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
    store.settle(&claim, again_at(460_000, true, false), UnixMs(400_100)).await.unwrap();
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
    store.prune(UnixMs(0), UnixMs(0), UnixMs(2 + EXPIRES_MS)).await.unwrap();
    assert!(store.claim(ChannelId(7), UnixMs(2 + EXPIRES_MS)).await.unwrap().is_none());
    assert_eq!(store.problems(GuildId(1), 5).await.unwrap().len(), 1);
}

use crate::outbox::EXPIRES_MS;

#[tokio::test]
async fn routes_are_added_once_changed_in_place_and_seen_at_once() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(1 << 60);
    let seen = own(&store).routing();
    assert_eq!(store.ensure_guild(guild, &CommunityId::new("C")).await.unwrap().community.as_str(), "c");
    let new = new_route(Listens::All, 5);
    let AddRoute::Added(id) = store.add_route(guild, new.clone(), UserId(9), UnixMs(1)).await.unwrap() else { panic!() };
    assert_eq!(store.add_route(guild, new.clone(), UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Same(id));
    let with_role = RouteSpec { role: Some(RoleId(3)), ..new.clone() };
    assert_eq!(store.add_route(guild, with_role, UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Changed(id));
    let other_server = RouteSpec { server: Some(ServerId(2)), ..new };
    assert!(matches!(store.add_route(guild, other_server, UserId(9), UnixMs(1)).await.unwrap(), AddRoute::Added(_)));
    let routing = seen.borrow().clone();
    assert_eq!((routing.routes.len(), routing.routes[0].spec.role, routing.routes[0].community.as_str()), (2, Some(RoleId(3)), "c"));
    assert!(!store.remove_route(GuildId(2), id).await.unwrap(), "another guild's route is not ours to remove");
    assert!(store.remove_route(guild, id).await.unwrap());
    store.set_notices(guild, Some(ChannelId(8))).await.unwrap();
    drop(store);
    let store = reopen(&folder).await;
    assert_eq!(store.routing_now().guilds[&guild].notices, Some(ChannelId(8)));
    assert_eq!(store.routing_now().routes.len(), 1);
}

fn new_route(event: Listens, channel: u64) -> RouteSpec {
    RouteSpec { event, channel: ChannelId(channel), server: None, role: None, style: Style::Card, forum: false, rule: Rule::default() }
}

async fn added(store: &Store, guild: GuildId, new: RouteSpec) -> RouteId {
    let AddRoute::Added(id) = store.add_route(guild, new, UserId(9), UnixMs(1)).await.unwrap() else { panic!("not added") };
    id
}

fn routes(store: &Store) -> Vec<Route> {
    store.routing_now().routes.clone()
}

#[tokio::test]
async fn a_rule_is_changed_in_place_by_two_at_once_and_lasts() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    let id = added(&store, guild, new_route(Listens::To(Topic::Emergency), 5)).await;
    // Each reads what the other wrote, whoever comes first.
    let threads = store.change_rule(guild, id, |rule| rule.threads = Threads::Always);
    let filter = store.change_rule(guild, id, |rule| {
        rule.filter = Filter { departments: vec!["LSPD".into()], ..Filter::default() };
        rule.filter.departments.len()
    });
    let ping_edit = PingEdit { role: Some(Some(RoleId(3))), when: Some(Some(When::NoDispatcher)), cooldown_s: Some(Some(60)) };
    let ping = store.set_ping(guild, id, ping_edit);
    let (threads, filter, ping) = tokio::join!(threads, filter, ping);
    assert_eq!(threads.unwrap().unwrap().0.spec.rule.threads, Threads::Always);
    assert_eq!(filter.unwrap().unwrap().1, 1, "what the change says comes back");
    assert_eq!(ping.unwrap().unwrap().1.spec.role, Some(RoleId(3)));
    let rule = routes(&store)[0].spec.rule.clone();
    assert_eq!((rule.threads, rule.filter.departments.as_slice()), (Threads::Always, &["LSPD".to_owned()][..]));
    assert_eq!((rule.when, rule.cooldown_s), (Some(When::NoDispatcher), Some(60)));
    // Neither another guild's route nor one that is not there.
    assert!(store.change_rule(GuildId(5), id, |rule| rule.when = None).await.unwrap().is_none());
    assert!(store.set_ping(GuildId(5), id, ping_edit).await.unwrap().is_none());
    // What is not named stays.
    let (before, after) = store.set_ping(guild, id, PingEdit { cooldown_s: Some(Some(60)), ..PingEdit::default() }).await.unwrap().unwrap();
    assert_eq!(before, after);
    assert!(store.change_rule(guild, RouteId(id.0 + 1), |_| ()).await.unwrap().is_none());
    // The same route asked for again keeps its rule, and the role that was not named.
    assert_eq!(
        store.add_route(guild, new_route(Listens::To(Topic::Emergency), 5), UserId(9), UnixMs(1)).await.unwrap(),
        AddRoute::Same(id)
    );
    assert_eq!((routes(&store)[0].spec.rule.clone(), routes(&store)[0].spec.role), (rule.clone(), Some(RoleId(3))));
    drop(store);
    assert_eq!(routes(&reopen(&folder).await)[0].spec.rule, rule);
}

#[tokio::test]
async fn rules_are_changed_together_and_the_changed_ones_returned() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let (guild, other) = (GuildId(4), GuildId(5));
    for guild in [guild, other] {
        store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    }
    let first = added(&store, guild, new_route(Listens::To(Topic::Emergency), 5)).await;
    added(&store, guild, new_route(Listens::To(Topic::Civil), 5)).await;
    let elsewhere = added(&store, other, new_route(Listens::To(Topic::Civil), 6)).await;
    let mute = Some(Mute { until: UnixMs(99), panic: false });
    for (guild, id) in [(guild, first), (other, elsewhere)] {
        store.change_rule(guild, id, move |rule| rule.mute = mute).await.unwrap();
    }
    let changed = store.change_rules(guild, |rule| rule.mute = None).await.unwrap();
    assert_eq!(changed.iter().map(|route| route.id).collect::<Vec<_>>(), [first]);
    assert_eq!(routes(&store).iter().map(|route| route.spec.rule.mute).collect::<Vec<_>>(), [None, None, mute]);
}

#[tokio::test]
async fn a_route_is_edited_unless_another_stands_there_or_a_forum_would_not_take_it() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    let with_role = RouteSpec { role: Some(RoleId(3)), server: Some(ServerId(2)), ..new_route(Listens::To(Topic::Emergency), 5) };
    let first = added(&store, guild, with_role).await;
    let second = added(&store, guild, new_route(Listens::To(Topic::Civil), 5)).await;
    store.change_rule(guild, first, |rule| rule.cooldown_s = Some(7)).await.unwrap();

    let style = RouteEdit { style: Some(Style::Compact), ..RouteEdit::default() };
    let EditRoute::Changed(both) = store.edit_route(guild, first, style.clone()).await.unwrap() else { panic!() };
    assert_eq!((both.0.spec.style, both.1.spec.style), (Style::Card, Style::Compact));
    assert!(matches!(store.edit_route(guild, first, style.clone()).await.unwrap(), EditRoute::Same(_)));
    assert_eq!(store.edit_route(GuildId(5), first, style).await.unwrap(), EditRoute::Unknown);

    // As the second is: the server counts too.
    let civil = RouteEdit { event: Some(Listens::To(Topic::Civil)), ..RouteEdit::default() };
    assert!(matches!(store.edit_route(guild, first, civil.clone()).await.unwrap(), EditRoute::Changed(_)));
    let everywhere = RouteEdit { server: Some(None), ..RouteEdit::default() };
    assert_eq!(store.edit_route(guild, first, everywhere.clone()).await.unwrap(), EditRoute::Taken(second));
    assert_eq!(routes(&store)[0].spec.server, Some(ServerId(2)), "nothing changed");

    // Into a forum, and what a forum does not take, also when it is one already.
    let forum = RouteEdit { channel: Some((ChannelId(6), true)), server: Some(None), role: Some(None), ..RouteEdit::default() };
    assert!(matches!(store.edit_route(guild, first, forum).await.unwrap(), EditRoute::Changed(_)));
    let now = routes(&store)[0].clone();
    assert_eq!(
        (now.spec.channel, now.spec.forum, now.spec.server, now.spec.role, now.spec.rule.cooldown_s),
        (ChannelId(6), true, None, None, Some(7))
    );
    for unfit in [
        RouteEdit { style: Some(Style::Log), ..RouteEdit::default() },
        RouteEdit { event: Some(Listens::All), ..RouteEdit::default() },
        RouteEdit { event: Some(Listens::To(Topic::Pager)), ..RouteEdit::default() },
    ] {
        assert!(matches!(store.edit_route(guild, first, unfit).await.unwrap(), EditRoute::NotInForum(_)));
    }
    assert_eq!(routes(&store)[0], now);
}

#[tokio::test]
async fn quiet_hours_last_until_they_are_cleared() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    let quiet = Quiet { from: 1_320, to: 420, timezone: "Europe/Berlin".into(), panic: true };
    store.set_quiet(guild, Some(quiet.clone())).await.unwrap();
    drop(store);
    let store = reopen(&folder).await;
    assert_eq!(store.routing_now().guilds[&guild].quiet, Some(quiet));
    store.set_quiet(guild, None).await.unwrap();
    assert_eq!(store.routing_now().guilds[&guild].quiet, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_newest_routing_is_the_one_that_is_shown() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let guild = GuildId(4);
    store.ensure_guild(guild, &CommunityId::new("c")).await.unwrap();
    for round in 1..=5_u64 {
        let all: tokio::task::JoinSet<_> = (1..=40)
            .map(|channel| {
                let store = store.clone();
                let new = new_route(Listens::All, round * 1_000 + channel);
                async move { store.add_route(guild, new, UserId(9), UnixMs(1)).await.unwrap() }
            })
            .collect();
        all.join_all().await;
        assert_eq!(u64::try_from(store.routing_now().routes.len()).unwrap(), round * 40);
    }
}

#[tokio::test]
async fn the_world_comes_back_as_it_was_and_a_damaged_row_costs_itself_only() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let mut world = crate::world::Server::default();
    let event = crate::event::Event::Panic { idents: vec![crate::ids::Ident(4107)], on: true };
    let applied = world.apply(&event, UnixMs(5));
    let mut rows: Vec<WorldRow> =
        applied.touched.iter().map(|entity| WorldRow { server: ServerId(1), key: entity.key(), state: world.row(*entity) }).collect();
    assert!(applied.touched.contains(&Entity::Panic(crate::ids::Ident(4107))));
    rows.push(WorldRow { server: ServerId(1), key: ("911", 3), state: Some("{damaged".into()) });
    own(&store).ingest(Batch { world: rows, ..Batch::default() }, Vec::new()).await.unwrap();
    let loaded = own(&store).world().await.unwrap();
    assert_eq!(loaded[&ServerId(1)], world);
}

#[test]
fn rows_of_the_version_before_are_kept_by_an_upgrade() {
    let folder = Folder::new();
    let path = folder.0.join("tenfour.db");
    std::fs::create_dir_all(&folder.0).unwrap();
    let connection = Connection::open(&path).unwrap();
    let released = ["0001_floor", "0002_live_cards", "0003_delivery", "0004_duty", "0005_audit", "0006_acting"];
    for name in released {
        let text = std::fs::read_to_string(format!("{}/migrations/{name}.sql", env!("CARGO_MANIFEST_DIR"))).unwrap();
        connection.execute_batch(&text).unwrap();
    }
    connection.pragma_update(None, "user_version", 6_i64).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO guild (id, community, quiet) VALUES (4, 'c', '{"from":1320,"to":420,"timezone":"EST"}');
               INSERT INTO route (guild, event, channel, role, style, created_by, created_ms, rule)
               VALUES (4, '911', 5, 3, 'log', 9, 1, '{"filter":{"priorities":["high"],"postals":["abc-xyz"]},"cooldown_s":7}');"#,
        )
        .unwrap();
    drop(connection);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let store = store(&folder).await;
        let route = &routes(&store)[0];
        assert_eq!((route.spec.role, route.spec.style, route.spec.rule.cooldown_s), (Some(RoleId(3)), Style::Log, Some(7)));
        assert!(!route.spec.rule.filter.is_empty());
        assert_eq!(store.routing_now().guilds[&GuildId(4)].quiet.as_ref().unwrap().timezone, "EST");
        let id = store.keep_undo(GuildId(4), &[(route.clone(), route.clone())], UnixMs(1)).await.unwrap();
        assert_eq!(id, 1);
    });
}

#[test]
fn migrations_are_valid() {
    super::schema::migrations().validate().unwrap();
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

fn in_thread(subject: &str, place: Place) -> DesiredPost {
    let lane = if place == Place::Channel { Lane::Urgent } else { Lane::Log };
    DesiredPost { parent: Some("card".into()), place, over: true, ..draft(7, subject, subject, lane) }
}

/// Claims and delivers until nothing is due. Subjects in order.
async fn deliver(store: &Store, now: i64) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(claim) = store.claim(ChannelId(7), UnixMs(now)).await.unwrap() {
        let message = MessageId(100 + u64::try_from(sent.len()).unwrap());
        store.settle(&claim, Settlement::Delivered(claim.lead.message_id.unwrap_or(message)), UnixMs(now)).await.unwrap();
        sent.push(claim.lead.about.subject.to_string());
    }
    sent
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
    let store = store_with(&folder, StoreOptions { edit_window_ms: 500, ..StoreOptions::default() }).await;
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
    let now = made.made_at().0 + crate::outbox::OLD_MESSAGE_MS + 1;
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

mod batches;
mod journal;
