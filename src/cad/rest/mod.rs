//! A client of the CAD's REST API, version 2 (docs/cad-contract.md#r10).
//!
//! Builds requests, keeps within our share of the endpoint's limit, bounds the answer in size and time, reads it tolerantly, and describes
//! errors in one sentence. Never prints the key, never decides who may do what (the key itself may do everything), never decodes
//! units and calls: those are returned as JSON objects for the `event` module, which owns their rules.
//!
//! ```text
//!  account dispatch emergency unit lookup template community ─┐
//!            reader (asks), actor (changes, with a grant) ─┐ │
//!                                    turn ─ budget ◀── ask ◀─┤ ─▶ one request, one more where repeating is safe
//!  listing (units and calls: the reader has budgets of its own) ┘
//! ```

mod account;
mod actor;
mod ask;
mod budget;
mod community;
mod detail;
mod dispatch;
mod emergency;
mod error;
mod limits;
mod listing;
mod lookup;
mod read;
mod reader;
mod target;
mod template;
mod turn;
mod unit;

use std::sync::Arc;

use reqwest::Client;
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::ids::CommunityId;
use crate::json::Secrets;
use budget::Budgets;

pub use account::{Account, AccountStatus, Accounts, Identifiers};
pub use actor::CadActor;
pub use budget::{BudgetLeft, OperationNews, SHARE};
pub use community::{CadServer, Info, Version};
pub use dispatch::{DispatchPatch, NewDispatch, NewNote};
pub use emergency::NewEmergency;
pub use error::RestError;
pub use limits::{MAX_ANSWER, MAX_BUILT, READING_TIME, TIME};
pub use listing::{Calls, Units};
pub use lookup::{Lookup, LookupKind, Notify};
pub use read::Object;
pub use reader::CadReader;
pub use target::{Selector, UnitSelector};
pub use template::{NewCustomDispatch, Template, TemplateField, TemplateSection, TemplateStatus};
pub use turn::{PATIENCE, Phase, Rank, Turn};

/// The connection to the API: what [`CadReader`] and [`CadActor`] are made of. Cheap to clone; clones share their budgets. `Debug` shows no
/// key.
#[derive(Clone, Debug)]
pub struct CadRest {
    base: String,
    key: SecretString,
    /// The key, to be taken out of answers.
    secrets: Arc<Secrets>,
    http: Client,
    budgets: Arc<Budgets>,
}

impl CadRest {
    /// A client that uses [`SHARE`] percent of each limit. `base` is `SONORAN_API_URL` without trailing slash.
    #[must_use]
    pub fn new(base: &str, key: SecretString, http: Client) -> Self {
        let secrets = Arc::new(Secrets::new([key.clone()]));
        let budgets = Arc::new(Budgets::new(SHARE, Clock::system(), None));
        Self { base: base.trim_end_matches('/').to_owned(), key, secrets, http, budgets }
    }

    /// With fresh budgets of `percent` of the CAD's limits (`SONORAN_ACTION_SHARE`); the rest is the game server's.
    #[must_use]
    pub fn with_share(self, percent: u32) -> Self {
        let budgets = Budgets::new(percent, self.budgets.clock(), self.budgets.news());
        Self { budgets: Arc::new(budgets), ..self }
    }

    /// With fresh budgets on `clock`, which send suspended operations to `news`.
    #[must_use]
    pub fn with_news(self, clock: Clock, news: mpsc::Sender<OperationNews>) -> Self {
        let budgets = Budgets::new(self.budgets.percent(), clock, Some(news));
        Self { budgets: Arc::new(budgets), ..self }
    }

    /// For code that only reads.
    #[must_use]
    pub fn reader(&self) -> CadReader {
        CadReader(self.clone())
    }

    /// For changes in the CAD of this community, whose key this is.
    #[must_use]
    pub fn actor(&self, community: CommunityId) -> CadActor {
        CadActor { rest: self.clone(), community }
    }
}

#[cfg(test)]
mod tests;
