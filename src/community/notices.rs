//! Posts trouble into the notices channels of a community's guilds: refused channels, refused credentials, a server whose events no longer come.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::handle::Community;
use super::host::Host;
use super::restart::Part;
use crate::cad::feed::{EventSource, Feed, FeedFacts, News as FeedNews, RestReads};
use crate::cad::rest::OperationNews;
use crate::cad::session::LinkChange;
use crate::clock::{Clock, UnixMs};
use crate::config::{Reconcile, Sonoran};
use crate::delivery::Trouble;
use crate::ids::ServerId;
use crate::ingest::{BotMessage, Request};
use crate::outbox::Obstacle;
use crate::refresh::{self, Reason, RefreshRequests};
use crate::render::notice::{self, Hindrance, Notice};
use crate::shutdown::Tasks;
use crate::status::{Link, ServerFacts, Status};
use crate::store::CommunityStore;

/// How often the feeds are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The inputs of the notices task.
#[derive(Debug)]
pub(super) struct News {
    pub(super) troubles: mpsc::Receiver<Trouble>,
    pub(super) changes: mpsc::Receiver<LinkChange>,
    pub(super) operations: mpsc::Receiver<OperationNews>,
}

/// Posts notices, once each; requests readings where events were missed.
#[derive(Debug)]
pub(super) struct Notices {
    store: CommunityStore,
    clock: Clock,
    status: Status,
    requests: mpsc::Sender<Request>,
    refresh: RefreshRequests,
    first_server: ServerId,
    news: News,
    /// Servers whose rejection was posted. A connection that drops and is rejected again is no news.
    rejected: HashSet<ServerId>,
    feeds: BTreeMap<ServerId, Feed>,
    /// What stands in the list of problems of operations that are suspended.
    suspended: BTreeMap<&'static str, String>,
}

impl Part for Notices {
    const NAME: &'static str = "notices";

    async fn run(&mut self, tasks: &Tasks) -> Result<(), String> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = tasks.draining() => return Ok(()),
                Some(trouble) = self.news.troubles.recv() => self.report_trouble(trouble).await,
                Some(news) = self.news.operations.recv() => self.report_operation(news).await,
                Some(change) = self.news.changes.recv() => self.link_changed(change).await,
                _ = look.tick() => self.look().await,
            }
        }
    }
}

impl Notices {
    pub(super) fn new(host: &Host, community: &Community, sonoran: &Sonoran, refresh: RefreshRequests, news: News) -> Self {
        let source = if sonoran.hub { EventSource::Hub } else { EventSource::Http };
        let rest = if sonoran.reconcile == Reconcile::Off { RestReads::Off } else { RestReads::On };
        let feed = Feed::new(source, sonoran.silence, rest, host.clock.now());
        Self {
            store: host.store.of(&community.id),
            clock: host.clock.clone(),
            status: community.status.clone(),
            requests: community.requests.clone(),
            refresh,
            first_server: community.first_server(),
            news,
            rejected: HashSet::new(),
            feeds: sonoran.servers.iter().map(|server| (*server, feed.clone())).collect(),
            suspended: BTreeMap::new(),
        }
    }

    async fn link_changed(&mut self, LinkChange { server, to, .. }: LinkChange) {
        let now = self.clock.now();
        match to {
            Link::Rejected(_) => {
                if self.rejected.insert(server) {
                    let community = self.store.community().clone();
                    self.post(server, "rejected", &Notice::CredentialsRejected { community, server }, now).await;
                }
            }
            Link::Ready => {
                self.refresh.request(server, Reason::Connected);
                self.rejected.remove(&server);
            }
            Link::Contested => self.post(server, "contested", &Notice::HubContested { server }, now).await,
            Link::Off | Link::Connecting | Link::Down(_) => {}
        }
    }

    async fn look(&mut self) {
        let now = self.clock.now();
        let Self { feeds, status, .. } = self;
        let news: Vec<(ServerId, FeedNews)> =
            feeds.iter_mut().filter_map(|(server, feed)| Some((*server, feed.look(&seen(&status.server(*server)), now)?))).collect();
        for (server, news) in news {
            let (word, notice) = match news {
                FeedNews::Stirs => {
                    self.refresh.request(server, Reason::Connected);
                    continue;
                }
                FeedNews::Lost { since, cause } => {
                    let hint = cause.hint(server);
                    tracing::warn!(%server, %hint, "the CAD's feed is silent");
                    self.status.problem(now, format!("Server {server}: the feed is silent. {hint}"));
                    ("lost", Notice::FeedLost { server, since, hint })
                }
                FeedNews::Back { since, caught_up } => {
                    tracing::info!(%server, caught_up, "the CAD's feed is back");
                    ("back", Notice::FeedBack { server, since, caught_up })
                }
            };
            self.post(server, word, &notice, now).await;
        }
    }

