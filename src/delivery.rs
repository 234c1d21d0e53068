//! Sends posts until Discord shows what it should: claim, send, settle.
//!
//! Job: one worker per channel that has something to send, and one more for its panics; the only place that sends alerts. Never holds a
//! transaction across a request, never decides what is posted. The [`SendScheduler`] decides when anything may be sent.
//!
//! ```text
//! scheduler: woken, or a time has come ─▶ a slot ─▶ claim ┐
//!       handed over by ingest, claimed already ───────┴▶ (look for a lost create) ─▶ send ─▶ settle, and claim the next ─┐
//!                                                          ▲                                                             │
//!                                                          └── until nothing may go: the slot is given back ◀────────────┘
//! ```

mod send;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::{Clock, UnixMs};
use crate::discord::rest::{Rest, SendResult};
use crate::ids::{ChannelId, CommunityId, GuildId};
use crate::metrics::{Metrics, PostOutcome, WaitCause};
use crate::outbox::queue::ChannelDue;
use crate::outbox::{
    Claim, ClaimOutcome, ClaimRequest, DelayCause, Lane, Obstacle, Operation, Place, RateScope, SendPace, SettleOutcome, Settlement,
    Verdict, Wait, settle,
};
use crate::send_scheduler::{Blocked, ChannelSlot, SendScheduler};
use crate::shutdown::Tasks;
use crate::status::HostStatus;
use crate::store::{Store, StoreError};

/// Everything is looked at this often, whatever was notified.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The queue is counted at most this often, for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// After the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep before a known time: somebody may set the machine's clock meanwhile.
const MAX_SLEEP: Duration = Duration::from_millis(500);

/// Longest pause of a channel after an error that is likely to pass.
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);

/// A problem to report to people, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Discord refused a channel.
    Refused {
        community: CommunityId,
        guild: GuildId,
        channel: ChannelId,
        /// Discord's message.
        reason: String,
    },
    /// Something other than a permission keeps messages back.
    Obstructed {
        community: CommunityId,
        guild: GuildId,
        channel: ChannelId,
        /// The thread or forum post, if it is about one.
        thread: ChannelId,
        obstacle: Obstacle,
        /// Discord's message.
        reason: String,
    },
}

impl Trouble {
    /// Whose alerts are held up.
    #[must_use]
    pub fn community(&self) -> &CommunityId {
        match self {
            Self::Refused { community, .. } | Self::Obstructed { community, .. } => community,
        }
    }
}

/// Everything delivery needs from outside.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The queue.
    pub store: Store,
    pub clock: Clock,
    pub rest: Rest,
    pub metrics: Metrics,
    pub status: HostStatus,
    /// Who may be served, and when.
    pub scheduler: SendScheduler,
    /// The task that reports problems to people.
    pub trouble: mpsc::Sender<Trouble>,
}

#[derive(Debug)]
struct Shared {
    outside: Delivery,
    tasks: Tasks,
}

/// Delivers by the same rules, one post after another and only when called: for simulations, which advance the time themselves.
#[derive(Debug)]
pub struct ManualDelivery(Shared);

impl ManualDelivery {
    /// Sends what may be sent now. Returns when something may be sent next, if anything waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn serve(&self) -> Result<Option<UnixMs>, StoreError> {
        let shared = &self.0;
        loop {
            let mut sent = 0;
            for (slot, claim) in shared.outside.scheduler.handed() {
                sent += shared.work(slot, Some(claim)).await?;
            }
            shared.look_everywhere().await?;
            let (slots, next, _) = shared.outside.scheduler.due();
            for slot in slots {
                sent += shared.work(slot, None).await?;
            }
            if sent == 0 {
                return Ok(next);
            }
        }
    }
}

impl Delivery {
    /// For simulations that call [`ManualDelivery::serve`] instead of [`Delivery::run`].
    #[must_use]
    pub fn manual(self) -> ManualDelivery {
        ManualDelivery(Shared { outside: self, tasks: Tasks::default() })
    }

