//! Detects when a server's events stop. Pure: it checks the facts once a second, and sometimes returns news for people.
//!
//! Never reports a loss twice, nor a connection that comes and goes within a minute. Other code reports rejected or contested sessions.
//!
//! ```text
//!        hub not ready for 60 s, or no event for N minutes though units are on duty
//!  well ──────────────────────────────────────────────────────────────────────────▶ lost
//!    ▲                                                                                │ hub ready, or an event
//!    └── both parts read since, or 90 s ── returning ◀────────────────────────────────┘
//!                                            └─ hub gone again ─▶ lost (nothing is said)
//! ```

use std::time::Duration;

use crate::clock::UnixMs;
use crate::ids::ServerId;
use crate::status::Link;

/// How long a hub session may be down before it is news: the CAD closes and opens connections as it likes.
const LINK_AWAY: Duration = Duration::from_secs(60);
/// How long to wait for the first reads after the feed's return.
const MAX_READS: Duration = Duration::from_secs(90);

/// The facts about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedFacts {
    /// Its hub session.
    pub link: Link,
    /// Since when.
    pub link_since: Option<UnixMs>,
    /// When its last event came, from any source.
    pub last_event: Option<UnixMs>,
    /// Units on duty, as far as known.
    pub on_duty: usize,
    /// When the later of its two parts was last requested, if both were ever read.
    pub read_at: Option<UnixMs>,
    /// Calls that reads added since the start.
    pub caught_up: usize,
}

/// Why no events come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SilenceCause {
    /// The hub session is down, with the reason if known.
    Link(Option<String>),
    /// No event although units are on duty.
    Silence {
        /// Whether the hub session is up.
        hub: bool,
    },
}

/// News for people, or work for the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Events have stopped.
    Lost {
        /// The last sign of life.
        since: UnixMs,
        cause: SilenceCause,
    },
    /// An event came after all: time to read what was missed.
    Stirs,
    /// Events are back.
    Back {
        /// Since when they had stopped.
        since: UnixMs,
        /// Calls that reads added meanwhile.
        caught_up: usize,
    },
}

/// Where a server's events should come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// The CAD's hub.
    Hub,
    /// The game server alone, over HTTP.
    Http,
}

/// Whether the REST API is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestReads {
    /// It is read, so what was missed is found.
    On,
    /// It is not read.
    Off,
}

/// One server's feed.
#[derive(Clone, Debug)]
pub struct Feed {
    source: EventSource,
    /// `None` = silence is normal.
    silence: Option<Duration>,
    rest: RestReads,
    /// Last event, or the beginning; and how many calls had been added until then.
    last_event: (UnixMs, usize),
    /// Since when the hub session has been down, and how many calls had been added until then.
    away: Option<(UnixMs, usize)>,
    ready_since: Option<UnixMs>,
    on_duty_since: Option<UnixMs>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Well,
    Lost(Loss),
    Returning { loss: Loss, back_at: UnixMs },
}

#[derive(Clone, Copy, Debug)]
struct Loss {
    since: UnixMs,
    reported_at: UnixMs,
    by_link: bool,
    /// Calls added until then.
    before: usize,
}

impl Feed {
    /// Starts now. `silence`: how long without an event isn't normal; `None` = however long.
    #[must_use]
    pub fn new(source: EventSource, silence: Option<Duration>, rest: RestReads, now: UnixMs) -> Self {
        Self { source, silence, rest, last_event: (now, 0), away: None, ready_since: None, on_duty_since: None, state: State::Well }
    }

