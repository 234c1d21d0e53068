//! Boards: their rows, and what becomes of their posts.

use rusqlite::Connection;

use super::posts::Posts;
use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{BoardId, ChannelId, GuildId, ServerId, UserId};
use crate::route::{Board, BoardKind};

/// What came of adding a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddBoard {
    /// It is new.
    Added(Board),
    /// There is one of that kind for that server in that channel.
    Same(Board),
    /// The guild has the most boards it may have.
    TooMany,
}

/// Most boards of one guild: each is an edit every few seconds in a busy hour.
pub(super) const MAX_BOARDS: usize = 10;

impl Store {
    /// Adds a board: one for each kind and server in a channel. The guild must be known ([`Store::ensure_guild`]).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_board(
        &self,
        guild: GuildId,
        channel: ChannelId,
        kind: BoardKind,
        server: Option<ServerId>,
        by: UserId,
        now: UnixMs,
    ) -> Result<AddBoard, StoreError> {
        self.change(move |connection| {
            let own = of_guild(connection, guild)?;
            if let Some(same) = own.iter().find(|board| (board.channel, board.kind, board.server) == (channel, kind, server)) {
                return Ok(AddBoard::Same(same.clone()));
            }
            if own.len() >= MAX_BOARDS {
                return Ok(AddBoard::TooMany);
            }
            let id = insert(connection, guild, channel, kind, server, by, now)?;
            let community = connection
                .query_row("SELECT community FROM guild WHERE id = ?1", [rows::flake(guild.0)], |row| rows::community(row, "community"))?;
            Ok(AddBoard::Added(Board { id, guild, community, channel, kind, server }))
        })
        .await
    }

    /// Removes a board of this guild and returns it. Its post stays until [`Store::forget_board_post`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_board(&self, guild: GuildId, id: BoardId) -> Result<Option<Board>, StoreError> {
        self.change_with_posts(move |connection, posts| {
            let board = of_guild(connection, guild)?.into_iter().find(|board| board.id == id);
            if let Some(board) = &board {
                delete(connection, posts, board)?;
            }
            Ok(board)
        })
        .await
    }
}

/// Makes a board. Returns its number.
pub(super) fn insert(
    connection: &Connection,
    guild: GuildId,
    channel: ChannelId,
    kind: BoardKind,
    server: Option<ServerId>,
    by: UserId,
    now: UnixMs,
) -> rusqlite::Result<BoardId> {
    connection.execute(
        "INSERT INTO board (guild, channel, kind, server, created_by, created_ms) VALUES (?1,?2,?3,?4,?5,?6)",
        (rows::flake(guild.0), rows::flake(channel.0), kind.as_str(), server.map(|server| server.0), rows::flake(by.0), now.0),
    )?;
    Ok(BoardId(connection.last_insert_rowid()))
}

/// Takes a board away. Its post stays until it is not being sent any more.
pub(super) fn delete(connection: &Connection, posts: &mut Posts, board: &Board) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM board WHERE id = ?1", [board.id])?;
    // If we die before its post is forgotten, it is pruned like any other that is closed.
    posts.close_board(connection, board)
}

