//! Makes the events of the crash test: stories of a few events each, in order, several at a time. Every event has a mark, which the journal
//! keeps, and most put words of their own on the card, which show its state.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fastrand::Rng;
use serde_json::{Value, json};

/// Stories that one author has in progress.
const MAX_OPEN_STORIES: usize = 5;
/// Units have other numbers than calls, so that they can't be confused.
pub(crate) const PANICKING: i64 = 1_000_000;
const UNIT: i64 = 2_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Emergency,
    Dispatch,
    Panic,
    /// Stands alone: each time it is sent is a message.
    Page,
    /// A unit goes on duty: a line.
    Duty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The whole subject, in its n-th version.
    Version(u8),
    Note,
    Over,
}

struct Story {
    number: i64,
    kind: Kind,
    /// The last comes first.
    left: Vec<Step>,
}

/// Makes the events of a server.
pub(crate) struct Author {
    pub(crate) server: u32,
    rng: Rng,
    numbers: Arc<AtomicI64>,
    open: Vec<Story>,
}

pub(crate) struct StoryEvent {
    /// Server, number, kind and step: unique in a run.
    pub(crate) mark: String,
    kind: &'static str,
    data: Value,
}

impl StoryEvent {
    /// As the CAD sends it.
    pub(crate) fn body(&self, key: &str) -> Value {
        json!({ "key": key, "type": self.kind, "data": self.data, "mark": self.mark })
    }
}

impl Author {
    pub(crate) fn new(server: u32, rng: Rng, numbers: Arc<AtomicI64>) -> Self {
        Self { server, rng, numbers, open: Vec::new() }
    }

    pub(crate) fn next(&mut self) -> StoryEvent {
        while self.open.len() < MAX_OPEN_STORIES {
            let story = self.begin();
            self.open.push(story);
        }
        let at = self.rng.usize(..self.open.len());
        let story = &mut self.open[at];
        let step = story.left.pop().unwrap();
        let event = event(self.server, story.number, story.kind, step);
        if story.left.is_empty() {
            self.open.swap_remove(at);
        }
        event
    }

    fn begin(&mut self) -> Story {
        let kind = match self.rng.u8(..20) {
            0..6 => Kind::Emergency,
            6..13 => Kind::Dispatch,
            13..15 => Kind::Panic,
            15..17 => Kind::Page,
            _ => Kind::Duty,
        };
        let mut steps: Vec<Step> = match kind {
            Kind::Emergency | Kind::Dispatch => (1..=self.rng.u8(1..=4)).map(Step::Version).collect(),
            Kind::Panic | Kind::Page | Kind::Duty => vec![Step::Version(1)],
        };
        if kind == Kind::Dispatch && self.rng.bool() {
            let at = self.rng.usize(1..=steps.len());
            steps.insert(at, Step::Note);
        }
        if matches!(kind, Kind::Emergency | Kind::Dispatch | Kind::Panic) && self.rng.u8(..3) != 0 {
            steps.push(Step::Over);
        }
        steps.reverse();
        Story { number: self.numbers.fetch_add(1, Ordering::SeqCst), kind, left: steps }
    }
}

/// The words on the card after this step.
pub(crate) fn words(number: i64, step: Step) -> String {
    match step {
        Step::Version(version) => format!("T{number}v{version}x"),
        Step::Note => format!("T{number}nx"),
        Step::Over => String::new(),
    }
}

pub(crate) fn mark(server: u32, number: i64, kind: Kind, step: Step) -> String {
    format!("{server} {number} {kind:?} {step:?}")
}

/// The parts of a mark.
pub(crate) fn read(mark: &str) -> Option<(u32, i64, Kind, Step)> {
    let mut parts = mark.splitn(4, ' ');
    let (server, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let kinds = [Kind::Emergency, Kind::Dispatch, Kind::Panic, Kind::Page, Kind::Duty];
    let (kind, step) = (parts.next()?, parts.next()?);
    let kind = kinds.into_iter().find(|known| format!("{known:?}") == kind)?;
    let step = (1..=9).map(Step::Version).chain([Step::Note, Step::Over]).find(|known| format!("{known:?}") == step)?;
    Some((server, number, kind, step))
}

fn event(server: u32, number: i64, kind: Kind, step: Step) -> StoryEvent {
    let words = words(number, step);
    let call = json!({ "callId": number, "isEmergency": true, "caller": "", "location": "Alta St", "description": words });
    let dispatch = json!({ "callId": number, "status": 1, "priority": 2, "title": words, "idents": [], "metaData": {} });
    let (name, data) = match (kind, step) {
        (Kind::Emergency, Step::Version(_)) => ("EVENT_911", json!({ "call": call })),
        (Kind::Emergency, _) => ("EVENT_REMOVE_911", json!({ "callIds": [number] })),
        (Kind::Dispatch, Step::Version(1)) => ("EVENT_DISPATCH_NEW", json!({ "dispatch": dispatch })),
        (Kind::Dispatch, Step::Version(_)) => ("EVENT_DISPATCH_EDIT", json!({ "dispatch": dispatch })),
        (Kind::Dispatch, Step::Note) => {
            let note = json!({ "time": "19:47:30", "label": "A-1", "type": "text", "content": words });
            ("EVENT_DISPATCH_NOTE", json!({ "callId": number, "note": note }))
        }
        (Kind::Dispatch, Step::Over) => ("EVENT_DISPATCH_CLOSED", json!({ "callIds": [number] })),
        (Kind::Panic, step) => ("EVENT_UNIT_PANIC", json!({ "identIds": [PANICKING + number], "isPanic": step != Step::Over })),
        (Kind::Page, _) => {
            ("EVENT_PAGER_REBORN", json!({ "addresses": ["FIRE-1"], "players": [], "nature": "NonEmergency", "body": words }))
        }
        (Kind::Duty, _) => {
            let data = json!({ "unitNum": words, "name": "John Doe", "page": 0 });
            ("EVENT_UNIT_LOGIN", json!({ "unit": { "id": UNIT + number, "status": 2, "data": data } }))
        }
    };
    StoryEvent { mark: mark(server, number, kind, step), kind: name, data }
}
