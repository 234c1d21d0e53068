//! The duty log and the facts of calls, as rows of the same batch as their event.

use std::collections::HashMap;

use super::world_rows::world_rows;
use crate::clock::UnixMs;
use crate::ids::ServerId;
use crate::store::duty::{CallRow, DutyRow};
use crate::store::{Batch, CommunityStore, StoreError};
use crate::world::{Applied, Change, Server};

/// Takes down what an event or a reading did.
pub(super) fn rows(server: ServerId, world: &Server, applied: &Applied, batch: &mut Batch) {
    let unit = |ident| world.units.get(&ident).map(|state| &state.unit);
    batch.duty.extend(applied.duty.iter().map(|edge| DutyRow::new(server, *edge, unit(edge.ident))));
    for change in &applied.changes {
        if let Change::Card { subject, .. } = *change
            && let Some(fact) = world.call_fact(subject)
        {
            batch.calls.push(CallRow { server, subject, fact });
        }
    }
}

/// After a restart: brings the table and the worlds that were read back together. If that cannot be written, the worlds stay as they were.
pub(super) async fn resume(store: &CommunityStore, now: UnixMs, worlds: &mut HashMap<ServerId, Server>) -> Result<(), StoreError> {
    let mut batch = Batch { now, ..Batch::default() };
    let mut known = Vec::new();
    for (server, world) in worlds.iter_mut() {
        // As the table should have them: those that end now among them.
        let applied = world.resume_duty(now);
        known.extend(applied.duty.iter().map(|edge| (*server, edge.ident, edge.began)));
        rows(*server, world, &applied, &mut batch);
        batch.world.extend(world_rows(*server, world, &applied.touched));
    }
    store.end_strays(known).await?;
    if batch.is_empty() {
        return Ok(());
    }
    if let Err(error) = store.ingest(batch, Vec::new()).await {
        tracing::warn!(%error, "who was on duty before the restart could not be written to the duty log");
        *worlds = store.world().await?;
    }
    Ok(())
}
