//! Starts a community: first its ingest, then what brings events in.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tenfour_signalr::Negotiation;
use tokio::sync::mpsc;

use super::handle::{Community, Interface};
use super::host::{Host, Settings};
use super::notices::{News, Notices};
use super::restart::{IngestPart, ReaderPart, Restarts};
use crate::actions::{self, CadActions};
use crate::cad::listener;
use crate::cad::reconcile::{PollLimits, Reconciler};
use crate::cad::rest::{CadRest, OperationNews};
use crate::cad::session::{HubSession, LinkChange};
use crate::config::{Negotiate, Reconcile, Sonoran};
use crate::delivery::Trouble;
use crate::discord::roles::Roles;
use crate::ingest::{self, Ingest, Inputs};
use crate::intake_queue::{self, Intake};
use crate::ops::Readiness;
use crate::refresh::{MAX_READS, Read, Reason, RefreshRequests, Trigger};
use crate::tls;

/// News of the CAD's operations that may wait for the notices task.
const OPERATIONS: usize = 32;
/// Changes of hub sessions that may wait for the notices task.
const LINK_CHANGES: usize = 64;

/// A community whose ingest runs, before anything comes in.
#[derive(Debug)]
pub struct Started {
    community: Arc<Community>,
    host: Host,
    settings: Settings,
    restarts: Restarts,
    intake: Intake,
    refresh: RefreshRequests,
    requested: mpsc::Receiver<Trigger>,
    readings: mpsc::Sender<Read>,
    operations: mpsc::Receiver<OperationNews>,
    troubles: mpsc::Receiver<Trouble>,
}

/// Reads back where the community was left, and starts its ingest. It is in the registry from then on.
///
/// # Errors
/// If the store cannot be read.
pub async fn start(host: &Host, settings: Settings) -> anyhow::Result<Started> {
    let id = settings.credentials.community.clone();
    let sonoran = &settings.sonoran;
    let (tasks, status, store) = (host.tasks.child(), host.status.of(&id), host.store.of(&id));
    let (requests, asked) = mpsc::channel(ingest::REQUESTS);
    let (intake, queue) = intake_queue::channel(&host.weight);
    let (refresh, requested) = RefreshRequests::new();
    let (operations, suspended) = mpsc::channel(OPERATIONS);
    // One client for all: its budgets are those of the key.
    let cad = cad(&settings).map(|cad| cad.with_news(host.clock.clone(), operations));
    let cad_actions = cad.as_ref().map(|cad| {
        CadActions::new(actions::Deps {
            community: id.clone(),
            servers: sonoran.servers.clone(),
            reader: cad.reader(),
            actor: cad.actor(id.clone()),
            store: host.store.clone(),
            clock: host.clock.clone(),
            intake: intake.clone(),
            requests: requests.clone(),
            roles: Roles::new(host.rest.clone(), host.clock.clone()),
            refresh: refresh.clone(),
            reads: !matches!(sonoran.reconcile, Reconcile::Off),
            scheduler: host.scheduler.clone(),
            metrics: host.metrics.clone(),
            tasks: tasks.clone(),
        })
    });
    let (readings, read) = mpsc::channel(MAX_READS);
    let deps = ingest::Deps {
        store,
        clock: host.clock.clone(),
        metrics: host.metrics.clone(),
        status: status.clone(),
        scheduler: host.scheduler.clone(),
        refresh: refresh.clone(),
    };
    let ingest = Ingest::restore(deps.clone()).await?;
    let cad = cad.as_ref().map(CadRest::reader);
    let interface = Interface { id, servers: sonoran.servers.clone(), hub: sonoran.hub, status, cad_actions, cad, requests };
    let (community, troubles) = Community::new(interface, tasks);
    let restarts = Restarts::new(host.clone(), Arc::clone(&community), settings.required);
    restarts.spawn(IngestPart {
        deps,
        restored: Some(ingest),
        inputs: Inputs { queue, readings: read, requests: asked },
        servers: sonoran.servers.clone(),
    });
    host.communities.insert(Arc::clone(&community));
    Ok(Started { community, host: host.clone(), settings, restarts, intake, refresh, requested, readings, operations: suspended, troubles })
}

