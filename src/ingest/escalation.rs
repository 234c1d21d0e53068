//! What nobody answered: a second role is called, by a reply under the card. Looked at once a second; what was called out is known by its
//! post, so that a restart calls nobody twice.

use std::collections::{BTreeSet, HashSet};

use super::Ingest;
use super::called::Called;
use super::planner::{PlanContext, Post, PostPlanner, Whose, reply_place};
use crate::clock::UnixMs;
use crate::outbox::Lane;
use crate::render::{self, Reply, View};
use crate::route::{Escalation, MatchedTarget};
use crate::shutdown::Tasks;
use crate::store::Batch;
use crate::world::{Server, Subject};

impl Ingest {
    /// Calls out what has waited for long enough, and lets go what nobody will answer any more.
    pub async fn look_after(&mut self, tasks: &Tasks) {
        self.flush(tasks).await;
        let now = self.deps.clock.now();
        let mut batch = Batch { now, ..Batch::default() };
        self.expire(now, &mut batch);
        let called = self.escalate(now, &mut batch);
        // A failed commit calls it out again in a second.
        if self.commit(batch, 1, tasks).await.is_ok() {
            self.called.extend(called);
        }
        self.deps.status.looked();
    }

    fn escalate(&mut self, now: UnixMs, batch: &mut Batch) -> HashSet<Called> {
        let routing = self.deps.store.routing_now();
        let mut called = HashSet::new();
        if routing.routes.iter().all(|route| route.spec.rule.escalation.is_empty()) {
            self.called.clear();
            return called;
        }
        let worlds = &self.worlds;
        self.called.retain(|(server, subject, ..)| worlds.get(server).is_some_and(|world| !world.is_over(*subject)));
        for (server, world) in &self.worlds {
            for subject in waiting(world) {
                let context = PlanContext::without_event(
                    &routing,
                    (&self.pinged, &self.rerouted),
                    Whose { community: self.deps.store.community(), server: *server },
                    world,
                    now,
                );
                let mut planner = PostPlanner::new(context, &mut self.memos, &mut self.pages, &mut batch.posts);
                planner.escalate(subject, &self.called, &mut called);
            }
        }
        called
    }
}

/// What waits for somebody to answer. Not what was there before us: nobody knows for how long, nor whether somebody goes already.
fn waiting(world: &Server) -> Vec<Subject> {
    let emergencies = world.emergencies.iter().filter(|(_, call)| call.call.is_emergency && !call.joined_late);
    let emergencies = emergencies.map(|(id, call)| Subject::Emergency(*id, call.opened_at));
    let panics = world.panics.iter().filter(|(_, panic)| !panic.joined_late);
    // Those of one event share a card, and so what is said under it.
    let panics: BTreeSet<Subject> = panics.map(|(_, panic)| panic.subject()).collect();
    let pages = world.pages.keys().map(|(seq, nth)| Subject::Event(*seq, *nth));
    emergencies.chain(panics).chain(pages).filter(|subject| !world.is_over(*subject) && !world.is_answered(*subject)).collect()
}

impl PostPlanner<'_> {
    /// Calls the roles of the steps that are due, where a card of the subject stands.
    fn escalate(&mut self, subject: Subject, before: &HashSet<Called>, called: &mut HashSet<Called>) {
        let Some(opened) = self.world.began(subject) else { return };
        let Some((alert, standing)) = self.alert(subject).zip(self.standing_of(subject)) else { return };
        if !Escalation::is_for(alert.topic) {
            return;
        }
        let (server, text) = (self.server, subject.to_string());
        let lane = if alert.topic == crate::event::Topic::Panic { Lane::Panic } else { Lane::Urgent };
        let mut replies: Vec<(MatchedTarget, Post, render::Message)> = Vec::new();
        for target in self.targets(&alert) {
            let Some(memo) = standing.get(&target.channel) else { continue };
            for route in self.routes.iter().filter(|route| target.routes.contains(&route.id) && !self.is_silent(route, &alert)) {
                for step in route.spec.rule.escalation.due(opened, self.at) {
                    let this = (server, subject, route.id, step.minutes);
                    if before.contains(&this) {
                        continue;
                    }
                    // As of when it was due: the same text after a restart, and so no other post.
                    let roles = [step.role];
                    let view = View { now: step.at(opened), ..self.view(memo.guild, memo.style, &roles, false) };
                    let Some(message) = render::reply(Reply::Unanswered { since: opened }, subject, &view) else { continue };
                    let name = format!("{text}#escalate.{}.{}", route.id, step.minutes);
                    // Panics of one event that have a card each call people once for each step. Below zero, apart from all events.
                    let event =
                        if lane == Lane::Panic { -(opened.0.saturating_mul(100_000)).saturating_add(i64::from(step.minutes)) } else { 0 };
                    let post = Post { place: reply_place(memo.place), parent: Some(text.clone()), event, ..Post::new(lane, name) };
                    replies.push((MatchedTarget { roles: roles.to_vec(), ..target.clone() }, post, message));
                    called.insert(this);
                }
            }
        }
        for (target, post, message) in replies {
            self.push(&target, post, message);
        }
    }
}
