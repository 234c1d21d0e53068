//! The handle for members' actions, and its dependencies. The actions themselves are in the files beside this one.

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
use crate::intake_queue::Intake;
use crate::metrics::Metrics;
use crate::refresh::RefreshRequests;
use crate::send_scheduler::SendScheduler;
use crate::shutdown::Tasks;
use crate::store::Store;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The guild of the interaction.
    pub guild: GuildId,
    pub user: UserId,
    /// Their roles in that guild.
    pub roles: Vec<RoleId>,
}

/// The dependencies of [`CadActions`].
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
    /// Receives synthetic events.
    pub intake: Intake,
    /// Requests to ingest, which owns the world.
    pub requests: mpsc::Sender<Request>,
    /// Fetches somebody's roles in another guild.
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
pub struct CadActions(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) deps: Deps,
    pub(super) members: Members,
    pub(super) attaching: Coalescer<(ServerId, CallId), Ident, Result<Vec<Ident>, RestError>>,
    pub(super) taking: Coalescer<(ServerId, CallId), Taker, Result<Became, ActionError>>,
    /// The number of units concerned.
    pub(super) in_flight: SingleFlight<(ServerId, String), Result<usize, RestError>>,
    /// Calls created from 911s, or perhaps created.
    pub(super) made_of: MadeOf,
    /// When each person last created a 911.
    pub(super) called: Mutex<HashMap<UserId, UnixMs>>,
}

/// An authorized member.
#[derive(Debug)]
pub(super) struct AuthorizedMember {
    pub(super) member: Member,
    pub(super) units: Vec<OwnUnit>,
    /// Shared only with the task that acts for several people at once.
    pub(super) granted: Arc<Granted>,
}

impl AuthorizedMember {
    /// The unit to act as: field units before dispatchers, then the latest login.
    pub(super) fn unit(&self) -> Option<&OwnUnit> {
        self.units.first()
    }

    pub(super) fn idents(&self) -> Vec<Ident> {
        self.units.iter().map(|unit| unit.ident).collect()
    }

    /// The signature of notes: the CAD's names, since those on Discord can be anybody's.
    pub(super) fn label(&self) -> String {
        let name = self.unit().map_or(self.member.name.as_str(), |unit| unit.name.as_str());
        let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        if name.trim().is_empty() { "Discord".to_owned() } else { name.trim().to_owned() }
    }
}

impl CadActions {
    /// Sends no request yet.
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
