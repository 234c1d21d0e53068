//! How much of the write-ahead log an event takes that is stored, shown, and settled. Bytes, not times: the same on every machine.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::conformance::Folder;
use super::duty::CallRow;
use super::posts::Posts;
use super::{Batch, JournalRow, WorldRow, link_rows, open};
use crate::clock::UnixMs;
use crate::event::{Source, decode, envelope};
use crate::files;
use crate::guild_access::How;
use crate::ids::{ChannelId, CommunityId, GuildId, MessageId, ServerId, UserId};
use crate::outbox::{Claim, ClaimOutcome, ClaimRequest, DesiredPost, Lane, Place, PostKey, Settlement};
use crate::render::{Labels, Style, View, card};
use crate::route::Threads;
use crate::world::{Change, Server};

const GUILD: GuildId = GuildId(1_573_790_102_490_972_160);
/// Each has a channel of its own.
const SERVERS: u32 = 8;
/// Events before the measured ones: an empty database has shorter paths.
const BEFORE: u32 = 2_000;
const MEASURED: u32 = 500;

/// What the log takes at most for each of them (bytes). A page more in each transaction, as of one more index, goes beyond it.
const MOST: u64 = 17_000;

/// The writer's side of the store, without its thread: what joins which transaction does not depend on time.
struct Written {
    connection: Connection,
    posts: Posts,
    worlds: Vec<Server>,
    now: UnixMs,
    /// What was sent last, settled with the next transaction.
    sent: Option<Claim>,
}

impl Written {
    fn new(connection: Connection) -> Self {
        let now = UnixMs(1_795_293_853_000);
        link_rows::set_communities(&connection, &[community()].into()).unwrap();
        link_rows::put(&connection, GUILD, &community(), Some(UserId(1)), How::Key, now).unwrap();
        let posts = Posts::load(&connection, "instance", Duration::from_millis(500)).unwrap();
        Self { connection, posts, worlds: (0..SERVERS).map(|_| Server::default()).collect(), now, sent: None }
    }

    /// A 911 call comes in, becomes a card, and is claimed; what was sent before is settled.
    fn show(&mut self, number: u32) {
        self.now = self.now.plus_ms(10);
        let server = ServerId(1 + number % SERVERS);
        let channel = ChannelId(1_573_790_104_797_839_362 + u64::from(server.0) * 7_919);
        let (batch, request) = (self.batch(number, server, channel), ClaimRequest::any(channel, self.now));
        self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        if let Some(claim) = self.sent.take() {
            let message = MessageId(1_573_790_104_797_839_362 + (u64::from(number) << 22));
            self.posts.settle(&self.connection, &claim, &Settlement::Delivered(message), self.now).unwrap();
        }
        let outcome = super::community::write(&self.connection, &mut self.posts, &community(), &batch, &[request]).unwrap().remove(0);
        self.posts.store(&self.connection).unwrap();
        self.connection.execute_batch("COMMIT").unwrap();
        self.posts.keep();
        let ClaimOutcome::Claimed(claim) = outcome else { panic!("{outcome:?}") };
        self.sent = Some(*claim);
    }

    fn batch(&mut self, number: u32, server: ServerId, channel: ChannelId) -> Batch {
        let body = emergency(number);
        let (envelope, _) = envelope::open(body.as_bytes()).unwrap();
        let world = &mut self.worlds[usize::try_from(server.0 - 1).unwrap()];
        let mut batch = Batch { now: self.now, ..Batch::default() };
        for event in decode(&envelope).unwrap() {
            let applied = world.apply(&event, self.now);
            batch.world.extend(applied.touched.iter().map(|entity| WorldRow { server, key: entity.key(), state: world.row(*entity) }));
            for change in applied.changes {
                let Change::Card { subject, .. } = change else { continue };
                batch.calls.extend(world.call_fact(subject).map(|fact| CallRow { server, subject, fact }));
                let view = View {
                    world,
                    server,
                    labels: Labels::usual(),
                    style: Style::Card,
                    roles: &[],
                    test: false,
                    buttons: true,
                    now: self.now,
                };
                batch.posts.push(DesiredPost {
                    key: PostKey { channel, community: community(), server, subject: subject.to_string() },
                    guild: GUILD,
                    lane: Lane::Urgent,
                    style: Style::Card,
                    roles: Vec::new(),
                    place: Place::Channel,
                    threads: Threads::Off,
                    over: false,
                    parent: None,
                    message: card(subject, &view).unwrap(),
                    happened_at: self.now,
                    event: 0,
                });
            }
        }
        batch.journal.push(JournalRow {
            seq: i64::from(number),
            server,
            source: Source::Http,
            kind: envelope.kind.clone(),
            received_at: self.now,
            body: envelope.to_json(),
        });
        batch
    }
}

fn community() -> CommunityId {
    CommunityId::new("brineford")
}

/// As the CAD sends them, with as much text.
fn emergency(number: u32) -> String {
    let call = json!({
        "callId": number, "emergency": true, "caller": "Marisol Vega", "location": "1180 Lantern Quay, Brineford",
        "description": "Two men are breaking into the bait shop. One of them has a crowbar, the other one waits in a van.",
        "metaData": {"postal": "2207", "x": "-318.4", "y": "1204.75", "z": "31.2"}
    });
    json!({"type": "EVENT_911", "data": {"call": call, "identities": ["license:4be07d1c9a"]}}).to_string()
}

#[test]
fn a_shown_event_takes_few_bytes_of_the_log() {
    let folder = Folder::new();
    let path = folder.0.join("tenfour.db");
    let open::Opened { file, connection, lock: _lock } = open::open(&path).unwrap();
    let mut written = Written::new(connection);
    (1..=BEFORE).for_each(|number| written.show(number));
    written.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0)).unwrap();
    // Whoever reads keeps the log from starting over.
    let reader = open::again(&file, &path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM meta").unwrap();
    (1..=MEASURED).for_each(|number| written.show(BEFORE + number));
    let log = std::fs::metadata(files::beside(&file, "-wal")).unwrap().len();
    let each = log / u64::from(MEASURED);
    assert!(each <= MOST, "{each} bytes of the log for each event");
}