    /// Runs until draining begins; sends in hand are then finished by their workers, new ones are not claimed.
    pub async fn run(self, tasks: Tasks) {
        let scheduler = self.scheduler.clone();
        let shared = Arc::new(Shared { outside: self, tasks: tasks.clone() });
        // What is claimed as it is stored is sent by whoever stored it: nobody needs to wake up for it first.
        let starter = Arc::downgrade(&shared);
        scheduler.start_with(move |slot, claim| {
            if let Some(shared) = starter.upgrade() {
                shared.start(slot, Some(claim));
            }
        });
        let mut wait = Duration::ZERO;
        let mut net = tokio::time::interval(LOOK_EVERY);
        let mut count = tokio::time::interval(COUNT_EVERY);
        let mut busy = true;
        loop {
            tokio::select! {
                biased;
                () = tasks.draining() => break,
                // Seldom, and never to be starved by notifications.
                _ = net.tick() => scheduler.notify_all(),
                _ = count.tick() => busy = (scheduler.was_used() || busy) && shared.count().await,
                () = scheduler.notified() => busy = true,
                () = tokio::time::sleep(wait) => {}
            }
            wait = shared.clone().round().await;
        }
        for (slot, claim) in scheduler.close() {
            if let Err(error) = shared.outside.store.release(claim, shared.outside.clock.now()).await {
                tracing::warn!(%error, "a post that was not sent could not be given back; it is looked for after the next start");
            }
            drop(slot);
        }
    }
}

impl Shared {
    /// Starts a worker for each channel that may be served. Returns when to look again.
    async fn round(self: Arc<Self>) -> Duration {
        let scheduler = &self.outside.scheduler;
        for (slot, claim) in scheduler.handed() {
            self.start(slot, Some(claim));
        }
        if scheduler.look_everywhere()
            && let Err(error) = self.look_everywhere().await
        {
            tracing::error!(%error, "the queue cannot be read");
            scheduler.look_again();
            return STORE_PAUSE;
        }
        let (slots, next, waits) = scheduler.due();
        for slot in slots {
            self.start(slot, None);
        }
        for (community, wait) in waits {
            self.waited(&community, wait);
        }
        let now = self.outside.clock.now();
        let next = next.map_or(LOOK_EVERY, |at| at.since(now));
        next.clamp(Duration::from_millis(1), if next < LOOK_EVERY { MAX_SLEEP } else { LOOK_EVERY })
    }

    fn start(self: &Arc<Self>, slot: ChannelSlot, claim: Option<Claim>) {
        let shared = Arc::clone(self);
        let channel = slot.channel();
        drop(self.tasks.spawn(async move {
            if let Err(error) = shared.work(slot, claim).await {
                tracing::error!(%error, %channel, "a post could not be claimed or settled");
            }
        }));
    }

    /// Notes every channel that has something to send.
    async fn look_everywhere(&self) -> Result<(), StoreError> {
        for ChannelDue { channel, community, at, panic, .. } in self.outside.store.due().await? {
            self.outside.scheduler.later(channel, &community, at, panic);
        }
        Ok(())
    }

    /// Reports the backlog and the recent invalid requests. True if there are any.
    async fn count(&self) -> bool {
        let Delivery { store, clock, metrics, status, scheduler, .. } = &self.outside;
        let now = clock.now();
        let (invalid, pace) = scheduler.invalid_lately();
        metrics.invalid_requests(invalid as usize);
        status.slowed(match pace {
            SendPace::Free => None,
            SendPace::Slow => Some(format!("Discord refused {invalid} requests in ten minutes: alerts other than panics go one a second")),
            SendPace::Stop { .. } => Some(format!(
                "Discord refused {invalid} requests in ten minutes: sending is paused so that Discord doesn't ban this address. Fix the channels that /cad diagnose names"
            )),
        });
        let Ok(lanes) = store.backlog().await else { return true };
        for lane in Lane::ALL {
            let of_lane = || lanes.iter().filter(|waiting| waiting.lane == lane);
            let oldest = of_lane().map(|waiting| now.since(waiting.since)).max().unwrap_or_default();
            metrics.queue(lane, of_lane().map(|waiting| waiting.posts).sum(), oldest);
        }
        for (community, status) in status.all() {
            let own = lanes.iter().filter(|waiting| waiting.community == community);
            status.queue(&own.map(|waiting| (waiting.lane, waiting.posts, now.since(waiting.since))).collect::<Vec<_>>());
        }
        if let Ok(parked) = store.parked().await {
            metrics.parked_channels(parked.len());
        }
        !lanes.is_empty() || invalid > 0
    }

