//! Live facts for people: how events arrive, how long posts take, what went wrong lately. `/cad status` reads them; everything here is bounded
//! and forgotten at the end of the process.
//!
//! Each community has facts of its own ([`Status`]); what concerns the whole process, such as the connection to Discord, is in [`HostStatus`]
//! and part of every community's snapshot. Never shows one community's facts to another.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::UnixMs;
use crate::event::Source;
use crate::ids::{CommunityId, ServerId};
use crate::outbox::Lane;
use crate::refresh::{Outcome, Part};
use crate::render::text::{SafeText, safe};

/// One community's facts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Status {
    own: Arc<Mutex<Facts>>,
    host: Arc<Mutex<HostFacts>>,
}

/// The facts of the whole process, and those of each of its communities. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct HostStatus {
    host: Arc<Mutex<HostFacts>>,
    communities: Arc<Mutex<HashMap<CommunityId, Status>>>,
}

/// What is the same for all communities.
#[derive(Clone, Debug, Default)]
struct HostFacts {
    gateway: bool,
    stopped: Option<String>,
    slowed: Option<String>,
    problems: VecDeque<(UnixMs, String)>,
}

/// How the hub session of a server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Switched off: HTTP only.
    #[default]
    Off,
    /// Working on it.
    Connecting,
    /// Authenticated: events flow.
    Ready,
    /// Down, with the reason for people.
    Down(String),
    /// The CAD does not accept the credentials or the server id.
    Rejected(String),
    /// Another client holds the server's session: given up until the next start.
    Contested,
}

/// What [`Link::Contested`] means, and what to do about it.
#[must_use]
pub fn contested(server: ServerId) -> SafeText {
    safe!(
        "Another client holds the live connection (hub) of server {}: the CAD closed ours three times within 30 s of signing in. The bot stopped connecting to it, so that neither takes the other's events. On FiveM, forward events instead: set SONORAN_HUB=off, add \"enablePushEventForwarding\": true, \"pushEventForwardUrl\": \"http://BOT-IP:3232/sonorancad/event?server={}\" to the SonoranCAD resource's config.json, and restart both. Otherwise stop the other client and restart Tenfour.",
        server,
        server
    )
}

/// Everything that a community may know right now.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub servers: BTreeMap<ServerId, ServerFacts>,
    /// Types nobody knows, with their count.
    pub unknown: BTreeMap<String, u64>,
    /// The last problems, newest first.
    pub problems: VecDeque<(UnixMs, String)>,
    /// What may still be asked of the CAD's REST API; empty if it is not read at all.
    pub budgets: BTreeMap<Part, ReadBudget>,
    /// The gateway to Discord is up.
    pub gateway: bool,
    /// All sending has stopped: the token was refused.
    pub stopped: Option<String>,
    /// Sending is slower than it could be, on purpose: why, in a sentence for people.
    pub slowed: Option<String>,
    /// Events cannot be stored: since when, and why, in a sentence for people.
    pub unstored: Option<(UnixMs, String)>,
    /// What waits for Discord, by lane; lanes in which nothing does are left out.
    pub queue: BTreeMap<Lane, Waiting>,
    /// How often it was looked at what waits for an answer: once a second, as long as ingest lives.
    pub looks: u64,
    delays: VecDeque<Duration>,
    waits: VecDeque<Waits>,
}

/// What waits in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many posts.
    pub posts: usize,
    /// Age of the oldest when they were counted.
    pub oldest: Duration,
}

/// How long new messages took lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Half of them were faster.
    pub median: Duration,
    /// The slowest.
    pub worst: Duration,
    /// Of how many.
    pub of: usize,
}

/// Waits for Discord's limits within one minute.
#[derive(Clone, Copy, Debug)]
struct Waits {
    minute: i64,
    cause: &'static str,
    count: u64,
    together: Duration,
}

/// One server's facts.
#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// Its hub session.
    pub link: Link,
    /// Since when `link` is so.
    pub link_since: Option<UnixMs>,
    /// The last event and the way it came.
    pub last: Option<(UnixMs, Source)>,
    /// Events per source since the start.
    pub by_source: BTreeMap<&'static str, u64>,
    /// Dedup that came another way and were dropped.
    pub copies: u64,
    /// Units on duty; `None` before anybody said.
    pub on_duty: Option<usize>,
    /// What was read from the CAD's REST API.
    pub readings: BTreeMap<Part, Reading>,
    /// Arrivals from the CAD of the last hour, in minutes: (minute, way, count).
    minutes: VecDeque<(i64, Source, u64)>,
}

