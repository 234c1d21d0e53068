//! What the commands are given from outside, and what never changes while the bot runs.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::actions::Acting;
use crate::cad::rest::CadReader;
use crate::clock::Clock;
use crate::discord::rest::{Me, Rest};
use crate::ids::{ChannelId, CommunityId, ServerId};
use crate::ingest::Request;
use crate::metrics::Metrics;
use crate::send_scheduler::SendScheduler;
use crate::status::Status;
use crate::store::{Store, StoreError};

/// Everything the commands need from outside.
#[derive(Clone, Debug)]
pub struct Data {
    /// Routes and posts.
    pub store: Store,
    pub clock: Clock,
    pub status: Status,
    pub metrics: Metrics,
    /// Discord.
    pub rest: Rest,
    /// Rung when something may be sent again.
    pub scheduler: SendScheduler,
    /// Who acts in the CAD for members; `None` without a CAD to act in.
    pub acting: Option<Acting>,
    /// The CAD; `None` if it cannot be asked.
    pub cad: Option<CadReader>,
    pub requests: mpsc::Sender<Request>,
    /// What never changes while the bot runs.
    pub facts: Facts,
}

impl Data {
    /// Opens a channel that Discord had refused: what waits for it goes out now. True if it was closed.
    pub(super) async fn open_again(&self, channel: ChannelId) -> Result<bool, StoreError> {
        let closed = self.store.reopen(channel).await?;
        self.scheduler.notify(channel, true);
        Ok(closed)
    }
}

/// What never changes while the bot runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whose CAD: the environment's community.
    pub community: CommunityId,
    /// `SONORAN_SERVER_IDS`: at least one.
    pub servers: Vec<ServerId>,
    /// `SONORAN_HUB`.
    pub hub: bool,
    /// Where push events are accepted.
    pub listen: Vec<SocketAddr>,
    /// Who we are on Discord.
    pub bot: Me,
    /// `DISCORD_MESSAGE_CONTENT`: what people write is read.
    pub message_content: bool,
}

impl Facts {
    /// The first configured server: where a question is about none in particular.
    pub(super) fn first_server(&self) -> ServerId {
        self.servers.first().copied().unwrap_or(ServerId(1))
    }
}
