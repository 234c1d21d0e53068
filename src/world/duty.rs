//! Sessions on duty: when each began and ended, for reports of hours.
//!
//! ```text
//! login, first sight, listing ─▶ on since `began` ─┬─ logout event ────────────────────────────▶ ended then
//!                                                  ├─ not listed, or it logs in again ─────────▶ ended at the last sign of life, missed
//!                                                  └─ we were away for long (`resume_duty`) ───▶ the same; seen again: a new one, joined late
//! ```
//!
//! The last sign of life is the last event that named the unit, or the last complete listing with it. Sessions of one unit never
//! overlap, even if the clock is set back.

use super::memory::lately;
use super::{Applied, Duty, DutyEdge, Ended, Entity, FRESH, GRACE, Server, UnitState};
use crate::clock::UnixMs;
use crate::event::Unit;
use crate::ids::Ident;

impl UnitState {
    fn edge(&self, began: UnixMs, ended: Option<Ended>) -> DutyEdge {
        DutyEdge { ident: self.unit.ident, began, joined_late: self.duty.joined_late, seen: self.seen_at.max(began), ended }
    }

    /// Begins a session if it is on duty without one.
    pub(super) fn begin_duty(&mut self, known: bool, at: UnixMs, done: &mut Applied) {
        if self.on_duty && self.duty.began.is_none() {
            let began = self.duty.until.map_or(at, |until| until.max(at));
            (self.duty.began, self.duty.joined_late) = (Some(began), !known);
            done.duty.push(self.edge(began, None));
        }
    }

    /// Ends the current session.
    pub(super) fn end_duty(&mut self, ended: Ended, done: &mut Applied) {
        if let Some(began) = self.duty.began {
            let at = ended.at.max(began);
            let edge = DutyEdge { seen: at, ..self.edge(began, Some(Ended { at, ..ended })) };
            done.duty.push(edge);
            self.duty = Duty { began: None, joined_late: false, until: Some(at) };
        }
    }

    /// An event named it, whole or by number. `alive`: the last sign of life before that.
    pub(super) fn duty_event(&mut self, login: bool, before: &Unit, alive: UnixMs, at: UnixMs, done: &mut Applied) {
        match self.duty.began {
            // It logged in again without a logout.
            Some(began) if login && !lately(began, at) => {
                self.end_duty(Ended { at: alive, missed: true }, done);
                self.begin_duty(true, at, done);
            }
            // Something else overtook its login.
            Some(began) if login && self.duty.joined_late => {
                self.duty.joined_late = false;
                done.duty.push(self.edge(began, None));
            }
            Some(began) if self.on_duty && is_renamed(before, &self.unit) => done.duty.push(self.edge(began, None)),
            Some(_) => {}
            None => self.begin_duty(login, at, done),
        }
    }

    /// A listing has it. `known`: it came on duty recently, so its session's beginning is known.
    pub(super) fn duty_listed(&mut self, known: bool, before: &Unit, at: UnixMs, done: &mut Applied) {
        match self.duty.began {
            Some(began) if is_renamed(before, &self.unit) => done.duty.push(self.edge(began, None)),
            Some(_) => {}
            None => self.begin_duty(known, at, done),
        }
    }
}

impl Server {
    /// The last sign of life of a unit that is on duty.
    pub(super) fn alive(&self, ident: Ident) -> UnixMs {
        let seen = self.units.get(&ident).map(|state| state.seen_at).unwrap_or_default();
        // A unit on duty without recent events was among the listed ones, in their state a moment before the request.
        self.listed.whole.map_or(seen, |asked_at| seen.max(asked_at.minus(GRACE)))
    }

    /// A listing from the future is from before the clock was set back: it says nothing about units that go on duty now.
    pub(super) fn set_back(&mut self, at: UnixMs, done: &mut Applied) {
        if self.listed.whole.take_if(|asked_at| *asked_at > at).is_some() {
            done.touched.insert(Entity::Listed);
        }
    }

    /// After a restart: if the bot was down for long, units may have left and come back. Then sessions end at the last sign of
    /// life. Otherwise they continue; units of an older version's rows get theirs.
    pub fn resume_duty(&mut self, now: UnixMs) -> Applied {
        let mut done = Applied::default();
        let seen = self.units.values().map(|state| state.seen_at).max();
        let watched = [self.listed.units, self.listed.calls, seen].into_iter().flatten().max().unwrap_or(now);
        let away = now.since(watched) > FRESH.max(self.listed.every.saturating_mul(3));
        let on_duty: Vec<Ident> = self.units.iter().filter(|(_, state)| state.on_duty).map(|(ident, _)| *ident).collect();
        for ident in on_duty {
            let alive = self.alive(ident);
            let Some(state) = self.units.get_mut(&ident) else { continue };
            match state.duty.began {
                // Written again, in case the table has lost it.
                Some(began) => done.duty.push(state.edge(began, None)),
                None if state.duty.until.is_none() => {
                    state.begin_duty(state.since.is_some(), state.since.unwrap_or(state.seen_at), &mut done)
                }
                None => continue,
            }
            if away {
                state.end_duty(Ended { at: alive, missed: true }, &mut done);
            }
            done.touched.insert(Entity::Unit(ident));
        }
        done
    }

    /// Current sessions, as edges.
    #[must_use]
    pub fn duty_open(&self) -> Vec<DutyEdge> {
        let open = self.units.iter().filter_map(|(ident, state)| Some((ident, state.edge(state.duty.began?, None))));
        open.map(|(ident, edge)| DutyEdge { seen: self.alive(*ident).max(edge.began), ..edge }).collect()
    }

    /// The ends of those among `open` whose unit was forgotten ([`Server::forget`]).
    #[must_use]
    pub fn duty_forgotten(&self, open: &[DutyEdge]) -> Vec<DutyEdge> {
        let forgotten = open.iter().filter(|edge| !self.units.contains_key(&edge.ident));
        forgotten.map(|edge| DutyEdge { ended: Some(Ended { at: edge.seen, missed: true }), ..*edge }).collect()
    }
}

/// Whether it is found under another name now.
fn is_renamed(before: &Unit, now: &Unit) -> bool {
    (&before.account, &before.callsign, &before.name, &before.department) != (&now.account, &now.callsign, &now.name, &now.department)
}

#[cfg(test)]
mod tests;
