//! Random steps, with few channels, guilds and subjects, so that they meet.

use std::time::Duration;

use fastrand::Rng;

use crate::clock::{UnixMs, ms};
use crate::ids::{BoardId, CallId, ChannelId, CommunityId, GuildId, Ident, MessageId, RoleId, ServerId};
use crate::outbox::queue::{CardReply, Claim, ClaimRequest, Post, PostSubject};
use crate::outbox::{DesiredPost, Lane, Obstacle, Place, Settlement};
use crate::render::{CardLink, Embed, Field, File, Message};
use crate::route::{Board, BoardKind, Threads};
use crate::world::Subject;

pub(super) const START: UnixMs = UnixMs(1_700_000_000_000);
pub(super) const GUILDS: [GuildId; 2] = [GuildId(11), GuildId(22)];
pub(super) const CHANNELS: [ChannelId; 4] = [ChannelId(1), ChannelId(2), ChannelId(3), ChannelId(4)];
/// The others take plain messages.
const FORUM: ChannelId = ChannelId(3);
const WITH_THREADS: ChannelId = ChannelId(2);

pub(super) fn community() -> CommunityId {
    CommunityId::new("c")
}

/// Channels belong to one guild; the last one to the second.
pub(super) fn guild_of(channel: ChannelId) -> GuildId {
    if channel == CHANNELS[3] { GUILDS[1] } else { GUILDS[0] }
}

pub(super) fn board(number: i64) -> Board {
    let channel = CHANNELS[usize::try_from(number).unwrap() % 2];
    let server = (number > 1).then_some(ServerId(1));
    Board { id: BoardId(number), guild: guild_of(channel), community: community(), channel, kind: BoardKind::Both, server }
}

/// One thing that happens. Claims are named by a number that is taken modulo those that are open.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Desire {
        drafts: Vec<DesiredPost>,
        requests: Vec<ClaimRequest>,
    },
    /// Something that was shown looks otherwise now. Which follows from the dice.
    Redraw(u64),
    Claim(ClaimRequest),
    /// What came of it follows from the claim and the dice.
    Settle {
        claim: usize,
        dice: u64,
        next: Option<ClaimRequest>,
    },
    Release {
        claim: usize,
        after: i64,
    },
    OpenThread {
        claim: usize,
        thread: u64,
    },
    Pass(i64),
    Restart,
    /// What was to be stored could not be.
    Fail {
        drafts: Vec<DesiredPost>,
        request: ClaimRequest,
    },
    Reopen(ChannelId),
    ReopenGuild(GuildId),
    Link(GuildId),
    Unlink(GuildId),
    OnlyGuild(Option<GuildId>),
    Prune {
        age: i64,
    },
    CloseBoard(i64),
    ForgetBoard(i64),
    ResendBoard(i64),
    ShowAgain {
        guild: GuildId,
        server: ServerId,
        subject: PostSubject,
    },
}

fn one<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

fn percent(rng: &mut Rng, chance: u8) -> bool {
    rng.u8(..100) < chance
}

/// One scenario: the edit window, and what happens.
pub(super) fn run(seed: u64) -> (Duration, Vec<Step>) {
    let mut rng = Rng::with_seed(seed);
    let window = one(&mut rng, &[0, 500].map(ms));
    let steps = rng.usize(20..50);
    (window, (0..steps).map(|_| step(&mut rng)).collect())
}

