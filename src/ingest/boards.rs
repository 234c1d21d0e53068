//! Which boards are to be drawn again, and when. Pure: what there is, what happened and the time go in, numbers and drafts come out.
//!
//! ```text
//!          a change of its server (touch), a new board (sync), a start, /board refresh (want)
//! still ───────────────────────────────────────────────────────────────▶ wanted at … ── due ──▶ drawn ─▶ still
//!   at once after a quiet time; else 5 s after the last planner, 60 s once its message is older than an hour
//! ```

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::UnixMs;
use crate::ids::{BoardId, GuildId, ServerId};
use crate::intake_queue::IntakeError;
use crate::outbox::{DesiredPost, Lane, Place, PostKey};
use crate::render::{self, Labels, Message, Style};
use crate::route::{Board, Threads};
use crate::world::Server;

/// A board is drawn at most this often: Discord takes five edits of a channel in five seconds, and alerts need them too.
const PACE: Duration = Duration::from_secs(5);
/// As [`PACE`], once its message is [`OLD`]: Discord limits the edits of such messages (code 30046) without saying how.
const OLD_PACE: Duration = Duration::from_secs(60);
/// Age of a message from which its edits are bounded.
const OLD: Duration = Duration::from_secs(3_600);

/// Requests that boards are drawn now (`/board create`, `refresh`; after `remove` the answer proves that nothing draws the board anymore).
#[derive(Debug)]
pub struct Redraw {
    pub guild: GuildId,
    /// Only this one.
    pub board: Option<BoardId>,
    /// How many were drawn, once they are on disk and delivery has been notified.
    pub done: oneshot::Sender<Result<usize, IntakeError>>,
}

/// The boards there are, and when each is to be drawn.
#[derive(Debug, Default)]
pub struct Boards(BTreeMap<BoardId, Watched>);

#[derive(Debug)]
struct Watched {
    board: Board,
    /// When its message was made, as far as we know.
    made: UnixMs,
    drawn: Option<UnixMs>,
    wanted: Option<UnixMs>,
}

impl Watched {
    /// The earliest time of the next drawing.
    fn next(&self, now: UnixMs) -> UnixMs {
        let pace = if now.since(self.made) > OLD { OLD_PACE } else { PACE };
        // The upper bound is for a clock that was set back.
        self.drawn.map_or(now, |drawn| drawn.plus(pace).clamp(now, now.plus(pace)))
    }
}

impl Boards {
    /// After a start: every board is drawn once, at once. `made` has the creation times of existing messages by board
    /// number (`Store::boards_made`).
    #[must_use]
    pub fn restore(boards: &[Board], made: &[(BoardId, UnixMs)], now: UnixMs) -> Self {
        let mut restored = Self::default();
        restored.sync(boards, now);
        for (id, at) in made {
            if let Some(watched) = restored.0.get_mut(id) {
                watched.made = *at;
            }
        }
        restored
    }

    /// Takes over which boards there are: new ones are to be drawn at once, removed ones never again.
    pub fn sync(&mut self, boards: &[Board], now: UnixMs) {
        self.0.retain(|id, _| boards.iter().any(|board| board.id == *id));
        for board in boards {
            self.0.entry(board.id).or_insert_with(|| Watched { board: board.clone(), made: now, drawn: None, wanted: Some(now) });
        }
    }

    /// Something changed on a server.
    pub fn touch(&mut self, server: ServerId, now: UnixMs) {
        for watched in self.0.values_mut() {
            let board = &watched.board;
            // A time further ahead than any pace is from before the clock was set back.
            let wanted = watched.wanted.is_some_and(|at| at.since(now) <= OLD_PACE);
            if !wanted && board.server.is_none_or(|only| only == server) {
                watched.wanted = Some(watched.next(now));
            }
        }
    }

    /// Has one or all boards of a guild drawn now, whenever they were drawn last: people asked for it, or the guild's labels changed.
    pub fn want(&mut self, guild: GuildId, only: Option<BoardId>, now: UnixMs) {
        for (id, watched) in &mut self.0 {
            if watched.board.guild == guild && only.is_none_or(|only| only == *id) {
                watched.wanted = Some(now);
            }
        }
    }

    /// The boards to be drawn now. They count as drawn; if the drawings are not stored after all, [`Boards::again`] takes that back.
    pub fn due(&mut self, now: UnixMs) -> Vec<BoardId> {
        let mut due = Vec::new();
        for (id, watched) in &mut self.0 {
            if watched.wanted.is_some_and(|at| at <= now) {
                (watched.drawn, watched.wanted) = (Some(now), None);
                due.push(*id);
            }
        }
        due
    }

