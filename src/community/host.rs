//! What all communities of a process share, and what a community is started with.

use std::sync::Arc;

use super::registry::Registry;
use crate::cad::listener::Listener;
use crate::clock::Clock;
use crate::config::{CommunityCredentials, Sonoran};
use crate::discord::rest::Rest;
use crate::intake_queue::SharedWeight;
use crate::metrics::Metrics;
use crate::ops::Readiness;
use crate::send_scheduler::SendScheduler;
use crate::shutdown::Tasks;
use crate::status::HostStatus;
use crate::store::Store;

/// What all communities of a process share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Host {
    pub store: Store,
    pub clock: Clock,
    pub metrics: Metrics,
    pub status: HostStatus,
    pub readiness: Readiness,
    /// Discord.
    pub rest: Rest,
    pub scheduler: SendScheduler,
    /// Accepts push events over HTTP for every community that is admitted.
    pub listener: Listener,
    pub weight: SharedWeight,
    pub communities: Registry,
    pub tasks: Tasks,
}

/// Which community, and how its CAD is used.
#[derive(Clone, Debug)]
pub struct Settings {
    pub credentials: CommunityCredentials,
    /// Its servers, addresses and limits.
    pub sonoran: Arc<Sonoran>,
    /// Settings that cannot work end the process, and its hub sessions decide whether the process is ready: it is the community of the
    /// environment.
    pub required: bool,
}
