use super::super::conformance::Folder;
use rusqlite::Connection;

use super::super::schema::migrations;
use super::super::{AddBoard, AddRoute, Batch};
use std::sync::Arc;

use super::*;
use crate::guild_access::Standing;
use crate::ids::ChannelId;
use crate::ids::{RoleId, ServerId};
use crate::outbox::{ClaimOutcome, ClaimRequest};
use crate::outbox::{DesiredPost, Lane, Place, PostKey};
use crate::render::{Message, Style};
use crate::route::{BoardKind, Listens, RouteSpec, Rule, Threads};
use crate::store::audit::AuditKind;

const A: GuildId = GuildId(11);
const B: GuildId = GuildId(22);
const CHANNEL: ChannelId = ChannelId(7);
const NOW: UnixMs = UnixMs(1_000);

fn community() -> CommunityId {
    CommunityId::new("C1")
}

async fn open(folder: &Folder) -> Store {
    // The store that was dropped lets go of the database a moment later.
    for _ in 0..400 {
        match Store::open(&folder.0.join("tenfour.db")).await {
            Err(StoreError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("the database was never free");
}

async fn link(store: &Store, guild: GuildId, at: i64) -> Linked {
    store.link(guild, &community(), Some(UserId(5)), How::Key, UnixMs(at), Vec::new()).await.unwrap()
}

fn present(guilds: &[GuildId]) -> BTreeSet<GuildId> {
    guilds.iter().copied().collect()
}

fn draft(guild: GuildId, subject: &str, text: &str) -> DesiredPost {
    DesiredPost {
        key: PostKey { channel: CHANNEL, community: community(), server: ServerId(1), subject: subject.into() },
        guild,
        lane: Lane::New,
        style: Style::Card,
        roles: Vec::new(),
        place: Place::Channel,
        threads: Threads::Off,
        over: false,
        parent: None,
        message: Message { content: Some(crate::render::text::SafeText::trusted(text)), ..Message::default() },
        happened_at: NOW,
        event: 0,
    }
}

async fn put(store: &Store, drafts: Vec<DesiredPost>) {
    store.of(&community()).ingest(Batch { posts: drafts, now: NOW, ..Batch::default() }, Vec::new()).await.unwrap();
}

async fn set_up(store: &Store, guild: GuildId) {
    store.ensure_guild(guild, &community()).await.unwrap();
    let new = RouteSpec {
        event: Listens::All,
        channel: CHANNEL,
        server: None,
        role: Some(RoleId(3)),
        style: Style::Card,
        forum: false,
        rule: Rule::default(),
    };
    assert!(matches!(store.add_route(guild, new, UserId(5), NOW).await.unwrap(), AddRoute::Added(_)));
    assert!(matches!(store.add_board(guild, CHANNEL, BoardKind::Both, None, UserId(5), NOW).await.unwrap(), AddBoard::Added(_)));
    store.set_notices(guild, Some(CHANNEL)).await.unwrap();
}

#[tokio::test]
async fn a_guild_without_a_link_has_no_routes_boards_or_posts_to_show() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    set_up(&store, A).await;
    put(&store, vec![draft(A, "a", "secret")]).await;
    let routing = store.routing_now();
    assert!(routing.routes.is_empty() && routing.boards.is_empty() && routing.guilds.is_empty());
    assert_eq!(store.counts().await.unwrap().waiting, 0, "nothing was even kept to be sent");

    assert_eq!(link(&store, A, 1).await, Linked::Now);
    assert_eq!(link(&store, A, 2).await, Linked::Already);
    let routing = store.routing_now();
    assert_eq!((routing.routes.len(), routing.boards.len(), routing.guilds.len()), (1, 1, 1));
    put(&store, vec![draft(A, "a", "for the linked")]).await;
    assert!(matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Claimed(_)));
}

#[tokio::test]
async fn unlinking_forgets_what_waits_and_what_was_set_and_lasts() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    link(&store, A, 1).await;
    set_up(&store, A).await;
    put(&store, vec![draft(A, "a", "waits"), draft(A, "b", "is being sent")]).await;
    let ClaimOutcome::Claimed(claim) = store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap() else { panic!("nothing to send") };
    let entry = AuditEntry {
        guild: A,
        at: NOW,
        user: UserId(5),
        kind: AuditKind::Setting,
        action: "/cad unlink".into(),
        target: String::new(),
        detail: String::new(),
        outcome: "done".into(),
    };
    assert!(store.unlink(A, UnixMs(2_000), vec![entry]).await.unwrap());
    assert!(!store.unlink(A, UnixMs(2_000), Vec::new()).await.unwrap());
    assert_eq!(store.audited(A, crate::store::audit::AuditFilter::default(), 0).await.unwrap().total, 1);
    // What was under way ends; nothing comes after it, whatever is drawn.
    let delivered = crate::outbox::Settlement::Delivered(crate::ids::MessageId(99));
    let (_, next) = store.settle_and_take(&Arc::new(*claim), delivered, NOW, Some(ClaimRequest::any(CHANNEL, NOW))).await.unwrap();
    assert_eq!(next, ClaimOutcome::Nothing);
    put(&store, vec![draft(A, "a", "still drawn")]).await;
    assert_eq!((store.due().await.unwrap(), store.counts().await.unwrap().waiting), (Vec::new(), 0));
    drop(store);

    // The bot's only guild, after a restart: it was unlinked on purpose.
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    assert_eq!(store.link_only_guild(&community(), present(&[A]), NOW).await.unwrap(), None);
    assert_eq!(store.routing_now().access.standing(A), Standing::NotLinked);
    assert_eq!(link(&store, A, 3).await, Linked::Now);
    assert!(store.routing_now().routes.is_empty() && store.routing_now().guilds.is_empty(), "it starts over");
}