    fn waited(&self, community: &CommunityId, wait: Wait) {
        let cause = match wait.cause {
            DelayCause::Bucket => WaitCause::Channel,
            DelayCause::Batching => WaitCause::Batching,
            DelayCause::Global => WaitCause::Global,
            DelayCause::RetryAfter => WaitCause::RetryAfter,
            DelayCause::Guard => WaitCause::Guard,
            DelayCause::OutagePause => WaitCause::OutagePause,
            DelayCause::OldMessage => WaitCause::Edits,
        };
        self.outside.metrics.rate_wait(cause, wait.length);
        // The batching pause is deliberate: `/cad status` shows only waits that limits cause.
        if wait.cause != DelayCause::Batching {
            self.outside.status.of(community).waited(cause.as_str(), wait.length, self.outside.clock.now());
        }
    }

    /// Serves a channel until nothing may go. Returns how many posts were tried.
    async fn work(&self, mut slot: ChannelSlot, claimed: Option<Claim>) -> Result<usize, StoreError> {
        let mut tried = 0;
        let mut found = match claimed {
            Some(claim) => ClaimOutcome::Claimed(Box::new(claim)),
            None => match self.outside.store.take(self.request(&slot)).await {
                Ok(found) => found,
                Err(error) => return self.rest_after(slot, error),
            },
        };
        loop {
            match found {
                ClaimOutcome::Nothing => {
                    slot.give_back(None);
                    return Ok(tried);
                }
                ClaimOutcome::NotBefore(at) => {
                    // What is past waits for an operation that was not open.
                    let now = self.outside.clock.now();
                    let wait = slot.look().wait;
                    let open = wait.filter(|_| at <= now).map_or(at, |wait| now.plus(wait.length));
                    if let (Some(wait), true) = (wait, at <= now) {
                        self.waited(slot.community(), wait);
                    }
                    slot.give_back(Some(open.max(now.plus_ms(1))));
                    return Ok(tried);
                }
                ClaimOutcome::Claimed(claim) => match self.one(&mut slot, *claim).await {
                    Ok(next) => {
                        tried += 1;
                        found = next;
                    }
                    Err(error) => return self.rest_after(slot, error),
                },
            }
        }
    }

    /// The store failed: what is claimed is nobody's until its lease runs out.
    fn rest_after(&self, slot: ChannelSlot, error: StoreError) -> Result<usize, StoreError> {
        slot.give_back(Some(self.outside.clock.now().plus(STORE_PAUSE)));
        Err(error)
    }

    fn request(&self, slot: &ChannelSlot) -> ClaimRequest {
        slot.request(self.outside.clock.now())
    }

    /// Sends a claim, settles it, and claims the next.
    async fn one(&self, slot: &mut ChannelSlot, mut claim: Claim) -> Result<ClaimOutcome, StoreError> {
        let Delivery { store, clock, scheduler, .. } = &self.outside;
        let (channel, operation) = (claim.channel(), claim.operation());
        match scheduler.take(channel, operation, slot.panic_only()) {
            Ok(()) => {}
            // Its own bucket is empty: it waits, others of the channel may go.
            Err(Blocked::Wait(wait)) => {
                self.waited(slot.community(), wait);
                store.release(claim, clock.now().plus(wait.length)).await?;
                slot.look();
                return store.take(self.request(slot)).await;
            }
            Err(Blocked::Stopped) => {
                store.release(claim, clock.now()).await?;
                return Ok(ClaimOutcome::NotBefore(clock.now()));
            }
        }
        let answer = self.send(&mut claim).await;
        // What was looked for and found was edited instead: that says nothing about the bucket of new messages.
        let headers = answer.as_ref().ok().filter(|answer| answer.operation == Some(operation)).map(|answer| answer.headers);
        scheduler.answered(channel, operation, headers.unwrap_or_default());
        self.settle(slot, claim, answer?).await
    }

