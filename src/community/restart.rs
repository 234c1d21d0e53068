//! Restarts a community's tasks after a panic, and suspends the community after too many.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::handle::Community;
use super::host::Host;
use crate::actions::CadActions;
use crate::cad::reconcile::Reconciler;
use crate::cad::session::HubSession;
use crate::ids::ServerId;
use crate::ingest::{self, Ingest, Inputs};
use crate::ops;
use crate::outbox::DesiredPost;
use crate::refresh::{Reason, RefreshRequests};
use crate::render::notice::{self, Notice};
use crate::shutdown::Tasks;
use crate::store::{Batch, CommunityStore};

/// So many panics within an hour suspend a community.
pub const MAX_PANICS: usize = 3;
const WITHIN: Duration = Duration::from_secs(3_600);
/// For `/cad status` and for whoever uses a command.
pub const SUSPENDED: &str = "Tenfour stopped for this community after repeated errors, so no alerts are posted. Ask whoever runs the bot to look at its log and restart it.";
/// Between a panic and the restart: a task that panics at once must not spin.
const PAUSE: Duration = Duration::from_secs(1);
/// Before the reader of the CAD is started again: it does not know what it asked before, and the CAD counts by the minute.
const READER_PAUSE: Duration = Duration::from_secs(60);
/// Actions in the CAD that have begun may take so long when their community is suspended.
const ACTIONS: Duration = Duration::from_secs(8);

/// A task of a community, which can be run again after a panic: what came in meanwhile waits in it.
pub(super) trait Part: Send + 'static {
    const NAME: &'static str;

    /// Runs until draining begins; an error, fit for people, if it cannot work and trying again is of no use.
    fn run(&mut self, tasks: &Tasks) -> impl Future<Output = Result<(), String>> + Send;
}

/// Spawns the tasks of one community. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Restarts {
    host: Host,
    community: Arc<Community>,
    required: bool,
    panics: Arc<Mutex<VecDeque<Instant>>>,
}

impl Restarts {
    /// `required`: a part that cannot work ends the process.
    pub(super) fn new(host: Host, community: Arc<Community>, required: bool) -> Self {
        Self { host, community, required, panics: Arc::default() }
    }