#[tokio::test]
async fn the_only_guild_is_linked_once_and_stays_so_whoever_comes() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    assert_eq!(store.link_only_guild(&community(), present(&[A, B]), NOW).await.unwrap(), None, "whose would it be?");
    assert_eq!(store.link_only_guild(&community(), present(&[A]), NOW).await.unwrap(), Some(A));
    assert_eq!(store.link_only_guild(&community(), present(&[A, B]), NOW).await.unwrap(), None);
    assert_eq!(store.link_only_guild(&community(), present(&[B]), NOW).await.unwrap(), None, "the bot was thrown out of the linked one");
    let access = store.routing_now().access.clone();
    assert_eq!((access.standing(A), access.standing(B)), (Standing::Served, Standing::NotLinked));
    assert_eq!(access.first(&community()).map(|link| link.how), Some(How::OnlyGuild));
}

#[tokio::test]
async fn the_setting_serves_its_guild_alone_and_what_others_have_stays_for_later() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    link(&store, B, 1).await;
    set_up(&store, B).await;
    put(&store, vec![draft(B, "b", "waits")]).await;

    store.serve(&community(), Some(A), NOW).await.unwrap();
    let access = store.routing_now().access.clone();
    assert_eq!((access.standing(A), access.standing(B)), (Standing::Served, Standing::OtherGuildOnly));
    assert_eq!(access.first(&community()).map(|link| (link.guild, link.how)), Some((A, How::Setting)));
    assert!(store.routing_now().routes.is_empty());
    assert_eq!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Nothing);
    assert!(store.due().await.unwrap().is_empty());

    store.serve(&community(), None, NOW).await.unwrap();
    assert_eq!(store.routing_now().routes.len(), 1, "as it was");
    assert!(matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Claimed(_)));
    // Another community's bot on the same database serves nobody.
    store.serve(&CommunityId::new("other"), None, NOW).await.unwrap();
    assert_eq!(store.routing_now().access.standing(B), Standing::NotLinked);
}

