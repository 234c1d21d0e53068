//! Which roles somebody has in a guild that they did not act from, asked of Discord and believed for a minute.
//!
//! Never guesses: what Discord does not tell is an error, not an empty list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::rest::{AskError, Rest};
use crate::clock::{Clock, UnixMs};
use crate::ids::{GuildId, RoleId, UserId};

/// An answer is believed for so long (ms).
const BELIEVED: i64 = 60_000;
/// Answers kept; beyond it the oldest goes.
const MOST: usize = 1_000;
/// Whoever presses waits so long at most.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

type Known = HashMap<(GuildId, UserId), (UnixMs, Vec<RoleId>)>;

/// The one who asks. Cheap to clone; clones share what is known.
#[derive(Clone, Debug)]
pub struct Roles {
    rest: Rest,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

impl Roles {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(rest: Rest, clock: Clock) -> Self {
        Self { rest, clock, known: Arc::default() }
    }

    /// Somebody's roles in a guild; none if they are not in it.
    ///
    /// # Errors
    /// [`AskError`], also if there was no answer in time.
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
            // 10007 Unknown Member, 10013 Unknown User: not there.
            Err(AskError::Refused(reason)) if reason.contains("(10007)") || reason.contains("(10013)") => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST
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