    /// Checks once.
    pub fn look(&mut self, look: &FeedFacts, now: UnixMs) -> Option<News> {
        self.follow(look, now);
        match self.state {
            State::Well => {
                let (since, before, cause) = self.lost_by_link(look, now).or_else(|| self.lost_by_silence(look, now))?;
                let by_link = matches!(cause, SilenceCause::Link(_));
                self.state = State::Lost(Loss { since, reported_at: now, by_link, before });
                Some(News::Lost { since, cause })
            }
            State::Lost(loss) => {
                let had_event = self.last_event.0 > loss.reported_at;
                let linked = loss.by_link && self.ready_since.is_some();
                let back_at = if linked { look.link_since.unwrap_or(now) } else { self.last_event.0 };
                if !had_event && !linked {
                    return None;
                }
                self.state = State::Returning { loss, back_at };
                // A new session is read anyway.
                (!linked).then_some(News::Stirs)
            }
            State::Returning { loss, back_at } => {
                if loss.by_link && self.ready_since.is_none() && self.last_event.0 <= loss.reported_at {
                    self.state = State::Lost(loss);
                    return None;
                }
                let read = self.rest == RestReads::Off || look.read_at.is_some_and(|at| at >= back_at);
                if !read && now.since(back_at) < MAX_READS {
                    return None;
                }
                self.state = State::Well;
                Some(News::Back { since: loss.since, caught_up: look.caught_up.saturating_sub(loss.before) })
            }
        }
    }

    fn follow(&mut self, look: &FeedFacts, now: UnixMs) {
        let ready = look.link == Link::Ready;
        self.ready_since = if ready { self.ready_since.or(Some(now)) } else { None };
        let away = self.source == EventSource::Hub && !ready && !matches!(look.link, Link::Rejected(_) | Link::Contested);
        self.away = if away { self.away.or(Some((now, look.caught_up))) } else { None };
        if let Some(at) = look.last_event.filter(|at| *at > self.last_event.0) {
            self.last_event = (at, look.caught_up);
        }
        self.on_duty_since = if look.on_duty > 0 { self.on_duty_since.or(Some(now)) } else { None };
    }

    fn lost_by_link(&self, look: &FeedFacts, now: UnixMs) -> Option<(UnixMs, usize, SilenceCause)> {
        let (since, before) = self.away?;
        // Events from another source count too.
        if now.since(since) < LINK_AWAY || self.last_event.0 > since {
            return None;
        }
        let reason = match &look.link {
            Link::Down(reason) => Some(reason.clone()),
            _ => None,
        };
        Some((since, before, SilenceCause::Link(reason)))
    }

    fn lost_by_silence(&self, look: &FeedFacts, now: UnixMs) -> Option<(UnixMs, usize, SilenceCause)> {
        let (silence, on_duty_since) = (self.silence?, self.on_duty_since?);
        let link_tells =
            matches!(look.link, Link::Rejected(_) | Link::Contested) || self.away.is_some_and(|(since, _)| self.last_event.0 <= since);
        let quiet_since = self.last_event.0.max(on_duty_since).max(self.ready_since.unwrap_or_default());
        if link_tells || now.since(quiet_since) < silence {
            return None;
        }
        Some((self.last_event.0, self.last_event.1, SilenceCause::Silence { hub: self.ready_since.is_some() }))
    }
}

