//! Closes the gap between what should stand on Discord and what does: claim, send, settle.
//!
//! Job: one worker per channel that has something to send, so one request in flight per channel; the only place that waits for rate
//! limits and retries. Never holds a transaction across a request, never decides what is posted.
//!
//! ```text
//! wake | timer ─▶ store.due() ─▶ a worker per channel: wait for the bucket ─▶ claim ─▶ (look for a lost create) ─▶ send ─▶ settle ─┐
//!                                        ▲                                                                                         │
//!                                        └──────────────────────────── until nothing is due in that channel ◀─────────────────────┘
//! ```

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};

use crate::clock::{Clock, UnixMs};
use crate::discord::rest::{Answer, Rest};
use crate::ids::{ChannelId, GuildId};
use crate::metrics::{Metrics, PostOutcome};
use crate::outbox::{Claim, Lane, Limits, Operation, Place, RateHeaders, Settlement, Verdict, settle};
use crate::render::{self, Message};
use crate::shutdown::Tasks;
use crate::status::Status;
use crate::store::{Due, Settled, Store, StoreError};

/// Channels served at the same time. Discord allows 50 requests a second in all; an answer takes some 100 ms.
const AT_ONCE: usize = 16;
/// Without a wake-up the queue is looked at this often, as a net.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// After the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// After a refused token nothing is sent for this long (ms); then one request tries again.
const STOP_PAUSE_MS: i64 = 60_000;

/// Long waits are looked at again this often (ms): the machine's clock may be set, and what all wait for may come early.
const GLANCE_MS: i64 = 500;

/// After trouble that passes, a channel rests at most this long (ms).
const BREATH_MS: i64 = 5_000;

/// Something that people should be told, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Discord refused a channel.
    Refused {
        /// Whose.
        guild: GuildId,
        /// Which.
        channel: ChannelId,
        /// Discord's words.
        reason: String,
    },
}

/// Everything delivery needs from outside.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The queue.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Where to.
    pub rest: Rest,
    /// Numbers.
    pub metrics: Metrics,
    /// Facts.
    pub status: Status,
    /// Rung by whoever adds posts.
    pub wake: Arc<Notify>,
    /// Who tells people of trouble.
    pub trouble: mpsc::Sender<Trouble>,
}

#[derive(Debug)]
struct Shared {
    outside: Delivery,
    limits: Mutex<Limits>,
    busy: Mutex<HashSet<ChannelId>>,
    slots: Semaphore,
    stop: Mutex<Stop>,
    tasks: Tasks,
}

/// The same work by the same rules, done by hand, one post after another: for simulations, whose time does not pass by itself.
#[derive(Debug)]
pub struct ByHand(Shared);

impl ByHand {
    /// Sends what may be sent now. Returns when something may be sent next, if anything waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn serve(&self) -> Result<Option<UnixMs>, StoreError> {
        let shared = &self.0;
        loop {
            let now = shared.outside.clock.now();
            let mut next = None;
            let mut sent = false;
            for Due { channel, at, .. } in shared.outside.store.due().await? {
                let ready = at.max(now.plus(shared.must_wait(channel, Operation::Create, now)));
                if ready > now {
                    next = Some(next.map_or(ready, |known: UnixMs| known.min(ready)));
                } else {
                    sent = true;
                    while shared.must_wait(channel, Operation::Create, shared.outside.clock.now()) == 0 && shared.step(channel).await? {}
                }
            }
            if !sent {
                return Ok(next);
            }
        }
    }
}

impl Delivery {
    fn shared(self, tasks: &Tasks) -> Shared {
        Shared {
            outside: self,
            limits: Mutex::default(),
            busy: Mutex::default(),
            slots: Semaphore::new(AT_ONCE),
            stop: Mutex::default(),
            tasks: tasks.clone(),
        }
    }

    /// To be driven by hand instead of [`Delivery::run`].
    #[must_use]
    pub fn by_hand(self) -> ByHand {
        ByHand(self.shared(&Tasks::default()))
    }

    /// Runs until draining begins; sends in hand are then finished by their workers, new ones are not claimed.
    pub async fn run(self, tasks: Tasks) {
        let wake = self.wake.clone();
        let shared = Arc::new(self.shared(&tasks));
        let mut next = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                () = tasks.draining() => return,
                () = wake.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
            next = match shared.look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be read");
                    STORE_PAUSE
                }
            };
        }
    }
}