    /// These could not be stored: they are due again after the usual pause.
    pub fn again(&mut self, ids: &[BoardId], now: UnixMs) {
        for id in ids {
            if let Some(watched) = self.0.get_mut(id) {
                watched.wanted = Some(watched.next(now));
            }
        }
    }

    /// Time until the next board is due; `None` = nothing is wanted.
    #[must_use]
    pub fn next(&self, now: UnixMs) -> Option<Duration> {
        self.0.values().filter_map(|watched| watched.wanted).min().map(|at| at.since(now))
    }

    /// The draft of a board as the worlds are now. `None` if there is no such board.
    #[must_use]
    pub fn draw(&self, id: BoardId, worlds: &HashMap<ServerId, Server>, labels: &Labels, now: UnixMs) -> Option<DesiredPost> {
        let board = &self.0.get(&id)?.board;
        let mut servers: Vec<(ServerId, &Server)> = worlds
            .iter()
            .filter(|(server, _)| board.server.is_none_or(|only| only == **server))
            .map(|(server, world)| (*server, world))
            .collect();
        servers.sort_by_key(|(server, _)| *server);
        // A server without any event so far has nobody on duty.
        let silent = Server::default();
        if let (true, Some(only)) = (servers.is_empty(), board.server) {
            servers.push((only, &silent));
        }
        Some(draft(board, render::board(board.id, board.kind, &servers, labels), now))
    }

    /// Whose words a board uses.
    #[must_use]
    pub fn guild(&self, id: BoardId) -> Option<GuildId> {
        self.0.get(&id).map(|watched| watched.board.guild)
    }
}