fn step(rng: &mut Rng) -> Step {
    match rng.u8(..100) {
        0..14 => desire(rng),
        14..22 => Step::Redraw(rng.u64(..)),
        22..36 => Step::Claim(request(rng)),
        36..66 => {
            let next = percent(rng, 70).then(|| request(rng));
            Step::Settle { claim: rng.usize(..8), dice: rng.u64(..), next }
        }
        66..68 => Step::Release { claim: rng.usize(..8), after: one(rng, &[0, 700]) },
        68..72 => Step::OpenThread { claim: rng.usize(..8), thread: rng.u64(900..903) },
        72..83 => Step::Pass(one(rng, &[1, 20, 500, 1_000, 5_000, 30_000, 60_001])),
        83..85 => Step::Pass(one(rng, &[125_000, 3_600_001, 86_400_001])),
        85 => Step::Restart,
        86 => Step::Fail { drafts: (0..rng.usize(1..4)).map(|_| draft(rng)).collect(), request: request(rng) },
        87 => Step::Reopen(one(rng, &CHANNELS)),
        88 => Step::ReopenGuild(one(rng, &GUILDS)),
        89..91 => Step::Link(one(rng, &GUILDS)),
        91 if percent(rng, 30) => Step::Unlink(one(rng, &GUILDS)),
        91 => Step::OnlyGuild(None),
        92 if percent(rng, 50) => Step::OnlyGuild(one(rng, &[None, None, None, Some(GUILDS[0]), Some(GUILDS[1])])),
        93 => Step::Prune { age: one(rng, &[0, 60_000, 90 * 86_400_000]) },
        94 => Step::CloseBoard(rng.i64(1..3)),
        95 => Step::ForgetBoard(rng.i64(1..3)),
        96 => Step::ResendBoard(rng.i64(1..3)),
        97..99 => Step::ShowAgain { guild: one(rng, &GUILDS), server: server(rng), subject: PostSubject::Card(card(rng)) },
        _ => Step::Pass(1),
    }
}

fn request(rng: &mut Rng) -> ClaimRequest {
    ClaimRequest {
        channel: channel(rng),
        now: START,
        panics_only: percent(rng, 10),
        creates: percent(rng, 85),
        edits: percent(rng, 85),
        creates_left: one(rng, &[None, Some(0), Some(1), Some(1), Some(1), Some(2), Some(4), Some(5)]),
    }
}

fn server(rng: &mut Rng) -> ServerId {
    ServerId(if percent(rng, 8) { 2 } else { 1 })
}

fn card(rng: &mut Rng) -> Subject {
    let number = rng.i64(1..3);
    match rng.u8(..10) {
        0..2 => Subject::Emergency(CallId(number), START),
        2..6 => Subject::Dispatch(CallId(if percent(rng, 60) { 1 } else { 2 }), START),
        6..8 => Subject::Panic(Ident(number), START),
        // Cards of bursts, too: they share messages.
        _ => Subject::Event(rng.i64(100..105), 0),
    }
}

fn channel(rng: &mut Rng) -> ChannelId {
    CHANNELS[match rng.u8(..20) {
        0..8 => 0,
        8..13 => 1,
        13..18 => 2,
        _ => 3,
    }]
}

fn desire(rng: &mut Rng) -> Step {
    let drafts = if percent(rng, 12) {
        // A burst into one channel.
        let (channel, kind, silent) = (channel(rng), rng.u8(..2), percent(rng, 20));
        (0..rng.i64(4..16)).map(|nth| burst(rng, channel, kind, silent, nth)).collect()
    } else {
        (0..rng.usize(1..4)).map(|_| draft(rng)).collect()
    };
    let requests = (0..rng.usize(..3)).map(|_| request(rng)).collect();
    Step::Desire { drafts, requests }
}

fn burst(rng: &mut Rng, channel: ChannelId, kind: u8, silent: bool, nth: i64) -> DesiredPost {
    let subject = match kind {
        0 => PostSubject::Card(Subject::Event(100 + nth, 0)),
        _ => PostSubject::LogPage { seq: 100 + nth, nth: 0, page: 0 },
    };
    let lane = if kind == 0 { one(rng, &[Lane::New, Lane::Urgent]) } else { Lane::Log };
    let message = Message { silent, ..message(rng, &[]) };
    let closed = kind == 1 || percent(rng, 30);
    DesiredPost { lane, over: closed, ..plain(channel, server(rng), &subject, message) }
}

fn plain(channel: ChannelId, server: ServerId, subject: &PostSubject, message: Message) -> DesiredPost {
    let mut draft = DesiredPost::own(guild_of(channel), channel, community(), server, subject.to_string(), message, START);
    draft.over = false;
    draft
}