    /// Runs a part until it ends, and again whenever it panics.
    pub(super) fn spawn<P: Part>(&self, mut part: P) {
        let this = self.clone();
        drop(self.community.tasks.spawn(async move {
            let tasks = this.community.tasks.clone();
            loop {
                match AssertUnwindSafe(part.run(&tasks)).catch_unwind().await {
                    Ok(_) if tasks.is_draining() => return,
                    Ok(Ok(())) => return this.cannot_work(format!("a part of the bot ({}) ended unasked", P::NAME)).await,
                    Ok(Err(reason)) => return this.cannot_work(reason).await,
                    Err(_) if !this.may_restart(P::NAME) => return this.give_up().await,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }));
    }

    async fn cannot_work(&self, reason: String) {
        if self.required {
            return self.host.tasks.fail(reason);
        }
        tracing::error!(community = %self.community.id, reason, "a community cannot work");
        self.suspend().await;
    }

    /// Counts a panic. False if there were too many.
    fn may_restart(&self, part: &'static str) -> bool {
        let now = Instant::now();
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        panics.retain(|at| now.duration_since(*at) < WITHIN);
        panics.push_back(now);
        tracing::error!(community = %self.community.id, part, panics = panics.len(), "a part of a community panicked");
        panics.len() < MAX_PANICS
    }

    /// The environment's community, if it is the only one, ends the process: whoever runs it has it started again.
    async fn give_up(&self) {
        if self.required && self.host.communities.only().is_some() {
            return self.host.tasks.fail("a part of the bot panicked three times within an hour".to_owned());
        }
        self.suspend().await;
    }

    /// Ends the community's tasks, this one among them, once actions in the CAD that have begun are done.
    async fn suspend(&self) {
        let Self { host, community, .. } = self;
        if !community.suspend() {
            return;
        }
        tracing::error!(community = %community.id, "a community is suspended until the bot is restarted; the others go on");
        community.status.problem(host.clock.now(), SUSPENDED);
        if self.required {
            host.readiness.announce(ops::ReadyPart::Community, "suspended after repeated errors");
        }
        report_suspension(host, &host.store.of(&community.id), community.first_server()).await;
        community.tasks.drain();
        tokio::time::timeout(ACTIONS, community.tasks.hands_free()).await.ok();
        community.tasks.abort();
    }
}

/// Ingest, read back from the store whenever it starts.
#[derive(Debug)]
pub(super) struct IngestPart {
    pub(super) deps: ingest::Deps,
    pub(super) restored: Option<Ingest>,
    pub(super) inputs: Inputs,
    pub(super) servers: Vec<ServerId>,
}

impl Part for IngestPart {
    const NAME: &'static str = "ingest";

    async fn run(&mut self, tasks: &Tasks) -> Result<(), String> {
        let ingest = loop {
            if let Some(restored) = self.restored.take() {
                break restored;
            }
            match Ingest::restore(self.deps.clone()).await {
                Ok(restored) => {
                    // What it had in hand when it panicked is lost, and the hub cannot be asked to send it again.
                    self.servers.iter().for_each(|server| self.deps.refresh.request(*server, Reason::Connected));
                    break restored;
                }
                Err(error) => tracing::error!(%error, "a community's state cannot be read back; trying again"),
            }
            tokio::select! {
                () = tasks.draining() => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        };
        ingest.run(&mut self.inputs, tasks).await;
        Ok(())
    }
}

impl Part for HubSession {
    const NAME: &'static str = "hub session";

    async fn run(&mut self, tasks: &Tasks) -> Result<(), String> {
        self.restarted();
        let ended = Self::run(self.clone(), tasks.clone()).await;
        ended.map_err(|error| format!("SONORAN_HUB_URL: the hub session cannot be started: {error}"))
    }
}

/// The reader of the CAD.
#[derive(Debug)]
pub(super) struct ReaderPart {
    pub(super) reader: Reconciler,
    pub(super) refresh: RefreshRequests,
    pub(super) has_run: bool,
}

impl Part for ReaderPart {
    const NAME: &'static str = "reconcile";

    async fn run(&mut self, tasks: &Tasks) -> Result<(), String> {
        if std::mem::replace(&mut self.has_run, true) {
            tokio::select! {
                () = tasks.draining() => return Ok(()),
                () = tokio::time::sleep(READER_PAUSE) => {}
            }
            // Requests that it had taken are lost.
            self.reader.servers.iter().for_each(|server| self.refresh.request(*server, Reason::Connected));
        }
        self.reader.run(tasks).await;
        Ok(())
    }
}

impl Part for CadActions {
    const NAME: &'static str = "actions";

    async fn run(&mut self, _: &Tasks) -> Result<(), String> {
        Self::run(self.clone()).await;
        Ok(())
    }
}

/// Posts to the guilds of a community, without its ingest, that it is suspended.
async fn report_suspension(host: &Host, store: &CommunityStore, server: ServerId) {
    let now = host.clock.now();
    let (routing, message) = (store.routing_now(), notice::message(&Notice::Suspended, now));
    let channels = routing.guilds.values().filter_map(|guild| Some((guild.id, guild.notices?)));
    let post = |(guild, channel)| {
        DesiredPost::own(guild, channel, store.community().clone(), server, format!("notice:suspended:{}", now.0), message.clone(), now)
    };
    let posts: Vec<DesiredPost> = channels.map(post).collect();
    let channels: Vec<_> = posts.iter().map(|post| post.key.channel).collect();
    match store.ingest(Batch { posts, now, ..Batch::default() }, Vec::new()).await {
        Ok(_) => channels.iter().for_each(|channel| host.scheduler.notify(*channel, store.community(), false)),
        Err(error) => tracing::error!(%error, "that a community is suspended could not be stored as a notice"),
    }
}