fn of_guild(connection: &Connection, guild: GuildId) -> rusqlite::Result<Vec<Board>> {
    Ok(super::routing::load(connection)?.boards.into_iter().filter(|board| board.guild == guild).collect())
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{Folder, own};
    use super::*;
    use crate::ids::{CommunityId, MessageId, RoleId};
    use crate::outbox::queue::BoardRemoval;
    use crate::outbox::{DesiredPost, Lane, PostKey, Settlement};
    use crate::render::{Labels, Message, Style};
    use crate::store::Batch;

    const GUILD: GuildId = GuildId(1);
    const CHANNEL: ChannelId = ChannelId(7);

    async fn store(folder: &Folder) -> Store {
        let store = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
        super::super::conformance::link(&store, &[GUILD.0]).await;
        store.ensure_guild(GUILD, &CommunityId::new("c")).await.unwrap();
        store
    }

    async fn add(store: &Store, kind: BoardKind, server: Option<u32>) -> AddBoard {
        store.add_board(GUILD, CHANNEL, kind, server.map(ServerId), UserId(5), UnixMs(9)).await.unwrap()
    }

    async fn put(store: &Store, board: &Board, text: &str, now: i64) {
        let key = PostKey { channel: CHANNEL, community: CommunityId::new("c"), server: ServerId(0), subject: board.subject() };
        let message = Message { content: Some(crate::render::text::SafeText::trusted(text)), ..Message::default() };
        let mut draft = DesiredPost::own(GUILD, CHANNEL, key.community.clone(), key.server, key.subject.clone(), message, UnixMs(now));
        (draft.lane, draft.over, draft.style, draft.roles) = (Lane::Board, false, Style::Card, Vec::<RoleId>::new());
        own(store).ingest(Batch { posts: vec![draft], now: UnixMs(now), ..Batch::default() }, Vec::new()).await.unwrap();
    }

    #[tokio::test]
    async fn one_board_for_each_kind_and_server_of_a_channel_and_ten_of_a_guild() {
        let folder = Folder::new();
        let store = store(&folder).await;
        let AddBoard::Added(first) = add(&store, BoardKind::Both, None).await else { panic!("not added") };
        assert_eq!((first.id, first.community.as_str(), first.channel, first.server), (BoardId(1), "c", CHANNEL, None));
        assert_eq!(add(&store, BoardKind::Both, None).await, AddBoard::Same(first.clone()));
        for server in 1..=9 {
            assert!(matches!(add(&store, BoardKind::Both, Some(server)).await, AddBoard::Added(_)));
        }
        assert_eq!(add(&store, BoardKind::Units, None).await, AddBoard::TooMany);
        assert_eq!(add(&store, BoardKind::Both, None).await, AddBoard::Same(first.clone()), "what is there is not too many");
        assert_eq!(store.routing_now().boards.len(), 10);

        assert_eq!(store.remove_board(GuildId(2), BoardId(1)).await.unwrap(), None, "another guild's board");
        assert_eq!(store.remove_board(GUILD, BoardId(1)).await.unwrap(), Some(first));
        assert_eq!(store.remove_board(GUILD, BoardId(1)).await.unwrap(), None);
        // Numbers are not used again: posts are named by them.
        let AddBoard::Added(next) = add(&store, BoardKind::Units, None).await else { panic!("not added") };
        assert_eq!(next.id, BoardId(11));
    }

    #[tokio::test]
    async fn the_post_of_a_removed_board_is_forgotten_once_it_is_not_being_sent() {
        let folder = Folder::new();
        let store = store(&folder).await;
        let AddBoard::Added(board) = add(&store, BoardKind::Both, None).await else { panic!("not added") };
        assert_eq!(store.forget_board_post(&board, UnixMs(10)).await.unwrap(), BoardRemoval::Done(None), "never drawn");
        put(&store, &board, "one", 10).await;
        let claim = store.claim(CHANNEL, UnixMs(10)).await.unwrap().unwrap();
        assert_eq!(store.remove_board(GUILD, board.id).await.unwrap(), Some(board.clone()));
        assert!(own(&store).memos().await.unwrap().is_empty(), "kept for ever");
        assert_eq!(store.forget_board_post(&board, UnixMs(11)).await.unwrap(), BoardRemoval::BeingSent);
        store.settle(&claim, Settlement::Delivered(MessageId(175_928_847_299_117_063)), UnixMs(12)).await.unwrap();
        assert_eq!(own(&store).boards_made().await.unwrap(), [(board.id, UnixMs(1_462_015_105_796))]);
        let done = store.forget_board_post(&board, UnixMs(13)).await.unwrap();
        assert_eq!(done, BoardRemoval::Done(Some(MessageId(175_928_847_299_117_063))));
        assert!(own(&store).boards_made().await.unwrap().is_empty());
        assert_eq!(store.counts().await.unwrap().waiting, 0);
    }

    #[tokio::test]
    async fn an_old_board_whose_message_was_deleted_is_posted_again_and_is_not_late() {
        let folder = Folder::new();
        let store = store(&folder).await;
        let AddBoard::Added(board) = add(&store, BoardKind::Both, None).await else { panic!("not added") };
        put(&store, &board, "one", 10).await;
        let claim = store.claim(CHANNEL, UnixMs(10)).await.unwrap().unwrap();
        store.settle(&claim, Settlement::Delivered(MessageId(99)), UnixMs(12)).await.unwrap();
        // Days later nothing changed, but somebody wants it sent again.
        let late = 10 + 5 * 86_400_000;
        store.resend_board(&board, UnixMs(late)).await.unwrap();
        let claim = store.claim(CHANNEL, UnixMs(late)).await.unwrap().unwrap();
        assert_eq!((claim.lead.message_id, claim.lead.happened_at), (Some(MessageId(99)), UnixMs(late)));
        store.settle(&claim, Settlement::Repost, UnixMs(late)).await.unwrap();
        let claim = store.claim(CHANNEL, UnixMs(late)).await.unwrap().expect("given up as too old");
        assert_eq!((claim.lead.message_id, claim.lead.is_recreated()), (None, true));
        store.settle(&claim, Settlement::Delivered(MessageId(100)), UnixMs(late)).await.unwrap();
        // And a change is as young as the change.
        put(&store, &board, "two", late + 5).await;
        assert_eq!(store.claim(CHANNEL, UnixMs(late + 5)).await.unwrap().unwrap().lead.happened_at, UnixMs(late + 5));
    }

    #[tokio::test]
    async fn words_of_a_guild_are_kept_and_taken_back() {
        let folder = Folder::new();
        let store = store(&folder).await;
        let own = Labels { emergency: "112".into(), ..Labels::default() };
        store.set_labels(GUILD, Some(own.clone())).await.unwrap();
        assert_eq!(*store.routing_now().guilds[&GUILD].labels, own);
        store.set_labels(GUILD, None).await.unwrap();
        assert_eq!(*store.routing_now().guilds[&GUILD].labels, Labels::default());
    }
}
