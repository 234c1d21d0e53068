//! The rows of the worlds.

use super::*;

#[tokio::test]
async fn the_world_comes_back_as_it_was_and_a_damaged_row_costs_itself_only() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let mut world = crate::world::Server::default();
    let event = crate::event::Event::Panic { idents: vec![crate::ids::Ident(4107)], on: true };
    let applied = world.apply(&event, UnixMs(5));
    let mut rows: Vec<WorldRow> =
        applied.touched.iter().map(|entity| WorldRow { server: ServerId(1), key: entity.key(), state: world.row(*entity) }).collect();
    assert!(applied.touched.contains(&Entity::Panic(crate::ids::Ident(4107))));
    rows.push(WorldRow { server: ServerId(1), key: ("911", 3), state: Some("{damaged".into()) });
    own(&store).ingest(Batch { world: rows, ..Batch::default() }, Vec::new()).await.unwrap();
    let loaded = own(&store).world().await.unwrap();
    assert_eq!(loaded[&ServerId(1)], world);
}