    async fn settle(&self, slot: &mut ChannelSlot, claim: Claim, answer: SendResult) -> Result<ClaimOutcome, StoreError> {
        let Delivery { store, clock, scheduler, status, .. } = &self.outside;
        let now = clock.now();
        let (channel, community) = (claim.lead.channel, claim.lead.about.community.clone());
        let status = status.of(&community);
        self.report(&claim, &answer.verdict, now);
        let tries = match answer.verdict {
            Verdict::Refused { .. } => store.refusals(channel).await?,
            _ => 0,
        };
        let settlement = settle(&claim, answer.verdict, tries, now, fastrand::f64());
        if let Settlement::Again { due, obstacle: Some(Obstacle::Down | Obstacle::Edge), .. } = &settlement {
            // What fails for one post most likely fails for its neighbours: the channel pauses, but not as long as the post.
            scheduler.block(claim.channel(), claim.operation(), due.since(now).min(OUTAGE_PAUSE), DelayCause::OutagePause);
        }
        let open = slot.look();
        let parked = matches!(settlement, Settlement::Park { .. });
        let goes_on = (open.creates || open.edits) && !parked && !slot.should_yield() && !self.tasks.is_draining();
        let next = goes_on.then(|| self.request(slot));
        let claim = Arc::new(claim);
        let (settled, found) = self.write_down(&claim, &settlement, now, next).await?;
        if let Some((channel, community, lane)) = &settled.sooner {
            scheduler.notify(*channel, community, *lane == Lane::Panic);
        }
        match settlement {
            Settlement::Park { reason, .. } if settled.report => {
                tracing::warn!(%channel, %reason, "Discord refuses a channel; its alerts wait");
                let trouble = Trouble::Refused { community, guild: claim.lead.guild, channel, reason };
                // If the queue is full, people see the problem in `/cad status`.
                self.outside.trouble.try_send(trouble).ok();
            }
            Settlement::Again { obstacle: Some(obstacle), reason, .. } if settled.report => {
                tracing::warn!(%channel, ?obstacle, %reason, "Discord does not take messages; they are tried until it does");
                let guild = claim.lead.guild;
                let trouble = Trouble::Obstructed { community, guild, channel, thread: claim.channel(), obstacle, reason };
                self.outside.trouble.try_send(trouble).ok();
            }
            Settlement::Alone => {
                tracing::warn!(%channel, cards = claim.others.len() + 1, "Discord did not take cards together; each is sent by itself");
            }
            Settlement::Fail { reason } if claim.lead.place.is_in_thread() => {
                status.problem(
                    now,
                    format!("A note was not written into a thread of <#{channel}>: {reason}. The bot needs Create Public Threads and Send Messages in Threads there."),
                );
                tracing::warn!(%channel, subject = %claim.lead.about.subject, %reason, "a thread takes no message; given up");
            }
            Settlement::Fail { reason } => {
                status.problem(
                    now,
                    format!("A message for <#{channel}> was not posted, Discord does not take it: {reason}. Please report it."),
                );
                tracing::error!(%channel, subject = %claim.lead.about.subject, %reason, "Discord does not take a message; given up");
            }
            _ => {}
        }
        if settled.reopened {
            tracing::info!(%channel, "Discord takes messages for this channel again");
        }
        // What nothing was asked of may have something: it is looked at when something may go there again.
        Ok(if next.is_some() { found } else { ClaimOutcome::NotBefore(now) })
    }

