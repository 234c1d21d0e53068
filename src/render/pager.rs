//! Pages. Addresses and units are names of people and crews: nothing of a page is public.

use super::button::{self, Verb};
use super::draft::{self, Draft, Fields};
use super::text::{self, SafeText, safe};
use super::{Message, Style, View, colors, unit, words};
use crate::clock::UnixMs;
use crate::event::{Page, PageNature};
use crate::world::{Acknowledgement, Paged, Subject};

/// A page, and who acknowledged it.
pub(super) fn card(paged: &Paged, subject: Subject, view: &View<'_>) -> Option<Message> {
    let buttons = if paged.over_at.is_none() { button::buttons(view, subject, &[Verb::Take]) } else { Vec::new() };
    Some(Message { buttons, ..page(&paged.page, paged.taken, paged.at, view)? })
}

fn page(page: &Page, taken: Option<Acknowledgement>, at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let (kind, color) = match &page.nature {
        PageNature::Emergency => ("EMERGENCY page".into(), colors::EMERGENCY),
        PageNature::NonEmergency => ("Page".into(), colors::OTHER),
        PageNature::Administrative => ("Administrative page".into(), colors::OTHER),
        PageNature::Other(word) => (draft::line(Some(word), 24).map_or_else(|| "Page".into(), |w| safe!("{} page", w)), colors::OTHER),
    };
    let addresses: Vec<SafeText> = page.addresses.iter().filter_map(|a| draft::line(Some(a), 60)).collect();
    let raw: Vec<&str> = page.addresses.iter().filter_map(|a| text::visible(Some(a))).map(str::trim).collect();
    let raw = raw.join(", ");
    let units = unit::shorts(view, &page.idents);

    let title = match (&units, raw.is_empty()) {
        // Named only where nothing else says to whom it goes.
        (Some(units), true) => safe!("📟 {} · {}", kind, units).cut(72),
        _ => draft::title(view, safe!("📟 {}", kind), Some(&raw), "", None),
    };
    let mut draft = Draft::new(view, title, color, "Page", at);
    let whom = draft::list(&addresses, ", ", 200).or_else(|| units.clone()).map(|w| safe!(" for {}", w)).unwrap_or_default();
    let body = draft::line(page.body.as_deref(), 200).map(|b| safe!(": {}", b)).unwrap_or_default();
    draft.sentence = safe!("{}{}{}", kind, whom, body);
    draft.description = draft::block(page.body.as_deref(), 1_800);
    let mut fields = Fields::default();
    fields.inline("Addresses", draft::list(&addresses, ", ", 600));
    fields.inline("Units", units);
    fields.wide("Timeline", taken.map(|taken| safe!("📟 {} paged · {}", words::time(at), words::taken(taken))));
    draft.fields = fields.0;
    Some(draft.finish(view))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Ident, RoleId};
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    #[test]
    fn pages() {
        let world = sample::world();
        let urgent = Page {
            addresses: vec!["FIRE-1".into(), "BATTALION-1".into(), " ".into()],
            idents: vec![Ident(4112), Ident(9999)],
            nature: PageNature::Emergency,
            body: Some("Second alarm, report to staging.".into()),
        };
        let view = View { roles: &[RoleId(7)], ..sample::view(&world, Style::Card) };
        assert_snapshot!(show(&page(&urgent, None, sample::NOW, &view)), @r##"
        > <@&7> EMERGENCY page for FIRE-1, BATTALION-1: Second alarm, report to staging.
        #E74C3C 📟 EMERGENCY page · FIRE-1, BATTALION-1
        Second alarm, report to staging.
        {Addresses} FIRE-1, BATTALION-1
        {Units} E-1, Unit 9999
        -- Server 1 · Page @ 1763700600
        "##);
        let plain = Page { idents: vec![Ident(4112)], nature: PageNature::Other("Drill".into()), ..Page::default() };
        assert_snapshot!(show(&page(&plain, None, sample::NOW, &sample::view(&world, Style::Card))), @r##"
        #3498DB 📟 Drill page · E-1
        {Units} E-1
        -- Server 1 · Page @ 1763700600
        "##);
        assert_snapshot!(show(&page(&Page::default(), None, sample::NOW, &sample::view(&world, Style::Log))), @r##"
        #3498DB (no title)
        <t:1763700600:t> 📟 Page
        -- Server 1 · Page @ 1763700600
        "##);
        assert_eq!(page(&urgent, None, sample::NOW, &sample::view(&world, Style::Public)), None);
    }
}
