//! Finds the community that a guild or a key belongs to.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::handle::Community;
use crate::ids::{CommunityId, GuildId};
use crate::store::Store;

/// The communities that run in this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
    communities: Arc<RwLock<BTreeMap<CommunityId, Arc<Community>>>>,
}

impl Registry {
    /// Without any community. `store` knows which guild is linked to which.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, communities: Arc::default() }
    }

    /// Adds a community, or puts it in the place of the one with its id.
    pub fn insert(&self, community: Arc<Community>) {
        self.communities.write().unwrap_or_else(PoisonError::into_inner).insert(community.id.clone(), community);
    }

    /// A community.
    #[must_use]
    pub fn get(&self, id: &CommunityId) -> Option<Arc<Community>> {
        self.communities.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The community whose data a guild may use.
    #[must_use]
    pub fn of_guild(&self, guild: GuildId) -> Option<Arc<Community>> {
        let routing = self.store.routing_now();
        self.get(routing.access.community_of(guild)?)
    }

    /// Every community, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Community>> {
        self.communities.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The only community; `None` if there are several.
    #[must_use]
    pub fn only(&self) -> Option<Arc<Community>> {
        let communities = self.communities.read().unwrap_or_else(PoisonError::into_inner);
        communities.values().next().filter(|_| communities.len() == 1).cloned()
    }
}
