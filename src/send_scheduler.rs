//! Decides which channel may send now, and wakes delivery when one may.
//!
//! One [`ChannelSlot`] for each channel that is being served, one more for its panics, and the rate limits. Whoever stores a post may take its
//! channel's slot at once, claim the post in the same transaction, and hand both over. Never does I/O. Its lock is held for moments only,
//! never across an await.
//!
//! Slots are shared fairly: while a community waits for one, no other has more than its share, and those that have one too many give it back
//! after the message in hand ([`ChannelSlot::should_yield`]). Slots for panics are shared among panics alone.
//!
//! ```text
//!              notify     ┌───────────────────────────────────┐
//!  ingest ────────────────▶ channels to look at ── due ──▶ enter ─▶ ChannelSlot ─▶ claim, send, settle … ─▶ dropped: look again
//!     └── enter ─▶ ChannelSlot ─▶ claimed as it is stored ── hand over ─▶ ┘        delivery
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, UnixMs};
use crate::ids::{ChannelId, CommunityId};
use crate::outbox::{Claim, ClaimRequest, DelayCause, Operation, RateHeaders, SendLimits, SendPace, Wait};

/// Channels served at the same time. Discord allows 50 requests a second in all; an answer takes some 100 ms.
const AT_ONCE: usize = 16;
/// More of them for panics alone.
const FOR_PANICS: usize = 4;
/// After a refused token nothing is sent for this long; then one request tries again.
const STOP_PAUSE: Duration = Duration::from_secs(60);

/// Cheap to clone.
#[derive(Clone)]
pub struct SendScheduler {
    clock: Clock,
    state: Arc<Mutex<State>>,
    notify: Arc<Notify>,
    /// Starts sending what is handed over; without it, that waits for [`SendScheduler::handed`].
    start: Arc<OnceLock<Starter>>,
}

type Starter = Box<dyn Fn(ChannelSlot, Claim) + Send + Sync>;

impl std::fmt::Debug for SendScheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendScheduler").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    limits: SendLimits,
    stop: Stop,
    closed: bool,
    /// Which channels have a slot (`true`: for panics).
    busy: HashMap<(ChannelId, bool), Busy>,
    /// When communities last found all slots of a kind given out. As long as they do, they try again within [`CROWDED_WAIT`].
    crowded: HashMap<(CommunityId, bool), UnixMs>,
    /// Channels to look at, each with its time and whether a panic may be among what waits.
    look: HashMap<ChannelId, Look>,
    all: bool,
    handed: Vec<(ChannelSlot, Claim)>,
    /// When delivery looks next by itself; `None`: nobody knows.
    looks_at: Option<UnixMs>,
    /// A slot was given since this was asked last.
    used: bool,
}

/// A channel that has a slot.
#[derive(Clone, Debug)]
struct Busy {
    community: CommunityId,
    /// Whether something was stored for the channel meanwhile, and a panic.
    notified: Option<bool>,
}

#[derive(Clone, Debug)]
struct Look {
    community: CommunityId,
    at: UnixMs,
    panic: bool,
}

/// What may be sent in a channel now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// New messages may be made.
    pub creates: bool,
    /// Messages may be edited.
    pub edits: bool,
    /// How many messages may be made before the window ends; `None` = that does not matter.
    pub places: Option<u32>,
    /// What is waited for, if anything is.
    pub wait: Option<Wait>,
}

/// Why a request must not be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// A rate limit, of its bucket or of all requests, says so.
    Wait(Wait),
    /// The token was refused, and another request finds out whether it still is.
    Stopped,
}

/// The right to send in a channel. Dropped, the channel is free again, and is looked at: something may have come meanwhile.
#[derive(Debug)]
pub struct ChannelSlot {
    scheduler: SendScheduler,
    channel: ChannelId,
    community: CommunityId,
    panic: bool,
    open: Open,
    /// Nothing waits there: it need not be looked at.
    done: bool,
}

impl ChannelSlot {
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Whose channel it is.
    #[must_use]
    pub fn community(&self) -> &CommunityId {
        &self.community
    }

    /// Whether another community waits for a slot while this one has more than its share: then nothing more is sent with it for now.
    #[must_use]
    pub fn should_yield(&self) -> bool {
        let state = self.scheduler.lock();
        state.is_awaited_by_others(&self.community, self.panic)
            && state.used_by(&self.community, self.panic) > state.share(&self.community, self.panic)
    }

