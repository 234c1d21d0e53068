//! The small families, one line each: bodycam, street sign, callout, character, account link, printed record. Only a callout has a public
//! form: the game creates it, about nobody.

use super::draft::{self, Draft, Fields, PublicState};
use super::text::{self, SafeText, safe};
use super::{Message, Style, View, colors, street, unit};
use crate::clock::UnixMs;
use crate::event::Callout;
use crate::ids::Ident;

pub(super) fn bodycam(ident: Ident, on: bool, at: UnixMs, view: &View<'_>) -> Option<Message> {
    let state = if on { "bodycam on" } else { "bodycam off" };
    one_line(safe!("🎥 {} · {}", unit::name(view, ident), state), unit::about(ident), at, view, Fields::default())
}

pub(super) fn street_sign(ids: &[i64], lines: &[String], at: UnixMs, view: &View<'_>) -> Option<Message> {
    let numbers: Vec<SafeText> = ids.iter().map(|id| safe!("#{}", id)).collect();
    let numbers = draft::list(&numbers, ", ", 24).map(|n| safe!(" {}", n)).unwrap_or_default();
    let said: Vec<&str> = lines.iter().filter_map(|l| text::visible(Some(l))).collect();
    let said = if said.is_empty() { "cleared".to_owned() } else { said.join(" / ") };
    one_line(draft::title(view, safe!("🪧 Street sign{}", numbers), Some(&said), "", None), "Street sign", at, view, Fields::default())
}

pub(super) fn callout(callout: &Callout, at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        let state = PublicState { word: "Open".into(), since: at, over: None };
        return Some(Draft::public(view, "📍 Callout", callout.location.as_deref(), colors::OTHER, "Callout", state).finish(view));
    }
    let place = text::visible(callout.location.as_deref()).map(street::first);
    let separator = if text::visible(callout.name.as_deref()).is_some() { " · " } else { "" };
    let title = draft::title(view, "📍 Callout", callout.name.as_deref(), separator, place);
    let mut draft = Draft::new(view, title, colors::OTHER, "Callout", at);
    let texts: Vec<&str> = callout.descriptions.iter().filter_map(|d| text::visible(Some(d))).collect();
    draft.description = draft::block(Some(&texts.join("\n")), 1_800);
    let mut fields = Fields::default();
    fields.inline("Location", draft::line(callout.location.as_deref(), 300));
    fields.inline("Postal", draft::line(callout.postal.as_deref(), 40));
    draft.fields = fields.0;
    Some(draft.finish(view))
}

/// The account is left out: it is a person's id.
pub(super) fn character(character: &str, at: UnixMs, view: &View<'_>) -> Option<Message> {
    let title = draft::title(view, "🎭 Character selected", Some(character), "", None);
    one_line(title, "Character", at, view, Fields::default())
}

/// Enough to recognize one's own, too little to use: `license:…ab7713`.
pub(super) fn account_linked(community_user: &str, at: UnixMs, view: &View<'_>) -> Option<Message> {
    let (kind, id) = community_user.split_once(':').map_or(("", community_user), |(kind, id)| (kind, id));
    let kind = if kind.is_empty() { String::new() } else { format!("{kind}:") };
    let length = id.chars().count();
    let tail: String = id.chars().skip(length - (length / 3).min(6)).collect();
    let title = draft::title(view, "🔗 Account linked", Some(&format!("{kind}…{tail}")), "", None);
    one_line(title, "Account", at, view, Fields::default())
}

pub(super) fn printed(ident: Option<Ident>, url: Option<&str>, at: UnixMs, view: &View<'_>) -> Option<Message> {
    let who = ident.map(|ident| safe!("{} · ", unit::name(view, ident))).unwrap_or_default();
    let mut fields = Fields::default();
    fields.inline("Document", url.and_then(text::link));
    one_line(safe!("🖨️ {}record printed", who), "Printed record", at, view, fields)
}