    /// Settling is tried until the store takes it: otherwise the same message might be sent again.
    async fn write_down(
        &self,
        claim: &Arc<Claim>,
        settlement: &Settlement,
        now: UnixMs,
        next: Option<ClaimRequest>,
    ) -> Result<(SettleOutcome, ClaimOutcome), StoreError> {
        let mut tries = 0;
        loop {
            match self.outside.store.settle_and_take(claim, settlement.clone(), now, next).await {
                Err(StoreError::Failed { reason, .. }) if tries < 20 && !self.tasks.is_draining() => {
                    tracing::error!(%reason, "what was sent cannot be written down; trying again");
                    tries += 1;
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    fn report(&self, claim: &Claim, verdict: &Verdict, now: UnixMs) {
        let Delivery { status: host, metrics, scheduler, .. } = &self.outside;
        let (channel, status) = (claim.lead.channel, host.of(&claim.lead.about.community));
        // Any other response means that Discord accepted the token.
        let proves_nothing = matches!(
            verdict,
            Verdict::Stop { .. } | Verdict::Retry { .. } | Verdict::Obstructed { obstacle: Obstacle::Edge | Obstacle::Down, .. }
        );
        if !proves_nothing && scheduler.resume() {
            host.stopped(None);
            metrics.sending_stopped(false);
            tracing::info!("Discord takes the token again; sending goes on");
        }
        match verdict {
            Verdict::Delivered(_) => {
                metrics.post(PostOutcome::Delivered);
                let delay = now.since(claim.lead.due_since());
                if claim.lead.place != Place::Archive {
                    metrics.delivery_delay(claim.lane, delay);
                }
                if claim.operation() == Operation::Create {
                    status.delivered(delay);
                    if !claim.others.is_empty() {
                        metrics.batched(claim.others.len() + 1);
                    }
                }
            }
            Verdict::WaitThis { length } => {
                metrics.post(PostOutcome::Waited);
                self.waited(&claim.lead.about.community, Wait { length: *length, cause: DelayCause::OldMessage });
                tracing::debug!(%channel, ms = length.as_millis(), "an old message was edited often; it waits");
            }
            Verdict::Wait { length, scope } => {
                metrics.post(PostOutcome::Waited);
                self.waited(&claim.lead.about.community, Wait { length: *length, cause: DelayCause::RetryAfter });
                match scope {
                    RateScope::Global => scheduler.block_all(*length),
                    RateScope::User | RateScope::Shared => {
                        scheduler.block(claim.channel(), claim.operation(), *length, DelayCause::RetryAfter)
                    }
                }
                tracing::debug!(%channel, ms = length.as_millis(), ?scope, "Discord asks us to wait");
            }
            Verdict::Retry { reason } => {
                metrics.post(PostOutcome::Retried);
                tracing::warn!(%channel, reason, attempts = claim.lead.attempts.saturating_add(1), "a message could not be sent; trying again");
                status.problem(now, format!("Discord did not take a message for <#{channel}> ({reason}); it is tried again."));
            }
            Verdict::Obstructed { obstacle, reason } => {
                metrics.post(PostOutcome::Retried);
                tracing::debug!(%channel, ?obstacle, reason, attempts = claim.lead.attempts.saturating_add(1), "something is in a message's way; trying again");
                status.problem(now, format!("Discord did not take a message for <#{channel}> ({reason}); it is tried again."));
            }
            Verdict::Refused { reason } => {
                metrics.post(PostOutcome::Refused);
                status.problem(now, format!("Discord refuses <#{channel}>: {reason}. Run /cad diagnose to see what is missing there."));
            }
            Verdict::Stop { reason } => {
                metrics.post(PostOutcome::Refused);
                scheduler.stop();
                host.stopped(Some(reason.clone()));
                metrics.sending_stopped(true);
                host.problem(now, format!("All sending has stopped: {reason}."));
                tracing::error!(reason, "all sending has stopped");
            }
            Verdict::Invalid { .. } => metrics.post(PostOutcome::Refused),
            Verdict::MessageGone => {}
        }
    }
}
