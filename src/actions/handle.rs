//! What members' actions are performed with. How each is performed is in the files beside this one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::calls_made::{Became, MadeOf, Taker};
use super::coalesce::{Coalescer, SingleFlight};
use super::error::ActionError;
use super::members::Members;
use super::view::OwnUnit;
use crate::authorization::{Granted, Member};
use crate::cad::rest::{CadActor, CadReader, RestError};
use crate::clock::{Clock, UnixMs};
use crate::discord::roles::Roles;
use crate::ids::{CallId, CommunityId, GuildId, Ident, RoleId, ServerId, UserId};
use crate::ingest::Request;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::refresh::RefreshRequests;
use crate::send_scheduler::SendScheduler;
use crate::shutdown::Tasks;
use crate::store::Store;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// From where.
    pub guild: GuildId,
    pub user: UserId,
    /// Their roles there.
    pub roles: Vec<RoleId>,
}

/// What [`Acting`] works with.
#[derive(Clone, Debug)]
pub struct Deps {
    pub community: CommunityId,
    pub servers: Vec<ServerId>,
    /// Reads the CAD.
    pub reader: CadReader,
    /// Changes the CAD.
    pub actor: CadActor,
    /// Guilds' rules, members' accounts.
    pub store: Store,
    pub clock: Clock,
    /// Where events about what was done go.
    pub intake: Intake,
    /// Requests to ingest, which owns the world.
    pub requests: mpsc::Sender<Request>,
    /// Roles that somebody has in a guild which they did not act from.
    pub roles: Roles,
    /// Requests an extra poll of the CAD.
    pub refresh: RefreshRequests,
    /// Whether the CAD is polled; if not, an unknown outcome is settled by time alone.
    pub reads: bool,
    /// Notified when cards must be sent again.
    pub scheduler: SendScheduler,
    pub metrics: Metrics,
    /// An action that has begun finishes before the bot stops.
    pub tasks: Tasks,
}

/// Performs members' actions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Acting(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) deps: Deps,
    pub(super) members: Members,
    pub(super) attaching: Coalescer<(ServerId, CallId), Ident, Result<Vec<Ident>, RestError>>,
    pub(super) taking: Coalescer<(ServerId, CallId), Taker, Result<Became, ActionError>>,
    /// How many it concerned.
    pub(super) in_flight: SingleFlight<(ServerId, String), Result<usize, RestError>>,
    /// What calls were made of, or may have been.
    pub(super) made_of: MadeOf,
    /// When each person placed a 911 last.
    pub(super) called: Mutex<HashMap<UserId, UnixMs>>,
}

/// Somebody who may.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) member: Member,
    pub(super) units: Vec<OwnUnit>,
    /// Shared only with the task that does something for several people at once.
    pub(super) granted: Arc<Granted>,
}

impl Who {
    /// The unit to act as: on the street before at the desk, then who came last.
    pub(super) fn unit(&self) -> Option<&OwnUnit> {
        self.units.first()
    }

    pub(super) fn idents(&self) -> Vec<Ident> {
        self.units.iter().map(|unit| unit.ident).collect()
    }

    /// How notes are signed: the CAD's names, since those of Discord can be anybody's.
    pub(super) fn label(&self) -> String {
        let name = self.unit().map_or(self.member.name.as_str(), |unit| unit.name.as_str());
        let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        if name.trim().is_empty() { "Discord".to_owned() } else { name.trim().to_owned() }
    }
}

impl Acting {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        let Deps { reader, store, clock, community, .. } = deps.clone();
        let now = clock.now();
        let members = Members::new(reader, store, clock, community);
        Self(Arc::new(Inner {
            deps,
            members,
            attaching: Coalescer::default(),
            taking: Coalescer::default(),
            in_flight: SingleFlight::default(),
            made_of: MadeOf::new(now),
            called: Mutex::default(),
        }))
    }
}
