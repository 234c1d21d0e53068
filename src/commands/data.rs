//! What the commands are given from outside, and what never changes while the bot runs.

use std::net::SocketAddr;
use std::sync::Arc;

use super::errors::{Error, NOT_LINKED};
use crate::clock::Clock;
use crate::community::{Community, Registry, SUSPENDED};
use crate::discord::rest::{Me, Rest};
use crate::ids::{ChannelId, GuildId};
use crate::metrics::Metrics;
use crate::send_scheduler::SendScheduler;
use crate::status::HostStatus;
use crate::store::{Store, StoreError};

/// Everything the commands need from outside.
#[derive(Clone, Debug)]
pub struct Data {
    /// Routes and posts.
    pub store: Store,
    pub clock: Clock,
    pub status: HostStatus,
    pub metrics: Metrics,
    /// Discord.
    pub rest: Rest,
    /// Notified when something may be sent again.
    pub scheduler: SendScheduler,
    pub communities: Registry,
    /// What never changes while the bot runs.
    pub facts: Facts,
}

impl Data {
    /// The community whose data a guild may use.
    ///
    /// # Errors
    /// A refusal for people, if the guild is not linked or the community does not run.
    pub(super) fn community(&self, guild: GuildId) -> Result<Arc<Community>, Error> {
        let community = self.communities.of_guild(guild).ok_or_else(|| Error::refused(NOT_LINKED))?;
        if community.is_suspended() { Err(Error::refused(SUSPENDED)) } else { Ok(community) }
    }

    /// Opens a guild's channel that Discord had refused: what waits for it goes out now. True if it was closed.
    pub(super) async fn open_again(&self, guild: GuildId, channel: ChannelId) -> Result<bool, StoreError> {
        let closed = self.store.reopen(channel).await?;
        if let Some(community) = self.store.routing_now().access.community_of(guild) {
            self.scheduler.notify(channel, community, true);
        }
        Ok(closed)
    }
}

/// What never changes while the bot runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where push events are accepted.
    pub listen: Vec<SocketAddr>,
    /// Who we are on Discord.
    pub bot: Me,
    /// `DISCORD_MESSAGE_CONTENT`: what people write is read.
    pub message_content: bool,
}
