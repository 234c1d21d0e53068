//! Records the desired state of posts.

use super::{Post, PostId, PostSubject, Queue, SubjectKey};
use crate::clock::UnixMs;
use crate::outbox::{DesiredPost, Lane, PostKey};

impl SubjectKey {
    /// Parses a key whose subject is a text. The channel is separate.
    #[must_use]
    pub fn of(key: &PostKey) -> Self {
        Self { community: key.community.clone(), server: key.server, subject: PostSubject::parse(&key.subject) }
    }

    /// Another subject of the same server.
    #[must_use]
    pub fn beside(&self, subject: &str) -> Self {
        Self { subject: PostSubject::parse(subject), ..self.clone() }
    }
}

impl Queue {
    /// Records the desired state of posts. An identical text sends nothing. A post that was given up gets another chance when its text
    /// changes. The first change of an existing message waits for the edit window, so that later changes are sent together with it.
    pub fn desire(&mut self, drafts: impl IntoIterator<Item = DesiredPost>, now: UnixMs) {
        for draft in drafts {
            // One that was drawn while its guild was unlinked, or linked to another community: nothing of it is shown there.
            if self.shows(draft.guild, &draft.key.community) {
                self.desire_one(draft, now);
            }
        }
    }

    fn desire_one(&mut self, mut draft: DesiredPost, now: UnixMs) {
        let about = SubjectKey::of(&draft.key);
        let mut links: Vec<PostSubject> = draft.message.links().map(PostSubject::parse).collect();
        links.sort_unstable();
        // Only creation makes sound: a later version's silence is no change.
        let silent = std::mem::take(&mut draft.message.silent);
        let Some(id) = self.find(draft.key.channel, &about).map(|post| post.id) else {
            if draft.lane == Lane::Log {
                links.clear();
            }
            let id = self.next;
            self.next = PostId(id.0.saturating_add(1));
            return self.insert(new(id, about, draft, silent, links, now));
        };
        let later = now.plus(self.edit_window);
        self.edit(id, |post| {
            let changed = *post.message != draft.message;
            let (waits, stands) = (post.is_waiting(), post.message_id.is_some());
            // A person deleted the card, and its subject is over by now: nothing more is posted there. A board is shown again.
            let gone = draft.over
                && !stands
                && post.creating_since.is_none()
                && post.shown_at.is_some()
                && post.delivered_version >= post.version
                && post.parent.is_none()
                && post.lane != Lane::Board;
            if changed && !waits {
                post.desired_since = if stands { post.due_at.max(later) } else { now };
                if stands {
                    post.due_at = post.due_at.max(later);
                }
            }
            if changed {
                post.version += i64::from(!gone);
                post.failed = None;
                post.message = draft.message.into();
            }
            post.lane = if stands { draft.lane } else { post.lane.min(draft.lane) };
            if draft.lane == Lane::Board {
                // A board shows the present: posted again, it isn't late.
                post.happened_at = draft.happened_at;
            }
            post.closed = draft.over;
            // Lines have no links.
            if draft.lane != Lane::Log {
                post.links = links;
            }
        });
    }
}

fn new(id: PostId, about: SubjectKey, draft: DesiredPost, silent: bool, links: Vec<PostSubject>, now: UnixMs) -> Post {
    Post {
        id,
        guild: draft.guild,
        channel: draft.key.channel,
        about,
        lane: draft.lane,
        style: draft.style,
        roles: draft.roles,
        place: draft.place,
        threads: draft.threads,
        parent: draft.parent.as_deref().map(PostSubject::parse),
        event: draft.event,
        closed: draft.over,
        message: draft.message.into(),
        silent,
        links,
        version: 1,
        delivered_version: 0,
        message_id: None,
        thread: None,
        generation: 0,
        shown_at: None,
        pings_suppressed: false,
        happened_at: draft.happened_at,
        created_at: now,
        due_at: now,
        desired_since: now,
        claimed_until: None,
        creating_since: None,
        edit_in_doubt_since: None,
        attempts: 0,
        failed: None,
        batch: None,
        slot: 0,
        never_batched: false,
        obstacle: None,
        reported: false,
        isolated: false,
    }
}
