//! Numbers for operators, in the OpenMetrics text form.
//!
//! Job: every series exists at zero from the start, so that a dashboard can tell "nothing happened" from "not measured". Labels come
//! from closed sets only: nothing from the network ever becomes a label.

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::event::Source;
use crate::ids::ServerId;
use crate::readings::Part;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, for closed label sets.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The label.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// What became of an arrival. `ingest` counts what is committed, unusable or a copy, for every source; the listener and the hub
    /// session count the rest, where they learn of it.
    Outcome {
        /// In the journal.
        Committed = "committed",
        /// The other source brought the same event; not stored twice.
        Copy = "copy",
        /// A known type with data that cannot be used.
        Unusable = "unusable",
        /// The bot could not take it now.
        Unavailable = "unavailable",
        /// Key missing or wrong.
        Unauthorised = "unauthorised",
        /// Not an event, or for a server that is not configured.
        Malformed = "malformed",
        /// Larger than accepted.
        TooLarge = "too_large",
        /// Its sender took too long.
        TooSlow = "too_slow",
    }
}

words! {
    /// What became of one try to bring a post to Discord.
    PostOutcome {
        /// It stands on Discord.
        Delivered = "delivered",
        /// Failed, will be tried again.
        Retried = "retried",
        /// Discord will never take it there.
        Refused = "refused",
        /// Discord said how long to wait.
        Waited = "waited",
    }
}

words! {
    /// Discord's answers to requests, by what they mean for the bot.
    AnswerClass {
        /// 2xx.
        Success = "success",
        /// 401.
        Unauthorised = "unauthorised",
        /// 403.
        Forbidden = "forbidden",
        /// 404.
        NotFound = "not_found",
        /// 429.
        RateLimited = "rate_limited",
        /// Any other below 500.
        Other = "other",
        /// 5xx.
        ServerError = "server_error",
        /// No answer at all.
        Network = "network",
    }
}

words! {
    /// What became of one reading of the CAD's REST API.
    ReadOutcome {
        /// It said what the events had said.
        NothingNew = "nothing_new",
        /// It told of what no event had.
        CaughtUp = "caught_up",
        /// Read, but the store could not take what followed.
        NotStored = "not_stored",
        /// 429.
        RateLimited = "rate_limited",
        /// 401, 402, 403, or an unknown server.
        Refused = "refused",
        /// No answer, or none that can be used.
        Failed = "failed",
    }
}

impl AnswerClass {
    /// The class of an HTTP status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Success,
            401 => Self::Unauthorised,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            429 => Self::RateLimited,
            500.. => Self::ServerError,
            _ => Self::Other,
        }
    }
}

