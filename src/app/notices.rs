//! What the bot has to tell people about itself, in the notices channels of their guilds: refused channels, refused credentials, a
//! server whose events no longer come.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Shared;
use crate::cad::feed::{Feed, Look, News};
use crate::cad::rest::OperationNews;
use crate::cad::session::LinkChange;
use crate::clock::UnixMs;
use crate::config::Reconcile;
use crate::delivery::Trouble;
use crate::ids::{CommunityId, ServerId};
use crate::ingest::{Request, Tell};
use crate::outbox::Obstacle;
use crate::refresh::{Part, Reason, RefreshRequests};
use crate::render::notice::{self, Hindrance, Notice};
use crate::status::{Link, ServerFacts};

/// How often the feeds are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Shared {
    /// Tells guilds of trouble in their notices channels, once each; asks for readings where events were missed.
    pub(super) async fn tell_people(
        self,
        mut troubles: mpsc::Receiver<Trouble>,
        mut changes: mpsc::Receiver<LinkChange>,
        mut operations: mpsc::Receiver<OperationNews>,
        refresh: RefreshRequests,
    ) {
        // Servers whose rejection was told of. A connection that drops and is rejected again is no news.
        let mut rejected = HashSet::new();
        let mut feeds = self.feeds();
        // What stands in the list of problems of operations that are suspended.
        let mut suspended = BTreeMap::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.tasks.draining() => return,
                Some(trouble) = troubles.recv() => self.tell_trouble(trouble).await,
                Some(news) = operations.recv() => self.tell_operation(&mut suspended, news).await,
                Some(change) = changes.recv() => {
                    if change.to == Link::Ready {
                        refresh.request(&change.community, change.server, Reason::Connected);
                    }
                    let server = (change.community.clone(), change.server);
                    match change.to {
                        Link::Rejected(_) if rejected.insert(server) => self.tell_rejected(change).await,
                        Link::Ready => drop(rejected.remove(&(change.community, change.server))),
                        Link::Contested => {
                            let notice = Notice::HubContested { server: change.server };
                            self.tell_guilds(&change.community, change.server, "contested", &notice, self.clock.now()).await;
                        }
                        Link::Rejected(_) | Link::Off | Link::Connecting | Link::Down(_) => {}
                    }
                }
                _ = look.tick() => self.look(&mut feeds, &refresh).await,
            }
        }
    }

    fn feeds(&self) -> BTreeMap<ServerId, Feed> {
        let sonoran = &self.config.sonoran;
        let feed = Feed::new(sonoran.hub, sonoran.silence_minutes, sonoran.reconcile != Reconcile::Off, self.clock.now());
        sonoran.servers.iter().map(|server| (*server, feed.clone())).collect()
    }

    async fn look(&self, feeds: &mut BTreeMap<ServerId, Feed>, refresh: &RefreshRequests) {
        let now = self.clock.now();
        for (&server, feed) in feeds {
            let seen = seen(&self.status.server(&self.community, server));
            let Some(news) = feed.look(&seen, now) else { continue };
            let (word, notice) = match news {
                News::Stirs => {
                    refresh.request(&self.community, server, Reason::Connected);
                    continue;
                }
                News::Lost { since, cause } => {
                    let hint = cause.hint(server);
                    tracing::warn!(%server, %hint, "the CAD's feed is silent");
                    self.status.problem(now, format!("Server {server}: the feed is silent. {hint}"));
                    ("lost", Notice::FeedLost { server, since, hint })
                }
                News::Back { since, caught_up } => {
                    tracing::info!(%server, caught_up, "the CAD's feed is back");
                    ("back", Notice::FeedBack { server, since, caught_up })
                }
            };
            self.tell_guilds(&self.community, server, word, &notice, now).await;
        }
    }

    async fn tell_trouble(&self, trouble: Trouble) {
        let (guild, channel, notice) = match trouble {
            Trouble::Refused { guild, channel, reason } if reason.contains("10003") => (guild, channel, Notice::ChannelGone { channel }),
            Trouble::Refused { guild, channel, .. } => (guild, channel, Notice::ChannelForbidden { channel, missing: Vec::new() }),
            Trouble::Obstructed { guild, channel, thread, obstacle, reason } => {
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
        // What closes the notices channel itself cannot be told there.
        let Some(notices) = notices.filter(|notices| *notices != channel || matches!(notice, Notice::Hindered { .. })) else { return };
        let now = self.clock.now();
        let message = notice::message(&notice, now);
        let subject = format!("notice:refused:{channel}:{}", now.0);
        let tell =
            Tell { guild, channel: notices, community: self.community.clone(), server: self.config.first_server(), subject, message };
        self.requests.send(Request::Tell(tell)).await.ok();
    }

    /// An operation of the CAD's API is suspended, or works again: a notice for each of the two, however often it is tried between them.
    async fn tell_operation(&self, suspended: &mut BTreeMap<&'static str, String>, news: OperationNews) {
        let (now, server) = (self.clock.now(), self.config.first_server());
        let (word, notice) = match news {
            OperationNews::Suspended { operation, until, again } => {
                let sentence = format!(
                    "Sonoran CAD rejected two \"{operation}\" requests as malformed. The bot sends no more of them for 10 minutes and then tries one, since several of them make the CAD deny every request of the community. If this stays, report it to the bot's developers."
                );
                self.status.problem(now, sentence.clone());
                suspended.insert(operation, sentence);
                if again {
                    return;
                }
                ("suspended", Notice::OperationSuspended { operation, until })
            }
            OperationNews::Resumed { operation } => {
                if let Some(sentence) = suspended.remove(operation) {
                    self.status.solved(&sentence);
                }
                ("resumed", Notice::OperationResumed { operation })
            }
        };
        self.tell_guilds(&self.community, server, word, &notice, now).await;
    }

    async fn tell_rejected(&self, change: LinkChange) {
        let notice = Notice::CredentialsRejected { community: change.community.clone(), server: change.server };
        self.tell_guilds(&change.community, change.server, "rejected", &notice, self.clock.now()).await;
    }

    /// Into every notices channel of the community's guilds.
    async fn tell_guilds(&self, community: &CommunityId, server: ServerId, word: &str, notice: &Notice, now: UnixMs) {
        let message = notice::message(notice, now);
        let routing = self.store.routing_now();
        for guild in routing.guilds.values().filter(|guild| guild.community == *community) {
            let Some(channel) = guild.notices else { continue };
            let tell = Tell {
                guild: guild.id,
                channel,
                community: community.clone(),
                server,
                subject: format!("notice:{word}:{server}:{}", now.0),
                message: message.clone(),
            };
            self.requests.send(Request::Tell(tell)).await.ok();
        }
    }
}

fn seen(facts: &ServerFacts) -> Look {
    let read = |part| facts.readings.get(&part).and_then(|reading| reading.at);
    Look {
        link: facts.link.clone(),
        link_since: facts.link_since,
        last_event: facts.last.map(|(at, _)| at),
        on_duty: facts.on_duty.unwrap_or_default(),
        read_at: read(Part::Units).zip(read(Part::Calls)).map(|(units, calls)| units.min(calls)),
        caught_up: facts.readings.values().map(|reading| reading.caught_up).sum(),
    }
}