/// What was read of one part of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// When the CAD was last asked and answered.
    pub at: Option<UnixMs>,
    /// The last changes without an event: when, and how many.
    pub found: Option<(UnixMs, usize)>,
    /// Calls caught up since the start.
    pub caught_up: usize,
    /// Why it cannot be read, in a sentence for people, and since when.
    pub trouble: Option<(UnixMs, String)>,
}

/// What may still be asked of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadBudget {
    /// Requests that may begin now.
    pub left: u32,
    /// Of how many a minute.
    pub per_minute: u32,
    /// When there is one again, if there is none now.
    pub free_at: Option<UnixMs>,
}

const MOST_UNKNOWN: usize = 50;
/// Counts kept for the last hour: a clock that jumps must not pile them up.
const MOST_MINUTES: usize = 300;
const MOST_PROBLEMS: usize = 20;
const MOST_DELAYS: usize = 512;
/// Waits are remembered for so many minutes.
const WAITS_MINUTES: i64 = 10;

fn lock<T>(facts: &Mutex<T>) -> MutexGuard<'_, T> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same problem again moves up instead of filling the list.
fn note(problems: &mut VecDeque<(UnixMs, String)>, at: UnixMs, sentence: String) {
    problems.retain(|(_, known)| *known != sentence);
    problems.push_front((at, sentence));
    problems.truncate(MOST_PROBLEMS);
}

impl HostStatus {
    /// A community's facts.
    #[must_use]
    pub fn of(&self, community: &CommunityId) -> Status {
        let new = || Status { own: Arc::default(), host: Arc::clone(&self.host) };
        lock(&self.communities).entry(community.clone()).or_insert_with(new).clone()
    }

    /// Every community that was reported on, with its facts.
    #[must_use]
    pub fn all(&self) -> Vec<(CommunityId, Status)> {
        lock(&self.communities).iter().map(|(community, status)| (community.clone(), status.clone())).collect()
    }

    /// Something went wrong that concerns everybody, in a sentence for people, with its fix.
    pub fn problem(&self, at: UnixMs, sentence: impl Into<String>) {
        note(&mut lock(&self.host).problems, at, sentence.into());
    }

    /// Sending is slowed down on purpose, why (or no longer).
    pub fn slowed(&self, why: Option<String>) {
        lock(&self.host).slowed = why;
    }

    /// The gateway came up or went down.
    pub fn gateway(&self, up: bool) {
        lock(&self.host).gateway = up;
    }

    /// All sending stopped (or goes on).
    pub fn stopped(&self, reason: Option<String>) {
        lock(&self.host).stopped = reason;
    }
}

