//! Remembers the last minutes, and is lost with the process: which entities events named, and which events may still be repeated.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Entity;
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident};

/// How much later than its original a copy may come, or an event than one that overtook it.
pub(super) const LATE: Duration = Duration::from_secs(10);
/// A read takes half a minute at most; older events don't matter any more.
const NAMED_FOR: Duration = Duration::from_secs(300);
/// Limit on remembered entities. Beyond it all are dropped: then reads are trusted a little too early.
const MAX_ENTITIES: usize = 16_384;
/// Limit on remembered edges. Beyond it the oldest is dropped: then an event may repeat what a read found.
const MAX_EDGES: usize = 1_024;

/// A change that another source may report a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// A read found the panic first.
    Panic(Ident),
    /// A read found the dispatch call first.
    Dispatch(CallId),
    /// A read found the 911 first.
    Emergency(CallId),
    /// A read found the note (call, fingerprint of label and content) first.
    Note(CallId, u64),
    /// The end of an unknown call came: its creation may have been overtaken.
    Ended(Entity),
}

/// The memory. Two worlds that differ in nothing else are equal: rows contain none of this.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    named_at: HashMap<Entity, UnixMs>,
    /// When, what, and whether it was taken as something from before the start, without notifying people.
    edges: VecDeque<(UnixMs, Edge, bool)>,
}

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Memory {
    /// An event named `entity`. A panic counts as its unit: one flag, sent with the unit.
    pub(super) fn mark_named(&mut self, entity: Entity, at: UnixMs) {
        if self.named_at.len() >= MAX_ENTITIES && !self.named_at.contains_key(&entity) {
            self.prune(at);
            if self.named_at.len() >= MAX_ENTITIES {
                self.named_at.clear();
            }
        }
        let entity = if let Entity::Panic(ident) = entity { Entity::Unit(ident) } else { entity };
        self.named_at.insert(entity, at);
    }

    /// Whether an event named `entity` at or after `since`. A time after `now` is from before the clock was set back: it says nothing.
    pub(super) fn was_named(&self, entity: Entity, since: UnixMs, now: UnixMs) -> bool {
        self.named_at.get(&entity).is_some_and(|time| *time >= since && *time <= now)
    }

    pub(super) fn record(&mut self, edge: Edge, silent: bool, at: UnixMs) {
        // Only the last edge of a subject can still be repeated: an older one belonged to something that is over.
        let single = !matches!(edge, Edge::Note(..));
        self.edges.retain(|(time, known, _)| lately(*time, at) && !(single && *known == edge));
        if self.edges.len() >= MAX_EDGES {
            self.edges.pop_front();
        }
        self.edges.push_back((at, edge, silent));
    }

    /// Whether `edge` was recorded recently and no other copy claimed it: one for one. Returns whether people were not notified then: in
    /// that case it is news only now.
    pub(super) fn claim(&mut self, edge: Edge, at: UnixMs) -> Option<bool> {
        let place = self.edges.iter().position(|(time, known, _)| *known == edge && lately(*time, at))?;
        self.edges.remove(place).map(|(.., silent)| silent)
    }

    /// Whether the end of an unknown call came recently.
    pub(super) fn ended(&self, entity: Entity, at: UnixMs) -> bool {
        self.edges.iter().any(|(time, known, _)| *known == Edge::Ended(entity) && lately(*time, at))
    }

    pub(super) fn prune(&mut self, now: UnixMs) {
        self.named_at.retain(|_, time| now.is_within(NAMED_FOR, *time));
        self.edges.retain(|(time, ..)| lately(*time, now));
    }
}

/// Whether `time` is at most [`LATE`] before `now`.
pub(super) fn lately(time: UnixMs, now: UnixMs) -> bool {
    now.is_within(LATE, time)
}

/// A hash that stays the same over versions and restarts (FNV-1a, 64 bits), of a value as JSON.
pub(super) fn fingerprint(value: &impl serde::Serialize) -> u64 {
    // Only texts, numbers and maps with text keys are hashed: writing them can't fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The time for a new subject whose predecessor with the same number has `before`: no two may share one.
pub(super) fn apart(before: Option<UnixMs>, at: UnixMs) -> UnixMs {
    match before {
        Some(before) if before.is_within(Duration::from_millis(999), at) => before.plus_ms(1),
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixMs = UnixMs(1_000_000);

    #[test]
    fn an_edge_is_claimed_once_by_its_like_and_not_too_late() {
        let mut memory = Memory::default();
        memory.record(Edge::Panic(Ident(1)), true, AT);
        assert_eq!(memory.claim(Edge::Panic(Ident(2)), AT), None);
        assert_eq!(memory.claim(Edge::Panic(Ident(1)), AT.plus(LATE).plus_ms(1)), None);
        assert_eq!(memory.claim(Edge::Panic(Ident(1)), AT.plus(LATE)), Some(true));
        assert_eq!(memory.claim(Edge::Panic(Ident(1)), AT.plus(LATE)), None);
    }

    #[test]
    fn events_are_remembered_for_a_while_within_a_bound() {
        let mut memory = Memory::default();
        for id in 0..=i64::try_from(MAX_ENTITIES).unwrap() {
            memory.mark_named(Entity::Dispatch(CallId(id)), AT);
            memory.record(Edge::Ended(Entity::Dispatch(CallId(id))), false, AT);
        }
        assert!(memory.named_at.len() <= MAX_ENTITIES && memory.edges.len() <= MAX_EDGES);
        memory.mark_named(Entity::Panic(Ident(1)), AT);
        assert!(memory.was_named(Entity::Unit(Ident(1)), AT, AT), "a panic is its unit's");
        assert!(!memory.was_named(Entity::Unit(Ident(1)), AT.plus_ms(1), AT.plus_ms(1)), "named before");
        assert!(!memory.was_named(Entity::Unit(Ident(1)), AT.plus_ms(-9), AT.plus_ms(-1)), "the clock was set back");
        memory.prune(AT.plus(NAMED_FOR).plus_ms(1));
        assert!(memory.named_at.is_empty() && memory.edges.is_empty());
    }

    #[test]
    fn a_fingerprint_never_changes() {
        assert_eq!(fingerprint(&("a", 1)), 0x14b4_4f96_9c39_1c53);
        assert_ne!(fingerprint(&("a", "b")), fingerprint(&("ab", "")));
    }

    #[test]
    fn subjects_of_one_moment_get_times_of_their_own() {
        assert_eq!(apart(None, AT), AT);
        assert_eq!(apart(Some(AT), AT), AT.plus_ms(1));
        assert_eq!(apart(Some(AT.plus_ms(1)), AT), AT.plus_ms(2));
        assert_eq!(apart(Some(AT.plus_ms(-1)), AT), AT);
        assert_eq!(apart(Some(AT.plus_ms(60_000)), AT), AT, "the clock was set back");
    }
}