/// The post of a board. It is never over: a message that somebody deletes is posted again.
fn draft(board: &Board, message: Message, now: UnixMs) -> DesiredPost {
    DesiredPost {
        // A board of all servers belongs to none: no server has the number 0 (docs/cad-contract.md#r1).
        key: PostKey {
            channel: board.channel,
            community: board.community.clone(),
            server: board.server.unwrap_or(ServerId(0)),
            subject: board.subject(),
        },
        guild: board.guild,
        lane: Lane::Board,
        style: Style::Card,
        roles: Vec::new(),
        place: Place::Channel,
        threads: Threads::Off,
        over: false,
        parent: None,
        // Its first appearance need not wake anybody.
        message: Message { silent: true, ..message },
        happened_at: now,
        event: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms;
    use crate::ids::{ChannelId, CommunityId};
    use crate::route::BoardKind;

    const T: UnixMs = UnixMs(1_763_700_000_000);

    fn board(id: i64, server: Option<u32>) -> Board {
        Board {
            id: BoardId(id),
            guild: GuildId(u64::try_from(id % 2).unwrap()),
            community: CommunityId::new("c"),
            channel: ChannelId(7),
            kind: BoardKind::Units,
            server: server.map(ServerId),
        }
    }

    fn quiet(all: &[Board]) -> Boards {
        let mut boards = Boards::default();
        boards.sync(all, T.minus(PACE));
        assert_eq!(boards.due(T.minus(PACE)).len(), all.len(), "new boards are drawn at once");
        boards
    }

    fn touch(boards: &mut Boards, server: u32, at: UnixMs) {
        boards.touch(ServerId(server), at);
    }

    #[test]
    fn the_first_change_is_drawn_at_once_and_later_ones_wait_five_seconds() {
        let mut boards = quiet(&[board(1, None)]);
        assert_eq!((boards.due(T), boards.next(T)), (vec![], None), "nothing changed");
        touch(&mut boards, 1, T);
        assert_eq!((boards.next(T), boards.due(T)), (Some(ms(0)), vec![BoardId(1)]));
        for after in [1, 1_000, 4_999].map(ms) {
            touch(&mut boards, 1, T.plus(after));
            assert_eq!((boards.due(T.plus(after)), boards.next(T.plus(after))), (vec![], Some(PACE - after)));
        }
        assert_eq!(boards.due(T.plus_ms(5_000)), [BoardId(1)]);
        assert_eq!(boards.next(T.plus_ms(5_000)), None, "one planner holds all changes");
        touch(&mut boards, 1, T.plus_ms(10_001));
        assert_eq!(boards.due(T.plus_ms(10_001)), [BoardId(1)]);
    }

    #[test]
    fn an_old_message_is_edited_once_a_minute() {
        let mut boards = quiet(&[board(1, None)]);
        touch(&mut boards, 1, T.plus(OLD));
        assert_eq!(boards.due(T.plus(OLD)), [BoardId(1)]);
        touch(&mut boards, 1, T.plus(OLD).plus_ms(1));
        assert_eq!(boards.next(T.plus(OLD).plus_ms(1)), Some(ms(59_999)));
        // Somebody asks for it.
        boards.want(GuildId(1), None, T.plus(OLD).plus_ms(2));
        assert_eq!(boards.due(T.plus(OLD).plus_ms(2)), [BoardId(1)]);
    }

    #[test]
    fn after_a_start_each_is_drawn_once_and_old_messages_stay_old() {
        let all = [board(1, None), board(2, None)];
        let mut boards = Boards::restore(&all, &[(BoardId(1), T.minus(OLD).plus_ms(-1)), (BoardId(9), T)], T);
        assert_eq!((boards.due(T), boards.next(T)), (vec![BoardId(1), BoardId(2)], None));
        touch(&mut boards, 1, T.plus_ms(1));
        assert_eq!(boards.due(T.plus(PACE)), [BoardId(2)]);
        assert_eq!(boards.due(T.plus(OLD_PACE)), [BoardId(1)]);
    }

    #[test]
    fn only_boards_of_that_server_are_touched() {
        let mut boards = quiet(&[board(1, Some(1)), board(2, Some(2)), board(3, None)]);
        touch(&mut boards, 2, T);
        assert_eq!(boards.due(T), [BoardId(2), BoardId(3)]);
        boards.want(GuildId(1), Some(BoardId(3)), T);
        assert_eq!(boards.due(T), [BoardId(3)]);
        boards.want(GuildId(0), Some(BoardId(3)), T);
        assert_eq!(boards.due(T), Vec::<BoardId>::new(), "another guild's board");
    }

    #[test]
    fn removed_boards_are_never_drawn_and_failed_ones_again_later() {
        let mut boards = quiet(&[board(1, None), board(2, None)]);
        touch(&mut boards, 1, T);
        boards.sync(&[board(2, None)], T);
        assert_eq!(boards.due(T), [BoardId(2)]);
        boards.again(&[BoardId(1), BoardId(2)], T);
        assert_eq!((boards.due(T), boards.next(T)), (vec![], Some(PACE)), "a broken disk is not hammered");
        assert_eq!(boards.due(T.plus(PACE)), [BoardId(2)]);
        assert_eq!(boards.draw(BoardId(1), &HashMap::new(), &Labels::default(), T), None);
    }

    #[test]
    fn a_clock_that_was_set_back_stops_no_board() {
        let mut boards = quiet(&[board(1, None)]);
        touch(&mut boards, 1, T);
        assert_eq!(boards.due(T), [BoardId(1)]);
        touch(&mut boards, 1, T.plus_ms(-86_400_000));
        assert!(boards.next(T.plus_ms(-86_400_000)).is_some_and(|wait| wait <= PACE), "{boards:?}");
        touch(&mut boards, 1, T.plus_ms(-2 * 86_400_000));
        assert!(boards.next(T.plus_ms(-2 * 86_400_000)).is_some_and(|wait| wait <= PACE), "{boards:?}");
    }

    #[test]
    fn a_board_shows_its_servers_in_order_and_has_a_post_of_its_own() {
        let worlds: HashMap<ServerId, Server> = [3, 1].map(|server| (ServerId(server), Server::default())).into();
        let boards = quiet(&[board(1, None), board(2, Some(3)), board(4, Some(9))]);
        let footers = |id| {
            let drawn = boards.draw(id, &worlds, &Labels::default(), T).unwrap();
            drawn.message.embeds.into_iter().map(|embed| embed.footer.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(footers(BoardId(1)), ["Board #1 · Server 1", "Board #1 · Server 3"]);
        assert_eq!(footers(BoardId(2)), ["Board #2 · Server 3"]);
        assert_eq!(footers(BoardId(4)), ["Board #4 · Server 9"], "it sent nothing yet");
        let draft = boards.draw(BoardId(1), &worlds, &Labels::default(), T).unwrap();
        assert_eq!((draft.key.subject.as_str(), draft.key.server, draft.lane, draft.over), ("board:1", ServerId(0), Lane::Board, false));
        assert_eq!(
            boards.draw(BoardId(1), &worlds, &Labels::default(), T.plus_ms(99)).unwrap().message,
            draft.message,
            "time changes nothing"
        );
        assert_eq!(boards.guild(BoardId(1)), Some(GuildId(1)));
    }
}
