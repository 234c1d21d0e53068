//! Names threads and forum posts: by what rarely changes, or neutrally where Discord rejects text from the game.

use serde::Serialize;

use super::message_body::MessageBody;
use crate::ids::CallId;
use crate::outbox::{Claim, PostSubject};
use crate::render::text::{self, SafeText, safe};
use crate::world::Subject;

/// Minutes without a message after which Discord archives a thread by itself.
pub(super) const AUTO_ARCHIVE_MIN: u32 = 1_440;
/// The name of a thread without any title.
const NAMELESS: &str = "Call";
/// Longest name that Discord accepts, in units.
const MAX_NAME: usize = 100;

/// A forum post, as in the request that creates it: its name is the card's title.
#[derive(Serialize)]
pub(super) struct ForumPost<'m> {
    name: SafeText,
    auto_archive_duration: u32,
    message: &'m MessageBody<'m>,
}

impl<'m> ForumPost<'m> {
    pub(super) fn new(title: &SafeText, message: &'m MessageBody<'m>) -> Self {
        Self { name: name(&lasting(title)), auto_archive_duration: AUTO_ARCHIVE_MIN, message }
    }
}

/// A name without any word of the game, for one that Discord does not take: `Dispatch call 501`.
pub(super) fn neutral(claim: &Claim) -> SafeText {
    let card = match claim.lead.about.subject {
        PostSubject::Card(card) | PostSubject::Reply { card, .. } => Some(card),
        _ => None,
    };
    let with = |what: &'static str, CallId(number)| if number > 0 { safe!("{} {}", what, number) } else { what.into() };
    match card {
        Some(Subject::Emergency(id, _)) => with("Emergency call", id),
        Some(Subject::Dispatch(id, _)) => with("Dispatch call", id),
        Some(Subject::Panic(..)) => "Panic".into(),
        Some(Subject::Event(..)) | None => "Alert".into(),
    }
}

/// What of a title holds for long: `🚔 P2 · 211 Robbery` without its priority. Discord lets a thread change its name twice in ten minutes.
pub(super) fn lasting(title: &SafeText) -> SafeText {
    match (title.before(" "), title.after(" · ")) {
        (emoji, Some(rest)) if !emoji.is_ascii() => safe!("{} {}", emoji, rest),
        _ => title.clone(),
    }
}

/// A title as the name of a thread, where Discord renders no markdown.
pub(super) fn name(title: &SafeText) -> SafeText {
    let name = text::name(title, MAX_NAME);
    if text::visible(Some(&name)).is_some() { name } else { NAMELESS.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_named_by_what_does_not_change() {
        let lasting = |title: &'static str| lasting(&title.into());
        assert_eq!(lasting("🚔 P2 · 211 Robbery · Alta St"), "🚔 211 Robbery · Alta St");
        assert_eq!(lasting("🚨 911 · Fire"), "🚨 Fire");
        assert_eq!(lasting("Robbery · Alta St"), "Robbery · Alta St");
        assert_eq!((lasting("🚔 Dispatch").as_str(), name(&" ".into()).as_str()), ("🚔 Dispatch", NAMELESS));
    }
}