impl Status {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.own)
    }

    /// A copy of everything that the community may know.
    #[must_use]
    pub fn snapshot(&self) -> Facts {
        let mut facts = self.facts().clone();
        let host = lock(&self.host).clone();
        (facts.gateway, facts.stopped, facts.slowed) = (host.gateway, host.stopped, host.slowed);
        facts.problems.extend(host.problems);
        facts.problems.make_contiguous().sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        facts
    }

    /// A copy of what is known of one server.
    #[must_use]
    pub fn server(&self, server: ServerId) -> ServerFacts {
        self.facts().servers.get(&server).cloned().unwrap_or_default()
    }

    /// An event came.
    pub fn event(&self, server: ServerId, source: Source, at: UnixMs) {
        let mut facts = self.facts();
        let server = facts.servers.entry(server).or_default();
        *server.by_source.entry(source.as_str()).or_default() += 1;
        // What the bot itself did or tried out says nothing of whether the CAD's events arrive.
        if matches!(source, Source::Bot | Source::Test) {
            return;
        }
        server.last = Some((at, source));
        let minute = at.0.div_euclid(60_000);
        match server.minutes.iter_mut().rev().take_while(|(at, ..)| *at == minute).find(|(_, way, _)| *way == source) {
            Some((_, _, count)) => *count += 1,
            None => server.minutes.push_back((minute, source, 1)),
        }
        while server.minutes.len() > MOST_MINUTES || server.minutes.front().is_some_and(|(first, ..)| minute - first >= 60) {
            server.minutes.pop_front();
        }
    }

    /// A copy of an event came.
    pub fn copy(&self, server: ServerId) {
        self.facts().servers.entry(server).or_default().copies += 1;
    }

    /// How many units are on duty now.
    pub fn on_duty(&self, server: ServerId, units: usize) {
        self.facts().servers.entry(server).or_default().on_duty = Some(units);
    }

    /// A part of a server was read: when the CAD was asked, and what came of it.
    pub fn read(&self, server: ServerId, part: Part, asked_at: UnixMs, outcome: Outcome) {
        let mut facts = self.facts();
        let reading = facts.servers.entry(server).or_default().readings.entry(part).or_default();
        reading.at = Some(asked_at);
        reading.trouble = None;
        reading.caught_up = reading.caught_up.saturating_add(outcome.caught_up);
        if outcome.changes > 0 {
            reading.found = Some((asked_at, outcome.changes));
        }
    }

    /// A part of a server could not be read, why.
    pub fn unread(&self, server: ServerId, part: Part, at: UnixMs, sentence: &str) {
        let mut facts = self.facts();
        let reading = facts.servers.entry(server).or_default().readings.entry(part).or_default();
        let since = reading.trouble.take().map_or(at, |(since, _)| since);
        reading.trouble = Some((since, sentence.to_owned()));
    }

    /// What may still be asked of the CAD's REST API.
    pub fn read_budget(&self, part: Part, budget: ReadBudget) {
        self.facts().budgets.insert(part, budget);
    }

    /// An event of a type that nobody knows came.
    pub fn unknown(&self, kind: &str) {
        let unknown = &mut self.facts().unknown;
        if let Some(count) = unknown.get_mut(kind) {
            *count += 1;
        } else if unknown.len() < MOST_UNKNOWN {
            unknown.insert(kind.to_owned(), 1);
        }
    }

    /// A hub session changed. Returns what it was before.
    pub fn link(&self, server: ServerId, link: Link, at: UnixMs) -> Link {
        let mut facts = self.facts();
        let server = facts.servers.entry(server).or_default();
        if server.link != link || server.link_since.is_none() {
            server.link_since = Some(at);
        }
        std::mem::replace(&mut server.link, link)
    }

    /// How a server's hub session is.
    #[must_use]
    pub fn link_of(&self, server: ServerId) -> Link {
        self.facts().servers.get(&server).map(|server| server.link.clone()).unwrap_or_default()
    }

    /// Something went wrong, in a sentence for people, with its fix.
    pub fn problem(&self, at: UnixMs, sentence: impl Into<String>) {
        note(&mut self.facts().problems, at, sentence.into());
    }

    /// A problem is no problem any more.
    pub fn solved(&self, sentence: &str) {
        self.facts().problems.retain(|(_, known)| known != sentence);
    }

    /// A new message stands on Discord, `delay` after its event came.
    pub fn delivered(&self, delay: Duration) {
        let delays = &mut self.facts().delays;
        delays.push_back(delay);
        if delays.len() > MOST_DELAYS {
            delays.pop_front();
        }
    }

    /// What waits for Discord: every lane with its posts and the age of the oldest. What is not named does not wait.
    pub fn queue(&self, by_lane: &[(Lane, usize, Duration)]) {
        let waiting = |(lane, posts, oldest): &(Lane, usize, Duration)| (*lane, Waiting { posts: *posts, oldest: *oldest });
        self.facts().queue = by_lane.iter().filter(|(_, posts, _)| *posts > 0).map(waiting).collect();
    }

    /// A request waited for one of Discord's limits: why (a word from a closed set), and how long.
    pub fn waited(&self, cause: &'static str, length: Duration, at: UnixMs) {
        let waits = &mut self.facts().waits;
        let minute = at.0.div_euclid(60_000);
        match waits.iter_mut().rev().take_while(|known| known.minute == minute).find(|known| known.cause == cause) {
            Some(known) => {
                known.count += 1;
                known.together = known.together.saturating_add(length);
            }
            None => waits.push_back(Waits { minute, cause, count: 1, together: length }),
        }
        while waits.front().is_some_and(|first| minute - first.minute >= WAITS_MINUTES) {
            waits.pop_front();
        }
    }

    /// Events could not be stored, why.
    pub fn not_stored(&self, at: UnixMs, sentence: &str) {
        let unstored = &mut self.facts().unstored;
        let since = unstored.take().map_or(at, |(since, _)| since);
        *unstored = Some((since, sentence.to_owned()));
    }

    /// Events are stored (again).
    pub fn stored(&self) {
        self.facts().unstored = None;
    }

    /// It was looked at what waits for an answer.
    pub fn looked(&self) {
        self.facts().looks += 1;
    }
}

