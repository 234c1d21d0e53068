//! kill -9 at any moment, repeatedly, while both transports deliver events and Discord fails at random: every accepted event is shown, in
//! its last version, once, and pings each role once.
//!
//! Over HTTP, an event is accepted if it was answered 200. Over the hub, where nothing is answered, it is accepted if the bot committed
//! it, which its journal shows. So the journal says what must be visible, and is checked itself: it must hold each event that was answered
//! 200, and of the events given to a hub session, in each life, all up to some point. A row and its posts are one transaction, so nothing
//! that a row implies may be missing. Pushes while no session was up are the CAD's loss, not ours. A sender whose answer was lost with the
//! process sends again: then there are two rows, and for an event without a number (a page) two messages.
//!
//! `TENFOUR_SEED` repeats choices and moments of a run (the seed is printed), `TENFOUR_KILLS` and `TENFOUR_EVENTS` make it longer,
//! `TENFOUR_BIN` names another binary than the one that cargo built with the tests.

mod judge;
mod story;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use tenfour::route::Threads;
use tenfour_sim::cad::{CadSim, Seen};
use tenfour_sim::discord::{Bucket, DiscordSim, Noise, RateLimits};
use tokio::sync::{broadcast, watch};

use crate::process::{Running, Stage, Wanted, client, eventually};
use crate::test_bot::PATIENCE;
use judge::{Handed, Judge};
use story::Author;

/// Servers 1 and 2 send by hub, 3 and 4 over HTTP.
const HUB: [u32; 2] = [1, 2];
const HTTP: [u32; 2] = [3, 4];
/// Number of game servers that post for each of the latter.
const SENDERS: usize = 4;
/// While something is left to send, something must be sent within this time, including pauses after faults: what waits for room for its
/// thread is tried once a minute.
const STUCK: Duration = Duration::from_secs(90);

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number"))
}

/// The channels of one server's events.
pub(crate) struct Places {
    pub(crate) server: u32,
    /// 911 calls, dispatch calls, panics, pages.
    pub(crate) main: String,
    /// Coming on duty, in lines.
    pub(crate) log: String,
    /// 911 calls once more.
    pub(crate) forum: Option<String>,
    /// Whether the dispatch calls of `main` have threads.
    pub(crate) threads: bool,
}

/// Shared by the tasks that create events.
struct Shared {
    stage_key: String,
    cad: CadSim,
    /// Numbers of stories.
    numbers: Arc<AtomicI64>,
    /// Which life of the bot this is.
    life: AtomicUsize,
    over: AtomicBool,
    /// How many events the senders, and the hub, may have delivered by now.
    http_quota: watch::Sender<u64>,
    hub_quota: watch::Sender<u64>,
    /// Events handed out so far.
    http_given: AtomicI64,
    addr: watch::Sender<Option<SocketAddr>>,
    /// Marks of events that were answered 200, and how often each had been sent.
    accepted: watch::Sender<Vec<(String, u32)>>,
    /// Events given to hub sessions.
    handed: watch::Sender<Vec<Handed>>,
}