    async fn report_trouble(&self, trouble: Trouble) {
        let (guild, channel, notice) = match trouble {
            Trouble::Refused { guild, channel, reason, .. } if reason.contains("10003") => {
                (guild, channel, Notice::ChannelGone { channel })
            }
            Trouble::Refused { guild, channel, .. } => (guild, channel, Notice::ChannelForbidden { channel, missing: Vec::new() }),
            Trouble::Obstructed { guild, channel, thread, obstacle, reason, .. } => {
                let hindrance = match obstacle {
                    Obstacle::Down | Obstacle::Edge => Hindrance::Unreachable,
                    Obstacle::Full => Hindrance::Full,
                    Obstacle::Tags => Hindrance::Tags,
                    Obstacle::Locked => Hindrance::Locked(thread),
                    Obstacle::Threads => Hindrance::Threads,
                    Obstacle::Blocked => Hindrance::Blocked,
                    Obstacle::Refused => Hindrance::Refused,
                    Obstacle::Name | Obstacle::Limit(_) | Obstacle::Unknown(_) => Hindrance::Other,
                };
                (guild, channel, Notice::Hindered { channel, hindrance, reason })
            }
        };
        let routing = self.store.routing_now();
        let notices = routing.guilds.get(&guild).and_then(|guild| guild.notices);
        // A problem with the notices channel itself cannot be posted there.
        let Some(notices) = notices.filter(|notices| *notices != channel || matches!(notice, Notice::Hindered { .. })) else { return };
        let now = self.clock.now();
        let message = notice::message(&notice, now);
        let subject = format!("notice:refused:{channel}:{}", now.0);
        let message = BotMessage { guild, channel: notices, server: self.first_server, subject, message };
        self.requests.send(Request::Send(message)).await.ok();
    }

    /// An operation of the CAD's API is suspended, or works again: a notice for each of the two, however often it is tried between them.
    async fn report_operation(&mut self, news: OperationNews) {
        let (now, server) = (self.clock.now(), self.first_server);
        let (word, notice) = match news {
            OperationNews::Suspended { operation, until, again } => {
                let sentence = format!(
                    "Sonoran CAD rejected two \"{operation}\" requests as malformed. The bot sends no more of them for 10 minutes and then tries one, since several of them make the CAD deny every request of the community. If this stays, report it to the bot's developers."
                );
                self.status.problem(now, sentence.clone());
                self.suspended.insert(operation, sentence);
                if again {
                    return;
                }
                ("suspended", Notice::OperationSuspended { operation, until })
            }
            OperationNews::Resumed { operation } => {
                if let Some(sentence) = self.suspended.remove(operation) {
                    self.status.solved(&sentence);
                }
                ("resumed", Notice::OperationResumed { operation })
            }
        };
        self.post(server, word, &notice, now).await;
    }

    /// Into every notices channel of the community's guilds.
    async fn post(&self, server: ServerId, word: &str, notice: &Notice, now: UnixMs) {
        let message = notice::message(notice, now);
        let routing = self.store.routing_now();
        for guild in routing.guilds.values() {
            let Some(channel) = guild.notices else { continue };
            let message = BotMessage {
                guild: guild.id,
                channel,
                server,
                subject: format!("notice:{word}:{server}:{}", now.0),
                message: message.clone(),
            };
            self.requests.send(Request::Send(message)).await.ok();
        }
    }
}

fn seen(facts: &ServerFacts) -> FeedFacts {
    let read = |part| facts.readings.get(&part).and_then(|reading| reading.at);
    FeedFacts {
        link: facts.link.clone(),
        link_since: facts.link_since,
        last_event: facts.last.map(|(at, _)| at),
        on_duty: facts.on_duty.unwrap_or_default(),
        read_at: read(refresh::Part::Units).zip(read(refresh::Part::Calls)).map(|(units, calls)| units.min(calls)),
        caught_up: facts.readings.values().map(|reading| reading.caught_up).sum(),
    }
}
