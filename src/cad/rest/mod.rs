//! The CAD's REST API, version 2 (docs/cad-contract.md#r10): what a bot asks of it, and what it does through it.
//!
//! Job: build the request, keep within our share of the endpoint's limit, bound the answer in size and time, read it tolerantly, and say
//! in one sentence what went wrong. Never prints the key, never decides who may do what (the key itself may do everything), never decodes
//! units and calls: those come back as JSON objects for the `event` room, which owns their rules.
//!
//! ```text
//!  account dispatch emergency unit lookup template community ─┐
//!                                    turn ─ budget ◀── ask ◀─┤ ─▶ one request, one more where repeating is safe
//!  listing (units and calls: the reader has budgets of its own) ┘
//! ```

mod account;
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
mod target;
mod template;
mod turn;
mod unit;

use std::sync::Arc;

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::sync::mpsc;

use super::key::Key;
use crate::clock::Clock;
use crate::json::Secrets;
use budget::{Budgets, Endpoint};

pub use account::{Account, AccountStatus, Accounts, Identifiers};
pub use budget::{BudgetLeft, OperationNews, SHARE};
pub use community::{CadServer, Info, Version};
pub use dispatch::{DispatchPatch, NewDispatch, NewNote};
pub use emergency::NewEmergency;
pub use error::RestError;
pub use limits::{MAX_ANSWER, MAX_BUILT, READING_TIME, TIME};
pub use listing::{Calls, Units};
pub use lookup::{Lookup, Notify, Wanted};
pub use read::Object;
pub use target::{Selector, Target};
pub use template::{NewCustomDispatch, Template, TemplateField, TemplateSection, TemplateStatus};
pub use turn::{PATIENCE, Phase, Rank, Turn};

/// The client. Cheap to clone; clones share their budgets. `Debug` shows no key.
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
    /// A client that takes [`SHARE`] percent of each limit. `base` is `SONORAN_API_URL` without trailing slash.
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

    /// With fresh budgets that tell the time by `clock`, and tell `news` of operations that are suspended.
    #[must_use]
    pub fn telling(self, clock: Clock, news: mpsc::Sender<OperationNews>) -> Self {
        let budgets = Budgets::new(self.budgets.percent(), clock, Some(news));
        Self { budgets: Arc::new(budgets), ..self }
    }

    /// Sends away whoever waits for a turn; nobody waits from now on.
    pub fn stop_waiting(&self) {
        self.budgets.close();
    }

    /// Whether attaching units would have to wait for its turn.
    #[must_use]
    pub fn attaching_waits(&self) -> bool {
        self.budgets.is_spent(Endpoint::Attach)
    }

    /// Whether this is the community's key, without regard to letter case. How alike a wrong one is does not show in the time that takes.
    #[must_use]
    pub fn is_key(&self, typed: &str) -> bool {
        let same = Key::new(self.key.expose_secret()).zip(Key::new(typed)).map(|(ours, theirs)| ours.ct_eq(&theirs));
        same.is_some_and(bool::from)
    }

    /// What is left of the budgets that were used, by name of the operation.
    #[must_use]
    pub fn budgets(&self) -> Vec<BudgetLeft> {
        self.budgets.left(tokio::time::Instant::now())
    }
}

#[cfg(test)]
mod tests;