#[tokio::test]
async fn new_guilds_are_found_once_and_those_that_left_are_known_to_have() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    link(&store, A, 1).await;
    assert_eq!(store.guilds_present(present(&[A, B]), NOW).await.unwrap(), [A, B]);
    assert_eq!(store.guilds_present(present(&[A, B]), NOW).await.unwrap(), []);
    assert!(!store.guild_came(B).await.unwrap());
    let left = |store: &Store| store.routing_now().access.first(&community()).and_then(|link| link.left_at);
    assert_eq!(left(&store), None);
    assert_eq!(store.guilds_present(present(&[B]), UnixMs(5)).await.unwrap(), []);
    assert_eq!(left(&store), Some(UnixMs(5)));
    assert!(!store.guild_came(A).await.unwrap(), "it had the bot before");
    assert_eq!(left(&store), None);
    store.guild_left(A, UnixMs(6)).await.unwrap();
    assert_eq!(left(&store), Some(UnixMs(6)));
}

#[tokio::test]
async fn guilds_that_had_routes_or_boards_stay_linked_after_the_upgrade_and_no_others() {
    let folder = Folder::new();
    let path = folder.0.join("tenfour.db");
    let mut old = Connection::open(&path).unwrap();
    migrations().to_version(&mut old, 6).unwrap();
    old.execute_batch(
        "INSERT INTO guild (id, community, notices_channel) VALUES (11, 'c1', 70), (22, 'c1', NULL), (33, 'c1', 71), (44, 'elsewhere', NULL);
         INSERT INTO route (guild, event, channel, style, created_by, created_ms) VALUES
            (22, 'all', 5, 'card', 1, 900), (22, '911', 6, 'card', 1, 300), (44, 'all', 8, 'card', 1, 100);
         INSERT INTO board (guild, channel, kind, created_by, created_ms) VALUES (11, 5, 'both', 1, 500);
         INSERT INTO post (guild, channel, community, server, subject, lane, style, roles, over, desired, version, happened_ms, created_ms, due_ms)
         VALUES (22, 5, 'c1', 1, '911:1@1', 1, 'card', '[]', 0, '{}', 1, 1, 1, 1);",
    )
    .unwrap();
    drop(old);

    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    let access = store.routing_now().access.clone();
    let served: Vec<_> = access.served().iter().map(|link| (link.guild, link.linked_at.0, link.how)).collect();
    assert_eq!(served, [(GuildId(22), 300, How::Upgrade), (GuildId(11), 500, How::Upgrade)]);
    assert_eq!(access.standing(GuildId(33)), Standing::NotLinked, "it had a notices channel, and nothing else");
    assert_eq!(access.standing(GuildId(44)), Standing::NotLinked, "its routes were another community's");
    let routing = store.routing_now();
    assert_eq!((routing.routes.len(), routing.boards.len()), (2, 1));
    assert_eq!(store.counts().await.unwrap().waiting, 1, "what waited is still sent");
}

#[tokio::test]
async fn the_parked_channels_of_a_guild_are_opened_together() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    link(&store, A, 1).await;
    put(&store, vec![draft(A, "a", "refused")]).await;
    let ClaimOutcome::Claimed(claim) = store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap() else { panic!("nothing to send") };
    let park = crate::outbox::Settlement::Park { until: UnixMs(99_000), reason: "Missing Access (50001)".into() };
    store.settle(&claim, park, NOW).await.unwrap();
    assert!(!matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Claimed(_)));
    assert_eq!(store.reopen_guild(B).await.unwrap(), [].into());
    assert_eq!(store.reopen_guild(A).await.unwrap(), [CHANNEL].into());
    assert!(matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Claimed(_)));
}

#[tokio::test]
async fn where_the_commands_are_is_remembered() {
    let folder = Folder::new();
    let store = open(&folder).await;
    assert_eq!(store.commands_in().await.unwrap(), None);
    store.set_commands_in(Some(A)).await.unwrap();
    assert_eq!(store.commands_in().await.unwrap(), Some(A));
    store.set_commands_in(None).await.unwrap();
    assert_eq!(store.commands_in().await.unwrap(), None);
}

