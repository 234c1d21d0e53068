//! Decides which posts are in memory: closed and settled ones are evicted, and loaded again with everything that their next step needs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Post, PostId, Queue, SubjectKey, Undo};
use crate::clock::UnixMs;

/// Closed and settled posts stay this long: the next line of a page or a late event most often comes within it.
const IDLE: Duration = Duration::from_secs(60);

impl Post {
    fn is_idle(&self, now: UnixMs) -> bool {
        self.closed && !self.is_waiting() && self.claimed_until.is_none() && now.since(self.due_at.max(self.created_at)) > IDLE
    }
}

impl Queue {
    /// Whether all posts about this are in memory. If not, there may be some on disk.
    #[must_use]
    pub fn knows(&self, about: &SubjectKey) -> bool {
        self.index.subjects.contains_key(about)
    }

    /// Evicts posts that nothing in memory needs, and whose changes were taken. Returns how many.
    pub fn evict(&mut self, now: UnixMs) -> usize {
        let mut stay: BTreeSet<PostId> = BTreeSet::new();
        let mut open: Vec<PostId> = self.ids(|post| !post.is_idle(now) || self.touched.contains_key(&post.id));
        // A post that stays keeps those it refers to.
        while let Some(id) = open.pop() {
            if stay.insert(id)
                && let Some(post) = self.posts.get(&id)
            {
                open.extend(self.neighbors(post).filter(|id| !stay.contains(id)));
            }
        }
        let gone = self.ids(|post| !stay.contains(&post.id));
        let count = gone.len();
        self.forget(gone);
        count
    }

    /// These rows were deleted, or are only on disk from now on.
    pub fn forget(&mut self, ids: impl IntoIterator<Item = PostId>) {
        for id in ids {
            if let Some(post) = self.posts.remove(&id) {
                self.index.remove(&post);
                self.undo.push(Undo::Post(id, Some(Box::new(post))));
            }
        }
    }

    /// The posts that must be in memory if this one is.
    fn neighbors(&self, post: &Post) -> impl Iterator<Item = PostId> {
        let subjects = [post.about.clone()].into_iter().chain(post.card()).chain(post.linked());
        let of_subjects = subjects.filter_map(|about| self.index.subjects.get(&about)).flat_map(|channels| channels.values().copied());
        let of_batch = post.batch.and_then(|lead| self.index.batches.get(&lead)).into_iter().flatten().map(|(_, id)| *id);
        let of_event = self.index.events.get(&(post.event, post.channel)).into_iter().flatten().copied();
        of_subjects.chain(of_batch).chain(of_event)
    }
}
