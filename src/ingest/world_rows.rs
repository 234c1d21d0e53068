//! The rows of a world's entities that changed.

use std::collections::BTreeSet;

use crate::ids::ServerId;
use crate::store::WorldRow;
use crate::world::{Entity, Server};

/// As they are now; an entity that the world does not have any more is deleted.
pub(super) fn world_rows<'a>(server: ServerId, world: &'a Server, touched: &'a BTreeSet<Entity>) -> impl Iterator<Item = WorldRow> + 'a {
    touched.iter().map(move |entity| WorldRow { server, key: entity.key(), state: world.row(*entity) })
}