    /// Only a panic may be sent with it.
    #[must_use]
    pub fn panic_only(&self) -> bool {
        self.panic
    }

    /// What may be sent, as it was when the slot was given or last asked for.
    #[must_use]
    pub fn open(&self) -> Open {
        self.open
    }

    /// What may be claimed with it.
    #[must_use]
    pub fn request(&self, now: UnixMs) -> ClaimRequest {
        let Open { creates, edits, places, .. } = self.open;
        ClaimRequest { channel: self.channel, now, panics_only: self.panic, creates, edits, creates_left: places }
    }

    /// Looks again what may be sent.
    pub fn look(&mut self) -> Open {
        let now = self.scheduler.clock.now();
        self.open = self.scheduler.lock().open(self.channel, self.panic, now);
        self.open
    }

    /// Gives it back: nothing waits there now, but perhaps at `at`.
    pub fn give_back(mut self, at: Option<UnixMs>) {
        self.done = true;
        if let Some(at) = at {
            let sooner = self.scheduler.lock().look_at(self.channel, &self.community, at, self.panic);
            self.scheduler.wake_if(sooner);
        }
    }
}

impl Drop for ChannelSlot {
    fn drop(&mut self) {
        let now = self.scheduler.clock.now();
        let mut state = self.scheduler.lock();
        let notified = state.busy.remove(&(self.channel, self.panic)).and_then(|busy| busy.notified);
        let mut sooner = state.recall_crowded(self.panic, now);
        if let Some(panic) = notified.or((!self.done).then_some(self.panic)) {
            sooner |= state.look_at(self.channel, &self.community, now, panic);
        }
        if self.panic {
            // What hangs on a panic, its thread for one, could not go before it.
            sooner |= state.look_at(self.channel, &self.community, now, false);
        }
        drop(state);
        self.scheduler.wake_if(sooner);
    }
}