impl Shared {
    /// Starts a worker for each idle channel that has something due. Returns when to look again.
    async fn look(self: &Arc<Self>) -> Result<Duration, StoreError> {
        let now = self.outside.clock.now();
        let due = self.outside.store.due().await?;
        self.outside.metrics.queue(Lane::New, due.iter().map(|due| due.posts as usize).sum(), 0);
        let mut next = LOOK_EVERY;
        for Due { channel, at, .. } in due {
            if at > now {
                next = next.min(Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0)));
            } else if lock(&self.busy).insert(channel) {
                let shared = Arc::clone(self);
                drop(self.tasks.spawn(async move { shared.serve(channel).await }));
            }
        }
        Ok(next.max(Duration::from_millis(5)))
    }

    async fn serve(self: Arc<Self>, channel: ChannelId) {
        // Dropped also when the task is aborted: a channel must never stay busy with nobody serving it.
        let _busy = Busy { shared: &self, channel };
        while !self.tasks.is_draining() {
            // The bucket that new messages use: waiting before claiming leaves the choice to the lanes until the last moment.
            if !self.wait(channel, Operation::Create).await {
                return;
            }
            match self.step(channel).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(%error, %channel, "a post could not be claimed or settled");
                    tokio::select! {
                        () = tokio::time::sleep(STORE_PAUSE) => {}
                        () = self.tasks.draining() => {}
                    }
                }
            }
        }
    }

    /// One post of the channel. False when nothing is due.
    async fn step(&self, channel: ChannelId) -> Result<bool, StoreError> {
        let Ok(slot) = self.slots.acquire().await else { return Ok(false) };
        let outside = &self.outside;
        let Some(mut claim) = outside.store.claim(channel, outside.clock.now()).await? else { return Ok(false) };
        let now = outside.clock.now();
        let ms = lock(&self.limits).wait(claim.channel(), claim.operation(), now);
        if ms > 0 {
            // Its own bucket is empty: it waits, others of the channel may go.
            outside.store.release(&claim, now.plus(ms)).await?;
            return Ok(true);
        }
        if !lock(&self.stop).may_try(now) {
            outside.store.release(&claim, now).await?;
            return Ok(true);
        }
        let answer = self.send(&mut claim).await?;
        drop(slot);
        self.settle(&claim, answer).await
    }

    /// Milliseconds until a request may go this way; 0 = now.
    fn must_wait(&self, channel: ChannelId, operation: Operation, now: UnixMs) -> i64 {
        let stopped = lock(&self.stop).wait(now);
        lock(&self.limits).wait(channel, operation, now).max(stopped)
    }

    /// Waits until the bucket allows a request. False if draining began.
    async fn wait(&self, channel: ChannelId, operation: Operation) -> bool {
        let mut waited = false;
        loop {
            let ms = self.must_wait(channel, operation, self.outside.clock.now()).min(GLANCE_MS);
            let Some(ms) = u64::try_from(ms).ok().filter(|ms| *ms > 0) else { return !self.tasks.is_draining() };
            if !waited {
                self.outside.metrics.post(PostOutcome::Waited);
                waited = true;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(ms)) => {}
                () = self.tasks.draining() => return false,
            }
        }
    }

    /// Notes in the claim whether its creation called nobody.
    async fn send(&self, claimed: &mut Claim) -> Result<Answer, StoreError> {
        let outside = &self.outside;
        let now = outside.clock.now();
        let mut claim = claimed.clone();
        match (claim.place, claim.thread) {
            // A call whose thread was never opened has none to put away.
            (Place::Archive, None) => return Ok(Answer { verdict: Verdict::MessageGone, headers: RateHeaders::default() }),
            (Place::Archive, Some(_)) => return Ok(outside.rest.archive(&claim).await),
            (Place::Thread, None) => match outside.rest.open_thread(&claim).await {
                Ok(thread) => {
                    outside.store.opened_thread(&claim, thread).await?;
                    claim.thread = Some(thread);
                }
                Err(answer) => return Ok(answer),
            },
            (Place::Channel | Place::Forum | Place::Thread, _) => {}
        }
        if claim.must_look_first(now) {
            let owned = async |message| outside.store.owns_message(message).await.unwrap_or(true);
            let found = outside.rest.find(&claim, owned).await;
            match found {
                Ok(Some(message)) => {
                    tracing::info!(channel = %claim.key.channel, %message, "found the message of a create that was cut off");
                    claim.standing = Some(message);
                }
                Ok(None) => {}
                Err(verdict) => return Ok(Answer { verdict, headers: RateHeaders::default() }),
            }
        }
        let url = |subject: &str| claim.urls.iter().find(|(to, _)| to == subject).map(|(_, url)| url.clone());
        let message = render::linked(claim.message.clone(), url);
        if claim.standing.is_some() {
            // It is as late as it was when it was made, and calls nobody now.
            let message = if claim.unpinged { render::unpinged(message) } else { message };
            let message = render::late(message, claim.happened_at, claim.shown_at.unwrap_or(claim.happened_at));
            return Ok(self.edit(&claim, &message).await);
        }
        // Over before it was ever shown: worth a message, but nobody needs to be called to it.
        let unshown = claim.over && claim.version > 1 && claim.place != Place::Thread;
        let mut new = if unshown { render::unpinged(message.clone()) } else { message.clone() };
        new = render::late(new, claim.happened_at, now);
        if claim.anew {
            new.roles.clear();
            new.silent = true;
        }
        claimed.unpinged = new.roles.is_empty() && !message.roles.is_empty();
        let answer = outside.rest.send(&claim, &new).await;
        match answer.verdict {
            Verdict::Delivered(made) if claim.may_bring_back_older() => {
                claim.standing = Some(made);
                Ok(self.edit(&claim, &message).await)
            }
            _ => Ok(answer),
        }
    }

    async fn edit(&self, claim: &Claim, message: &Message) -> Answer {
        match claim.place {
            Place::Forum => self.outside.rest.edit_forum_post(claim, message).await,
            Place::Channel | Place::Thread | Place::Archive => self.outside.rest.send(claim, message).await,
        }
    }

    /// False if the channel must rest: it is parked.
    async fn settle(&self, claim: &Claim, answer: Answer) -> Result<bool, StoreError> {
        let outside = &self.outside;
        let now = outside.clock.now();
        let channel = claim.key.channel;
        lock(&self.limits).observe(claim.channel(), claim.operation(), answer.headers, now);
        self.tell(claim, &answer.verdict, now);
        let tries = match answer.verdict {
            Verdict::Refused { .. } => outside.store.refusals(channel).await?,
            _ => 0,
        };
        let settlement = settle(claim, answer.verdict, tries, now, fastrand::f64());
        let settled = self.write_down(claim, settlement.clone(), now).await?;
        let parked = matches!(settlement, Settlement::Park { .. });
        match settlement {
            // What fails for one post most likely fails for its neighbours: the channel draws breath, but not as long as the post.
            Settlement::Again { due, counts: true, .. } => {
                lock(&self.limits).refused(claim.channel(), claim.operation(), due.since(now).min(BREATH_MS), false, now);
            }
            Settlement::Park { reason, .. } if settled.newly_parked => {
                tracing::warn!(%channel, %reason, "Discord refuses a channel; its alerts wait");
                let trouble = Trouble::Refused { guild: claim.guild, channel, reason };
                // Full: so much trouble at once that the list of problems tells it better.
                self.outside.trouble.try_send(trouble).ok();
            }
            Settlement::Fail { reason } if claim.place.is_in_thread() => {
                outside.status.problem(
                    now,
                    format!("A note was not written into a thread of <#{channel}>: {reason}. The bot needs Create Public Threads and Send Messages in Threads there."),
                );
                tracing::warn!(%channel, subject = %claim.key.subject, %reason, "a thread takes no message; given up");
            }
            Settlement::Fail { reason } => {
                outside.status.problem(
                    now,
                    format!("A message for <#{channel}> was not posted, Discord does not take it: {reason}. Please report it."),
                );
                tracing::error!(%channel, subject = %claim.key.subject, %reason, "Discord does not take a message; given up");
            }
            _ => {}
        }
        if settled.reopened {
            tracing::info!(%channel, "Discord takes messages for this channel again");
        }
        Ok(!parked)
    }

    /// Settling is tried until it is on disk: otherwise the same message might be sent again.
    async fn write_down(&self, claim: &Claim, settlement: Settlement, now: UnixMs) -> Result<Settled, StoreError> {
        let mut tries = 0;
        loop {
            match self.outside.store.settle(claim, settlement.clone(), now).await {
                Err(StoreError::Failed(reason)) if tries < 20 && !self.tasks.is_draining() => {
                    tracing::error!(%reason, "what was sent cannot be written down; trying again");
                    tries += 1;
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    fn tell(&self, claim: &Claim, verdict: &Verdict, now: UnixMs) {
        let outside = &self.outside;
        let channel = claim.key.channel;
        // Any word from Discord but these means that it took the token.
        if !matches!(verdict, Verdict::Stop { .. } | Verdict::Retry { .. }) && lock(&self.stop).lift() {
            outside.status.stopped(None);
            tracing::info!("Discord takes the token again; sending goes on");
        }
        match verdict {
            Verdict::Delivered(_) => {
                outside.metrics.post(PostOutcome::Delivered);
                if claim.standing.is_none() {
                    let delay = now.since(claim.happened_at);
                    outside.metrics.delivery_delay(Lane::New, delay);
                    outside.status.delivered(delay);
                }
            }
            Verdict::WaitThis { ms } => {
                outside.metrics.post(PostOutcome::Waited);
                tracing::debug!(%channel, ms, "an old message was edited often; it waits");
            }
            Verdict::Wait { ms, global } => {
                outside.metrics.post(PostOutcome::Waited);
                lock(&self.limits).refused(claim.channel(), claim.operation(), *ms, *global, now);
                tracing::debug!(%channel, ms, global, "Discord asks us to wait");
            }
            Verdict::Retry { reason } => {
                outside.metrics.post(PostOutcome::Retried);
                tracing::warn!(%channel, reason, attempts = claim.attempts + 1, "a message could not be sent; trying again");
                outside.status.problem(now, format!("Discord did not take a message for <#{channel}> ({reason}); it is tried again."));
            }
            Verdict::Refused { reason } => {
                outside.metrics.post(PostOutcome::Refused);
                outside
                    .status
                    .problem(now, format!("Discord refuses <#{channel}>: {reason}. Run /cad diagnose to see what is missing there."));
            }
            Verdict::Stop { reason } => {
                outside.metrics.post(PostOutcome::Refused);
                lock(&self.stop).begin(now);
                outside.status.stopped(Some(reason.clone()));
                outside.status.problem(now, format!("All sending has stopped: {reason}."));
                tracing::error!(reason, "all sending has stopped");
            }
            Verdict::Invalid { .. } => outside.metrics.post(PostOutcome::Refused),
            Verdict::MessageGone => {}
        }
    }
}

/// What a refused token does to all sending: nothing goes before this time, then one request tries.
#[derive(Debug, Default)]
struct Stop(Option<UnixMs>);

impl Stop {
    fn begin(&mut self, now: UnixMs) {
        self.0 = Some(now.plus(STOP_PAUSE_MS));
    }

    /// True if there was one.
    fn lift(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Milliseconds until a request may try; 0 = now.
    fn wait(&self, now: UnixMs) -> i64 {
        self.0.map_or(0, |until| until.since(now)).max(0)
    }

    /// Whoever asks first after the pause takes the turn; the others wait for what comes of it.
    fn may_try(&mut self, now: UnixMs) -> bool {
        if self.wait(now) > 0 {
            return false;
        }
        if self.0.is_some() {
            self.begin(now);
        }
        true
    }
}

/// A channel with a worker. Rings when it is free again: something may have come due meanwhile.
struct Busy<'a> {
    shared: &'a Shared,
    channel: ChannelId,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        lock(&self.shared.busy).remove(&self.channel);
        self.shared.outside.wake.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_refused_token_one_request_a_pause_tries_and_success_frees_all() {
        let mut stop = Stop::default();
        assert!(stop.may_try(UnixMs(0)) && stop.may_try(UnixMs(0)));
        stop.begin(UnixMs(0));
        assert!(!stop.may_try(UnixMs(59_999)));
        assert_eq!(stop.wait(UnixMs(59_999)), 1);
        assert!(stop.may_try(UnixMs(60_000)), "the first");
        assert!(!stop.may_try(UnixMs(60_000)), "everybody else");
        assert!(stop.lift() && !stop.lift());
        assert!(stop.may_try(UnixMs(60_001)) && stop.may_try(UnixMs(60_001)));
    }
}
