//! Who is pinged next when nobody answers: up to three steps of a route, each once per subject. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::event::Topic;
use crate::ids::RoleId;

/// Limit on the steps of a route.
pub const MAX_STEPS: usize = 3;
/// Longest wait (minutes): after that, it was forgotten.
pub const MAX_MINUTES: u32 = 120;
/// A step that is late by more than this is skipped: a late alarm is a false one.
const MISSED: Duration = Duration::from_secs(600);

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationStep {
    /// After this many minutes.
    pub minutes: u32,
    /// This role is pinged.
    pub role: RoleId,
    /// When the step was set: earlier due times don't count.
    #[serde(default)]
    pub since: UnixMs,
}

impl EscalationStep {
    /// When it is due for a call opened at `opened`.
    #[must_use]
    pub fn at(&self, opened: UnixMs) -> UnixMs {
        opened.plus(Duration::from_secs(u64::from(self.minutes) * 60))
    }
}

/// A route's steps, the soonest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Escalation(Vec<EscalationStep>);

impl Escalation {
    /// Whether this kind of news waits for an answer at all.
    #[must_use]
    pub fn is_for(topic: Topic) -> bool {
        matches!(topic, Topic::Emergency | Topic::Panic | Topic::Pager)
    }

    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[EscalationStep] {
        &self.0
    }

    /// Whether nobody is called.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a step, or changes the role of the step at the same minutes. False if the limit is reached.
    #[must_use]
    pub fn set(&mut self, step: EscalationStep) -> bool {
        if let Some(known) = self.0.iter_mut().find(|known| known.minutes == step.minutes) {
            *known = step;
            return true;
        }
        if self.0.len() >= MAX_STEPS {
            return false;
        }
        self.0.push(step);
        self.0.sort_by_key(|step| step.minutes);
        true
    }

    /// Removes the step at these minutes. False if there is none.
    #[must_use]
    pub fn remove(&mut self, minutes: u32) -> bool {
        let before = self.0.len();
        self.0.retain(|step| step.minutes != minutes);
        self.0.len() < before
    }

    /// Without the times of setting, for comparing what people set.
    #[must_use]
    pub fn timeless(&self) -> Self {
        Self(self.0.iter().map(|step| EscalationStep { since: UnixMs(0), ..*step }).collect())
    }

    /// The due steps for a call opened at `opened`, without those that are much too late.
    pub fn due(&self, opened: UnixMs, now: UnixMs) -> impl Iterator<Item = &EscalationStep> {
        self.0.iter().filter(move |step| {
            let at = step.at(opened);
            now.is_within(MISSED, at) && at >= step.since
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: UnixMs = UnixMs(1_763_700_000_000);

    fn step(minutes: u32, role: u64) -> EscalationStep {
        EscalationStep { minutes, role: RoleId(role), since: UnixMs(0) }
    }

    #[test]
    fn three_steps_in_order_and_one_per_time() {
        let mut escalation = Escalation::default();
        assert!(escalation.set(step(10, 2)) && escalation.set(step(3, 1)) && escalation.set(step(10, 5)) && escalation.set(step(20, 3)));
        assert!(!escalation.set(step(30, 4)));
        let steps: Vec<(u32, u64)> = escalation.steps().iter().map(|step| (step.minutes, step.role.0)).collect();
        assert_eq!(steps, [(3, 1), (10, 5), (20, 3)]);
        let text = serde_json::to_string(&escalation).unwrap();
        assert_eq!(serde_json::from_str::<Escalation>(&text).unwrap(), escalation);
    }

    #[test]
    fn due_from_its_minute_on_for_ten_minutes() {
        let mut escalation = Escalation::default();
        assert!(escalation.set(step(3, 1)) && escalation.set(step(5, 2)));
        let due = |seconds: i64| escalation.due(OPENED, OPENED.plus_ms(seconds * 1_000)).map(|step| step.minutes).collect::<Vec<_>>();
        assert_eq!(
            (due(179), due(180), due(300), due(780), due(781), due(901)),
            (vec![], vec![3], vec![3, 5], vec![3, 5], vec![5], vec![])
        );
    }

    #[test]
    fn a_step_that_is_set_later_is_not_for_what_waited_before() {
        let mut escalation = Escalation::default();
        assert!(escalation.set(EscalationStep { since: OPENED.plus_ms(181_000), ..step(3, 1) }));
        assert_eq!(escalation.due(OPENED, OPENED.plus_ms(182_000)).count(), 0);
        assert_eq!(escalation.due(OPENED.plus_ms(2_000), OPENED.plus_ms(182_000)).count(), 1);
    }
}
