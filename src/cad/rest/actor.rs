//! Changes the CAD with authorization: every change demands a [`Granted`], which only `authorization` creates.

use serde_json::Value;

use super::ask::CadRequest;
use super::budget::Endpoint;
use super::{CadRest, RestError};
use crate::authorization::Granted;
use crate::ids::{CommunityId, ServerId};

/// The changes that the CAD's API can make. Cheap to clone; budgets are shared with everything else made from the same [`CadRest`].
#[derive(Clone, Debug)]
pub struct CadActor {
    pub(super) rest: CadRest,
    /// Whose API key it is: the CAD doesn't check for whom the key is used.
    pub(super) community: CommunityId,
}

impl CadActor {
    /// Rejects all requests that wait for a turn; from now on nothing waits.
    pub fn stop_waiting(&self) {
        self.rest.budgets.close();
    }

    /// Whether attaching units would have to wait for its turn.
    #[must_use]
    pub fn attaching_waits(&self) -> bool {
        self.rest.budgets.is_spent(Endpoint::Attach)
    }

    /// Sends a change and reads its answer. A grant for another community or server is rejected.
    pub(super) async fn change<T>(
        &self,
        granted: &Granted,
        server: ServerId,
        ask: CadRequest,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, RestError> {
        if !granted.is_for(&self.community, server) {
            tracing::error!(?granted, %server, "a change in the CAD was not authorized here, so it was not sent");
            return Err(RestError::rejected("it was authorized for another server"));
        }
        tracing::debug!(account = granted.account(), permission = ?granted.permission(), %server, "changing the CAD");
        let answer = self.rest.ask(ask).await?;
        read(&answer).ok_or_else(|| RestError::outcome_unknown(&RestError::Unreadable))
    }
}
