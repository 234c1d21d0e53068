//! Applies the result of a claimed request ([`Settlement`]): every transition out of Claimed.

use std::time::Duration;

use super::{Claim, LATE_EDIT, ParkedChannel, Post, PostId, Queue, SubjectKey};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, MessageId};
use crate::outbox::{Lane, OLD_EDIT_EVERY, OLD_MESSAGE, Place, Settlement};

/// If a message made Discord refuse a channel, others of it are tried before it.
const BEHIND: Duration = Duration::from_secs(1);

/// The effects of settling beyond the posts themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettleOutcome {
    /// The channel was parked just now.
    pub newly_parked: bool,
    /// The channel was parked and is open again.
    pub reopened: bool,
    /// The obstacle wasn't reported yet: it must be now.
    pub report: bool,
    /// A post of this channel, community and lane was put off and may be sent now.
    pub sooner: Option<(ChannelId, CommunityId, Lane)>,
}

impl Queue {
    /// Records the result of a claim. It may come late: changes of the posts meanwhile are kept.
    pub fn settle(&mut self, claim: &Claim, settlement: &Settlement, now: UnixMs) -> SettleOutcome {
        let mut outcome = SettleOutcome::default();
        let channel = claim.lead.channel;
        let known = self.parked.get(&channel).map(|parked| (parked.since, parked.refusals));
        match (settlement, known) {
            (Settlement::Park { until, reason }, known) => {
                outcome.newly_parked = known.is_none();
                let (since, refusals) = known.unwrap_or((now, 0));
                let parked =
                    ParkedChannel { channel, reason: reason.clone(), since, retry_at: *until, refusals: refusals.saturating_add(1) };
                self.park(channel, Some(parked));
                // A post that waits for a closed channel isn't late.
                self.edit_all(self.waiting_ids(channel), |post| post.desired_since = post.desired_since.max(*until));
            }
            (Settlement::Delivered(_), Some(_)) => {
                outcome.reopened = true;
                self.park(channel, None);
                self.channel_opened(channel, now);
            }
            _ => {}
        }
        for post in claim.posts() {
            self.settle_one(&claim.lead, post, settlement, now);
        }
        outcome.report = self.note_obstacle(claim, settlement);
        if claim.lead.place == Place::Archive && matches!(settlement, Settlement::Delivered(_)) {
            outcome.sooner = self.thread_closed(claim.lead.guild, now);
        }
        outcome
    }

    /// `lead` and `claimed` are in their state when claimed.
    fn settle_one(&mut self, lead: &Post, claimed: &Post, settlement: &Settlement, now: UnixMs) {
        let (id, channel) = (claimed.id, claimed.channel);
        match settlement {
            Settlement::Delivered(message) => {
                // The next edit: together with upcoming changes, and rarely for an old message.
                let is_old = lead.message_id.is_some_and(|made| now.since(made.made_at()) > OLD_MESSAGE);
                let next_edit = now.plus(if is_old { OLD_EDIT_EVERY } else { self.edit_window });
                self.edit(id, |post| delivered(post, claimed, *message, next_edit, now));
                if lead.message_id != Some(*message) {
                    self.redraw_links(claimed, lead.guild, now.plus(self.edit_window));
                }
            }
            Settlement::Again { due, counts, in_doubt, on_purpose, .. } => self.edit(id, |post| {
                if *on_purpose {
                    post.desired_since = post.desired_since.max(*due);
                }
                if *in_doubt && lead.message_id.is_some() {
                    post.edit_in_doubt_since = Some(now);
                }
                if *counts {
                    post.attempts = post.attempts.saturating_add(1);
                }
                // A rejection of this request says nothing about an earlier one whose response was lost.
                let creating_since = if *in_doubt && lead.message_id.is_none() { post.creating_since } else { lead.creating_since };
                give_back(post, *due, creating_since, *in_doubt && lead.message_id.is_none());
            }),
            Settlement::Park { until, .. } => {
                // Others are tried first when the channel is retried: perhaps only this message is refused.
                let is_alone = self.waiting_in(channel).all(|other| other.id == id);
                let due = until.plus(if is_alone { Duration::ZERO } else { BEHIND });
                self.edit(id, |post| give_back(post, due, lead.creating_since, false));
            }
            Settlement::Repost | Settlement::Over => {
                // Somebody deleted the message. In a shared one, cards that are over stay deleted, and each other one is created again. In
                // a page of lines, the later ones were never seen.
                let is_over = if id == lead.id { *settlement == Settlement::Over } else { claimed.closed && !claimed.is_log_page() };
                if is_over {
                    self.edit(id, |post| {
                        // Nothing more is posted about it there, unless it was opened again meanwhile. The old nonce would return the
                        // deleted message.
                        let is_still_over = post.closed && !post.is_log_page();
                        let settled = if is_still_over { post.version } else { claimed.version };
                        post.delivered_version = post.delivered_version.max(settled);
                        post.generation += 1;
                        post.lose_message();
                    });
                    self.leave_thread(claimed);
                } else {
                    self.edit(id, |post| {
                        post.delivered_version = post.delivered_version.min(post.version - 1);
                        post.lose_message();
                        post.generation += 1;
                        post.due_at = now;
                    });
                }
            }
            // Nothing was created: a new nonce makes sure that nothing is returned either.
            Settlement::Alone => self.edit(id, |post| {
                (post.creating_since, post.claimed_until, post.batch) = (None, None, None);
                post.never_batched = true;
                post.generation += 1;
                post.due_at = now;
            }),
            Settlement::Fail { reason } => {
                self.edit(id, |post| {
                    // In a shared message only the claimed versions have failed. Newer ones weren't tried.
                    if post.is_waiting() && post.version <= claimed.version {
                        post.failed = Some(reason.clone());
                    }
                    post.claimed_until = None;
                    post.creating_since = lead.creating_since;
                });
                // An existing card keeps its thread, even if this edit of it failed.
                if self.get(id).is_some_and(|post| post.failed.is_some() && post.message_id.is_none()) {
                    self.leave_thread(claimed);
                }
            }
        }
    }

