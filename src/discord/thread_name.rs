//! What a thread or a forum post is called: by what holds for long, or neutrally where Discord takes no word of the game.

use serde::Serialize;

use super::message_body::MessageBody;
use crate::ids::CallId;
use crate::outbox::{Claim, PostSubject};
use crate::render::text;
use crate::world::Subject;

/// Minutes without a message after which Discord puts a thread away by itself.
pub(super) const AUTO_ARCHIVE_MIN: u32 = 1_440;
/// What a thread without any title is called.
const NAMELESS: &str = "Call";
/// Longest name that Discord takes, in units.
const MAX_NAME: usize = 100;

/// A forum post, as a request to make it carries it: its name is the card's title.
#[derive(Serialize)]
pub(super) struct ForumPost<'m> {
    name: String,
    auto_archive_duration: u32,
    message: &'m MessageBody<'m>,
}

impl<'m> ForumPost<'m> {
    pub(super) fn new(title: &str, message: &'m MessageBody<'m>) -> Self {
        Self { name: name(&lasting(title)), auto_archive_duration: AUTO_ARCHIVE_MIN, message }
    }
}

/// A name without any word of the game, for one that Discord does not take: `Dispatch call 501`.
pub(super) fn neutral(claim: &Claim) -> String {
    let card = match claim.lead.about.subject {
        PostSubject::Card(card) | PostSubject::Reply { card, .. } => Some(card),
        _ => None,
    };
    let with = |what: &str, CallId(number)| if number > 0 { format!("{what} {number}") } else { what.to_owned() };
    match card {
        Some(Subject::Emergency(id, _)) => with("Emergency call", id),
        Some(Subject::Dispatch(id, _)) => with("Dispatch call", id),
        Some(Subject::Panic(..)) => "Panic".to_owned(),
        Some(Subject::Event(..)) | None => "Alert".to_owned(),
    }
}

/// What of a title holds for long: `🚔 P2 · 211 Robbery` without its priority. Discord lets a thread change its name twice in ten minutes.
pub(super) fn lasting(title: &str) -> String {
    match (title.split_once(' '), title.split_once(" · ")) {
        (Some((emoji, _)), Some((_, rest))) if !emoji.is_ascii() => format!("{emoji} {rest}"),
        _ => title.to_owned(),
    }
}

/// A title as the name of a thread, where Discord renders no markdown.
pub(super) fn name(title: &str) -> String {
    let name = text::name(title, MAX_NAME);
    if text::visible(Some(&name)).is_some() { name } else { NAMELESS.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_named_by_what_does_not_change() {
        assert_eq!(lasting("🚔 P2 · 211 Robbery · Alta St"), "🚔 211 Robbery · Alta St");
        assert_eq!(lasting("🚨 911 · Fire"), "🚨 Fire");
        assert_eq!(lasting("Robbery · Alta St"), "Robbery · Alta St");
        assert_eq!((lasting("🚔 Dispatch").as_str(), name(" ").as_str()), ("🚔 Dispatch", NAMELESS));
    }
}
