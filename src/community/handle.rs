//! A community that runs, as commands and delivery hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::actions::CadActions;
use crate::cad::rest::CadReader;
use crate::delivery::Trouble;
use crate::ids::{CommunityId, ServerId};
use crate::ingest::Request;
use crate::shutdown::Tasks;
use crate::status::Status;

/// Troubles of delivery that may wait for the notices task.
const TROUBLES: usize = 64;

/// What commands and delivery ask of a community.
#[derive(Clone, Debug)]
pub struct Interface {
    pub id: CommunityId,
    /// At least one.
    pub servers: Vec<ServerId>,
    /// Whether it has hub sessions.
    pub hub: bool,
    pub status: Status,
    /// Who acts in the CAD for members; `None` without a CAD to act in.
    pub cad_actions: Option<CadActions>,
    /// The CAD; `None` if it cannot be asked.
    pub cad: Option<CadReader>,
    /// Requests to its ingest.
    pub requests: mpsc::Sender<Request>,
}

/// A community that runs, as others hold it.
#[derive(Debug)]
pub struct Community {
    interface: Interface,
    troubles: mpsc::Sender<Trouble>,
    suspended: AtomicBool,
    pub(super) tasks: Tasks,
}

impl std::ops::Deref for Community {
    type Target = Interface;

    fn deref(&self) -> &Interface {
        &self.interface
    }
}

impl Community {
    /// Its tasks are `tasks`. Second: the troubles that are reported to it.
    #[must_use]
    pub fn new(interface: Interface, tasks: Tasks) -> (Arc<Self>, mpsc::Receiver<Trouble>) {
        let (troubles, troubled) = mpsc::channel(TROUBLES);
        (Arc::new(Self { interface, troubles, suspended: AtomicBool::new(false), tasks }), troubled)
    }

    /// The first configured server: where a question is about none in particular.
    #[must_use]
    pub fn first_server(&self) -> ServerId {
        self.servers.first().copied().unwrap_or(ServerId(1))
    }

    /// Whether it was stopped after repeated panics: nothing of it works until the process is restarted.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst)
    }

    /// From now on commands say that it is suspended. False if they did before.
    pub(super) fn suspend(&self) -> bool {
        !self.suspended.swap(true, Ordering::SeqCst)
    }

    /// Reports a problem with alerts to people. If the queue is full, `/cad status` shows it.
    pub fn report(&self, trouble: Trouble) {
        self.troubles.try_send(trouble).ok();
    }
}