impl SilenceCause {
    /// The fix, for people.
    #[must_use]
    pub fn hint(&self, server: ServerId) -> String {
        match self {
            Self::Link(reason) => {
                let why =
                    reason.as_ref().map_or_else(|| "It has not come up".to_owned(), |reason| format!("The last reason was: {reason}"));
                format!(
                    "The session with the CAD's hub is away. {why}. The bot goes on trying; if it does not come back by itself, check this machine's network, SONORAN_HUB_URL and the CAD's status page."
                )
            }
            Self::Silence { hub: true } => format!(
                "Units are on duty and the hub session is up, but no event comes through it. On FiveM the game server may hold the session for server {server}, and the CAD sends events to only one session: set SONORAN_HUB=off and let the game server forward its events (enablePushEventForwarding and pushEventForwardUrl in its config.json). If it was only a slow shift, raise SONORAN_SILENCE_MINUTES."
            ),
            Self::Silence { hub: false } => format!(
                "Units are on duty, but the game server forwards nothing. Check enablePushEventForwarding and pushEventForwardUrl in its config.json (with ?server={server}), and that it reaches this machine at LISTEN_ADDR through every firewall. If it was only a slow shift, raise SONORAN_SILENCE_MINUTES."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000_000;

    /// A feed and its facts, with a second between checks.
    struct Watch {
        feed: Feed,
        look: FeedFacts,
        now: UnixMs,
    }

    impl Watch {
        fn new(source: EventSource, minutes: u64, rest: RestReads) -> Self {
            let now = UnixMs(START);
            let silence = (minutes > 0).then(|| Duration::from_secs(minutes * 60));
            Self { feed: Feed::new(source, silence, rest, now), look: FeedFacts::default(), now }
        }

        /// Checks each second for so long: all news, with their second.
        fn pass(&mut self, seconds: i64) -> Vec<(i64, News)> {
            let mut news = Vec::new();
            for _ in 0..seconds {
                self.now = self.now.plus_ms(1_000);
                news.extend(self.feed.look(&self.look, self.now).map(|what| ((self.now.0 - START) / 1_000, what)));
            }
            news
        }

        fn link(&mut self, link: Link) {
            self.look.link = link;
            self.look.link_since = Some(self.now);
        }

        fn event(&mut self) {
            self.look.last_event = Some(self.now.plus_ms(1));
        }

        fn read(&mut self, found: usize) {
            self.look.read_at = Some(self.now);
            self.look.caught_up += found;
        }
    }

    fn at(second: i64) -> UnixMs {
        UnixMs(START + second * 1_000)
    }

    fn down() -> Link {
        Link::Down("closed".into())
    }

    fn lost_link(second: i64) -> News {
        News::Lost { since: at(second), cause: SilenceCause::Link(Some("closed".into())) }
    }

    #[test]
    fn a_lost_connection_is_reported_after_a_minute_and_its_return_once_both_parts_were_read() {
        let mut watch = Watch::new(EventSource::Hub, 10, RestReads::On);
        watch.link(Link::Ready);
        assert_eq!(watch.pass(100), []);
        watch.read(5);
        watch.link(down());
        assert_eq!(watch.pass(600), [(161, lost_link(101))]);
        watch.read(2);
        assert_eq!(watch.pass(1), []);
        watch.link(Link::Ready);
        assert_eq!(watch.pass(30), []);
        watch.read(1);
        assert_eq!(watch.pass(900), [(732, News::Back { since: at(101), caught_up: 3 })]);
    }

    #[test]
    fn a_return_does_not_wait_for_ever_nor_for_readings_nobody_makes() {
        for (rest, at_second) in [(RestReads::On, 190), (RestReads::Off, 102)] {
            let mut watch = Watch::new(EventSource::Hub, 0, rest);
            watch.link(down());
            assert_eq!(watch.pass(100), [(61, lost_link(1))]);
            watch.link(Link::Ready);
            assert_eq!(watch.pass(200), [(at_second, News::Back { since: at(1), caught_up: 0 })]);
        }
    }

    #[test]
    fn a_link_that_never_came_up_is_lost_and_one_that_flaps_is_not() {
        let mut watch = Watch::new(EventSource::Hub, 10, RestReads::On);
        assert_eq!(watch.pass(120), [(61, News::Lost { since: at(1), cause: SilenceCause::Link(None) })]);
        let mut watch = Watch::new(EventSource::Hub, 10, RestReads::On);
        for _ in 0..20 {
            watch.link(down());
            assert_eq!(watch.pass(59), []);
            watch.link(Link::Ready);
            assert_eq!(watch.pass(1), []);
        }
        // Other words for the same problem don't start it again.
        watch.link(down());
        assert_eq!(watch.pass(40), []);
        watch.link(Link::Down("refused".into()));
        assert_eq!(watch.pass(40).len(), 1);
        // Back for only a moment: still lost, no news.
        watch.link(Link::Ready);
        assert_eq!(watch.pass(5), []);
        watch.link(down());
        assert_eq!(watch.pass(500), []);
        watch.link(Link::Ready);
        watch.read(0);
        assert_eq!(watch.pass(5).len(), 1);
    }

    #[test]
    fn rejected_credentials_are_not_this_ones_news() {
        let mut watch = Watch::new(EventSource::Hub, 10, RestReads::On);
        watch.look.on_duty = 3;
        watch.link(Link::Rejected("no".into()));
        assert_eq!(watch.pass(3_600), []);
        watch.link(Link::Ready);
        assert_eq!(watch.pass(500), []);
    }

    #[test]
    fn silence_is_reported_only_while_units_are_on_duty() {
        let mut watch = Watch::new(EventSource::Http, 10, RestReads::On);
        assert_eq!(watch.pass(3_600), []);
        watch.look.on_duty = 2;
        let silence = SilenceCause::Silence { hub: false };
        assert_eq!(watch.pass(1_800), [(4_201, News::Lost { since: at(0), cause: silence.clone() })]);
        watch.event();
        assert_eq!(watch.pass(1), [(5_401, News::Stirs)]);
        watch.read(4);
        assert_eq!(watch.pass(60), [(5_402, News::Back { since: at(0), caught_up: 4 })]);
        assert_eq!(watch.pass(530), []);
        // The last units leave in time.
        watch.look.on_duty = 0;
        assert_eq!(watch.pass(3_600), []);
        watch.look.on_duty = 1;
        assert_eq!(watch.pass(599), []);
        watch.event();
        assert_eq!(watch.pass(600), []);
        assert_eq!(watch.pass(1).len(), 1);
    }

    #[test]
    fn silence_through_a_ready_hub_counts_from_the_session_and_can_be_switched_off() {
        for (minutes, expected) in [(10, 1), (0, 0)] {
            let mut watch = Watch::new(EventSource::Hub, minutes, RestReads::On);
            watch.look.on_duty = 1;
            watch.link(Link::Ready);
            assert_eq!(watch.pass(500), []);
            watch.link(down());
            assert_eq!(watch.pass(30), []);
            watch.link(Link::Ready);
            assert_eq!(watch.pass(600), []);
            let news = watch.pass(5);
            assert_eq!(news.len(), expected);
            assert!(news.iter().all(|(_, news)| matches!(news, News::Lost { cause: SilenceCause::Silence { hub: true }, .. })), "{news:?}");
            // The hub session alone proves nothing, an event does.
            watch.link(down());
            watch.pass(5);
            watch.link(Link::Ready);
            watch.read(0);
            assert_eq!(watch.pass(100), []);
            watch.event();
            assert_eq!(watch.pass(1).len(), expected);
        }
    }

    #[test]
    fn events_that_come_over_http_make_up_for_the_hub_until_they_stop() {
        let mut watch = Watch::new(EventSource::Hub, 10, RestReads::Off);
        watch.look.on_duty = 1;
        watch.link(Link::Ready);
        watch.pass(5);
        watch.link(down());
        for _ in 0..30 {
            assert_eq!(watch.pass(50), []);
            watch.event();
        }
        let news = watch.pass(700);
        assert!(matches!(&news[..], [(_, News::Lost { cause: SilenceCause::Silence { hub: false }, .. })]), "{news:?}");
        watch.event();
        let news: Vec<News> = watch.pass(2).into_iter().map(|(_, news)| news).collect();
        assert!(matches!(&news[..], [News::Stirs, News::Back { .. }]), "{news:?}");
    }

    #[test]
    fn hints_name_what_to_check() {
        let server = ServerId(7);
        for (cause, words) in [
            (SilenceCause::Link(Some("closed".into())), &["closed", "SONORAN_HUB_URL"][..]),
            (SilenceCause::Link(None), &["not come up"]),
            (SilenceCause::Silence { hub: true }, &["server 7", "SONORAN_HUB=off", "pushEventForwardUrl"]),
            (SilenceCause::Silence { hub: false }, &["?server=7", "LISTEN_ADDR", "SONORAN_SILENCE_MINUTES"]),
        ] {
            let hint = cause.hint(server);
            assert!(words.iter().all(|word| hint.contains(word)), "{hint}");
            // The notice shows that much.
            assert!(hint.chars().count() <= 1_000, "{hint}");
        }
    }
}
