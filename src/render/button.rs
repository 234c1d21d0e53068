//! Buttons under cards: which ones a card has, and their labels.

use super::{Button, Choice, Message, View, text};
use crate::world::Subject;

pub use super::custom_id::{On, PICK, Verb};

impl Verb {
    /// The button's label, with its emoji.
    #[must_use]
    pub fn face(self) -> (&'static str, &'static str) {
        match self {
            Self::Respond => ("🚓", "Respond"),
            Self::Note => ("📝", "Note"),
            Self::More | Self::Panel => ("⚙️", "More…"),
            Self::Take => ("🙋", "Take it"),
            Self::Over => ("✅", "Panic over"),
            Self::OverSure => ("✅", "Yes, panic over"),
            Self::AlsoClear => ("☑️", "Also clear the 911"),
            Self::Detach => ("↩️", "Leave call"),
            Self::Close => ("⬛", "Close call"),
            Self::Dismiss => ("☑️", "Dismiss"),
            Self::Postal => ("📮", "Postal"),
            Self::Priority => ("🔺", "Priority"),
            Self::Primary => ("⭐", "Primary"),
        }
    }

    /// Discord's button style: 1 blue, 2 gray, 3 green, 4 red.
    #[must_use]
    pub fn style(self) -> u8 {
        match self {
            Self::Respond => 1,
            Self::Over | Self::OverSure | Self::Take => 3,
            Self::Close | Self::Dismiss => 4,
            _ => 2,
        }
    }
}

/// The buttons of a card, unless nobody may press them, or the CAD couldn't identify it.
pub(super) fn buttons(view: &View<'_>, subject: Subject, verbs: &[Verb]) -> Vec<Button> {
    let shown = view.buttons && !view.test && matches!(view.style, super::Style::Card | super::Style::Compact);
    let on = On { server: view.server, subject }.to_string();
    verbs.iter().filter(|_| shown).map(|verb| Button { verb: *verb, on: on.clone() }).collect()
}

/// The list entry that replaces the buttons of a card that shares its message.
pub(super) fn choice(message: &Message) -> Option<Choice> {
    let on = message.buttons.first()?.on.clone();
    Some(Choice { on, label: text::name(&message.title()?, 100) })
}

#[cfg(test)]
mod tests {
    use super::super::{Style, sample};
    use super::*;
    use crate::ids::{CallId, Ident, UserId};
    use crate::world::Acknowledgement;

    fn faces(world: &crate::world::Server, subject: Subject, style: Style) -> String {
        let view = View { buttons: true, ..sample::view(world, style) };
        let message = crate::render::card(subject, &view).unwrap();
        message.buttons.iter().map(|button| button.verb.word()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn cards_have_the_buttons_of_their_state() {
        let mut world = sample::world();
        let (opened, by) = (sample::OPENED, Some(Acknowledgement { by: UserId(5), at: sample::NOW }));
        let all = [Subject::Emergency(CallId(302), opened), Subject::Dispatch(CallId(501), opened), Subject::Panic(Ident(4107), opened)];
        let shown = |world: &_, style| all.map(|subject| faces(world, subject, style));
        assert_eq!(shown(&world, Style::Card), ["respond note more take", "respond note more", "over take"]);
        assert_eq!(shown(&world, Style::Compact), shown(&world, Style::Card));
        assert_eq!((shown(&world, Style::Log), shown(&world, Style::Public)), (Default::default(), Default::default()));
        world.emergencies.get_mut(&CallId(302)).unwrap().taken = by;
        world.panics.get_mut(&Ident(4107)).unwrap().taken = by;
        assert_eq!(shown(&world, Style::Card), ["respond note more", "respond note more", "over"]);
        let message = crate::render::card(all[0], &sample::view(&world, Style::Card)).unwrap();
        assert!(sample::show(&Some(message)).contains(" · 🙋 <t:1763700600:t> taken by <@5>"));
        world.emergencies.get_mut(&CallId(302)).unwrap().gone_at = Some(sample::NOW);
        world.dispatches.get_mut(&CallId(501)).unwrap().closed_at = Some(sample::NOW);
        world.panics.get_mut(&Ident(4107)).unwrap().over_at = Some(sample::NOW);
        assert_eq!(shown(&world, Style::Card), [""; 3]);
    }

    #[test]
    fn a_guild_may_do_without_and_the_cad_must_know_the_call() {
        let mut world = sample::world();
        let subject = Subject::Emergency(CallId(302), sample::OPENED);
        assert!(crate::render::card(subject, &sample::view(&world, Style::Card)).unwrap().buttons.is_empty());
        // A call without a number of the CAD's.
        let call = world.emergencies.remove(&CallId(302)).unwrap();
        let unnumbered = crate::world::Emergency { call: crate::event::EmergencyCall { id: None, ..call.call.clone() }, ..call };
        world.emergencies.insert(CallId(-9), unnumbered);
        assert_eq!(faces(&world, Subject::Emergency(CallId(-9), sample::OPENED), Style::Card), "");
    }

    #[test]
    fn cards_that_share_a_message_share_a_list() {
        let world = sample::world();
        let view = View { buttons: true, ..sample::view(&world, Style::Card) };
        let card = |subject| crate::render::card(subject, &view).unwrap();
        let (one, two) = (Subject::Emergency(CallId(302), sample::OPENED), Subject::Dispatch(CallId(501), sample::OPENED));
        let batched = crate::render::batch(vec![card(one), card(two)]);
        assert!(batched.buttons.is_empty());
        let on: Vec<Option<On>> = batched.choices.iter().map(|choice| On::parse(&choice.on)).collect();
        assert_eq!(on, [one, two].map(|subject| Some(On { server: view.server, subject })));
        assert_eq!(batched.choices[0].label, "🚨 911 · Shots fired near Alta St");
        let alone = crate::render::batch(vec![card(one)]);
        assert_eq!((alone.buttons.len(), alone.choices.len()), (4, 0));
    }

    #[test]
    fn every_verb_has_a_face() {
        assert!(Verb::ALL.iter().all(|(verb, _)| !verb.face().1.is_empty()));
    }
}