impl SendScheduler {
    /// `per_second`: Discord's global limit for this bot; 0 = none is kept.
    #[must_use]
    pub fn new(clock: Clock, per_second: u32) -> Self {
        let state = State { limits: SendLimits::new(per_second), all: true, ..State::default() };
        Self { clock, state: Arc::new(Mutex::new(state)), notify: Arc::default(), start: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was stored for a channel of a community.
    pub fn notify(&self, channel: ChannelId, community: &CommunityId, panic: bool) {
        let sooner = self.lock().look_at(channel, community, self.clock.now(), panic);
        self.wake_if(sooner);
    }

    /// Wakes delivery if it would look too late by itself.
    fn wake_if(&self, sooner: bool) {
        if sooner {
            self.notify.notify_one();
        }
    }

    /// Something was stored somewhere.
    pub fn notify_all(&self) {
        self.lock().all = true;
        self.notify.notify_one();
    }

    /// Has everything looked at in the next round, without waking delivery for it.
    pub fn look_again(&self) {
        self.lock().all = true;
    }

    /// Returns when there is something to look at. For one waiter at a time.
    pub async fn notified(&self) {
        self.notify.notified().await;
    }

    /// The slot of a community's channel, if nobody has it and something may be sent there now.
    #[must_use]
    pub fn enter(&self, channel: ChannelId, community: &CommunityId, panic: bool) -> Option<ChannelSlot> {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.closed || state.busy.contains_key(&(channel, panic)) || !state.stop.wait(now).is_zero() {
            return None;
        }
        let open = state.open(channel, panic, now);
        if !(open.creates || open.edits) {
            return None;
        }
        state.crowded.retain(|_, at| now.apart(*at) <= 2 * CROWDED_WAIT);
        if state.is_full_for(community, panic) {
            state.crowded.insert((community.clone(), panic), now);
            return None;
        }
        state.crowded.remove(&(community.clone(), panic));
        state.busy.insert((channel, panic), Busy { community: community.clone(), notified: None });
        state.used = true;
        Some(ChannelSlot { scheduler: self.clone(), channel, community: community.clone(), panic, open, done: false })
    }

    /// What is handed over from now on is started at once, where it is handed over. Only the first one counts.
    pub fn start_with(&self, start: impl Fn(ChannelSlot, Claim) + Send + Sync + 'static) {
        self.start.set(Box::new(start)).ok();
    }

    /// Hands over a post that was claimed with a slot.
    pub fn hand_over(&self, slot: ChannelSlot, claim: Claim) {
        match self.start.get() {
            Some(start) => start(slot, claim),
            None => {
                self.lock().handed.push((slot, claim));
                self.notify.notify_one();
            }
        }
    }

    /// Whether a slot was given since this was asked last.
    #[must_use]
    pub fn was_used(&self) -> bool {
        std::mem::take(&mut self.lock().used)
    }

    /// What was handed over.
    #[must_use]
    pub fn handed(&self) -> Vec<(ChannelSlot, Claim)> {
        std::mem::take(&mut self.lock().handed)
    }

    /// Whether everything should be looked at; asked once.
    #[must_use]
    pub fn look_everywhere(&self) -> bool {
        std::mem::take(&mut self.lock().all)
    }

    /// Notes that a channel of a community has something to send at `at`.
    pub fn later(&self, channel: ChannelId, community: &CommunityId, at: UnixMs, panic: bool) {
        self.lock().look_at(channel, community, at, panic);
    }

    /// Slots for the channels whose time has come, and when the next one's comes: panics first, then one channel of each community, the longest
    /// due first, then the second of each. Channels that must wait are looked at when they need not wait any more; those that are busy, when
    /// they are given back.
    #[must_use]
    pub fn due(&self) -> (Vec<ChannelSlot>, Option<UnixMs>, Vec<(CommunityId, Wait)>) {
        let now = self.clock.now();
        let mut ready: Vec<(ChannelId, Look)> = {
            let mut state = self.lock();
            if state.closed {
                return (Vec::new(), None, Vec::new());
            }
            let ready: Vec<_> =
                state.look.iter().filter(|(_, look)| look.at <= now).map(|(channel, look)| (*channel, look.clone())).collect();
            state.look.retain(|_, look| look.at > now);
            ready
        };
        ready.sort_unstable_by_key(|(channel, look)| (!look.panic, look.at, *channel));
        let mut before: HashMap<(CommunityId, bool), u32> = HashMap::new();
        let mut in_turn: Vec<(bool, u32, ChannelId, Look)> = Vec::with_capacity(ready.len());
        for (channel, look) in ready {
            let turn = before.entry((look.community.clone(), look.panic)).or_default();
            in_turn.push((!look.panic, *turn, channel, look));
            *turn += 1;
        }
        // Stable: within a turn the longest due comes first.
        in_turn.sort_by_key(|(late, turn, ..)| (*late, *turn));
        let (mut slots, mut waits) = (Vec::new(), Vec::new());
        for (_, _, channel, look) in in_turn {
            let express = look.panic.then(|| self.enter(channel, &look.community, true)).flatten();
            let look = Look { panic: look.panic && express.is_none(), ..look };
            slots.extend(express);
            match self.enter(channel, &look.community, false) {
                Some(slot) => slots.push(slot),
                None => {
                    let community = look.community.clone();
                    waits.extend(self.put_off(channel, &look, now).map(|wait| (community, wait)));
                }
            }
        }
        let mut state = self.lock();
        state.looks_at = state.look.values().map(|look| look.at).min();
        (slots, state.looks_at, waits)
    }

    /// The channel cannot be served now: when will it?
    fn put_off(&self, channel: ChannelId, look: &Look, now: UnixMs) -> Option<Wait> {
        let mut state = self.lock();
        if let Some(busy) = state.busy.get_mut(&(channel, false)) {
            busy.notified = Some(busy.notified.unwrap_or(false) || look.panic);
            return None;
        }
        let stopped = state.stop.wait(now);
        let open = state.open(channel, false, now);
        // Nothing in its way but others: somebody gives a slot back soon, and that wakes delivery.
        let length = open.wait.map_or(CROWDED_WAIT, |wait| wait.length).max(stopped);
        state.look_at(channel, &look.community, now.plus(length), look.panic);
        open.wait
    }

    /// A request is about to be sent.
    ///
    /// # Errors
    /// Why it must not be.
    pub fn take(&self, channel: ChannelId, operation: Operation, panic: bool) -> Result<(), Blocked> {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(wait) = state.limits.wait(channel, operation, panic, now) {
            return Err(Blocked::Wait(wait));
        }
        if !state.stop.may_try(now) {
            return Err(Blocked::Stopped);
        }
        state.limits.take(channel, operation, now);
        Ok(())
    }

    /// Its answer, or its end without one.
    pub fn answered(&self, channel: ChannelId, operation: Operation, headers: RateHeaders) {
        let now = self.clock.now();
        self.lock().limits.answered(channel, operation, headers, now);
    }

    /// A question of a command is about to be sent. It waits for nobody.
    pub fn note(&self) {
        let now = self.clock.now();
        self.lock().limits.note(now);
    }

    /// An answer that counts towards Discord's ban.
    pub fn invalid(&self) {
        let now = self.clock.now();
        self.lock().limits.invalid(now);
    }

    /// Such answers in the last ten minutes.
    #[must_use]
    pub fn invalid_lately(&self) -> (u32, SendPace) {
        self.lock().limits.invalid_lately(self.clock.now())
    }

    /// Nothing goes this way for `length`.
    pub fn block(&self, channel: ChannelId, operation: Operation, length: Duration, cause: DelayCause) {
        let now = self.clock.now();
        self.lock().limits.block(channel, operation, length, cause, now);
    }

    /// Nothing at all goes for `length`.
    pub fn block_all(&self, length: Duration) {
        let now = self.clock.now();
        self.lock().limits.block_all(length, now);
    }

    /// The token was refused: all sending stops.
    pub fn stop(&self) {
        let now = self.clock.now();
        self.lock().stop.begin(now);
    }

    /// Discord accepted the token. True if sending had stopped.
    #[must_use]
    pub fn resume(&self) -> bool {
        let resumed = self.lock().stop.lift();
        if resumed {
            self.notify_all();
        }
        resumed
    }

    /// No more slots are given; what was handed over comes back.
    #[must_use]
    pub fn close(&self) -> Vec<(ChannelSlot, Claim)> {
        self.lock().closed = true;
        self.handed()
    }
}

fn slots_for(panic: bool) -> usize {
    if panic { FOR_PANICS } else { AT_ONCE }
}

/// All slots are out: the channel is looked at again after this long even if none comes back.
const CROWDED_WAIT: Duration = Duration::from_millis(250);

impl State {
    /// Whether delivery would look too late by itself.
    fn look_at(&mut self, channel: ChannelId, community: &CommunityId, at: UnixMs, panic: bool) -> bool {
        let look = self.look.entry(channel).or_insert_with(|| Look { community: community.clone(), at, panic });
        *look = Look { community: community.clone(), at: look.at.min(at), panic: look.panic || panic };
        self.looks_at.is_none_or(|looks_at| at < looks_at)
    }

    /// A slot came back: channels that were put off because there was none are looked at now. Whether delivery would look too late by itself.
    fn recall_crowded(&mut self, panic: bool, now: UnixMs) -> bool {
        let mut any = false;
        for look in self.look.values_mut() {
            if look.at > now && look.at.since(now) <= CROWDED_WAIT && self.crowded.contains_key(&(look.community.clone(), panic)) {
                look.at = now;
                any = true;
            }
        }
        any
    }

    fn used_by(&self, community: &CommunityId, panic: bool) -> usize {
        self.busy.iter().filter(|((_, kind), busy)| *kind == panic && busy.community == *community).count()
    }

    fn is_awaited_by_others(&self, community: &CommunityId, panic: bool) -> bool {
        self.crowded.keys().any(|(other, kind)| *kind == panic && other != community)
    }

    /// How many slots of a kind a community may have while others wait.
    fn share(&self, community: &CommunityId, panic: bool) -> usize {
        let having = self.busy.iter().filter(|((_, kind), _)| *kind == panic).map(|(_, busy)| &busy.community);
        let waiting = self.crowded.keys().filter(|(_, kind)| *kind == panic).map(|(community, _)| community);
        let communities: HashSet<&CommunityId> = having.chain(waiting).chain([community]).collect();
        (slots_for(panic) / communities.len()).max(1)
    }

    /// Whether a community gets no slot now: all are given out, or others wait and it has its share.
    fn is_full_for(&self, community: &CommunityId, panic: bool) -> bool {
        let used = self.busy.keys().filter(|(_, kind)| *kind == panic).count();
        used >= slots_for(panic)
            || self.is_awaited_by_others(community, panic) && self.used_by(community, panic) >= self.share(community, panic)
    }

    fn open(&self, channel: ChannelId, panic: bool, now: UnixMs) -> Open {
        let create = self.limits.wait(channel, Operation::Create, panic, now);
        let edit = self.limits.wait(channel, Operation::Edit, panic, now);
        let wait = [create, edit].into_iter().flatten().min_by_key(|wait| wait.length);
        Open { creates: create.is_none(), edits: edit.is_none(), places: self.limits.places(channel, now), wait }
    }
}

/// What a refused token does to all sending: nothing goes before this time, then one request tries.
#[derive(Debug, Default)]
struct Stop(Option<UnixMs>);

impl Stop {
    fn begin(&mut self, now: UnixMs) {
        self.0 = Some(now.plus(STOP_PAUSE));
    }

    /// True if there was one.
    fn lift(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Time until a request may try; 0 = now.
    fn wait(&self, now: UnixMs) -> Duration {
        self.0.map_or(Duration::ZERO, |until| until.since(now))
    }

    /// Whoever asks first after the pause takes the turn; the others wait for what comes of it.
    fn may_try(&mut self, now: UnixMs) -> bool {
        if !self.wait(now).is_zero() {
            return false;
        }
        if self.0.is_some() {
            self.begin(now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ChannelId = ChannelId(1);
    const B: ChannelId = ChannelId(2);

    fn scheduler() -> (Clock, SendScheduler) {
        let clock = Clock::manual(UnixMs(1_000_000));
        (clock.clone(), SendScheduler::new(clock, 0))
    }

    fn c() -> CommunityId {
        CommunityId::new("c")
    }

    fn channels(slots: &[ChannelSlot]) -> Vec<(ChannelId, bool)> {
        slots.iter().map(|slot| (slot.channel(), slot.panic_only())).collect()
    }

    #[test]
    fn one_pass_for_a_channel_and_one_for_its_panics() {
        let (_, scheduler) = scheduler();
        let slot = scheduler.enter(A, &c(), false).unwrap();
        assert!(scheduler.enter(A, &c(), false).is_none() && scheduler.enter(B, &c(), false).is_some());
        let express = scheduler.enter(A, &c(), true).unwrap();
        assert!(scheduler.enter(A, &c(), true).is_none() && express.panic_only());
        slot.give_back(None);
        assert!(scheduler.enter(A, &c(), false).is_some());
    }

    #[test]
    fn panics_find_room_when_everybody_else_is_slow() {
        let (_, scheduler) = scheduler();
        let all: Vec<ChannelSlot> = (0..100).filter_map(|channel| scheduler.enter(ChannelId(channel), &c(), false)).collect();
        assert_eq!(all.len(), AT_ONCE);
        assert!(scheduler.enter(ChannelId(500), &c(), true).is_some());
    }

    /// One community floods forty channels; another has one message to send.
    #[test]
    fn a_community_that_floods_leaves_the_others_their_share() {
        let (_, scheduler) = scheduler();
        let other = CommunityId::new("other");
        let mut flood: Vec<ChannelSlot> = (100..140).filter_map(|channel| scheduler.enter(ChannelId(channel), &c(), false)).collect();
        assert_eq!((flood.len(), flood[0].should_yield()), (AT_ONCE, false), "as many as there are, while nobody else wants one");
        assert!(scheduler.enter(A, &other, false).is_none());
        scheduler.notify(A, &other, false);
        assert!(channels(&scheduler.due().0).is_empty());
        assert!(flood[0].should_yield(), "somebody waits, and this one has more than its share");
        let first = flood.pop().map(|slot| slot.channel()).unwrap();
        assert!(scheduler.enter(first, &c(), false).is_none(), "what comes back is for those who wait");
        let (slots, ..) = scheduler.due();
        assert_eq!(channels(&slots), [(A, false)]);
        assert!(!flood[0].should_yield() && !slots[0].should_yield(), "nobody waits any more");
        // Others come for their share, one by one, until it is reached.
        let more: Vec<ChannelSlot> = std::iter::from_fn(|| {
            let channel = ChannelId(1_000 + u64::try_from(flood.len()).unwrap());
            scheduler.enter(channel, &other, false).or_else(|| {
                flood.pop().filter(ChannelSlot::should_yield)?;
                scheduler.enter(channel, &other, false)
            })
        })
        .collect();
        assert_eq!((slots.len() + more.len(), flood.len()), (AT_ONCE / 2, AT_ONCE / 2 - 1));
    }

    #[test]
    fn what_is_due_goes_in_turns_of_communities() {
        let (_, scheduler) = scheduler();
        let other = CommunityId::new("other");
        for channel in 100..120 {
            scheduler.notify(ChannelId(channel), &c(), false);
        }
        scheduler.notify(ChannelId(900), &other, false);
        scheduler.notify(ChannelId(901), &other, false);
        let order: Vec<u64> = scheduler.due().0.iter().map(|slot| slot.channel().0).collect();
        assert_eq!(order[..5], [100, 900, 101, 901, 102]);
    }

    #[test]
    fn what_is_rung_for_while_a_channel_is_busy_is_looked_at_when_it_is_free() {
        let (_, scheduler) = scheduler();
        let slot = scheduler.enter(A, &c(), false).unwrap();
        scheduler.notify(A, &c(), false);
        assert!(channels(&scheduler.due().0).is_empty());
        // It asked the store before the notification.
        slot.give_back(None);
        assert_eq!(channels(&scheduler.due().0), [(A, false)]);
    }

    #[test]
    fn a_panic_enters_beside_a_busy_worker_and_first_of_all() {
        let (_, scheduler) = scheduler();
        let _slow = scheduler.enter(A, &c(), false).unwrap();
        scheduler.notify(B, &c(), false);
        scheduler.notify(A, &c(), true);
        assert_eq!(channels(&scheduler.due().0), [(A, true), (B, false)]);
    }

    #[test]
    fn a_channel_comes_again_at_its_time_and_the_earliest_counts() {
        let (clock, scheduler) = scheduler();
        scheduler.later(A, &c(), UnixMs(1_000_900), false);
        scheduler.later(A, &c(), UnixMs(1_000_500), false);
        let (slots, next, _) = scheduler.due();
        assert_eq!((slots.len(), next), (0, Some(UnixMs(1_000_500))));
        clock.advance(500);
        assert_eq!(channels(&scheduler.due().0), [(A, false)]);
    }

    #[test]
    fn a_channel_that_may_not_be_served_is_looked_at_when_it_may() {
        let (clock, scheduler) = scheduler();
        for operation in [Operation::Create, Operation::Edit] {
            scheduler.block(A, operation, Duration::from_millis(700), DelayCause::RetryAfter);
        }
        scheduler.notify(A, &c(), false);
        let (slots, next, waits) = scheduler.due();
        assert_eq!(
            (slots.len(), next, waits),
            (0, Some(UnixMs(1_000_700)), vec![(c(), Wait { length: Duration::from_millis(700), cause: DelayCause::RetryAfter })])
        );
        clock.advance(700);
        assert_eq!(channels(&scheduler.due().0), [(A, false)]);
    }

    #[test]
    fn after_a_refused_token_one_request_a_pause_tries_and_success_frees_all() {
        let (clock, scheduler) = scheduler();
        scheduler.stop();
        assert!(scheduler.enter(A, &c(), false).is_none());
        scheduler.notify(A, &c(), false);
        assert_eq!(scheduler.due().1, Some(UnixMs(1_060_000)));
        clock.advance(60_000);
        assert_eq!(channels(&scheduler.due().0), [(A, false)]);
        assert_eq!(scheduler.take(A, Operation::Create, false), Ok(()), "the first");
        assert_eq!(scheduler.take(B, Operation::Create, false), Err(Blocked::Stopped), "everybody else");
        assert!(scheduler.resume() && !scheduler.resume());
        assert_eq!(scheduler.take(B, Operation::Create, false), Ok(()));
        assert!(scheduler.look_everywhere(), "what waited is looked at");
    }

    #[test]
    fn once_closed_nobody_enters_and_what_was_handed_over_comes_back() {
        let (_, scheduler) = scheduler();
        scheduler.notify(A, &c(), false);
        assert!(scheduler.close().is_empty());
        assert!(scheduler.enter(A, &c(), false).is_none() && scheduler.due().0.is_empty());
    }
}
