//! Writes the world as rows: one entity, one row of JSON, so that a restart restores everything.

use std::time::Duration;

use super::entity::{PAGE, PLACES, UNIT};
use super::{Entity, Server};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident};

/// A row that can't be read: damaged, or written by a newer version.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The kind is unknown.
    #[error("unknown kind of world row: {0:?}")]
    Kind(String),
    /// The state isn't this kind's JSON.
    #[error("unreadable {kind} row {id}")]
    State {
        kind: String,
        id: i64,
        #[source]
        source: serde_json::Error,
    },
}

impl Server {
    /// The row of `entity` as JSON; `None` if the world no longer has it and the row must be deleted.
    #[must_use]
    pub fn row(&self, entity: Entity) -> Option<String> {
        // These types have only text keys and finite numbers: writing them can't fail.
        fn json<T: serde::Serialize>(value: Option<&T>) -> Option<String> {
            value.and_then(|value| serde_json::to_string(value).ok())
        }
        match entity {
            Entity::Unit(ident) => json(self.units.get(&ident)),
            Entity::Emergency(id) => json(self.emergencies.get(&id)),
            Entity::Dispatch(id) => json(self.dispatches.get(&id)),
            Entity::Panic(ident) => json(self.panics.get(&ident)),
            Entity::Page(id) => json(self.pages.get(&id)),
            Entity::Listed => json(Some(&self.listed)),
        }
    }

    /// Restores a row.
    ///
    /// # Errors
    /// [`RowError`] if the row cannot be read; the world is then unchanged.
    pub fn load(&mut self, kind: &str, id: i64, state: &str) -> Result<(), RowError> {
        fn read<T: serde::de::DeserializeOwned>(kind: &str, id: i64, state: &str) -> Result<T, RowError> {
            serde_json::from_str(state).map_err(|source| RowError::State { kind: kind.into(), id, source })
        }
        match kind {
            UNIT => drop(self.units.insert(Ident(id), read(kind, id, state)?)),
            "911" => drop(self.emergencies.insert(CallId(id), read(kind, id, state)?)),
            "call" => drop(self.dispatches.insert(CallId(id), read(kind, id, state)?)),
            "panic" => drop(self.panics.insert(Ident(id), read(kind, id, state)?)),
            PAGE => {
                drop(self.pages.insert((id.div_euclid(PLACES), u32::try_from(id.rem_euclid(PLACES)).unwrap_or(0)), read(kind, id, state)?))
            }
            "listed" => self.listed = read(kind, id, state)?,
            other => return Err(RowError::Kind(other.into())),
        }
        Ok(())
    }

    /// Whether there is so much that [`Server::forget`] must not wait for its time.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let kinds = [self.units.len(), self.emergencies.len(), self.dispatches.len(), self.panics.len(), self.pages.len()];
        kinds.into_iter().any(|known| known > MAX_PER_KIND + BEYOND)
    }

    /// Forgets what ended `keep` ago and, beyond 2,000 of a kind, the oldest: the world stays small whatever comes in.
    /// Returns what was forgotten.
    pub fn forget(&mut self, now: UnixMs, keep: Duration) -> Vec<Entity> {
        let over = |at: Option<UnixMs>| at.is_some_and(|at| now.since(at) > keep);
        let mut gone = Vec::new();
        gone.extend(self.emergencies.iter().filter(|(_, e)| over(e.gone_at)).map(|(id, _)| Entity::Emergency(*id)));
        gone.extend(self.dispatches.iter().filter(|(_, d)| over(d.closed_at)).map(|(id, _)| Entity::Dispatch(*id)));
        gone.extend(self.panics.iter().filter(|(_, p)| over(p.over_at)).map(|(ident, _)| Entity::Panic(*ident)));

        let mut oldest: Vec<_> =
            self.emergencies.iter().map(|(id, e)| (e.gone_at.is_none(), e.opened_at, Entity::Emergency(*id))).collect();
        gone.extend(beyond(&mut oldest));
        let mut oldest: Vec<_> =
            self.dispatches.iter().map(|(id, d)| (d.closed_at.is_none(), d.opened_at, Entity::Dispatch(*id))).collect();
        gone.extend(beyond(&mut oldest));
        let mut oldest: Vec<_> = self.panics.iter().map(|(id, p)| (p.over_at.is_none(), p.since, Entity::Panic(*id))).collect();
        gone.extend(beyond(&mut oldest));
        gone.extend(self.pages.iter().filter(|(_, p)| over(p.over_at)).map(|(id, _)| Entity::Page(*id)));
        let mut oldest: Vec<_> = self.pages.iter().map(|(id, p)| (p.over_at.is_none(), p.at, Entity::Page(*id))).collect();
        gone.extend(beyond(&mut oldest));
        let mut oldest: Vec<_> = self.units.iter().map(|(id, u)| (u.on_duty, u.seen_at, Entity::Unit(*id))).collect();
        gone.extend(beyond(&mut oldest));
        // Units off duty are kept longer than calls: closed calls name them.
        gone.extend(
            self.units.iter().filter(|(_, u)| !u.on_duty && now.since(u.seen_at) > keep.saturating_mul(8)).map(|(id, _)| Entity::Unit(*id)),
        );
        gone.sort_unstable();
        gone.dedup();
        for entity in &gone {
            match entity {
                Entity::Unit(ident) => drop(self.units.remove(ident)),
                Entity::Emergency(id) => drop(self.emergencies.remove(id)),
                Entity::Dispatch(id) => drop(self.dispatches.remove(id)),
                Entity::Panic(ident) => drop(self.panics.remove(ident)),
                Entity::Page(id) => drop(self.pages.remove(id)),
                Entity::Listed => {}
            }
        }
        self.memory.prune(now);
        gone
    }
}

/// Limit on the entities of one kind per server.
pub(crate) const MAX_PER_KIND: usize = 2_000;
/// This many more may come before the oldest are dropped: forgetting scans all of them.
const BEYOND: usize = MAX_PER_KIND / 4;

fn beyond(entities: &mut [(bool, UnixMs, Entity)]) -> Vec<Entity> {
    let excess = entities.len().saturating_sub(MAX_PER_KIND);
    if excess == 0 {
        return Vec::new();
    }
    // Those that are over first, then the oldest.
    entities.sort_unstable();
    entities.iter().take(excess).map(|(_, _, entity)| *entity).collect()
}