fn draft(rng: &mut Rng) -> DesiredPost {
    let channel = channel(rng);
    let server = server(rng);
    let about = card(rng);
    let mut draft = match rng.u8(..100) {
        0..46 => of_card(rng, channel, server, about),
        46..56 => {
            let reply = one(rng, &[CardReply::Over, CardReply::Call, CardReply::Escalation { route: 1, minutes: 5 }]);
            let place = if channel == FORUM { Place::Thread } else { Place::Channel };
            DesiredPost { place, lane: one(rng, &[Lane::New, Lane::Urgent, Lane::Panic]), ..reply_to(rng, channel, server, about, reply) }
        }
        56..74 => {
            let note = CardReply::Note { seq: 1, nth: 0, count: rng.u32(1..4) };
            let reply = one(rng, &[CardReply::ThreadOpening, note]);
            DesiredPost { place: Place::Thread, ..reply_to(rng, channel, server, about, reply) }
        }
        74..80 => DesiredPost { place: Place::Archive, ..reply_to(rng, channel, server, about, CardReply::Archive) },
        80..88 => {
            let page = PostSubject::LogPage { seq: rng.i64(1..3), nth: 0, page: 0 };
            DesiredPost { lane: Lane::Log, over: true, ..plain(channel, server, &page, message(rng, &[])) }
        }
        88..94 => {
            let Board { id, channel, server, .. } = board(rng.i64(1..3));
            let subject = PostSubject::Board(id);
            let message = Message { silent: true, ..message(rng, &[]) };
            DesiredPost { lane: Lane::Board, ..plain(channel, server.unwrap_or(ServerId(0)), &subject, message) }
        }
        _ => {
            let subject = PostSubject::Other(one(rng, &["notice:lost:1:1", "confirm:routes:1:abc", "test:1.0.0"]).into());
            DesiredPost { over: true, ..plain(channel, server, &subject, message(rng, &[])) }
        }
    };
    // What never happens must not differ either.
    match rng.u8(..100) {
        0 => draft.lane = one(rng, &Lane::ALL),
        1 => draft.place = one(rng, &Place::ALL),
        2 => draft.over = !draft.over,
        3 => draft.guild = one(rng, &GUILDS),
        4 => draft.parent = Some(card(rng).to_string()),
        5 => draft.threads = one(rng, &Threads::ALL),
        _ => {}
    }
    draft
}

fn of_card(rng: &mut Rng, channel: ChannelId, server: ServerId, about: Subject) -> DesiredPost {
    let links: Vec<Subject> = (0..rng.usize(..3)).map(|_| card(rng)).collect();
    let place = if channel == FORUM { Place::Forum } else { Place::Channel };
    let new = match about {
        Subject::Panic(..) => Lane::Panic,
        Subject::Emergency(..) => Lane::Urgent,
        _ => Lane::New,
    };
    let lane = if percent(rng, 40) { Lane::Edit } else { new };
    // The events of several panics may be one.
    let event = if new == Lane::Panic { rng.i64(1..3) } else { 0 };
    let threads = if channel == WITH_THREADS { one(rng, &[Threads::Always, Threads::OnFirstNote]) } else { Threads::Off };
    let mut message = message(rng, &links);
    if new == Lane::Panic && percent(rng, 80) {
        message.roles = vec![RoleId(5)];
    }
    let roles = message.roles.clone();
    let mut draft = DesiredPost { place, lane, event, threads, roles, ..plain(channel, server, &PostSubject::Card(about), message) };
    draft.over = percent(rng, 30);
    draft
}

fn reply_to(rng: &mut Rng, channel: ChannelId, server: ServerId, about: Subject, reply: CardReply) -> DesiredPost {
    let subject = PostSubject::Reply { card: about, reply };
    DesiredPost { lane: Lane::Log, over: true, parent: Some(about.to_string()), ..plain(channel, server, &subject, message(rng, &[])) }
}