/// A game server: one event after another, each until it is answered 200.
async fn sender(shared: Arc<Shared>, mut author: Author) {
    let client = client();
    let mut quota = shared.http_quota.subscribe();
    loop {
        let number = u64::try_from(shared.http_given.fetch_add(1, Ordering::SeqCst)).unwrap();
        tokio::select! {
            allowed = quota.wait_for(|quota| number < *quota) => drop(allowed.unwrap()),
            () = until_over(&shared) => return,
        }
        let event = author.next();
        let body = event.body(&shared.stage_key);
        let mut sent = 0;
        loop {
            let to = *shared.addr.borrow();
            if let Some(to) = to {
                sent += 1;
                let url = format!("http://{to}/sonorancad/event?server={}", author.server);
                if client.post(url).json(&body).send().await.is_ok_and(|answer| answer.status() == 200) {
                    shared.accepted.send_modify(|accepted| accepted.push((event.mark.clone(), sent)));
                    break;
                }
            }
            // Like a sender that was refused; not a wait for a condition.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The CAD, sending one server's events by hub whether or not a session exists.
async fn pusher(shared: Arc<Shared>, mut author: Author, mut rng: Rng) {
    let mut quota = shared.hub_quota.subscribe();
    loop {
        let handed = || u64::try_from(shared.handed.borrow().iter().filter(|h| h.server == author.server).count()).unwrap();
        tokio::select! {
            allowed = quota.wait_for(|quota| handed() < *quota) => drop(allowed.unwrap()),
            () = until_over(&shared) => return,
        }
        let event = author.next();
        let life = shared.life.load(Ordering::SeqCst);
        if shared.cad.push_body(author.server.into(), &event.body(&shared.stage_key)).hub > 0 {
            shared.handed.send_modify(|all| all.push(Handed { server: author.server, life, mark: event.mark }));
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..12))).await;
    }
}

async fn until_over(shared: &Shared) {
    while !shared.over.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Forum posts have no nonce. A create that is still in flight when the next life searches for it can't be found, and makes a second post:
/// so only messages are delayed.
fn noises(rng: &mut Rng) -> [Noise; 2] {
    let noise = Noise {
        seed: rng.u64(..),
        path_part: "/messages".into(),
        fail: 20,
        rate_limit: 15,
        garbage: 15,
        drop: 10,
        do_then_drop: 40,
        hang: 2,
        delay: 100,
        late: 40,
        most_ms: 300,
    };
    [noise.clone(), Noise { seed: rng.u64(..), path_part: "/channels/".into(), late: 0, ..noise }]
}

/// Discord in the next life.
fn weather(discord: &DiscordSim, rng: &mut Rng) {
    discord.clear_faults();
    match rng.u8(..4) {
        // Narrow: a backlog grows, so that the handling of backlogs is interrupted too.
        0 => discord.set_rate_limits(RateLimits::Real, Bucket { limit: 5, window_ms: 2_000 }),
        _ => discord.set_rate_limits(RateLimits::Off, Bucket { limit: 5, window_ms: 5_000 }),
    }
    if rng.u8(..8) != 0 {
        for noise in noises(rng) {
            discord.noise(noise);
        }
    }
}

/// Waits for the moment at which the bot is killed.
async fn moment(shared: &Shared, rng: &mut Rng, share: u64, stream: &mut broadcast::Receiver<Value>) {
    let many = usize::try_from(rng.u64(1..=share.max(2) / 2)).unwrap();
    let pause = Duration::from_millis(rng.u64(20..900));
    match rng.u8(..5) {
        // Any moment, also during the start.
        0 => tokio::time::sleep(pause).await,
        1 => {
            let mut addr = shared.addr.subscribe();
            addr.wait_for(Option::is_some).await.unwrap();
            tokio::time::sleep(pause).await;
        }
        // Just as an event is answered 200, with others in flight.
        2 => {
            let mut accepted = shared.accepted.subscribe();
            let enough = accepted.borrow().len() + many;
            accepted.wait_for(|accepted| accepted.len() >= enough).await.unwrap();
        }
        // Discord has done its work, and the bot doesn't know yet.
        3 => {
            let (mut left, what) = (rng.usize(1..20), if rng.bool() { "MESSAGE_CREATE" } else { "MESSAGE_UPDATE" });
            while left > 0 {
                match stream.recv().await {
                    Ok(item) if item["type"] == what => left -= 1,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        }
        // The hub has just sent something.
        _ => {
            let mut handed = shared.handed.subscribe();
            let enough = handed.borrow().len() + many;
            handed.wait_for(|handed| handed.len() >= enough).await.unwrap();
        }
    }
}

/// One life: it starts, its address is published, and it is killed. Returns its output.
async fn live_and_die(shared: &Shared, bot: Running, rng: &mut Rng, share: u64, stream: &mut broadcast::Receiver<Value>) -> String {
    let announced = async {
        shared.addr.send_replace(Some(bot.listener().await));
        std::future::pending::<()>().await;
    };
    // If the moment doesn't come (every request was refused in this life), it is killed anyway.
    tokio::select! {
        () = announced => {}
        _ = tokio::time::timeout(Duration::from_secs(6), moment(shared, rng, share, stream)) => {}
    }
    let said = bot.kill().await.stderr;
    shared.addr.send_replace(None);
    said
}

/// Waits until nothing is left to send, as long as there is progress.
async fn settled(stage: &Stage) {
    let (mut least, mut since) = (usize::MAX, Instant::now());
    while least > 0 {
        let left: usize = stage.look("SELECT count(*) FROM post WHERE delivered < version AND failed IS NULL")[0].parse().unwrap();
        if left < least {
            (least, since) = (left, Instant::now());
        }
        if since.elapsed() >= STUCK {
            let by_place = "SELECT place, trouble, count(*) FROM post WHERE delivered < version AND failed IS NULL GROUP BY 1, 2";
            panic!("{left} posts are left and nothing more is sent: {:?}", stage.look(by_place));
        }
        tokio::time::sleep(Duration::from_millis(20 + left as u64 / 10)).await;
    }
    stage.settled_within(PATIENCE).await;
}

async fn places(stage: &Stage, roles: &[String; 3]) -> Vec<Places> {
    let mut all = Vec::new();
    for server in HUB.into_iter().chain(HTTP) {
        let channel = |name: &str, kind| stage.discord.add_channel(&stage.guild, &format!("{name}-{server}"), kind);
        let (main, log) = (channel("main", 0), channel("log", 0));
        let threads = server % 2 == 0;
        let dispatch_threads = if threads { Threads::Always } else { Threads::Off };
        let here = |event, role, threads| Wanted { event, channel: &main, server: Some(server), role, threads, ..Wanted::default() };
        stage.route(here("911", Some(&roles[0]), Threads::Off)).await;
        stage.route(here("dispatch", Some(&roles[1]), dispatch_threads)).await;
        stage.route(here("panic", Some(&roles[2]), Threads::Off)).await;
        stage.route(here("pager", None, Threads::Off)).await;
        stage.route(Wanted { event: "duty", channel: &log, server: Some(server), ..Wanted::default() }).await;
        let forum = (server % 2 == 1).then(|| channel("forum", 15));
        if let Some(forum) = &forum {
            stage.route(Wanted { event: "911", channel: forum, server: Some(server), forum: true, ..Wanted::default() }).await;
        }
        all.push(Places { server, main, log, forum, threads });
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_shows_all_that_was_accepted_once() {
    let seed = number("TENFOUR_SEED", fastrand::u64(..));
    let (kills, events) = (number("TENFOUR_KILLS", 20), number("TENFOUR_EVENTS", 1_000));
    println!("crash: TENFOUR_SEED={seed} TENFOUR_KILLS={kills} TENFOUR_EVENTS={events}");
    let began = Instant::now();
    let mut rng = Rng::with_seed(seed);
    // The order of commits and requests is tested, not the disk.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let mut stage = Stage::within(&place, 4).await;
    let roles = ["Dispatch", "Officers", "Everyone awake"].map(|name| {
        let role = stage.discord.add_role(&stage.guild, name, 0);
        stage.discord.set_mentionable(&stage.guild, &role, true);
        role
    });
    let places = places(&stage, &roles).await;
    let numbers = Arc::new(AtomicI64::new(1));
    let shared = Arc::new(Shared {
        stage_key: stage.key.clone(),
        cad: stage.cad.clone(),
        numbers: Arc::clone(&numbers),
        life: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        http_quota: watch::Sender::new(0),
        hub_quota: watch::Sender::new(0),
        http_given: AtomicI64::new(0),
        addr: watch::Sender::new(None),
        accepted: watch::Sender::default(),
        handed: watch::Sender::default(),
    });
    let mut tasks = tokio::task::JoinSet::new();
    for server in HTTP {
        for _ in 0..SENDERS {
            tasks.spawn(sender(Arc::clone(&shared), Author::new(server, rng.fork(), Arc::clone(&shared.numbers))));
        }
    }
    for server in HUB {
        tasks.spawn(pusher(Arc::clone(&shared), Author::new(server, rng.fork(), Arc::clone(&shared.numbers)), rng.fork()));
    }

    // Each life gets the same share, so that no kill finds the work done: half of it over HTTP, a quarter by each hub session.
    let share = (events / (kills + 1)).max(8);
    let mut reconnected = Vec::new();
    let mut lives = String::new();
    for _ in 0..kills {
        weather(&stage.discord, &mut rng);
        stage.cad.heal();
        stage.cad.clear_log();
        if rng.u8(..4) == 0 {
            stage.cad.push_twice();
        }
        stage.set("DISCORD_EDIT_WINDOW_MS", if rng.bool() { "0" } else { "500" });
        stage.set("DISCORD_REQUESTS_PER_SECOND", if rng.u8(..4) == 0 { "50" } else { "0" });
        let mut stream = stage.discord.subscribe();
        let bot = stage.start();
        shared.http_quota.send_modify(|quota| *quota += share / 2);
        shared.hub_quota.send_modify(|quota| *quota += share / 4);
        lives = live_and_die(&shared, bot, &mut rng, share, &mut stream).await;
        // A session that broke by itself may have lost what was in transit.
        for server in HUB {
            let signed_in =
                |seen: &Seen| matches!(seen, Seen::Auth { server: Some(s), success: Some(true), .. } if *s == i64::from(server));
            if stage.cad.count(signed_in) > 1 {
                reconnected.push((server, shared.life.load(Ordering::SeqCst)));
            }
        }
        // Until the CAD notices, it sends to the dead session, even if it reads its sign-in only now.
        let noticed = tokio::time::timeout(PATIENCE, async {
            while stage.cad.connections() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        assert!(noticed.await.is_ok(), "the CAD never noticed that the bot had died");
        shared.life.fetch_add(1, Ordering::SeqCst);
    }
    std::fs::write(stage.folder.join("last-life.log"), &lives).unwrap();

    // The last life: everything that is left, without faults.
    weather(&stage.discord, &mut rng);
    stage.cad.heal();
    let bot = stage.start();
    shared.addr.send_replace(Some(bot.listener().await));
    shared.http_quota.send_replace(events / 2);
    shared.hub_quota.send_replace(events / 4);
    let accepted = |shared: &Shared| shared.accepted.borrow().len() as u64 >= events / 2;
    let handed_over = |shared: &Shared| {
        HUB.iter().all(|server| shared.handed.borrow().iter().filter(|h| h.server == *server).count() as u64 >= events / 4)
    };
    let patience = PATIENCE.max(Duration::from_millis(20 * events));
    let all = tokio::time::timeout(patience, async {
        while !accepted(&shared) || !handed_over(&shared) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(all.await.is_ok(), "{} of {} events were taken over HTTP", shared.accepted.borrow().len(), events / 2);
    shared.over.store(true, Ordering::SeqCst);
    while tasks.join_next().await.is_some_and(|done| done.map(|()| true).unwrap()) {}
    stage.discord.clear_faults();
    stage.discord.set_rate_limits(RateLimits::Off, Bucket { limit: 5, window_ms: 5_000 });
    // A long run leaves more calls open than a guild may have threads: what waits for room would wait until they are closed.
    stage.discord.limit_threads(usize::MAX);
    // A session keeps the order: the last event is after all others.
    for server in HUB {
        assert!(stage.cad.wait_session(server.into(), PATIENCE).await);
        let mark = format!("end of {server}");
        assert_eq!(stage.cad.push_body(server.into(), &json!({"key": stage.key, "type": "EVENT_END", "mark": mark})).hub, 1);
        let seen = format!("SELECT count(*) FROM journal WHERE kind = 'EVENT_END' AND server = {server}");
        eventually("the last push was never journaled", async || stage.look(&seen) == ["1"]).await;
    }
    settled(&stage).await;
    let settled = began.elapsed();

    let judge = Judge { stage: &stage, places: &places, roles: &roles };
    let found = judge.judge(&shared.accepted.borrow(), &shared.handed.borrow(), &reconnected);
    println!("crash: {kills} kills, {found} in {:.0} s", settled.as_secs_f64());
    bot.stop().await;
}
