//! The queue in SQL and the pure one ([`crate::outbox::queue`]) are given the same random steps and must agree on every claim, every settlement
//! and every row after each of them.
//!
//! What the pure one says that it changed is kept as a disk would keep it: that is what is compared, and what it is loaded from after a restart.
//!
//! `TENFOUR_SEED=17` plays one run and prints it; `TENFOUR_HISTORIES=100000` plays more of them, from `TENFOUR_FIRST_SEED` on.

mod disk;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use rusqlite::Connection;

use super::*;
use crate::guild_access::How;
use crate::ids::{ChannelId, GuildId, MessageId, UserId};
use crate::outbox::queue::{
    self, BoardRemoval, Changes, ClaimOutcome, ClaimRequest, ParkedChannel, PostId, PostState, Queue, RowChange, SettleOutcome, SubjectKey,
};
use crate::outbox::{Claim, Member, Settlement, nonce};

use disk::Disk;
use steps::{CHANNELS, GUILDS, START, Step, board, community, settlement};

/// Runs of the gate.
const RUNS: u64 = 2_000;

/// What happened in all runs, so that a generator that stopped making something does not go unnoticed.
#[derive(Default)]
struct Seen(Mutex<Told>);

/// How often what happened, and how posts went from state to state.
type Told = (BTreeMap<&'static str, usize>, BTreeSet<Move>);

/// From, by which call or settlement, to; `-` = no row.
type Move = (&'static str, &'static str, &'static str);

impl Seen {
    fn add(&self, (happened, moves): Told) {
        let mut all = self.0.lock().unwrap();
        happened.into_iter().for_each(|(what, times)| *all.0.entry(what).or_default() += times);
        all.1.extend(moves);
    }
}

/// Each of these must have happened at least once in 400 runs.
const MUST_HAPPEN: [&str; 30] = [
    "claimed",
    "claimed a batch",
    "claimed an edit of a batch",
    "claimed a batch in doubt",
    "claimed a panic",
    "claimed a line",
    "claimed a board",
    "claimed an edit",
    "claimed in doubt",
    "claimed again after its lease",
    "claimed an answer",
    "claimed into a thread",
    "claimed an archive",
    "claimed a forum post",
    "claimed with an address",
    "already called",
    "claimed anew",
    "not before",
    "reopened",
    "newly parked",
    "report",
    "a report handed on",
    "isolated",
    "edit in doubt",
    "batch dissolved",
    "given up",
    "expired",
    "pruned",
    "sent again for a link",
    "not served",
];

/// The diagram in [`crate::outbox::queue`], with what it says about batches and late settlements: no post may go another way. What waits,
/// is parked or is in doubt counts as waiting.
const DIAGRAM: [(&str, &[&str], &str); 13] = [
    ("-", &["desire"], "Waiting"),
    ("Waiting", &["claim"], "Claimed"),
    ("Claimed", &["Delivered", "Again", "release", "release_all", "Repost", "Alone", "Park", "Over"], "Waiting"),
    ("Claimed", &["Delivered", "Over"], "Delivered"),
    ("Claimed", &["Fail"], "Failed"),
    ("Delivered", &["desire", "resend_board", "show_again", "Delivered"], "Waiting"),
    ("Failed", &["desire", "resend_board"], "Waiting"),
    ("Waiting", &["prune"], "Failed"),
    ("Delivered", &["prune", "forget_guild", "forget_board"], "-"),
    ("Failed", &["prune", "forget_guild", "forget_board"], "-"),
    // Expired and pruned at once.
    ("Waiting", &["prune", "forget_guild", "forget_board"], "-"),
    ("Claimed", &["prune", "forget_guild", "forget_board"], "-"),
    // A card and the thread that it was for.
    ("Waiting", &["Over", "Repost", "Fail"], "Delivered"),
];

/// Posts of a batch that have nothing to show are claimed with it, and go back.
fn is_of_a_batch((from, call, to): Move) -> bool {
    let settled = ["Delivered", "Again", "Park", "Repost", "Over", "Alone", "Fail", "release", "release_all"].contains(&call);
    let rests = |state| ["Delivered", "Failed"].contains(&state);
    (rests(from) && call == "claim" && to == "Claimed") || (from == "Claimed" && settled && rests(to))
}

/// A claim that was settled after its lease ran out.
fn is_late((from, call, to): Move) -> bool {
    let settled = |from| DIAGRAM.iter().any(|(known, calls, end)| (*known, *end) == (from, to) && calls.contains(&call));
    from != "Claimed" && settled("Claimed") && call != "prune"
}

#[test]
fn both_queues_agree_on_every_claim_and_every_row() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("TENFOUR_SEED") {
        let (window, steps) = steps::run(seed);
        let outcome = Run::play(&[database(), database()], window, &steps, true);
        return assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
    let first = number("TENFOUR_FIRST_SEED").unwrap_or(0);
    let seeds: Vec<u64> = (first..first + number("TENFOUR_HISTORIES").unwrap_or(RUNS)).collect();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(2);
    let (next, seen, failed) = (AtomicUsize::new(0), Seen::default(), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let stores = [database(), database()];
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    let (window, steps) = steps::run(*seed);
                    match Run::play(&stores, window, &steps, false) {
                        Ok(told) => seen.add(told),
                        Err(why) => {
                            let (steps, why) = shrink(&stores, window, steps, why);
                            failed.lock().unwrap().push(format!(
                                "TENFOUR_SEED={seed}, window {window}: {why}\nafter:\n{}",
                                steps.iter().map(|step| format!("{step:?}\n")).collect::<String>()
                            ));
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let (seen, moves) = seen.0.into_inner().unwrap();
    let rare: Vec<_> = MUST_HAPPEN.iter().filter(|what| seen.get(*what).copied().unwrap_or(0) * 400 < seeds.len()).collect();
    assert!(seeds.len() < 100 || rare.is_empty(), "hardly ever happened: {rare:?} in {seen:#?}");
    let drawn = |(from, call, to): Move| DIAGRAM.iter().any(|(a, calls, z)| (*a, *z) == (from, to) && calls.contains(&call));
    let not_drawn: Vec<_> = moves.iter().filter(|it| !drawn(**it) && !is_of_a_batch(**it) && !is_late(**it)).collect();
    assert!(not_drawn.is_empty(), "the diagram lacks {not_drawn:?}");
    println!("{} runs: {seen:#?} {moves:?}", seeds.len());
}

/// Leaves out what is not needed for a failure.
fn shrink(stores: &[Store; 2], window: i64, mut steps: Vec<Step>, mut why: String) -> (Vec<Step>, String) {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match Run::play(stores, window, &fewer, false) {
                Ok(_) => at += size,
                Err(same) => (steps, why) = (fewer, same),
            }
        }
        size /= 2;
    }
    (steps, why)
}

/// An empty database in memory.
fn database() -> Store {
    let mut connection = Connection::open_in_memory().unwrap();
    prepare(&connection).unwrap();
    migrations().to_latest(&mut connection).unwrap();
    // All that both sides ask: to prepare is what costs.
    connection.set_prepared_statement_cache_capacity(256);
    let instance = instance(&connection).unwrap();
    let routing = guilds::load(&connection).unwrap();
    let (writer, reader) = thread::inline(connection);
    Store { writer, reader, routing: watch::Sender::new(Arc::new(routing)), instance: instance.into(), edit_window: 0, quota: None }
}

/// Nothing is waited for: there are no threads.
fn done<T>(work: impl Future<Output = Result<T, StoreError>>) -> T {
    work.now_or_never().expect("it waited").unwrap()
}

/// What both say of the same thing.
#[track_caller]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, sql: &T, pure: &T) -> Result<(), String> {
    if sql == pure { Ok(()) } else { Err(format!("{what}\n  SQL:  {sql:?}\n  pure: {pure:?}")) }
}

struct Run {
    store: Store,
    window: i64,
    queue: Queue,
    disk: Disk,
    now: UnixMs,
    open: Vec<(Claim, queue::Claim)>,
    seen: BTreeMap<&'static str, usize>,
    moves: BTreeSet<Move>,
}

impl Run {
    fn play(stores: &[Store; 2], window: i64, steps: &[Step], told: bool) -> Result<Told, String> {
        let [store, twin] = stores.clone();
        let store = store.gathering_edits(window);
        // What a run leaves is rolled back.
        for store in stores {
            done(store.writer.run(|connection| connection.execute_batch("BEGIN")));
        }
        let queue = Queue::new(&store.instance, window, PostId(1));
        let mut run = Self {
            store,
            window,
            queue,
            disk: Disk::new(twin),
            now: START,
            open: Vec::new(),
            seen: BTreeMap::new(),
            moves: BTreeSet::new(),
        };
        let outcome = run.play_all(steps, told);
        for store in stores {
            done(store.writer.run(|connection| connection.execute_batch("ROLLBACK")));
        }
        outcome.map(|()| (run.seen, run.moves))
    }

    fn play_all(&mut self, steps: &[Step], told: bool) -> Result<(), String> {
        done(self.store.serve(&community(), None, START));
        for guild in GUILDS {
            done(self.store.link(guild, &community(), Some(UserId(1)), How::Key, START, Vec::new()));
            done(self.store.ensure_guild(guild, &community()));
        }
        done(self.store.set_notices(GUILDS[1], Some(CHANNELS[0])));
        self.serve();
        for (nth, step) in steps.iter().enumerate() {
            if told {
                println!("{nth} at {}: {step:?}", self.now.since(START));
            }
            let outcome = self.step(step).and_then(|()| self.disk.compare(&self.store));
            let outcome = outcome.and_then(|()| if nth % 8 == 0 { self.readings() } else { Ok(()) });
            outcome.map_err(|why| format!("step {nth} ({step:?}) at {}: {why}", self.now.since(START)))?;
        }
        self.readings()?;
        let loaded = self.disk.posts.values().eq(self.queue.posts());
        if loaded && self.queue.is_indexed() { Ok(()) } else { Err("what was said to be changed is not what changed".into()) }
    }

    fn saw(&mut self, what: &'static str, it: bool) {
        if it {
            *self.seen.entry(what).or_default() += 1;
        }
    }

    /// `call`: what made these changes.
    fn changed(&mut self, call: &'static str, changes: Changes) -> Result<(), String> {
        for (id, change) in &changes.posts {
            self.moved(call, *id, change, &changes.parked);
            let (Some(before), RowChange::Update(after)) = (self.disk.posts.get(id), change) else { continue };
            let free = before.claimed_until.is_none();
            let linked = after.version > before.version && after.delivered_version == before.delivered_version && !after.links.is_empty();
            let failed = after.failed.is_some() && before.failed.is_none();
            let happened = [
                ("sent again for a link", free && linked && before.message_id.is_some()),
                ("isolated", after.isolated && !before.isolated),
                ("expired", failed && free),
                ("given up", failed && !free),
                ("a report handed on", free && after.reported && !before.reported),
                ("edit in doubt", after.edit_in_doubt_since.is_some()),
                ("batch dissolved", before.batch.is_some() && after.batch.is_none()),
            ];
            happened.into_iter().for_each(|(what, it)| self.saw(what, it));
        }
        self.disk.apply(changes)
    }

    /// Takes down how a post went from one state to another.
    fn moved(&mut self, call: &'static str, id: PostId, change: &RowChange, parked: &BTreeMap<ChannelId, Option<ParkedChannel>>) {
        let was = self.disk.posts.get(&id).map_or("-", |post| name(&post.state(self.disk.parked.get(&post.channel))));
        let is = match change {
            RowChange::Insert(post) | RowChange::Redraw(post) | RowChange::Update(post) => {
                let known = parked.get(&post.channel).map(Option::as_ref);
                name(&post.state(known.unwrap_or_else(|| self.disk.parked.get(&post.channel))))
            }
            RowChange::Delete => "-",
        };
        if was != is {
            self.moves.insert((was, call, is));
        }
    }

    /// The guilds that are served, as the store knows it.
    fn serve(&mut self) {
        let served: BTreeSet<GuildId> = self.store.routing_now().access.served().iter().map(|link| link.guild).collect();
        self.saw("not served", served.len() < GUILDS.len());
        self.queue.serve(served);
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let (store, now) = (self.store.clone(), self.now);
        match step {
            Step::Pass(ms) => self.now = now.plus(*ms),
            Step::Desire { drafts, requests } => self.desire(drafts.clone(), requests)?,
            Step::Redraw(dice) => self.desire(steps::redrawn(*dice, self.queue.posts()).into_iter().collect(), &[])?,
            Step::Claim(request) => {
                let found = done(store.take(ask(*request, now)));
                self.claim(found, *request)?;
            }
            Step::Settle { claim, dice, next } => {
                let Some((mut old, mut new)) = self.take_open(*claim) else { return Ok(()) };
                // Whether its creation called nobody.
                old.unpinged ^= dice & 1 == 0;
                new.lead.pings_suppressed = old.unpinged;
                for (nth, (old, new)) in old.others.iter_mut().zip(&mut new.others).enumerate() {
                    old.unpinged ^= (dice >> nth) & 2 == 0;
                    new.pings_suppressed = old.unpinged;
                }
                let settlement = settlement(*dice, &new, now);
                let (settled, found) = done(store.settle_and_take(&old, settlement.clone(), now, next.map(|next| ask(next, now))));
                let (outcome, changes) = self.queue.settle(&new, &settlement, now);
                let expected = SettleOutcome { newly_parked: settled.newly_parked, reopened: settled.reopened, report: settled.news };
                same("settled", &expected, &outcome).map_err(|why| format!("{settlement:?}: {why}"))?;
                self.saw("newly parked", outcome.newly_parked);
                self.saw("reopened", outcome.reopened);
                self.saw("report", outcome.report);
                self.changed(word(&settlement), changes)?;
                if let Some(next) = next {
                    self.claim(found, *next)?;
                }
            }
            Step::Release { claim, after } => {
                let Some((old, new)) = self.take_open(*claim) else { return Ok(()) };
                done(store.release(&old, now.plus(*after)));
                let changes = self.queue.release(&new, now.plus(*after));
                self.changed("release", changes)?;
            }
            Step::OpenThread { claim, thread } => {
                let in_threads = |(_, new): &&mut (Claim, queue::Claim)| new.lead.place == crate::outbox::Place::Thread;
                let Some((old, new)) = self.open.iter_mut().filter(in_threads).nth(claim % 2) else { return Ok(()) };
                let thread = ChannelId(*thread);
                (old.thread, new.thread) = (Some(thread), Some(thread));
                done(store.opened_thread(old, thread));
                let changes = self.queue.opened_thread(new, thread);
                self.changed("opened_thread", changes)?;
            }
            Step::Restart => {
                self.open.clear();
                let StoredQueue { posts, parked, next } = self.disk.load()?;
                let mut queue = Queue::new(&store.instance, self.window, next);
                queue.restore(posts, parked);
                self.queue = queue;
                self.serve();
                let released = done(store.release_all(now));
                let (count, changes) = self.queue.release_all(now);
                same("released", &released, &count)?;
                self.changed("release_all", changes)?;
            }
            other => self.rarely(other, &store, now)?,
        }
        Ok(())
    }

    fn desire(&mut self, mut drafts: Vec<Draft>, requests: &[ClaimRequest]) -> Result<(), String> {
        let (store, now) = (self.store.clone(), self.now);
        drafts.iter_mut().for_each(|draft| draft.happened_at = now);
        let asks = requests.iter().map(|request| ask(*request, now)).collect();
        let found = done(store.ingest(Batch { posts: drafts.clone(), now, ..Batch::default() }, asks));
        let changes = self.queue.desire(drafts, now);
        self.changed("desire", changes)?;
        // What was given a number by now is known by its key.
        self.disk.learn(&store)?;
        found.into_iter().zip(requests).try_for_each(|(found, request)| self.claim(found, *request))
    }

    /// What people ask for, and time.
    fn rarely(&mut self, step: &Step, store: &Store, now: UnixMs) -> Result<(), String> {
        match step {
            Step::Reopen(channel) => {
                let parked = done(store.unpark(*channel));
                let (was_parked, changes) = self.queue.reopen(*channel);
                same("reopened", &parked, &was_parked)?;
                self.changed("reopen", changes)
            }
            Step::ReopenGuild(guild) => {
                let number = rows::flake(guild.0);
                let notices = done(store.writer.run(move |connection| {
                    let mut select = connection.prepare_cached("SELECT notices_channel FROM guild WHERE id = ?1")?;
                    select.query_row([number], |row| rows::channel_option(row, "notices_channel")).optional()
                }));
                let opened = done(store.unpark_guild(*guild));
                let (channels, changes) = self.queue.reopen_guild(*guild, &notices.flatten().into_iter().collect());
                same("reopened", &opened, &channels.into_iter().collect())?;
                self.changed("reopen", changes)
            }
            Step::Link(guild) => {
                done(store.link(*guild, &community(), Some(UserId(1)), How::Key, now, Vec::new()));
                self.serve();
                Ok(())
            }
            Step::Unlink(guild) => {
                let unlinked = done(store.unlink(*guild, now, Vec::new()));
                let changes = if unlinked { self.queue.forget_guild(*guild) } else { Changes::default() };
                self.serve();
                self.changed("forget_guild", changes)
            }
            Step::OnlyGuild(only) => {
                done(store.serve(&community(), *only, now));
                self.serve();
                Ok(())
            }
            Step::Prune { age } => {
                let count = done(store.prune(UnixMs(0), now.plus(-age), now));
                let (pruned, changes) = self.queue.prune(now.plus(-age), now);
                same("pruned", &count, &pruned)?;
                self.saw("pruned", pruned > 0);
                self.changed("prune", changes)
            }
            Step::CloseBoard(number) => {
                let closed = board(*number);
                done(store.writer.run(move |connection| boards::delete(connection, &closed)));
                let changes = self.queue.close_board(&board(*number));
                self.changed("close_board", changes)
            }
            Step::ForgetBoard(number) => {
                let expected = match done(store.unpost_board(&board(*number), now)) {
                    Unposted::InHand => BoardRemoval::BeingSent,
                    Unposted::Done(message) => BoardRemoval::Done(message),
                };
                let (removal, changes) = self.queue.forget_board(&board(*number), now);
                same("board", &expected, &removal)?;
                self.changed("forget_board", changes)
            }
            Step::ResendBoard(number) => {
                done(store.resend_board(&board(*number), now));
                let changes = self.queue.resend_board(&board(*number), now);
                self.changed("resend_board", changes)
            }
            Step::ShowAgain { guild, server, subject } => {
                let about = SubjectKey { community: community(), server: *server, subject: subject.clone() };
                let key =
                    crate::outbox::PostKey { channel: CHANNELS[0], community: community(), server: *server, subject: subject.to_string() };
                let mut expected = done(store.show_again(*guild, key, now));
                let (mut channels, changes) = self.queue.show_again(*guild, &about, now);
                expected.sort_unstable();
                channels.sort_unstable();
                same("shown again", &expected, &channels)?;
                self.changed("show_again", changes)
            }
            _ => Ok(()),
        }
    }

    fn take_open(&mut self, claim: usize) -> Option<(Claim, queue::Claim)> {
        let count = self.open.len();
        (count > 0).then(|| self.open.swap_remove(claim % count))
    }

    /// The SQL has claimed this: the pure queue must claim the same.
    fn claim(&mut self, found: Found, request: ClaimRequest) -> Result<(), String> {
        let request = ClaimRequest { now: self.now, ..request };
        let (outcome, changes) = self.queue.claim(&request);
        let pure = match &outcome {
            ClaimOutcome::Claimed(claim) => Found::Post(Box::new(self.in_old_words(claim)?)),
            ClaimOutcome::NotBefore(at) => Found::Later(*at),
            ClaimOutcome::Nothing => Found::Nothing,
        };
        same("claimed", &found, &pure)?;
        self.saw("not before", matches!(outcome, ClaimOutcome::NotBefore(_)));
        if let (Found::Post(old), ClaimOutcome::Claimed(new)) = (found, outcome) {
            self.note(&new);
            self.open.push((*old, *new));
        }
        self.changed("claim", changes)
    }

    fn note(&mut self, claim: &queue::Claim) {
        use crate::outbox::{Lane, Operation, Place};
        let lead = &claim.lead;
        let (batch, edit) = (!claim.others.is_empty(), claim.operation() == Operation::Edit);
        self.saw("claimed", true);
        self.saw("claimed a batch", batch && !edit);
        self.saw("claimed an edit of a batch", batch && edit);
        self.saw("claimed a batch in doubt", batch && claim.may_bring_back_older());
        self.saw("claimed a panic", claim.lane == Lane::Panic);
        self.saw("claimed a line", claim.lane == Lane::Log && lead.is_log_page());
        self.saw("claimed a board", claim.lane == Lane::Board);
        self.saw("claimed an edit", edit);
        self.saw("claimed in doubt", lead.creating_since.is_some());
        self.saw("claimed again after its lease", lead.claimed_until.is_some());
        self.saw("claimed an answer", lead.place == Place::Channel && claim.reply_to.is_some());
        self.saw("claimed into a thread", lead.place == Place::Thread);
        self.saw("claimed an archive", lead.place == Place::Archive);
        self.saw("claimed a forum post", lead.place == Place::Forum);
        self.saw("claimed with an address", !claim.urls.is_empty());
        self.saw("already called", claim.already_called);
        self.saw("claimed anew", !edit && lead.is_recreated());
    }

    fn in_old_words(&self, claim: &queue::Claim) -> Result<Claim, String> {
        let lead = &claim.lead;
        let urls = |post: &queue::Post| {
            let known = |subject: &str| claim.urls.iter().find(|(known, _)| known == subject).cloned();
            post.message.links().filter_map(known).collect::<Vec<_>>()
        };
        let member = |post: &queue::Post| {
            Ok(Member {
                id: self.disk.number(post.id)?,
                key: disk::key(post),
                message: post.new_message(),
                version: post.version,
                urls: urls(post),
                anew: post.is_recreated(),
                over: post.closed,
                lines: post.is_log_page(),
                happened_at: post.happened_at,
                shown_at: post.shown_at,
                unpinged: post.pings_suppressed,
                pending: post.delivered_version < post.version,
            })
        };
        same("nonce", &nonce(self.store.instance(), lead.id.0, lead.generation), &claim.nonce)?;
        let id = self.disk.number(lead.id)?;
        let old = Claim {
            id,
            guild: lead.guild,
            key: disk::key(lead),
            message: lead.new_message(),
            version: lead.version,
            standing: lead.message_id,
            place: lead.place,
            reply_to: claim.reply_to,
            thread: claim.thread,
            thread_name: claim.thread_name.clone(),
            urls: urls(lead),
            nonce: nonce(self.store.instance(), id, lead.generation),
            creating_since: lead.creating_since,
            anew: lead.is_recreated(),
            attempts: lead.attempts,
            trouble: lead.obstacle.clone(),
            apart: lead.isolated,
            hushed: claim.already_called,
            over: lead.closed,
            lines: lead.is_log_page(),
            happened_at: lead.happened_at,
            shown_at: lead.shown_at,
            unpinged: lead.pings_suppressed,
            lane: claim.lane,
            wished_at: lead.desired_since,
            due_since: lead.due_since(),
            others: claim.others.iter().map(member).collect::<Result<_, String>>()?,
        };
        for later in [0, 60_000, 130_000] {
            let now = self.now.plus(later);
            same("must look first", &old.must_look_first(now), &claim.must_look_first(now))?;
        }
        same("channel", &old.channel(), &claim.channel())?;
        same("operation", &old.operation(), &claim.operation())?;
        same("may bring back older", &old.may_bring_back_older(), &claim.may_bring_back_older())?;
        Ok(old)
    }

    /// Everything that is asked of a queue.
    fn readings(&mut self) -> Result<(), String> {
        let (store, queue) = (&self.store, &self.queue);
        let mut due: Vec<_> = done(store.due()).into_iter().map(|due| (due.channel, due.at, due.posts, due.panic)).collect();
        due.sort_unstable();
        same("due", &due, &queue.due().into_iter().map(|due| (due.channel, due.at, due.posts, due.panic)).collect())?;
        let backlog: Vec<_> = done(store.backlog()).into_iter().map(|lane| (lane.lane, lane.posts, lane.since)).collect();
        same("backlog", &backlog, &queue.backlog().into_iter().map(|lane| (lane.lane, lane.posts, lane.since)).collect())?;
        let Counts { pending, failed, oldest_pending } = done(store.counts());
        let counts = queue.counts();
        let of_queue = (i64::try_from(counts.waiting).unwrap(), i64::try_from(counts.failed).unwrap(), counts.oldest_waiting);
        same("counts", &(pending, failed, oldest_pending), &of_queue)?;
        for guild in GUILDS {
            let problems: Vec<_> =
                done(store.problems(guild, 5)).into_iter().map(|p| (p.channel, p.subject, p.reason, p.happened_at)).collect();
            let failed = queue.failed(guild).take(5);
            let failed = failed.map(|post| (post.channel, post.about.subject.to_string(), post.failed.clone().unwrap(), post.happened_at));
            same("problems", &problems, &failed.collect())?;
            let threads =
                (900..903).map(ChannelId).chain(queue.posts().filter_map(|post| post.message_id).take(4).map(|id| ChannelId(id.0)));
            for thread in threads {
                let found = queue.card_of_thread(guild, thread).map(|(channel, about)| (channel, about.clone()));
                let expected = done(store.card_of_thread(guild, thread)).map(|key| (key.channel, SubjectKey::of(&key)));
                same("card of a thread", &expected, &found)?;
            }
        }
        for channel in CHANNELS {
            same("refusals", &done(store.refusals(channel)), &queue.refusals(channel))?;
            for first in [MessageId(0), MessageId::earliest(self.now.plus(-60_000))] {
                let known = done(store.messages_since(channel, first)).into_iter().collect();
                same("messages", &known, &queue.messages_since(channel, first))?;
            }
        }
        let mut memos: Vec<_> = done(store.memos())
            .into_iter()
            .map(|(key, memo)| {
                let Memo { guild, style, roles, place, threads } = memo;
                (key.channel, key.server, key.subject, queue::CardMemo { guild, style, roles, place, threads })
            })
            .collect();
        let mut cards: Vec<_> =
            queue.cards().map(|(post, memo)| (post.channel, post.about.server, post.about.subject.to_string(), memo)).collect();
        memos.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        cards.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        same("memos", &memos, &cards)?;
        let mut boards = done(store.boards_made());
        boards.sort_unstable();
        let mut made: Vec<_> = queue.boards_made().collect();
        made.sort_unstable();
        same("boards", &boards, &made)
    }
}

fn ask(request: ClaimRequest, now: UnixMs) -> Ask {
    let ClaimRequest { channel, now: _, panics_only, creates, edits, creates_left } = request;
    Ask { channel, now, panic_only: panics_only, creates, edits, places: creates_left }
}

fn name(state: &PostState) -> &'static str {
    match state {
        PostState::Waiting | PostState::InDoubt { .. } | PostState::Parked { .. } => "Waiting",
        PostState::Claimed { .. } => "Claimed",
        PostState::Delivered => "Delivered",
        PostState::Failed { .. } => "Failed",
    }
}

fn word(settlement: &Settlement) -> &'static str {
    match settlement {
        Settlement::Delivered(_) => "Delivered",
        Settlement::Again { .. } => "Again",
        Settlement::Park { .. } => "Park",
        Settlement::Repost => "Repost",
        Settlement::Over => "Over",
        Settlement::Alone => "Alone",
        Settlement::Fail { .. } => "Fail",
    }
}