    /// A message has appeared: texts that link to its subject, and had no nearer message to link to, are sent again. So are those that are
    /// in flight just now: they were claimed without it.
    fn redraw_links(&mut self, appeared: &Post, guild: GuildId, due: UnixMs) {
        let Post { id, channel, about, .. } = appeared;
        let links = self.index.links.get(&about.subject).into_iter().flatten().filter_map(|id| self.posts.get(id));
        let concerned = links.filter(|post| {
            let names_it = post.guild == guild && post.about.community == about.community && post.about.server == about.server;
            let shown = post.message_id.is_some() || post.claimed_until.is_some();
            names_it && shown && post.failed.is_none() && (post.channel == *channel || !self.stands_nearer(about, guild, *id, post.channel))
        });
        let concerned: Vec<PostId> = concerned.map(|post| post.id).collect();
        self.edit_all(concerned, |post| {
            if !post.is_waiting() {
                post.desired_since = post.due_at.max(due);
            }
            post.due_at = post.due_at.max(due);
            post.version += 1;
        });
    }

    /// Whether a text in `channel` has a better link for a subject than the post `than`.
    fn stands_nearer(&self, about: &SubjectKey, guild: GuildId, than: PostId, channel: ChannelId) -> bool {
        let all = self.index.subjects.get(about).into_iter().flatten().filter_map(|(_, id)| self.posts.get(id));
        let mut others = all.filter(|post| post.guild == guild && post.message_id.is_some() && post.id != than);
        others.any(|post| post.channel == channel || post.id < than)
    }

    /// Posts for the thread of a deleted card can't be sent any more. Somebody deleted the card: that isn't reported.
    fn leave_thread(&mut self, card: &Post) {
        let hanging = self.children(card.channel, &card.about).filter(|post| post.place.is_in_thread() && post.is_waiting());
        let hanging: Vec<PostId> = hanging.map(|post| post.id).collect();
        self.edit_all(hanging, |post| {
            post.delivered_version = post.version;
            post.claimed_until = None;
        });
    }
}

impl Post {
    /// Its message is gone, and with it any doubt about it.
    fn lose_message(&mut self) {
        (self.message_id, self.creating_since, self.edit_in_doubt_since, self.claimed_until, self.batch) = (None, None, None, None, None);
    }
}

fn delivered(post: &mut Post, claimed: &Post, message: MessageId, next_edit: UnixMs, now: UnixMs) {
    let has_newer = post.version > claimed.version;
    post.delivered_version = post.delivered_version.max(claimed.version);
    post.message_id = Some(message);
    post.shown_at = Some(post.shown_at.unwrap_or(now));
    post.pings_suppressed = claimed.pings_suppressed;
    (post.creating_since, post.claimed_until, post.attempts) = (None, None, 0);
    post.due_at = next_edit;
    if has_newer {
        post.desired_since = next_edit;
    } else if post.edit_in_doubt_since.take().is_some() {
        // An earlier edit may still be done, over this one: it is sent once more when that is surely past, unless there is something newer
        // to send before.
        let surely_past = now.plus(LATE_EDIT);
        post.due_at = next_edit.max(surely_past);
        post.desired_since = surely_past;
        post.version = claimed.version + 1;
    }
}

/// Due again. A create that definitely made nothing dissolves its batch: next time there may be none, or another.
pub(super) fn give_back(post: &mut Post, due: UnixMs, creating_since: Option<UnixMs>, in_doubt: bool) {
    post.due_at = due;
    post.claimed_until = None;
    post.creating_since = creating_since;
    if post.message_id.is_none() && !in_doubt && creating_since.is_none() {
        post.batch = None;
    }
}
