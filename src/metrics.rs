//! Numbers for operators, in the OpenMetrics text form. `deploy/README.md` explains each series.
//!
//! Every series of ours exists at zero from the start, so that a dashboard can distinguish "nothing happened" from "not measured". Labels
//! come from closed sets only: nothing from the network ever becomes a label.

mod process;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::UnixMs;
use crate::event::{Source, known_kinds};
use crate::ids::ServerId;
use crate::outbox::Lane;
use crate::refresh::Part;

pub use words::{AnswerClass, CadActionOutcome, LimitScope, Outcome, PostOutcome, ReadOutcome, WaitCause};

type Label = (&'static str, &'static str);
type Counters<const N: usize> = Family<[Label; N], Counter>;
type PerServer<M> = Family<[(&'static str, u32); 1], M>;
type Seconds = Gauge<f64, AtomicU64>;

/// Label of topics that are not in the set given to [`Metrics::new`].
const OTHER: &str = "other";
/// Label of event types without a decoder.
const UNKNOWN: &str = "unknown";

/// Seconds from receipt to Discord. An idle bot answers within milliseconds; under 2 s counts as live; the last ones distinguish a slow
/// shift from an outage.
const DELAY_BUCKETS: [f64; 16] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Posts older than this count as late (s).
const LAST_DELAY_BUCKET: f64 = 900.0;
/// Seconds of one commit: a fast disk syncs in tenths of a millisecond, a worn one in seconds.
const COMMIT_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Events in one commit; ingest takes 128 arrivals together.
const COMMIT_EVENT_BUCKETS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

/// Makes the histograms of [`Series::delay`].
#[derive(Clone, Copy, Debug)]
struct Delays;

impl MetricConstructor<Histogram> for Delays {
    fn new_metric(&self) -> Histogram {
        Histogram::new(DELAY_BUCKETS.into_iter().chain([LAST_DELAY_BUCKET]))
    }
}

/// Call it first in the program: its time is the process's start time. Without it, that is when the first [`Metrics`] is made.
pub fn process_started() {
    process::started();
}

/// The bot's metrics. Cheap to clone; all methods may be called from any task and never block for long.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Series>);

#[derive(Debug)]
struct Series {
    registry: Registry,
    events: Counters<2>,
    types: Counters<2>,
    topics: Counters<1>,
    decode_failures: Counters<1>,
    last_event: PerServer<Seconds>,
    hub_connected: PerServer<Gauge>,
    hub_reconnects: PerServer<Counter>,
    readings: Counters<2>,
    cad_budget: Family<[Label; 1], Gauge>,
    commit_events: Histogram,
    commit: Histogram,
    commit_failures: Counter,
    queue_depth: Family<[Label; 1], Gauge>,
    queue_oldest: Family<[Label; 1], Seconds>,
    delay: Family<[Label; 1], Histogram, Delays>,
    posts: Counters<1>,
    packed_messages: Counter,
    packed_cards: Counter,
    waits: Counters<1>,
    wait_seconds: Family<[Label; 1], Counter<f64, AtomicU64>>,
    answers: Counters<1>,
    limited: Counters<1>,
    invalid_requests: Gauge,
    sending_stopped: Gauge,
    parked_channels: Gauge,
    gateway_unknown: Counter,
    cad_actions: Counters<1>,
}

impl Metrics {
    /// All series at zero. `servers` are the configured ones, `topics` the words that [`Metrics::topic`] may get.
    #[must_use]
    pub fn new(servers: &[ServerId], topics: &[&'static str]) -> Self {
        let series = Series {
            registry: Registry::default(),
            events: Family::default(),
            types: Family::default(),
            topics: Family::default(),
            decode_failures: Family::default(),
            last_event: Family::default(),
            hub_connected: Family::default(),
            hub_reconnects: Family::default(),
            readings: Family::default(),
            cad_budget: Family::default(),
            commit_events: Histogram::new(COMMIT_EVENT_BUCKETS),
            commit: Histogram::new(COMMIT_BUCKETS),
            commit_failures: Counter::default(),
            queue_depth: Family::default(),
            queue_oldest: Family::default(),
            delay: Family::new_with_constructor(Delays),
            posts: Family::default(),
            packed_messages: Counter::default(),
            packed_cards: Counter::default(),
            waits: Family::default(),
            wait_seconds: Family::default(),
            answers: Family::default(),
            limited: Family::default(),
            invalid_requests: Gauge::default(),
            sending_stopped: Gauge::default(),
            parked_channels: Gauge::default(),
            gateway_unknown: Counter::default(),
            cad_actions: Family::default(),
        };
        series.begin(servers, topics);
        Self(Arc::new(series.registered()))
    }

    /// One arrival at a source.
    pub fn event(&self, source: Source, outcome: Outcome) {
        if let Some(counter) = self.0.events.get(&event_labels(source, outcome)) {
            counter.inc();
        }
    }

    /// One event of a type (an envelope's `type`) in the journal. A type without a decoder counts as `unknown`.
    pub fn event_type(&self, kind: &str, source: Source) {
        if let Some(counter) = self.0.types.get(&[("type", known(kind)), ("source", source.as_str())]) {
            counter.inc();
        }
    }

    /// One event by topic. An unregistered word counts as `other`.
    pub fn topic(&self, topic: &'static str) {
        let found = self.0.topics.get(&[("topic", topic)]);
        if let Some(counter) = found.or_else(|| self.0.topics.get(&[("topic", OTHER)])) {
            counter.inc();
        }
    }

    /// One event of a known type whose data could not be used.
    pub fn decode_failure(&self, kind: &str) {
        if let Some(counter) = self.0.decode_failures.get(&[("type", known(kind))]) {
            counter.inc();
        }
    }

    /// When the last event of `server` came. An unregistered server is ignored.
    pub fn last_event(&self, server: ServerId, at: UnixMs) {
        if let Some(gauge) = self.0.last_event.get(&server_label(server)) {
            gauge.set(seconds(at));
        }
    }

    /// No hub is configured: its series are removed, since an unwanted session isn't down.
    pub fn without_hub(&self) {
        self.0.hub_connected.clear();
        self.0.hub_reconnects.clear();
    }

    /// Whether the hub session of `server` is up. An unregistered server is ignored.
    pub fn hub_connected(&self, server: ServerId, connected: bool) {
        if let Some(gauge) = self.0.hub_connected.get(&server_label(server)) {
            gauge.set(i64::from(connected));
        }
    }

    /// One more attempt to connect the hub session of `server` after it was lost.
    pub fn hub_reconnect(&self, server: ServerId) {
        if let Some(counter) = self.0.hub_reconnects.get(&server_label(server)) {
            counter.inc();
        }
    }

    /// One read of the CAD.
    pub fn reading(&self, part: Part, outcome: ReadOutcome) {
        if let Some(counter) = self.0.readings.get(&reading_labels(part, outcome)) {
            counter.inc();
        }
    }

    /// Requests to the CAD left now.
    pub fn cad_budget_left(&self, part: Part, requests: u32) {
        if let Some(gauge) = self.0.cad_budget.get(&part_label(part)) {
            gauge.set(i64::from(requests));
        }
    }

    /// One committed transaction of ingest: how many events it held, and how long ingest waited for it. One without events (a read
    /// of the CAD, a board) counts in the time only.
    pub fn commit(&self, events: usize, took: Duration) {
        if events > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
            self.0.commit_events.observe(events as f64);
        }
        self.0.commit.observe(took.as_secs_f64());
    }

    /// One transaction of ingest that could not be stored.
    pub fn commit_failed(&self) {
        self.0.commit_failures.inc();
    }

    /// What waits for delivery in a lane now: how many posts, and the age of the oldest (0 if there is none). Call it for every lane
    /// each time, even if nothing waits: the last value stays.
    pub fn queue(&self, lane: Lane, posts: usize, oldest: Duration) {
        if let Some(gauge) = self.0.queue_depth.get(&lane_label(lane)) {
            gauge.set(count(posts));
        }
        if let Some(gauge) = self.0.queue_oldest.get(&lane_label(lane)) {
            gauge.set(oldest.as_secs_f64());
        }
    }

    /// The time from receipt of an event to its message on Discord.
    pub fn delivery_delay(&self, lane: Lane, delay: Duration) {
        if let Some(histogram) = self.0.delay.get(&lane_label(lane)) {
            histogram.observe(delay.as_secs_f64());
        }
    }

    /// One attempt to deliver a post.
    pub fn post(&self, outcome: PostOutcome) {
        if let Some(counter) = self.0.posts.get(&[("outcome", outcome.as_str())]) {
            counter.inc();
        }
    }

    /// One message that was created for several cards.
    pub fn batched(&self, cards: usize) {
        self.0.packed_messages.inc();
        self.0.packed_cards.inc_by(cards as u64);
    }

    /// One wait before a request to Discord, and how long it was.
    pub fn rate_wait(&self, cause: WaitCause, length: Duration) {
        if let Some(counter) = self.0.waits.get(&[("cause", cause.as_str())]) {
            counter.inc();
        }
        if let Some(counter) = self.0.wait_seconds.get(&[("cause", cause.as_str())]) {
            counter.inc_by(length.as_secs_f64());
        }
    }

    /// One answer from Discord, or its absence.
    pub fn answer(&self, class: AnswerClass) {
        if let Some(counter) = self.0.answers.get(&[("class", class.as_str())]) {
            counter.inc();
        }
    }

    /// One 429, by whose limit it was.
    pub fn limited(&self, scope: LimitScope) {
        if let Some(counter) = self.0.limited.get(&[("scope", scope.as_str())]) {
            counter.inc();
        }
    }

    /// Rejected requests of the last ten minutes, of those that count toward Discord's ban (10,000).
    pub fn invalid_requests(&self, last_ten_minutes: usize) {
        self.0.invalid_requests.set(count(last_ten_minutes));
    }

    /// Whether all sending has stopped, because Discord rejects the token.
    pub fn sending_stopped(&self, stopped: bool) {
        self.0.sending_stopped.set(i64::from(stopped));
    }

    /// Channels that Discord refuses now, whose alerts wait.
    pub fn parked_channels(&self, channels: usize) {
        self.0.parked_channels.set(count(channels));
    }

    /// One action of a member in the CAD.
    pub fn cad_action(&self, outcome: CadActionOutcome) {
        if let Some(counter) = self.0.cad_actions.get(&[("outcome", outcome.as_str())]) {
            counter.inc();
        }
    }

    /// One gateway event of a type the Discord library does not know.
    pub fn gateway_unknown(&self) {
        self.0.gateway_unknown.inc();
    }

    /// All series as OpenMetrics text (`application/openmetrics-text; version=1.0.0`).
    #[must_use]
    pub fn encode(&self) -> String {
        // A bot with one server writes some 32 KiB.
        let mut buffer = String::with_capacity(48 * 1024);
        if text::encode(&mut buffer, &self.0.registry).is_err() {
            tracing::error!("the metrics could not be written as text");
        }
        buffer
    }
}

impl Series {
    /// Every series of every family, at zero.
    fn begin(&self, servers: &[ServerId], topics: &[&'static str]) {
        for source in Source::ALL {
            for outcome in Outcome::ALL {
                drop(self.events.get_or_create(&event_labels(source, *outcome)));
            }
            for kind in known_kinds().chain([UNKNOWN]) {
                drop(self.types.get_or_create(&[("type", kind), ("source", source.as_str())]));
            }
        }
        for kind in known_kinds() {
            drop(self.decode_failures.get_or_create(&[("type", kind)]));
        }
        for topic in topics.iter().copied().chain([OTHER]) {
            drop(self.topics.get_or_create(&[("topic", topic)]));
        }
        for server in servers {
            drop(self.last_event.get_or_create(&server_label(*server)));
            drop(self.hub_connected.get_or_create(&server_label(*server)));
            drop(self.hub_reconnects.get_or_create(&server_label(*server)));
        }
        for part in Part::ALL {
            for outcome in ReadOutcome::ALL {
                drop(self.readings.get_or_create(&reading_labels(part, *outcome)));
            }
            drop(self.cad_budget.get_or_create(&part_label(part)));
        }
        for lane in Lane::ALL {
            drop(self.queue_depth.get_or_create(&lane_label(lane)));
            drop(self.queue_oldest.get_or_create(&lane_label(lane)));
            drop(self.delay.get_or_create(&lane_label(lane)));
        }
        for outcome in PostOutcome::ALL {
            drop(self.posts.get_or_create(&[("outcome", outcome.as_str())]));
        }
        for cause in WaitCause::ALL {
            drop(self.waits.get_or_create(&[("cause", cause.as_str())]));
            drop(self.wait_seconds.get_or_create(&[("cause", cause.as_str())]));
        }
        for class in AnswerClass::ALL {
            drop(self.answers.get_or_create(&[("class", class.as_str())]));
        }
        for outcome in CadActionOutcome::ALL {
            drop(self.cad_actions.get_or_create(&[("outcome", outcome.as_str())]));
        }
        for scope in LimitScope::ALL {
            drop(self.limited.get_or_create(&[("scope", scope.as_str())]));
        }
    }

    fn registered(mut self) -> Self {
        // Unprefixed, as in every other program.
        self.registry.register_collector(Box::new(process::ProcessCollector { started: seconds(process::started()) }));
        let r = self.registry.sub_registry_with_prefix("tenfour");
        r.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        r.register("events", "Push events that arrived, by source and outcome", self.events.clone());
        r.register("event_types", "Push events in the journal, by type and source", self.types.clone());
        r.register("topic_events", "Events by topic", self.topics.clone());
        r.register("decode_failures", "Events of a known type whose data could not be used", self.decode_failures.clone());
        let last_event = self.last_event.clone();
        r.register_with_unit("last_event_timestamp", "When the last event of a server came; 0 = none yet", Unit::Seconds, last_event);
        r.register("hub_connected", "Whether the hub session of a server is up", self.hub_connected.clone());
        r.register("hub_reconnects", "Tries to connect a lost hub session again", self.hub_reconnects.clone());
        r.register("reconciliations", "Readings of the CAD's REST API, by part and outcome", self.readings.clone());
        r.register("cad_budget_left", "Requests that may still be made of the CAD's REST API now", self.cad_budget.clone());
        r.register("store_commit_events", "Events in one transaction of ingest, of those that hold any", self.commit_events.clone());
        r.register_with_unit(
            "store_commit",
            "How long ingest waited for a transaction, until it was on disk",
            Unit::Seconds,
            self.commit.clone(),
        );
        r.register("store_commit_failures", "Transactions of ingest that could not be stored", self.commit_failures.clone());
        r.register("queue_depth", "Posts that wait for delivery, by lane", self.queue_depth.clone());
        r.register_with_unit("queue_oldest", "Age of the oldest post that waits, by lane", Unit::Seconds, self.queue_oldest.clone());
        let delay = self.delay.clone();
        r.register_with_unit("delivery_delay", "From receipt of an event to its message on Discord", Unit::Seconds, delay);
        r.register("posts", "Tries to deliver a post, by outcome", self.posts.clone());
        r.register("packed_messages", "Messages that were made for several cards", self.packed_messages.clone());
        r.register("cad_actions", "What members did or wanted to do in the CAD", self.cad_actions.clone());
        r.register("packed_cards", "Cards that such messages hold", self.packed_cards.clone());
        r.register("rate_limit_waits", "Waits before a request to Discord, by cause", self.waits.clone());
        r.register_with_unit("rate_limit_wait", "Time of such waits, by cause", Unit::Seconds, self.wait_seconds.clone());
        r.register("discord_answers", "Discord's answers to requests, by class", self.answers.clone());
        r.register("discord_rate_limited", "429s, by whose limit it was", self.limited.clone());
        let invalid = self.invalid_requests.clone();
        r.register("discord_invalid_requests", "Refused requests of the last 10 minutes that count towards Discord's ban", invalid);
        r.register("sending_stopped", "Whether all sending has stopped, because Discord refuses the token", self.sending_stopped.clone());
        r.register("parked_channels", "Channels that Discord refuses now", self.parked_channels.clone());
        let unknown = self.gateway_unknown.clone();
        r.register("gateway_unknown_events", "Gateway events of a type the Discord library does not know", unknown);
        self
    }
}

/// The type as a label: from the decoder's table, never from the network.
fn known(kind: &str) -> &'static str {
    known_kinds().find(|known| *known == kind).unwrap_or(UNKNOWN)
}

#[expect(clippy::cast_precision_loss, reason = "exact far beyond any time")]
fn seconds(at: UnixMs) -> f64 {
    at.0 as f64 / 1000.0
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

fn lane_label(lane: Lane) -> [Label; 1] {
    [("lane", lane.as_str())]
}

fn reading_labels(part: Part, outcome: ReadOutcome) -> [Label; 2] {
    [("part", part.as_str()), ("outcome", outcome.as_str())]
}

fn part_label(part: Part) -> [Label; 1] {
    [("part", part.as_str())]
}

fn event_labels(source: Source, outcome: Outcome) -> [Label; 2] {
    [("source", source.as_str()), ("outcome", outcome.as_str())]
}

fn server_label(server: ServerId) -> [(&'static str, u32); 1] {
    [("server", server.0)]
}
