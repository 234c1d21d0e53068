//! 911 and civil calls: waiting, then handled or turned into a dispatch call.

use super::button::{self, Verb};
use super::draft::{self, Draft, Fields, PublicState};
use super::meta::{known_meta, meta, place_left};
use super::text::{self, SafeText, safe};
use super::{Button, Message, Style, View, colors, dispatch, street, unit, words};
use crate::world::{Emergency, Subject};

/// The card in the requested style.
pub(super) fn card(emergency: &Emergency, number: crate::ids::CallId, view: &View<'_>) -> Message {
    let call = &emergency.call;
    let label = words::emergency(view.labels, call.is_emergency);
    let (head, color, state) = match (emergency.gone_at, emergency.became) {
        (None, None) if call.is_emergency => (safe!("🚨 {}", label), colors::EMERGENCY, "Waiting"),
        (None, None) => (safe!("📞 {}", label), colors::CIVIL, "Waiting"),
        (_, Some(dispatch)) => (safe!("➡️ {} became {}", label, words::call_by(view, dispatch)), colors::CLOSED, "Dispatched"),
        (Some(_), None) => (safe!("☑️ {} handled", label), colors::CLOSED, "Handled"),
    };
    let cads = emergency.cad_number(number);
    let about = words::numbered(text::plain(footer_label(view, call.is_emergency), 24), cads, &call.meta);
    if view.style == Style::Public {
        let state = PublicState { word: state.into(), since: emergency.opened_at, over: emergency.ended_at() };
        return Draft::public(view, head, call.location.as_deref(), color, about, state).finish(view);
    }

    let what = text::visible(call.description.as_deref()).map(|d| words::capital(first_sentence(d)));
    let place = text::visible(call.location.as_deref()).map(street::first);
    let separator = if what.is_some() { " near " } else { "" };
    let title = match (&what, place) {
        (None, None) => draft::title(view, head, cads.map(words::call).as_deref(), "", None),
        _ => draft::title(view, head, what.as_deref(), separator, place),
    };
    let mut draft = Draft::new(view, title, color, about, emergency.opened_at);
    draft.sentence = sentence(&label, emergency);
    draft.description = draft::block(call.description.as_deref(), 1_800);
    draft.fields = fields(emergency, view, &label).0;
    draft.buttons = buttons(emergency, number, view);
    draft.finish(view)
}

/// Only while it waits, and if the CAD can identify the call.
fn buttons(emergency: &Emergency, number: crate::ids::CallId, view: &View<'_>) -> Vec<Button> {
    let waits = emergency.gone_at.is_none() && emergency.became.is_none();
    if !waits || emergency.cad_number(number).is_none() {
        return Vec::new();
    }
    let subject = Subject::Emergency(number, emergency.opened_at);
    let verbs = [Verb::Respond, Verb::Note, Verb::More, Verb::Take];
    let free = emergency.taken.is_none();
    button::buttons(view, subject, verbs.get(..if free { 4 } else { 3 }).unwrap_or_default())
}

/// `911: shots fired, Alta St / Integrity Way (9001)`.
fn sentence(label: &SafeText, emergency: &Emergency) -> SafeText {
    let call = &emergency.call;
    let what = text::visible(call.description.as_deref()).map(first_sentence);
    let place = place_left(call.location.as_deref(), what);
    let told = SafeText::join([draft::line(what, 120), draft::line(place, 120)].into_iter().flatten(), ", ");
    let told = if told.is_empty() { "new call".into() } else { told };
    let said = |postal: &&str| ![what, place].into_iter().flatten().any(|said| text::says(said, postal));
    match draft::line(meta(&call.meta, "postal").filter(said), 24) {
        Some(postal) => safe!("{}: {} ({})", label, told, postal),
        None => safe!("{}: {}", label, told),
    }
}

fn fields(emergency: &Emergency, view: &View<'_>, label: &SafeText) -> Fields {
    let call = &emergency.call;
    let mut fields = Fields::default();
    fields.inline("Location", draft::line(call.location.as_deref(), 300));
    fields.inline("Postal", draft::line(meta(&call.meta, "postal"), 40));
    fields.inline("Caller", draft::line(call.caller.as_deref(), 100));
    known_meta(&mut fields, &call.meta, &["plate", "block", "code", "priority"]);
    if meta(&call.meta, "silentAlert").is_some_and(truthy) {
        fields.inline("Silent alert", Some("🔕 Yes".into()));
    }
    fields.inline("Panic of", emergency.panic_of.map(|ident| unit::name(view, ident)));
    let ended = emergency.ended_at().filter(|_| !emergency.joined_late);
    let after = ended.map(|ended| words::duration(ended.since(emergency.opened_at)));
    fields.inline(if emergency.became.is_some() { "Taken after" } else { "Handled after" }, after);
    if let Some(id) = emergency.became {
        let call = view.world.dispatches.get(&id);
        fields.inline("Became", Some(call.map_or_else(|| words::call(id), dispatch::reference)));
        fields.link(words::call_by(view, id), call.map(|call| Subject::Dispatch(id, call.opened_at)));
    }

    let last = emergency.notes.iter().rev().find_map(dispatch::note_line);
    let title = if emergency.notes.len() > 1 { safe!("Last of {} notes", emergency.notes.len()) } else { "Last note".into() };
    fields.wide(title, last.map(|note| note.cut(600)));

    let began = words::time(emergency.opened_at);
    let mut timeline = vec![if emergency.joined_late { safe!("👁️ {} first seen", began) } else { safe!("📞 {} {}", began, label) }];
    timeline.extend(emergency.taken.map(words::taken));
    timeline.extend(emergency.ended_at().map(|ended| match emergency.became {
        Some(dispatch) => safe!("➡️ {} became {}", words::time(ended), words::call_by(view, dispatch)),
        None => safe!("☑️ {} handled", words::time(ended)),
    }));
    fields.wide("Timeline", Some(SafeText::join(timeline, " · ")));
    fields
}