fn one_line(title: SafeText, about: impl Into<SafeText>, at: UnixMs, view: &View<'_>, fields: Fields) -> Option<Message> {
    (view.style != Style::Public).then(|| {
        let mut draft = Draft::new(view, title, colors::OTHER, about, at);
        draft.fields = fields.0;
        draft.finish(view)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    fn shown(event: &Event, style: Style) -> String {
        let world = sample::world();
        show(&crate::render::event(event, sample::NOW, &sample::view(&world, style)))
    }

    #[test]
    fn one_line_each() {
        let sign = |lines: &[&str]| Event::StreetSign { ids: vec![12, 13], lines: lines.iter().map(|l| (*l).to_owned()).collect() };
        let link = |user: &str| Event::LinkVerified { community_user: user.into(), account: Some("7c1f9a52".into()) };
        let printed = Event::PrintRecord { ident: Some(Ident(4107)), url: Some("https://cad.example/r.pdf".into()) };
        let character = Event::CharacterSelected { account: Some("7c1f9a52".into()), character: "8842".into() };
        let events = [
            Event::Bodycam { ident: Ident(4107), on: true },
            Event::Bodycam { ident: Ident(1), on: false },
            sign(&["ROAD CLOSED", "# USE I-5"]),
            sign(&[]),
            character,
            link("license:9d20ab7713"),
            link("x"),
            printed,
        ];
        let lines: Vec<String> = events.iter().map(|e| shown(e, Style::Compact)).collect();
        assert_snapshot!(lines.join("\n"), @r##"
        #3498DB 🎥 A-10 John Doe · bodycam on
        -- Server 1 · Identifier 4107 @ 1763700600
        #3498DB 🎥 Unit 1 · bodycam off
        -- Server 1 · Identifier 1 @ 1763700600
        #3498DB 🪧 Street sign #12, #13 · ROAD CLOSED / # USE I-5
        -- Server 1 · Street sign @ 1763700600
        #3498DB 🪧 Street sign #12, #13 · cleared
        -- Server 1 · Street sign @ 1763700600
        #3498DB 🎭 Character selected · 8842
        -- Server 1 · Character @ 1763700600
        #3498DB 🔗 Account linked · license:…713
        -- Server 1 · Account @ 1763700600
        #3498DB 🔗 Account linked · …
        -- Server 1 · Account @ 1763700600
        #3498DB 🖨️ A-10 John Doe · record printed
        -- Server 1 · Printed record @ 1763700600
        "##);
        assert!(shown(&events[7], Style::Card).contains("{Document} [cad.¦example](https://cad.example/r.pdf)"));
        for event in &events {
            assert_eq!(shown(event, Style::Public), "nothing");
        }
    }

    #[test]
    fn callouts() {
        let event = Event::Callout(Callout {
            id: Some("disturbance_pier".into()),
            name: Some("Disturbance on the pier".into()),
            descriptions: vec!["Several people arguing.".into(), " ".into(), "Near the boats.".into()],
            location: Some("12 Pier Rd / Bay St".into()),
            postal: Some("2214".into()),
        });
        assert_snapshot!(shown(&event, Style::Card), @r##"
        #3498DB 📍 Callout · Disturbance on the pier · 12 Pier Rd
        Several people arguing.
        Near the boats.
        {Location} 12 Pier Rd / Bay St
        {Postal} 2214
        -- Server 1 · Callout @ 1763700600
        "##);
        assert_snapshot!(shown(&event, Style::Public), @r##"
        #3498DB 📍 Callout · Pier Rd / Bay St
        {Street} Pier Rd / Bay St
        {State} Open
        {Since} <t:1763700600:t>
        -- Server 1 · Callout @ 1763700600
        "##);
        assert_snapshot!(shown(&Event::Callout(Callout::default()), Style::Log), @r##"
        #3498DB (no title)
        <t:1763700600:t> 📍 Callout
        -- Server 1 · Callout @ 1763700600
        "##);
    }
}