type Label = (&'static str, &'static str);
type Counters<const N: usize> = Family<[Label; N], Counter>;
type PerServer<M> = Family<[(&'static str, u32); 1], M>;

/// Label of topics that are not in the set given to [`Metrics::new`].
const OTHER: &str = "other";

/// Seconds from receipt to Discord. Under 2 s is what people call live.
const DELAY_BUCKETS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// The bot's numbers. Cheap to clone; all methods are safe from any task and never block for long.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Series>);

#[derive(Debug)]
struct Series {
    registry: Registry,
    events: Counters<2>,
    topics: Counters<1>,
    unknown_events: Counter,
    posts: Counters<1>,
    answers: Counters<1>,
    hub_connected: PerServer<Gauge>,
    hub_reconnects: PerServer<Counter>,
    queue_depth: Gauge,
    gateway_unknown: Counter,
    delay: Histogram,
    readings: Counters<2>,
    cad_budget: Family<[Label; 1], Gauge>,
}

impl Metrics {
    /// All series at zero. `servers` are the configured ones, `topics` the words that [`Metrics::topic`] may be given.
    #[must_use]
    pub fn new(servers: &[ServerId], topics: &[&'static str]) -> Self {
        let series = Series {
            registry: Registry::with_prefix("tenfour"),
            events: Family::default(),
            topics: Family::default(),
            unknown_events: Counter::default(),
            posts: Family::default(),
            answers: Family::default(),
            hub_connected: Family::default(),
            hub_reconnects: Family::default(),
            queue_depth: Gauge::default(),
            gateway_unknown: Counter::default(),
            delay: Histogram::new(DELAY_BUCKETS),
            readings: Family::default(),
            cad_budget: Family::default(),
        };
        for part in Part::ALL {
            for outcome in ReadOutcome::ALL {
                drop(series.readings.get_or_create(&reading_labels(part, *outcome)));
            }
            drop(series.cad_budget.get_or_create(&part_label(part)));
        }
        for source in Source::ALL {
            for outcome in Outcome::ALL {
                drop(series.events.get_or_create(&event_labels(source, *outcome)));
            }
        }
        for topic in topics.iter().copied().chain([OTHER]) {
            drop(series.topics.get_or_create(&[("topic", topic)]));
        }
        for outcome in PostOutcome::ALL {
            drop(series.posts.get_or_create(&[("outcome", outcome.as_str())]));
        }
        for class in AnswerClass::ALL {
            drop(series.answers.get_or_create(&[("class", class.as_str())]));
        }
        for server in servers {
            drop(series.hub_connected.get_or_create(&server_label(*server)));
            drop(series.hub_reconnects.get_or_create(&server_label(*server)));
        }
        Self(Arc::new(series.registered()))
    }

    /// One arrival at a source.
    pub fn event(&self, source: Source, outcome: Outcome) {
        if let Some(counter) = self.0.events.get(&event_labels(source, outcome)) {
            counter.inc();
        }
    }

    /// One event by topic. A word that was not announced counts as `other`.
    pub fn topic(&self, topic: &'static str) {
        let found = self.0.topics.get(&[("topic", topic)]);
        if let Some(counter) = found.or_else(|| self.0.topics.get(&[("topic", OTHER)])) {
            counter.inc();
        }
    }

    /// One event of a type nobody knows.
    pub fn unknown_event(&self) {
        self.0.unknown_events.inc();
    }

    /// One try to deliver a post.
    pub fn post(&self, outcome: PostOutcome) {
        if let Some(counter) = self.0.posts.get(&[("outcome", outcome.as_str())]) {
            counter.inc();
        }
    }

    /// One answer of Discord, or its absence.
    pub fn answer(&self, class: AnswerClass) {
        if let Some(counter) = self.0.answers.get(&[("class", class.as_str())]) {
            counter.inc();
        }
    }

    /// Whether the hub session of `server` is up. A server that was not announced is ignored.
    pub fn hub_connected(&self, server: ServerId, connected: bool) {
        if let Some(gauge) = self.0.hub_connected.get(&server_label(server)) {
            gauge.set(i64::from(connected));
        }
    }

    /// One more try to connect the hub session of `server` after it was lost.
    pub fn hub_reconnect(&self, server: ServerId) {
        if let Some(counter) = self.0.hub_reconnects.get(&server_label(server)) {
            counter.inc();
        }
    }

    /// Posts that wait for delivery now.
    pub fn queue_depth(&self, posts: usize) {
        self.0.queue_depth.set(i64::try_from(posts).unwrap_or(i64::MAX));
    }

    /// One gateway event of a type the Discord library does not know.
    pub fn gateway_unknown(&self) {
        self.0.gateway_unknown.inc();
    }

    /// Milliseconds from receipt of an event to its message on Discord. A negative number (the clock was set back) counts as 0.
    pub fn delivery_delay(&self, ms: i64) {
        #[expect(clippy::cast_precision_loss, reason = "exact far beyond any delay")]
        self.0.delay.observe(ms.max(0) as f64 / 1000.0);
    }

    /// One reading of the CAD.
    pub fn reading(&self, part: Part, outcome: ReadOutcome) {
        if let Some(counter) = self.0.readings.get(&reading_labels(part, outcome)) {
            counter.inc();
        }
    }

    /// Requests that may still be made of the CAD now.
    pub fn cad_budget_left(&self, part: Part, requests: u32) {
        if let Some(gauge) = self.0.cad_budget.get(&part_label(part)) {
            gauge.set(i64::from(requests));
        }
    }

    /// All series as OpenMetrics text (`application/openmetrics-text; version=1.0.0`).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut buffer = String::with_capacity(8 * 1024);
        if text::encode(&mut buffer, &self.0.registry).is_err() {
            tracing::error!("the metrics could not be written as text");
        }
        buffer
    }
}

impl Series {
    fn registered(mut self) -> Self {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        self.registry.register("build", "The program", version);
        self.registry.register("events", "Push events that arrived, by source and outcome", self.events.clone());
        self.registry.register("topic_events", "Events by topic", self.topics.clone());
        self.registry.register("unknown_events", "Events of a type the bot does not know", self.unknown_events.clone());
        self.registry.register("posts", "Tries to deliver a post, by outcome", self.posts.clone());
        self.registry.register("discord_answers", "Discord's answers to requests, by class", self.answers.clone());
        self.registry.register("hub_connected", "Whether the hub session of a server is up", self.hub_connected.clone());
        self.registry.register("hub_reconnects", "Tries to connect a lost hub session again", self.hub_reconnects.clone());
        self.registry.register("queue_depth", "Posts that wait for delivery", self.queue_depth.clone());
        self.registry.register(
            "gateway_unknown_events",
            "Gateway events of a type the Discord library does not know",
            self.gateway_unknown.clone(),
        );
        self.registry.register("delivery_delay_seconds", "From receipt of an event to its message on Discord", self.delay.clone());
        self.registry.register("reconciliations", "Readings of the CAD's REST API, by part and outcome", self.readings.clone());
        self.registry.register("cad_budget_left", "Requests that may still be made of the CAD's REST API now", self.cad_budget.clone());
        self
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_at_zero() {
        let text = Metrics::new(&[ServerId(1), ServerId(2)], &["panic"]).encode();
        for line in [
            r#"tenfour_events_total{source="http",outcome="unauthorised"} 0"#,
            r#"tenfour_events_total{source="hub",outcome="committed"} 0"#,
            r#"tenfour_topic_events_total{topic="panic"} 0"#,
            r#"tenfour_posts_total{outcome="waited"} 0"#,
            r#"tenfour_discord_answers_total{class="rate_limited"} 0"#,
            r#"tenfour_hub_connected{server="2"} 0"#,
            r#"tenfour_hub_reconnects_total{server="1"} 0"#,
            "tenfour_queue_depth 0",
            "tenfour_unknown_events_total 0",
            "tenfour_gateway_unknown_events_total 0",
            "tenfour_delivery_delay_seconds_count 0",
            r#"tenfour_reconciliations_total{part="calls",outcome="caught_up"} 0"#,
            r#"tenfour_reconciliations_total{part="units",outcome="rate_limited"} 0"#,
            r#"tenfour_cad_budget_left{part="units"} 0"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        assert_eq!(text.matches("tenfour_events_total{").count(), 3 * Outcome::ALL.len());
    }

    #[test]
    fn methods_move_their_series_and_no_other() {
        let metrics = Metrics::new(&[ServerId(1)], &["panic"]);
        let zeros = metrics.encode();
        let clone = metrics.clone();
        clone.event(Source::Http, Outcome::Committed);
        clone.topic("panic");
        clone.topic("not announced");
        clone.unknown_event();
        clone.post(PostOutcome::Refused);
        clone.answer(AnswerClass::of(503));
        clone.hub_connected(ServerId(1), true);
        clone.hub_reconnect(ServerId(1));
        clone.hub_connected(ServerId(9), true);
        clone.hub_reconnect(ServerId(9));
        clone.queue_depth(7);
        clone.gateway_unknown();
        clone.delivery_delay(1_500);
        clone.delivery_delay(-5);
        clone.reading(Part::Calls, ReadOutcome::Refused);
        clone.cad_budget_left(Part::Units, 3);
        let text = metrics.encode();
        for line in [
            r#"tenfour_events_total{source="http",outcome="committed"} 1"#,
            r#"tenfour_topic_events_total{topic="panic"} 1"#,
            r#"tenfour_topic_events_total{topic="other"} 1"#,
            "tenfour_unknown_events_total 1",
            r#"tenfour_posts_total{outcome="refused"} 1"#,
            r#"tenfour_discord_answers_total{class="server_error"} 1"#,
            r#"tenfour_hub_connected{server="1"} 1"#,
            r#"tenfour_hub_reconnects_total{server="1"} 1"#,
            "tenfour_queue_depth 7",
            "tenfour_gateway_unknown_events_total 1",
            "tenfour_delivery_delay_seconds_count 2",
            r#"tenfour_reconciliations_total{part="calls",outcome="refused"} 1"#,
            r#"tenfour_cad_budget_left{part="units"} 3"#,
            "tenfour_delivery_delay_seconds_sum 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        // Unannounced names made no new series.
        assert_eq!(text.lines().count(), zeros.lines().count());
    }

    #[test]
    fn answers_fall_into_classes() {
        for (status, class) in
            [(204, "success"), (304, "other"), (400, "other"), (401, "unauthorised"), (403, "forbidden"), (404, "not_found")]
        {
            assert_eq!(AnswerClass::of(status).as_str(), class);
        }
        assert_eq!(AnswerClass::of(429), AnswerClass::RateLimited);
        assert_eq!(AnswerClass::of(599), AnswerClass::ServerError);
    }
}