fn truthy(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes")
}

fn footer_label<'a>(view: &View<'a>, is_emergency: bool) -> &'a str {
    let own = if is_emergency { &view.labels.emergency } else { &view.labels.civil };
    text::visible(Some(own)).unwrap_or(if is_emergency { "911" } else { "311" })
}

/// What happened in a few words: the first sentence of the first line, without its final mark, since other words follow.
pub(super) fn first_sentence(text: &str) -> &str {
    let line = text.trim_start().lines().next().unwrap_or("");
    let end = [". ", "! ", "? "].into_iter().filter_map(|stop| line.find(stop)).min();
    let first = end.map_or(line, |end| line.split_at(end).0).trim_end();
    let bare = first.trim_end_matches(['.', '!', ',']).trim_end();
    if bare.is_empty() { first } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CallId, RoleId};
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    fn card_of(world: &crate::world::Server, style: Style, roles: &[RoleId]) -> Option<Message> {
        let view = View { roles, ..sample::view(world, style) };
        crate::render::card(Subject::Emergency(CallId(302), sample::OPENED), &view)
    }

    #[test]
    fn waiting() {
        let world = sample::world();
        assert_snapshot!(show(&card_of(&world, Style::Card, &[RoleId(7)])), @r##"
        > <@&7> 911: shots fired, Alta St / Integrity Way (9001)
        #E74C3C 🚨 911 · Shots fired near Alta St
        shots fired. Two men with \*crowbars\*.
        {Location} Alta St / Integrity Way
        {Postal} 9001
        {Caller} Tessa Marlowe
        {Plate} 46\*EEK
        [Timeline] 📞 <t:1763700000:t> 911
        -- Server 1 · 911 #302 @ 1763700000
        "##);
        assert_snapshot!(show(&card_of(&world, Style::Compact, &[])), @r##"
        #E74C3C 🚨 911 · Shots fired near Alta St
        -- Server 1 · 911 #302 @ 1763700000
        "##);
        assert_snapshot!(show(&card_of(&world, Style::Log, &[])), @r##"
        #E74C3C (no title)
        <t:1763700000:t> 🚨 911 · Shots fired near Alta St
        -- Server 1 · 911 #302 @ 1763700000
        "##);
        assert_snapshot!(show(&card_of(&world, Style::Public, &[RoleId(7)])), @r##"
        > <@&7> 🚨 911 · Alta St / Integrity Way
        #E74C3C 🚨 911 · Alta St / Integrity Way
        {Street} Alta St / Integrity Way
        {State} Waiting
        {Since} <t:1763700000:t>
        -- Server 1 · 911 #302 @ 1763700000
        "##);
    }

    #[test]
    fn gone() {
        let mut world = sample::world();
        let call = world.emergencies.get_mut(&CallId(302)).unwrap();
        call.gone_at = Some(sample::OPENED.plus_ms(252_000));
        assert_snapshot!(show(&card_of(&world, Style::Card, &[])), @r##"
        #95A5A6 ☑️ 911 handled · Shots fired near Alta St
        shots fired. Two men with \*crowbars\*.
        {Location} Alta St / Integrity Way
        {Postal} 9001
        {Caller} Tessa Marlowe
        {Plate} 46\*EEK
        {Handled after} 4 min 12 s
        [Timeline] 📞 <t:1763700000:t> 911 · ☑️ <t:1763700252:t> handled
        -- Server 1 · 911 #302 @ 1763700000
        "##);
        world.emergencies.get_mut(&CallId(302)).unwrap().became = Some(CallId(501));
        assert_snapshot!(show(&card_of(&world, Style::Card, &[])), @r##"
        #95A5A6 ➡️ 911 became Call #501 · Shots fired near Alta St
        shots fired. Two men with \*crowbars\*.
        {Location} Alta St / Integrity Way
        {Postal} 9001
        {Caller} Tessa Marlowe
        {Plate} 46\*EEK
        {Taken after} 4 min 12 s
        {Became} Call #501 · 211 Armed Robbery
        [Timeline] 📞 <t:1763700000:t> 911 · ➡️ <t:1763700252:t> became Call #501
        -- Server 1 · 911 #302 @ 1763700000
        "##);
        // There was no event for its removal, or a later one.
        let gone = show(&card_of(&world, Style::Card, &[]));
        for gone_at in [None, Some(sample::OPENED.plus_ms(300_000))] {
            let call = world.emergencies.get_mut(&CallId(302)).unwrap();
            (call.became_at, call.gone_at) = (Some(sample::OPENED.plus_ms(252_000)), gone_at);
            assert_eq!(show(&card_of(&world, Style::Card, &[])), gone, "{gone_at:?}");
        }
        assert_snapshot!(show(&card_of(&world, Style::Public, &[])), @r##"
        #95A5A6 ➡️ 911 became Call #501 · Alta St / Integrity Way
        {Street} Alta St / Integrity Way
        {State} Dispatched
        {Since} <t:1763700000:t>
        {Over} <t:1763700252:t>
        -- Server 1 · 911 #302 @ 1763700000
        "##);
    }

    #[test]
    fn civil_anonymous_test_and_silent() {
        let mut world = sample::world();
        let call = &mut world.emergencies.get_mut(&CallId(302)).unwrap().call;
        (call.is_emergency, call.caller) = (false, Some(" \u{200B}".into()));
        call.description = Some("noise complaint".into());
        call.meta.remove("silentAlert");
        call.meta.insert("SILENTALERT".into(), "True".into());
        let labels = super::super::Labels { civil: "101".into(), ..Default::default() };
        let view = View { test: true, labels: &labels, ..sample::view(&world, Style::Card) };
        assert_snapshot!(show(&Some(card(&world.emergencies[&CallId(302)], CallId(302), &view))), @r##"
        #F39C12 TEST · 📞 101 · Noise complaint near Alta St
        noise complaint
        {Location} Alta St / Integrity Way
        {Postal} 9001
        {Plate} 46\*EEK
        {Silent alert} 🔕 Yes
        [Timeline] 📞 <t:1763700000:t> 101
        -- Server 1 · 101 #302 @ 1763700000
        "##);
    }

    #[test]
    fn a_place_that_the_words_say_is_not_said_twice() {
        let mut world = sample::world();
        let mut shown = |description: &str, location: &str, postal: &str| {
            let call = &mut world.emergencies.get_mut(&CallId(302)).unwrap().call;
            (call.description, call.location) = (Some(description.into()), Some(location.into()));
            call.meta.insert("postal".into(), postal.into());
            let card = card_of(&world, Style::Card, &[RoleId(7)]).unwrap();
            (card.embeds[0].title.clone().unwrap(), card.content.unwrap())
        };
        let said = |title: &'static str, content: &'static str| (title.into(), content.into());
        assert_eq!(
            shown("Shots fired at  ALTA ST", "Alta St / Integrity Way", "9001"),
            said("🚨 911 · Shots fired at ALTA ST", "<@&7> 911: Shots fired at ALTA ST (9001)")
        );
        assert_eq!(shown("Fire", "Alta St (9001)", "9001"), said("🚨 911 · Fire near Alta St (9001)", "<@&7> 911: Fire, Alta St (9001)"));
        assert_eq!(
            shown("Crash on Route 681", "Route 68", "1"),
            said("🚨 911 · Crash on Route 681 near Route 68", "<@&7> 911: Crash on Route 681, Route 68 (1)")
        );
    }

    #[test]
    fn nothing_but_a_number() {
        let mut world = sample::world();
        world.emergencies.get_mut(&CallId(302)).unwrap().call = crate::event::EmergencyCall { is_emergency: true, ..Default::default() };
        assert_snapshot!(show(&card_of(&world, Style::Card, &[RoleId(7)])), @r##"
        > <@&7> 911: new call
        #E74C3C 🚨 911 · Call #302
        [Timeline] 📞 <t:1763700000:t> 911
        -- Server 1 · 911 #302 @ 1763700000
        "##);
    }

    #[test]
    fn ids_and_coordinates_stay_unsaid() {
        let world = sample::world();
        for style in [Style::Card, Style::Compact, Style::Log, Style::Public] {
            let shown = show(&card_of(&world, style, &[RoleId(7)]));
            for secret in ["-402.1", "1377.9", "uuid", "5d4cbb1e", "license", "player-88", "hidden"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
        }
    }

    #[test]
    fn the_first_sentence() {
        for (text, first) in [
            ("Shots fired. Two men.", "Shots fired"),
            ("Shots fired.", "Shots fired"),
            ("\n\nhelp!\nnow", "help"),
            ("Where are you?", "Where are you?"),
            ("Gunfire!! Hurry", "Gunfire"),
            ("...", "..."),
            ("at 3.14 km", "at 3.14 km"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(text), first);
        }
    }
}
