//! Random scenarios for the queue and its rows: two sides are given the same steps. One keeps every post in memory, with its text; the other
//! lets go of whatever it may after each step. They must agree on every claim, every settlement and every row, and memory must say what the rows say.
//!
//! `TENFOUR_SEED=17` plays one scenario and prints it; `TENFOUR_SCENARIOS=100000` plays more of them, from `TENFOUR_FIRST_SEED` on.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::posts::{Posts, named_by};
use super::schema::{migrations, prepare};
use super::{link_rows, post_rows, rows};
use crate::clock::UnixMs;
use crate::guild_access::How;
use crate::ids::{ChannelId, GuildId};
use crate::outbox::{
    Claim, ClaimOutcome, ClaimRequest, DesiredPost, Lane, Operation, Place, Post, PostId, PostState, Settlement, SubjectKey,
};

use steps::{CHANNELS, GUILDS, START, Step, board, community, settlement};

/// Scenarios of one run of the tests.
const SCENARIOS: u64 = 2_000;

/// How often what happened, and how posts went from state to state.
type Seen = (BTreeMap<&'static str, usize>, BTreeSet<Move>);

/// From, by which call or settlement, to; `-` = no row.
type Move = (&'static str, &'static str, &'static str);

/// Each of these must have happened at least once in 400 scenarios, so that a generator that stopped making something does not go unnoticed.
const MUST_HAPPEN: [&str; 33] = [
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
    "recreated",
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
    "evicted",
    "a text brought back",
    "texts of several brought back",
];

/// The diagram in [`crate::outbox::queue`], with what it says about batches and late settlements: no post may go another way. What waits,
/// is parked or is in doubt counts as waiting.
const DIAGRAM: [(&str, &[&str], &str); 13] = [
    ("-", &["desire"], "Waiting"),
    ("Waiting", &["claim"], "Claimed"),
    ("Claimed", &["Delivered", "Again", "release", "release_all", "Repost", "Alone", "Park", "Over", "Fail"], "Waiting"),
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
fn a_queue_that_forgets_what_it_may_does_what_one_does_that_forgets_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("TENFOUR_SEED") {
        let (window, steps) = steps::run(seed);
        let outcome = Scenario::play(&mut [Side::new(), Side::new()], window, &steps, true);
        return assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
    let first = number("TENFOUR_FIRST_SEED").unwrap_or(0);
    let seeds: Vec<u64> = (first..first + number("TENFOUR_SCENARIOS").unwrap_or(SCENARIOS)).collect();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(2);
    let (next, all, failed) = (AtomicUsize::new(0), Mutex::new(Seen::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut sides = [Side::new(), Side::new()];
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    let (window, steps) = steps::run(*seed);
                    match Scenario::play(&mut sides, window, &steps, false) {
                        Ok((happened, moves)) => {
                            let mut all = all.lock().unwrap();
                            happened.into_iter().for_each(|(what, times)| *all.0.entry(what).or_default() += times);
                            all.1.extend(moves);
                        }
                        Err(why) => {
                            let (steps, why) = shrink(&mut sides, window, steps, why);
                            failed.lock().unwrap().push(format!(
                                "TENFOUR_SEED={seed}, window {window:?}: {why}\nafter:\n{}",
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
    let (seen, moves) = all.into_inner().unwrap();
    let rare: Vec<_> = MUST_HAPPEN.iter().filter(|what| seen.get(*what).copied().unwrap_or(0) * 400 < seeds.len()).collect();
    assert!(seeds.len() < 100 || rare.is_empty(), "hardly ever happened: {rare:?} in {seen:#?}");
    let drawn = |(from, call, to): Move| DIAGRAM.iter().any(|(a, calls, z)| (*a, *z) == (from, to) && calls.contains(&call));
    let not_drawn: Vec<_> = moves.iter().filter(|it| !drawn(**it) && !is_of_a_batch(**it) && !is_late(**it)).collect();
    assert!(not_drawn.is_empty(), "the diagram lacks {not_drawn:?}");
    println!("{} scenarios: {seen:#?} {moves:?}", seeds.len());
}

/// Leaves out what is not needed for a failure.
fn shrink(sides: &mut [Side; 2], window: Duration, mut steps: Vec<Step>, mut why: String) -> (Vec<Step>, String) {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match Scenario::play(sides, window, &fewer, false) {
                Ok(_) => at += size,
                Err(same) => (steps, why) = (fewer, same),
            }
        }
        size /= 2;
    }
    (steps, why)
}

/// How many bytes of texts the forgetful side keeps: none, or those of about two posts.
fn most_bodies(window: Duration) -> usize {
    if window.is_zero() { 0 } else { 1_500 }
}

/// A database in memory, and its queue.
struct Side {
    connection: Connection,
    posts: Posts,
}

impl Side {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&connection).unwrap();
        migrations().to_latest(&mut connection).unwrap();
        connection.set_prepared_statement_cache_capacity(256);
        let posts = Posts::load(&connection, "instance", Duration::ZERO).unwrap();
        Self { connection, posts }
    }

    fn execute(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    fn begin(&mut self, window: Duration) {
        self.execute("BEGIN");
        link_rows::set_communities(&self.connection, &[community()].into()).unwrap();
        for guild in GUILDS {
            link_rows::put(&self.connection, guild, &community(), Some(crate::ids::UserId(1)), How::Key, START).unwrap();
            let sql = "INSERT INTO guild (id, community, notices_channel) VALUES (?1, ?2, ?3)";
            let notices = (guild == GUILDS[1]).then_some(rows::flake(CHANNELS[0].0));
            self.connection.execute(sql, (rows::flake(guild.0), community().as_str(), notices)).unwrap();
        }
        self.posts = Posts::load(&self.connection, "instance", window).unwrap();
    }

    fn keep_all(&mut self) {
        self.posts.keep_all(&self.connection);
    }

    /// What a side does in one transaction.
    fn change<T>(&mut self, work: impl FnOnce(&Connection, &mut Posts) -> rusqlite::Result<T>) -> T {
        let outcome = work(&self.connection, &mut self.posts).unwrap();
        self.posts.store(&self.connection).unwrap();
        outcome
    }

    fn serve(&mut self) {
        let access = link_rows::access(&self.connection).unwrap();
        self.posts.serve(&access);
    }

    /// All rows about posts.
    fn rows(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in
            ["SELECT * FROM post ORDER BY id", "SELECT * FROM post_link ORDER BY post, subject", "SELECT * FROM parked ORDER BY channel"]
        {
            let mut select = self.connection.prepare_cached(sql).unwrap();
            let columns = select.column_count();
            let mut found = select.query(()).unwrap();
            while let Some(row) = found.next().unwrap() {
                let mut line = String::new();
                for column in 0..columns {
                    match row.get_ref(column).unwrap() {
                        ValueRef::Integer(value) => line.push_str(&value.to_string()),
                        ValueRef::Text(text) => line.push_str(std::str::from_utf8(text).unwrap()),
                        other => line.push_str(&format!("{other:?}")),
                    }
                    line.push('|');
                }
                all.push(line);
            }
        }
        all
    }

    /// Memory must say what the rows say, and hold whatever its posts name.
    fn check(&self) -> Result<(), String> {
        let queue = &self.posts.queue;
        if !queue.is_indexed() {
            return Err("the index does not say what the posts say".into());
        }
        let known: Vec<Post> = queue.posts().cloned().collect();
        let abouts: BTreeSet<String> = known.iter().map(|post| format!("{:?}", post.about)).collect();
        let mut stored: Vec<Post> = Vec::new();
        for post in &known {
            let of_subject = post_rows::of_subject(&self.connection, &post.about).unwrap();
            stored.extend(of_subject.into_iter().filter(|row| stored.iter().all(|other| other.id != row.id)).collect::<Vec<_>>());
        }
        stored.sort_by_key(|post| post.id);
        for (row, _) in stored.iter_mut().zip(&known).filter(|(row, post)| row.id == post.id && post.message.is_here()) {
            row.message = post_rows::text(&self.connection, row.id).unwrap().into();
        }
        if let Some((row, post)) = stored.iter().zip(&known).find(|(row, post)| row != post) {
            return Err(format!("memory and rows\n  row:    {row:?}\n  memory: {post:?}"));
        }
        if stored.len() != known.len() {
            return Err(format!("{} posts in memory, {} rows about the same", known.len(), stored.len()));
        }
        for about in named_by(&self.connection, &known).unwrap() {
            let on_disk = !post_rows::of_subject(&self.connection, &about).unwrap().is_empty();
            if on_disk && !abouts.contains(&format!("{about:?}")) {
                return Err(format!("{about:?} is named by a post in memory, but is not there"));
            }
        }
        let waiting = "SELECT count(*) FROM post WHERE delivered < version AND failed IS NULL OR lease_ms > 0";
        let waiting: i64 = self.connection.query_row(waiting, (), |row| row.get(0)).unwrap();
        let in_memory = known.iter().filter(|post| post.is_waiting() || post.claimed_until.is_some()).count();
        if i64::try_from(in_memory).unwrap() == waiting { Ok(()) } else { Err(format!("{waiting} posts wait, {in_memory} in memory")) }
    }
}

#[track_caller]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, [full, lean]: [T; 2]) -> Result<T, String> {
    if full == lean { Ok(full) } else { Err(format!("{what}\n  all in memory: {full:?}\n  forgetful:     {lean:?}")) }
}

struct Scenario<'s> {
    sides: &'s mut [Side; 2],
    window: Duration,
    now: UnixMs,
    open: Vec<Claim>,
    /// Posts as they were after the last call.
    before: BTreeMap<PostId, (Post, &'static str)>,
    seen: Seen,
}

impl<'s> Scenario<'s> {
    fn play(sides: &'s mut [Side; 2], window: Duration, steps: &[Step], told: bool) -> Result<Seen, String> {
        sides.iter_mut().for_each(|side| side.begin(window));
        sides[0].keep_all();
        sides[1].posts.keep_bodies(most_bodies(window));
        let mut scenario = Scenario { sides, window, now: START, open: Vec::new(), before: BTreeMap::new(), seen: Seen::default() };
        let outcome = scenario.play_all(steps, told);
        let seen = std::mem::take(&mut scenario.seen);
        // What a scenario leaves is rolled back.
        sides.iter_mut().for_each(|side| side.execute("ROLLBACK"));
        outcome.map(|()| seen)
    }

    fn play_all(&mut self, steps: &[Step], told: bool) -> Result<(), String> {
        for (nth, step) in steps.iter().enumerate() {
            let at = self.now.0 - START.0;
            if told {
                println!("{nth} at {at}: {step:?}");
            }
            let outcome = self.step(step).and_then(|()| self.after(nth));
            outcome.map_err(|why| format!("step {nth} ({step:?}) at {at}: {why}"))?;
        }
        Ok(())
    }

    fn after(&mut self, nth: usize) -> Result<(), String> {
        let [full, lean] = self.sides.each_ref().map(|side| side.rows());
        let only_in = |one: &[String], other: &[String]| one.iter().filter(|row| !other.contains(row)).cloned().collect::<Vec<_>>();
        same("rows", [only_in(&full, &lean), only_in(&lean, &full)])?;
        let evicted = self.sides[1].posts.queue.evict(UnixMs(i64::MAX / 2));
        self.saw("evicted", evicted > 0);
        if nth.is_multiple_of(4) { self.sides.iter().try_for_each(Side::check) } else { Ok(()) }
    }

    /// What both sides do in one transaction.
    fn change<T: PartialEq + std::fmt::Debug>(
        &mut self,
        call: &'static str,
        work: impl Fn(&Connection, &mut Posts) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let outcome = same(call, self.sides.each_mut().map(|side| side.change(&work)))?;
        self.moved(call);
        Ok(outcome)
    }

    fn saw(&mut self, what: &'static str, it: bool) {
        if it {
            *self.seen.0.entry(what).or_default() += 1;
        }
    }

    /// Takes down how posts changed with a call.
    fn moved(&mut self, call: &'static str) {
        let queue = &self.sides[0].posts.queue;
        let state = |post: &Post| queue.state(post.id).map_or("-", |state| name(&state));
        let after: BTreeMap<PostId, (Post, &'static str)> = queue.posts().map(|post| (post.id, (post.clone(), state(post)))).collect();
        let before = std::mem::replace(&mut self.before, after);
        let ids: BTreeSet<PostId> = before.keys().chain(self.before.keys()).copied().collect();
        let mut happened: Vec<&'static str> = Vec::new();
        for id in ids {
            let (was, is) = (before.get(&id), self.before.get(&id));
            let (from, to) = (was.map_or("-", |(_, state)| state), is.map_or("-", |(_, state)| state));
            if from != to {
                self.seen.1.insert((from, call, to));
            }
            let (Some((was, _)), Some((is, _))) = (was, is) else { continue };
            let free = was.claimed_until.is_none();
            let failed = is.failed.is_some() && was.failed.is_none();
            let linked = is.version > was.version && !is.links.is_empty() && was.message_id.is_some();
            let facts = [
                ("sent again for a link", call == "Delivered" && free && linked),
                ("isolated", is.isolated && !was.isolated),
                ("expired", failed && free),
                ("given up", failed && !free),
                ("a report handed on", free && is.reported && !was.reported),
                ("edit in doubt", is.edit_in_doubt_since.is_some()),
                ("batch dissolved", was.batch.is_some() && is.batch.is_none()),
            ];
            happened.extend(facts.into_iter().filter(|(_, it)| *it).map(|(what, _)| what));
        }
        happened.into_iter().for_each(|what| self.saw(what, true));
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let now = self.now;
        match step {
            Step::Pass(ms) => self.now = now.plus_ms(*ms),
            Step::Desire { drafts, requests } => self.desire(drafts, requests)?,
            Step::Redraw(dice) => {
                let drafts: Vec<DesiredPost> = steps::redrawn(*dice, self.sides[0].posts.queue.posts()).into_iter().collect();
                self.desire(&drafts, &[])?;
            }
            Step::Claim(request) => self.claim(*request)?,
            Step::Settle { claim, dice, next } => {
                let Some(mut claim) = self.take_open(*claim) else { return Ok(()) };
                // Whether its creation called nobody.
                claim.lead.pings_suppressed ^= dice & 1 == 0;
                for (nth, post) in claim.others.iter_mut().enumerate() {
                    post.pings_suppressed ^= (dice >> nth) & 2 == 0;
                }
                let settlement = settlement(*dice, &claim, now);
                let outcome = self.change(word(&settlement), |connection, posts| posts.settle(connection, &claim, &settlement, now))?;
                self.saw("newly parked", outcome.newly_parked);
                self.saw("reopened", outcome.reopened);
                self.saw("report", outcome.report);
                next.map_or(Ok(()), |next| self.claim(next))?;
            }
            Step::Release { claim, after } => {
                let Some(claim) = self.take_open(*claim) else { return Ok(()) };
                self.change("release", |connection, posts| posts.release(connection, &claim, now.plus_ms(*after)))?;
            }
            Step::OpenThread { claim, thread } => {
                let mut in_threads = self.open.iter_mut().filter(|claim| claim.lead.place == Place::Thread);
                let Some(claim) = in_threads.nth(claim % 2) else { return Ok(()) };
                let thread = ChannelId(*thread);
                claim.thread = Some(thread);
                let claim = claim.clone();
                self.change("opened_thread", |connection, posts| posts.opened_thread(connection, &claim, thread))?;
            }
            Step::Restart => {
                self.open.clear();
                self.restart();
                self.change("release_all", |_, posts| Ok(posts.queue.release_all(now)))?;
            }
            Step::Fail { drafts, request } => {
                for side in self.sides.iter_mut() {
                    side.execute("SAVEPOINT failing");
                    let before = side.posts.mark();
                    side.change(|connection, posts| {
                        posts.desire(connection, drafts.iter(), now)?;
                        posts.claim(connection, &ClaimRequest { now, ..*request })
                    });
                    side.execute("ROLLBACK TO failing; RELEASE failing");
                    side.posts.undo_to(before);
                    side.posts.keep();
                }
                self.moved("a failure");
            }
            other => self.rarely(other, now)?,
        }
        Ok(())
    }

    fn restart(&mut self) {
        for (side, all) in self.sides.iter_mut().zip([true, false]) {
            side.posts = Posts::load(&side.connection, "instance", self.window).unwrap();
            if all {
                let rows = post_rows::all(&side.connection).unwrap();
                side.posts.queue.restore(rows, []);
                side.keep_all();
            } else {
                side.posts.keep_bodies(most_bodies(self.window));
            }
        }
    }

    fn desire(&mut self, drafts: &[DesiredPost], requests: &[ClaimRequest]) -> Result<(), String> {
        let now = self.now;
        let drafts: Vec<DesiredPost> = drafts.iter().map(|draft| DesiredPost { happened_at: now, ..draft.clone() }).collect();
        self.change("desire", |connection, posts| posts.desire(connection, drafts.iter(), now))?;
        requests.iter().try_for_each(|request| self.claim(*request))
    }

    /// What people ask for, and time.
    fn rarely(&mut self, step: &Step, now: UnixMs) -> Result<(), String> {
        match step {
            Step::Reopen(channel) => self.change("reopen", |_, posts| Ok(posts.queue.reopen(*channel))).map(|_| ()),
            Step::ReopenGuild(guild) => self.change("reopen", |connection, posts| posts.reopen_guild(connection, *guild)).map(|_| ()),
            Step::Link(guild) => self.relink(|connection, _| link_rows::put(connection, *guild, &community(), None, How::Key, now)),
            Step::Unlink(guild) => self.relink(|connection, posts| {
                let unlink = "UPDATE guild_link SET unlinked_ms = ?2 WHERE guild = ?1 AND unlinked_ms IS NULL";
                connection.execute(unlink, (rows::flake(guild.0), now.0))?;
                posts.forget_guild(connection, *guild)
            }),
            Step::OnlyGuild(only) => self.relink(|connection, _| {
                link_rows::set_meta(connection, link_rows::ONLY_GUILD, only.map(|guild: GuildId| guild.to_string()).as_deref())
            }),
            Step::Prune { age } => {
                let pruned = self.change("prune", |connection, posts| posts.prune(connection, now.plus_ms(-age), now, 5_000))?;
                self.saw("pruned", pruned > 0);
                Ok(())
            }
            Step::CloseBoard(number) => self.change("close_board", |connection, posts| posts.close_board(connection, &board(*number))),
            Step::ForgetBoard(number) => {
                self.change("forget_board", |connection, posts| posts.forget_board(connection, &board(*number), now)).map(|_| ())
            }
            Step::ResendBoard(number) => {
                self.change("resend_board", |connection, posts| posts.resend_board(connection, &board(*number), now))
            }
            Step::ShowAgain { guild, server, subject } => {
                let about = SubjectKey { community: community(), server: *server, subject: subject.clone() };
                self.change("show_again", |connection, posts| posts.show_again(connection, *guild, &about, now)).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn relink(&mut self, work: impl Fn(&Connection, &mut Posts) -> rusqlite::Result<()>) -> Result<(), String> {
        self.change("forget_guild", work)?;
        self.sides.iter_mut().for_each(Side::serve);
        let served = link_rows::access(&self.sides[0].connection).unwrap().served().len();
        self.saw("not served", served < GUILDS.len());
        Ok(())
    }

    fn take_open(&mut self, claim: usize) -> Option<Claim> {
        let count = self.open.len();
        (count > 0).then(|| self.open.swap_remove(claim % count))
    }

    fn claim(&mut self, request: ClaimRequest) -> Result<(), String> {
        let request = ClaimRequest { now: self.now, ..request };
        let missing = self.sides[1].posts.queue.texts_to_claim(&request).len();
        self.saw("a text brought back", missing > 0);
        self.saw("texts of several brought back", missing > 1);
        match self.change("claim", |connection, posts| posts.claim(connection, &request))? {
            ClaimOutcome::Claimed(claim) => {
                self.note(&claim);
                self.open.push(*claim);
            }
            ClaimOutcome::NotBefore(_) => self.saw("not before", true),
            ClaimOutcome::Nothing => {}
        }
        Ok(())
    }

    fn note(&mut self, claim: &Claim) {
        let lead = &claim.lead;
        let (batch, edit) = (!claim.others.is_empty(), claim.operation() == Operation::Edit);
        let facts = [
            ("claimed", true),
            ("claimed a batch", batch && !edit),
            ("claimed an edit of a batch", batch && edit),
            ("claimed a batch in doubt", batch && claim.may_bring_back_older()),
            ("claimed a panic", claim.lane == Lane::Panic),
            ("claimed a line", claim.lane == Lane::Log && lead.is_log_page()),
            ("claimed a board", claim.lane == Lane::Board),
            ("claimed an edit", edit),
            ("claimed in doubt", lead.creating_since.is_some()),
            ("claimed again after its lease", lead.claimed_until.is_some()),
            ("claimed an answer", lead.place == Place::Channel && claim.reply_to.is_some()),
            ("claimed into a thread", lead.place == Place::Thread),
            ("claimed an archive", lead.place == Place::Archive),
            ("claimed a forum post", lead.place == Place::Forum),
            ("claimed with an address", !claim.urls.is_empty()),
            ("already called", claim.already_called),
            ("recreated", !edit && lead.is_recreated()),
        ];
        facts.into_iter().for_each(|(what, it)| self.saw(what, it));
    }
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