fn cad(settings: &Settings) -> Option<CadRest> {
    let key = settings.credentials.key.clone();
    // A connection that the CAD closes while a change goes out on it leaves that change in doubt: none is kept for long.
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_idle_timeout(Duration::from_secs(15)).build().ok()?;
    Some(CadRest::new(&settings.sonoran.api_url, key, http).with_share(settings.sonoran.action_share))
}

impl Started {
    /// Lets events in: notices, actions, the listener, hub sessions, and the reader of the CAD.
    ///
    /// # Errors
    /// If there are no TLS roots.
    pub fn open_sources(self) -> anyhow::Result<Arc<Community>> {
        let Self { community, host, settings, restarts, intake, refresh, requested, readings, operations, troubles } = self;
        let Settings { credentials, sonoran, required } = settings.clone();
        let (changes, changed) = mpsc::channel(LINK_CHANGES);
        restarts.spawn(Notices::new(&host, &community, &sonoran, refresh.clone(), News { troubles, changes: changed, operations }));
        if let Some(cad_actions) = community.cad_actions.clone() {
            restarts.spawn(cad_actions);
        }
        let servers = sonoran.servers.clone();
        host.listener.admit(listener::Credentials {
            community: credentials.community.clone(),
            intake: intake.clone(),
            key: credentials.key.clone(),
            servers: servers.clone(),
        });
        if sonoran.hub {
            let tls = tls::config().context("the TLS roots cannot be loaded")?;
            for server in servers {
                let readiness = required.then(|| host.readiness.clone());
                restarts.spawn(HubSession {
                    server,
                    ..session(&host, &community, &settings, Arc::clone(&tls), (&intake, &changes), readiness)
                });
            }
        }
        read_the_cad(&host, &community, &sonoran, &restarts, &refresh, (requested, readings));
        Ok(community)
    }
}

/// The hub session of the community's first server.
fn session(
    host: &Host,
    community: &Community,
    settings: &Settings,
    tls: Arc<rustls::ClientConfig>,
    (intake, changes): (&Intake, &mpsc::Sender<LinkChange>),
    readiness: Option<Readiness>,
) -> HubSession {
    let Settings { credentials, sonoran, .. } = settings;
    let mut redirects = sonoran.hub_redirects.clone();
    redirects.extend(url::Url::parse(&sonoran.api_url).ok().and_then(|url| url.host_str().map(str::to_owned)));
    HubSession {
        community: credentials.community.clone(),
        key: credentials.key.clone(),
        server: community.first_server(),
        url: sonoran.hub_url.clone(),
        negotiation: match sonoran.negotiate {
            Negotiate::Auto => Negotiation::Auto,
            Negotiate::Always => Negotiation::Always,
            Negotiate::Never => Negotiation::Never,
        },
        redirects,
        tls,
        intake: intake.clone(),
        clock: host.clock.clone(),
        metrics: host.metrics.clone(),
        status: community.status.clone(),
        readiness,
        changes: changes.clone(),
    }
}

/// The reader of the CAD's REST API, unless it is switched off.
fn read_the_cad(
    host: &Host,
    community: &Community,
    sonoran: &Sonoran,
    restarts: &Restarts,
    refresh: &RefreshRequests,
    (requested, readings): (mpsc::Receiver<Trigger>, mpsc::Sender<Read>),
) {
    let period = match sonoran.reconcile {
        Reconcile::Off => return,
        Reconcile::WhenAsked => None,
        Reconcile::Every(period) => Some(period),
    };
    let Some(rest) = community.cad.clone() else { return };
    let reader = Reconciler {
        servers: sonoran.servers.clone(),
        pace: PollLimits { period, calls_per_minute: sonoran.calls_per_minute, units_per_minute: sonoran.units_per_minute },
        rest,
        clock: host.clock.clone(),
        metrics: host.metrics.clone(),
        status: community.status.clone(),
        readings,
        requests: requested,
    };
    restarts.spawn(ReaderPart { reader, refresh: refresh.clone(), has_run: false });
    if !sonoran.hub {
        // With a hub, each session asks as soon as it is signed in. Without, nobody would before the first period is over.
        for server in &sonoran.servers {
            refresh.request(*server, Reason::Connected);
        }
    }
}