#[tokio::test]
async fn a_guild_that_was_linked_by_itself_can_prove_the_key_and_stays_where_it_was() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    assert_eq!(store.link_only_guild(&community(), present(&[B]), UnixMs(1)).await.unwrap(), Some(B));
    assert_eq!(link(&store, A, 9).await, Linked::Now);
    let first = || store.routing_now().access.first(&community()).map(|link| (link.guild, link.linked_at.0, link.how));
    assert_eq!(first(), Some((B, 1, How::OnlyGuild)));
    assert!(store.routing_now().access.may_unlink(A, B), "B proved nothing");
    assert_eq!(link(&store, B, 10).await, Linked::Now);
    assert_eq!(first(), Some((B, 1, How::Key)), "it was there first, and has proven it");
    assert_eq!(link(&store, B, 11).await, Linked::Already);
    // The setting's word counts as well, and goes on to count when the setting is gone.
    store.serve(&community(), Some(A), UnixMs(12)).await.unwrap();
    store.serve(&community(), None, UnixMs(13)).await.unwrap();
    assert!(store.routing_now().access.is_proven(A));
}

#[tokio::test]
async fn a_guild_that_adds_the_bot_again_and_again_is_news_once() {
    let folder = Folder::new();
    let store = open(&folder).await;
    store.serve(&community(), None, NOW).await.unwrap();
    for round in 0..3 {
        assert_eq!(store.guild_came(A).await.unwrap(), round == 0);
        store.guild_left(A, NOW).await.unwrap();
    }
    assert_eq!(store.guilds_present(present(&[A, B]), NOW).await.unwrap(), [B]);
    assert_eq!(store.guilds_present(present(&[B]), NOW).await.unwrap(), []);
    assert_eq!(store.guilds_present(present(&[A, B]), NOW).await.unwrap(), []);
}

/// What waits of the community before is forgotten, what comes late is not taken in, and its settings are the new community's.
#[tokio::test]
async fn a_guild_that_moves_to_another_community_is_shown_nothing_of_the_one_before() {
    let folder = Folder::new();
    let (store, other) = (open(&folder).await, CommunityId::new("other"));
    store.serve(&community(), None, NOW).await.unwrap();
    store.serve_also(&other).await.unwrap();
    link(&store, A, 1).await;
    set_up(&store, A).await;
    put(&store, vec![draft(A, "a", "waits")]).await;
    store.link(A, &other, Some(UserId(5)), How::Key, NOW, Vec::new()).await.unwrap();
    assert!(matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Nothing));
    put(&store, vec![draft(A, "b", "comes late")]).await;
    assert!(matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Nothing));
    let theirs = DesiredPost { key: PostKey { community: other.clone(), ..draft(A, "c", "").key }, ..draft(A, "c", "theirs") };
    // One community's tasks cannot store another's posts.
    put(&store, vec![theirs.clone()]).await;
    assert!(matches!(store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap(), ClaimOutcome::Nothing));
    store.of(&other).ingest(Batch { posts: vec![theirs], now: NOW, ..Batch::default() }, Vec::new()).await.unwrap();
    let ClaimOutcome::Claimed(claim) = store.take(ClaimRequest::any(CHANNEL, NOW)).await.unwrap() else { panic!("nothing to send") };
    assert_eq!(claim.lead.about.community, other);
    assert!(store.of(&community()).routing_now().routes.is_empty());
    assert_eq!(store.of(&other).routing_now().routes.len(), 1);

    // Its row was made by a command of the community before, which came late.
    store.unlink(A, NOW, Vec::new()).await.unwrap();
    store.link(A, &community(), Some(UserId(5)), How::Key, NOW, Vec::new()).await.unwrap();
    store.ensure_guild(A, &other).await.unwrap();
    assert!(store.routing_now().guilds.is_empty());
    store.ensure_guild(A, &community()).await.unwrap();
    assert_eq!(store.routing_now().guilds[&A].community, community());
}