/// Few texts, so that one is often drawn again as it was.
fn message(rng: &mut Rng, links: &[Subject]) -> Message {
    let links: Vec<CardLink> = links.iter().map(|to| CardLink { text: "Call".into(), to: to.to_string() }).collect();
    let field = Field { name: "Became".into(), value: "Call Call".into(), inline: true, links };
    let title = one(rng, &["Fire", "Flood", "Theft"]).into();
    let description = percent(rng, 8).then(|| crate::render::text::SafeText::trusted("x".repeat(1_500)));
    let embed = Embed { title: Some(title), description, fields: vec![field], ..Embed::default() };
    let file = || File { name: "a.png".into(), base64: String::new(), description: "".into() };
    Message {
        content: percent(rng, 20).then(|| "Words".into()),
        embeds: if percent(rng, 92) { vec![embed] } else { Vec::new() },
        roles: one(rng, &[vec![], vec![RoleId(5)], vec![RoleId(5), RoleId(6)]]),
        files: if percent(rng, 4) { vec![file()] } else { Vec::new() },
        silent: percent(rng, 20),
        ..Message::default()
    }
}

/// One of the posts that were shown, as it should look now.
pub(super) fn redrawn<'p>(dice: u64, posts: impl Iterator<Item = &'p Post>) -> Option<DesiredPost> {
    let rng = &mut Rng::with_seed(dice);
    let shown: Vec<&Post> = posts.filter(|post| post.shown_at.is_some() && post.place != Place::Archive).collect();
    if shown.is_empty() {
        return None;
    }
    let post = one(rng, &shown);
    let mut message = Message::clone(&post.message);
    message.content = one(rng, &[None, Some("Words".into()), Some("Other words".into())]);
    let Post { channel, guild, style, place, threads, event, .. } = *post;
    let lane = if matches!(post.lane, Lane::Log | Lane::Board) { post.lane } else { Lane::Edit };
    let (roles, parent) = (post.roles.clone(), post.parent.as_ref().map(PostSubject::to_string));
    let draft = plain(channel, post.about.server, &post.about.subject, message);
    Some(DesiredPost { guild, style, place, threads, event, lane, roles, parent, over: percent(rng, 50), ..draft })
}

/// What came of a claim: mostly what may come of one like it.
pub(super) fn settlement(dice: u64, claim: &Claim, now: UnixMs) -> Settlement {
    let rng = &mut Rng::with_seed(dice);
    let lead = &claim.lead;
    let made = MessageId(MessageId::earliest(now).0 + rng.u64(..1_000));
    let delivered = match lead.message_id {
        Some(known) if !percent(rng, 3) => known,
        _ => made,
    };
    let reason = one(rng, &["one", "two"]).to_owned();
    // A person deletes only what stands.
    let is_gone = lead.message_id.is_some() && percent(rng, 15);
    match rng.u8(..100) {
        _ if is_gone && lead.closed && !lead.is_log_page() => Settlement::Over,
        _ if is_gone => Settlement::Repost,
        0..62 => Settlement::Delivered(delivered),
        62..76 => {
            let obstacle = rng.u8(..10).checked_sub(2).map(|_| obstacle(rng, lead.place));
            let (counts, in_doubt, on_purpose) = (percent(rng, 80), percent(rng, 40), percent(rng, 20));
            Settlement::Again { due: now.plus_ms(one(rng, &[0, 500, 5_000, 60_000])), counts, in_doubt, reason, obstacle, on_purpose }
        }
        76..82 => Settlement::Park { until: now.plus_ms(one(rng, &[1, 1_000, 60_000])), reason },
        82..90 => Settlement::Alone,
        90..92 => Settlement::Over,
        92..94 => Settlement::Repost,
        _ => Settlement::Fail { reason },
    }
}

fn obstacle(rng: &mut Rng, place: Place) -> Obstacle {
    use Obstacle::{Blocked, Down, Edge, Full, Limit, Locked, Name, Refused, Tags, Threads, Unknown};
    match place {
        Place::Thread if percent(rng, 60) => one(rng, &[Full, Threads]),
        _ => one(rng, &[Down, Edge, Full, Full, Tags, Locked, Threads, Blocked, Blocked, Refused, Refused, Name, Limit(2), Unknown(1)]),
    }
}