impl Facts {
    /// How long the last new messages took; `None` before the first.
    #[must_use]
    pub fn delay(&self) -> Option<Delay> {
        let mut delays: Vec<Duration> = self.delays.iter().copied().collect();
        delays.sort_unstable();
        let median = *delays.get(delays.len().saturating_sub(1) / 2)?;
        Some(Delay { median, worst: *delays.last()?, of: delays.len() })
    }

    /// Waits for Discord's limits in the last ten minutes, by cause: how many, and how long together. The longest first.
    #[must_use]
    pub fn waits(&self, now: UnixMs) -> Vec<(&'static str, u64, Duration)> {
        let minute = now.0.div_euclid(60_000);
        let mut by_cause: BTreeMap<&'static str, (u64, Duration)> = BTreeMap::new();
        for waits in self.waits.iter().filter(|waits| minute - waits.minute < WAITS_MINUTES) {
            let (count, together) = by_cause.entry(waits.cause).or_default();
            *count += waits.count;
            *together = together.saturating_add(waits.together);
        }
        let mut waits: Vec<_> = by_cause.into_iter().map(|(cause, (count, together))| (cause, count, together)).collect();
        waits.sort_by_key(|(_, _, together)| std::cmp::Reverse(*together));
        waits
    }
}

impl ServerFacts {
    /// Events from the CAD in the last hour, by the way they came: what the bot does itself is none.
    #[must_use]
    pub fn last_hour(&self, now: UnixMs) -> Vec<(Source, u64)> {
        let minute = now.0.div_euclid(60_000);
        let of = |source: Source| {
            let counts = self.minutes.iter().filter(|(at, way, _)| minute - at < 60 && *way == source);
            (source, counts.map(|(.., count)| count).sum())
        };
        Source::ALL.into_iter().map(of).filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms;

    /// The silence of a feed is not broken by what the bot does itself.
    #[test]
    fn what_the_bot_does_itself_is_no_word_from_the_cad() {
        let (status, server) = (Status::default(), ServerId(1));
        status.event(server, Source::Hub, UnixMs(1_000));
        for source in [Source::Bot, Source::Test] {
            status.event(server, source, UnixMs(2_000));
        }
        assert_eq!(status.server(server).last, Some((UnixMs(1_000), Source::Hub)));
    }

    #[test]
    fn events_of_the_last_hour_add_up_by_the_way_they_came() {
        let (status, server) = (Status::default(), ServerId(1));
        let event = |source, times: i64, from: i64| {
            (0..times).for_each(|n| status.event(server, source, UnixMs((from + n) * 60_000)));
        };
        event(Source::Hub, 30, 0);
        for minute in 100..108 {
            for source in [Source::Hub, Source::Bot, Source::Http, Source::Test, Source::Hub, Source::Bot] {
                status.event(server, source, UnixMs(minute * 60_000));
            }
        }
        let counts = status.server(server).last_hour(UnixMs(108 * 60_000));
        assert_eq!(counts, [(Source::Hub, 16), (Source::Http, 8)], "only events of the CAD, and only of the last hour");
    }

    #[test]
    fn an_hour_of_events_and_no_more() {
        let status = Status::default();
        let server = ServerId(1);
        for minute in 0..120 {
            status.event(server, Source::Hub, UnixMs(minute * 60_000));
        }
        let facts = status.snapshot();
        assert_eq!(facts.servers[&server].last_hour(UnixMs(119 * 60_000)), [(Source::Hub, 60)]);
    }

    #[test]
    fn problems_and_unknown_types_are_bounded() {
        let status = Status::default();
        for n in 0..1_000 {
            status.problem(UnixMs(n), format!("trouble {n}"));
            status.unknown(&format!("EVENT_{n}"));
        }
        status.problem(UnixMs(1_000), "trouble 999");
        let facts = status.snapshot();
        assert_eq!((facts.problems.len(), facts.unknown.len()), (MOST_PROBLEMS, MOST_UNKNOWN));
        assert_eq!(facts.problems[0].0, UnixMs(1_000));
    }

    #[test]
    fn readings_remember_their_last_find_and_since_when_they_fail() {
        let status = Status::default();
        let server = ServerId(1);
        let outcome = |caught_up, changes| Outcome { skipped: 0, caught_up, changes };
        status.read(server, Part::Calls, UnixMs(1), outcome(2, 3));
        status.read(server, Part::Calls, UnixMs(2), outcome(0, 0));
        status.unread(server, Part::Calls, UnixMs(3), "no");
        status.unread(server, Part::Calls, UnixMs(4), "still no");
        let reading = || status.snapshot().servers[&server].readings[&Part::Calls].clone();
        let trouble = Some((UnixMs(3), "still no".to_owned()));
        assert_eq!(reading(), Reading { at: Some(UnixMs(2)), found: Some((UnixMs(1), 3)), caught_up: 2, trouble });
        status.read(server, Part::Calls, UnixMs(5), outcome(1, 1));
        assert_eq!(reading(), Reading { at: Some(UnixMs(5)), found: Some((UnixMs(5), 1)), caught_up: 3, trouble: None });
    }

    #[test]
    fn each_community_sees_its_own_facts_and_those_of_the_process() {
        let host = HostStatus::default();
        let [one, other] = ["one", "other"].map(|name| host.of(&CommunityId::new(name)));
        one.event(ServerId(1), Source::Hub, UnixMs(1));
        one.problem(UnixMs(5), "only here");
        host.problem(UnixMs(6), "everywhere");
        host.gateway(true);
        let problems = |status: &Status| status.snapshot().problems.into_iter().map(|(_, problem)| problem).collect::<Vec<_>>();
        assert_eq!((problems(&one), problems(&other)), (vec!["everywhere".into(), "only here".into()], vec!["everywhere".to_owned()]));
        assert!(other.snapshot().servers.is_empty() && other.snapshot().gateway);
        assert_eq!(host.of(&CommunityId::new("one")).snapshot().servers.len(), 1, "the same facts, whoever asks for them");
    }

    #[test]
    fn delays_of_the_last_messages() {
        let status = Status::default();
        assert_eq!(status.snapshot().delay(), None);
        (1..=100).for_each(|delay| status.delivered(ms(delay)));
        assert_eq!(status.snapshot().delay(), Some(Delay { median: ms(50), worst: ms(100), of: 100 }));
        (0..2_000).for_each(|_| status.delivered(ms(7)));
        assert_eq!(status.snapshot().delay(), Some(Delay { median: ms(7), worst: ms(7), of: MOST_DELAYS }));
    }

    #[test]
    fn the_queue_is_as_told_last() {
        let status = Status::default();
        status.queue(&[(Lane::Panic, 1, ms(5)), (Lane::New, 0, ms(0)), (Lane::Log, 3, ms(0))]);
        let waiting = |posts, oldest| Waiting { posts, oldest: ms(oldest) };
        assert_eq!(status.snapshot().queue, BTreeMap::from([(Lane::Panic, waiting(1, 5)), (Lane::Log, waiting(3, 0))]));
        status.queue(&[]);
        assert!(status.snapshot().queue.is_empty());
    }

    #[test]
    fn waits_are_summed_for_ten_minutes_and_stay_few() {
        let status = Status::default();
        for minute in 0..1_000 {
            for cause in ["channel", "told", "channel"] {
                status.waited(cause, if cause == "told" { ms(500) } else { ms(0) }, UnixMs(minute * 60_000));
            }
        }
        let (facts, now) = (status.snapshot(), UnixMs(999 * 60_000));
        assert_eq!(facts.waits(now), [("told", 10, ms(5_000)), ("channel", 20, ms(0))]);
        assert_eq!(facts.waits.len(), 20);
        assert_eq!(facts.waits(now.plus_ms(9 * 60_000)), [("told", 1, ms(500)), ("channel", 2, ms(0))]);
        assert!(facts.waits(now.plus_ms(600_000)).is_empty());
    }

    #[test]
    fn what_cannot_be_stored_is_told_since_it_began() {
        let status = Status::default();
        status.not_stored(UnixMs(1), "full");
        status.not_stored(UnixMs(2), "still full");
        assert_eq!(status.snapshot().unstored, Some((UnixMs(1), "still full".into())));
        status.stored();
        assert_eq!(status.snapshot().unstored, None);
    }
}
