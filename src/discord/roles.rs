//! Fetches somebody's roles in another guild from Discord, cached for a minute.
//!
//! Never guesses: if Discord doesn't answer, that is an error, not an empty list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::rest::{AskError, Rest};
use crate::clock::{Clock, UnixMs};
use crate::ids::{GuildId, RoleId, UserId};

/// How long an answer is cached.
const BELIEVED: Duration = Duration::from_secs(60);
/// Limit on cached answers; beyond it the oldest is dropped.
const MAX_CACHED_ANSWERS: usize = 1_000;
/// Longest wait during a press.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

type Known = HashMap<(GuildId, UserId), (UnixMs, Vec<RoleId>)>;

/// Cheap to clone; clones share the cache.
#[derive(Clone, Debug)]
pub struct Roles {
    rest: Rest,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

impl Roles {
    /// With an empty cache.
    #[must_use]
    pub fn new(rest: Rest, clock: Clock) -> Self {
        Self { rest, clock, known: Arc::default() }
    }

    /// Somebody's roles in a guild; none if they are not in it.
    ///
    /// # Errors
    /// [`AskError`], also on time-out.
    pub async fn of(&self, guild: GuildId, user: UserId) -> Result<Vec<RoleId>, AskError> {
        let (key, now) = ((guild, user), self.clock.now());
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, (at, _)| now.since(*at) < BELIEVED);
            if let Some((_, roles)) = known.get(&key) {
                return Ok(roles.clone());
            }
        }
        let path = format!("/guilds/{guild}/members/{user}");
        let asked = tokio::time::timeout(PATIENCE, self.rest.ask(&path)).await;
        let roles = match asked.unwrap_or_else(|_| Err(AskError::Trouble("no answer in time".to_owned()))) {
            Ok(member) => roles(&member),
            // 10007 Unknown Member, 10013 Unknown User: not a member.
            Err(AskError::Refused(reason)) if reason.contains("(10007)") || reason.contains("(10013)") => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CACHED_ANSWERS
            && let Some(oldest) = known.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| *key)
        {
            known.remove(&oldest);
        }
        known.insert(key, (now, roles.clone()));
        Ok(roles)
    }
}

fn roles(member: &Value) -> Vec<RoleId> {
    let listed = member.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|role| role.as_str()?.parse().ok().map(RoleId)).collect()
}
