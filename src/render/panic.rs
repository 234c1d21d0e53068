//! Panics: on, then over.

use super::button::{self, Verb};
use super::draft::{self, Draft, Fields, PublicState};
use super::text::{SafeText, safe};
use super::{Message, Style, View, colors, dispatch, unit, words};
use crate::ids::Ident;
use crate::world::{Dispatch, Panic, Subject};

pub(super) fn card(panic: &Panic, view: &View<'_>) -> Message {
    let ident = panic.ident;
    let location = view.world.units.get(&ident).and_then(|state| state.unit.location.as_deref());
    let (head, color, state) = match panic.over_at {
        None => ("🆘 PANIC", colors::PANIC, "On"),
        Some(_) => ("✅ Panic over", colors::PANIC_OVER, "Over"),
    };
    if view.style == Style::Public {
        let state = PublicState { word: state.into(), since: panic.since, over: panic.over_at };
        // The unit's number would identify the person.
        return Draft::public(view, head, location, color, "Panic", state).finish(view);
    }

    let who = if panic.over_at.is_none() { unit::raw_name(view, ident) } else { unit::raw_short(view, ident) };
    let title = draft::title(view, head, Some(&who), "", None);
    // The identifier's number, not the callsign: it is the same before and after the name is known.
    let mut draft = Draft::new(view, title, color, safe!("Panic #{}", ident), panic.since);
    let place = draft::line(location, 120).map(|place| safe!(", {}", place)).unwrap_or_default();
    draft.sentence = match panic.over_at {
        None => safe!("PANIC: {}{}", unit::name(view, ident), place),
        Some(_) => safe!("Panic over: {}", unit::name(view, ident)),
    };
    draft.fields = fields(panic, view).0;
    if panic.over_at.is_none() {
        let verbs: &[Verb] = if panic.taken.is_none() { &[Verb::Over, Verb::Take] } else { &[Verb::Over] };
        draft.buttons = button::buttons(view, Subject::Panic(ident, panic.since), verbs);
    } else if let Some(left) = panic
        .linked_911
        .and_then(|id| view.world.left_911(ident).filter(|left| matches!(left, Subject::Emergency(known, _) if *known == id)))
    {
        draft.buttons = button::buttons(view, left, &[Verb::AlsoClear]);
    }
    draft.finish(view)
}

/// One card for many units that are in panic by one event: who they are, where, and who is still in danger.
pub(super) fn shared(panics: &[&Panic], subject: Subject, view: &View<'_>) -> Message {
    let on = panics.iter().filter(|panic| panic.over_at.is_none()).count();
    let of = panics.iter().filter_map(|panic| panic.shared).map(|shared| shared.of).max().unwrap_or(panics.len());
    let since = subject.since().unwrap_or_default();
    let over = panics.iter().filter_map(|panic| panic.over_at).max().filter(|_| on == 0);
    let (head, color, state) = match over {
        None if on == 1 => ("🆘 PANIC · 1 unit".into(), colors::PANIC, "On"),
        None => (safe!("🆘 PANIC · {} units", on), colors::PANIC, "On"),
        Some(_) => (safe!("✅ Panic over · {} units", of), colors::PANIC_OVER, "Over"),
    };
    if view.style == Style::Public {
        let state = PublicState { word: state.into(), since, over };
        return Draft::public(view, head, None, color, "Panic", state).finish(view);
    }
    let first = match subject {
        Subject::Panic(first, _) => first,
        _ => Ident::default(),
    };
    let mut draft =
        Draft::new(view, draft::title(view, head, None, "", None), color, safe!("Panic #{} +{}", first, of.saturating_sub(1)), since);
    let open: Vec<Ident> = panics.iter().filter(|panic| panic.over_at.is_none()).map(|panic| panic.ident).collect();
    draft.sentence = match (over, unit::shorts(view, &open)) {
        (None, Some(names)) if on == 1 => safe!("PANIC: {}", names),
        (None, Some(names)) => safe!("PANIC: {} units: {}", on, names),
        _ => safe!("Panic over: {} units", of),
    };
    let mut fields = Fields::default();
    fields.wide("In panic", units(panics, view, |panic| panic.over_at.is_none()));
    fields.wide("Over", units(panics, view, |panic| panic.over_at.is_some()));
    let first = if panics.iter().any(|panic| panic.joined_late) { "first seen" } else { "panic" };
    let taken = panics.iter().find_map(|panic| panic.taken);
    let mut timeline = vec![safe!("🆘 {} {}", words::time(since), first)];
    timeline.extend(taken.map(words::taken));
    timeline.extend(over.map(|over| safe!("✅ {} over", words::time(over))));
    fields.wide("Timeline", Some(SafeText::join(timeline, " · ")));
    draft.fields = fields.0;
    if over.is_none() && taken.is_none() {
        // One press acknowledges all of them. Each ends its own panic, with `/unit panic` or in the CAD.
        draft.buttons = button::buttons(view, subject, &[Verb::Take]);
    }
    draft.finish(view)
}

/// A line of units with their places, as many as fit.
fn units(panics: &[&Panic], view: &View<'_>, which: impl Fn(&Panic) -> bool) -> Option<SafeText> {
    let named = panics.iter().filter(|panic| which(panic)).map(|panic| {
        let location = view.world.units.get(&panic.ident).and_then(|state| state.unit.location.as_deref());
        let place = draft::line(location.filter(|_| panic.over_at.is_none()), 40).map(|place| safe!(" ({})", place));
        safe!("{}{}", unit::short(view, panic.ident), place.unwrap_or_default())
    });
    draft::list(&named.collect::<Vec<_>>(), ", ", 1_000)
}

fn fields(panic: &Panic, view: &View<'_>) -> Fields {
    let ident = panic.ident;
    let mut fields = Fields::default();
    fields.inline("Unit", Some(unit::name(view, ident)));
    fields.inline("Department", unit::department(view, ident));
    fields.inline("Rank", unit::rank(view, ident));
    if panic.over_at.is_none() {
        let state = view.world.units.get(&ident);
        let place = state.and_then(|s| draft::line(s.unit.location.as_deref(), 200));
        let age = state.and_then(|s| s.located_at).map(|at| safe!(" ({})", words::ago(at))).unwrap_or_default();
        fields.inline("Last known location", place.map(|place| safe!("{}{}", place, age)));
    }
    if let Some(call) = current_call(panic, view) {
        fields.inline("Current call", Some(dispatch::reference(call)));
        fields.link(words::call_of(call), Some(Subject::Dispatch(call.id, call.opened_at)));
    }
    if let Some(id) = panic.linked_911 {
        let linked = words::emergency_by(view, id);
        fields.inline(safe!("Linked {}", words::emergency(view.labels, true)), Some(linked.clone()));
        fields.link(linked, view.world.emergencies.get(&id).map(|call| Subject::Emergency(id, call.opened_at)));
    }
    let over = panic.over_at.filter(|_| !panic.joined_late);
    fields.inline("Duration", over.map(|over| words::duration(over.since(panic.since))));

    let first = if panic.joined_late { "first seen" } else { "panic" };
    let mut timeline = vec![safe!("🆘 {} {}", words::time(panic.since), first)];
    timeline.extend(panic.taken.map(words::taken));
    timeline.extend(panic.over_at.map(|over| safe!("✅ {} over", words::time(over))));
    fields.wide("Timeline", Some(SafeText::join(timeline, " · ")));
    fields
}

/// The newest open call that the unit is attached to.
fn current_call<'a>(panic: &Panic, view: &View<'a>) -> Option<&'a Dispatch> {
    let calls = view.world.dispatches.values();
    calls.filter(|call| call.closed_at.is_none() && call.units.contains(&panic.ident)).max_by_key(|call| (call.opened_at, call.id))
}

/// The reply under the card when it is over: makes no sound. `None` while it isn't, or if there is no such panic.
pub(super) fn over(panics: &[&Panic], view: &View<'_>) -> Option<Message> {
    let panic = panics.first()?;
    let ends: Option<Vec<_>> = panics.iter().map(|panic| panic.over_at).collect();
    let over = ends?.into_iter().max()?;
    let who = match (view.style, panic.shared) {
        (_, Some(shared)) => safe!(" · {} units", shared.of),
        (Style::Public, None) => SafeText::default(),
        (_, None) => safe!(" · {}", unit::short(view, panic.ident)),
    };
    let after = if panic.joined_late { SafeText::default() } else { safe!(" · after {}", words::duration(over.since(panic.since))) };
    let content = safe!("✅ Panic over{}{}", who, after);
    Some(Message { content: Some(content.cut(300)), silent: true, ..Message::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RoleId;
    use crate::render::sample::{self, show};
    use crate::world::Server;
    use insta::assert_snapshot;

    fn shown(world: &Server, ident: i64, style: Style) -> String {
        let view = View { roles: &[RoleId(7), RoleId(8)], ..sample::view(world, style) };
        show(&crate::render::card(Subject::Panic(Ident(ident), sample::OPENED), &view))
    }

    #[test]
    fn on() {
        let world = sample::world();
        assert_snapshot!(shown(&world, 4107, Style::Card), @r##"
        > <@&7> <@&8> PANIC: A-10 John Doe, Alta St
        #FF0033 🆘 PANIC · A-10 John Doe
        {Unit} A-10 John Doe
        {Department} LSPD · Patrol
        {Rank} Sergeant
        {Last known location} Alta St (<t:1763700000:R>)
        {Current call} Call #501 · 211 Armed Robbery
        {Linked 911} 911 #302
        [Timeline] 🆘 <t:1763700000:t> panic
        -- Server 1 · Panic #4107 @ 1763700000
        "##);
        assert_snapshot!(shown(&world, 4107, Style::Public), @r##"
        > <@&7> <@&8> 🆘 PANIC · Alta St
        #FF0033 🆘 PANIC · Alta St
        {Street} Alta St
        {State} On
        {Since} <t:1763700000:t>
        -- Server 1 · Panic @ 1763700000
        "##);
    }

    #[test]
    fn by_number_until_the_name_is_known() {
        let world = sample::world();
        assert_snapshot!(shown(&world, 9999, Style::Card), @r##"
        > <@&7> <@&8> PANIC: Unit 9999
        #FF0033 🆘 PANIC · Unit 9999
        {Unit} Unit 9999
        {Current call} Call #501 · 211 Armed Robbery
        [Timeline] 🆘 <t:1763700000:t> panic
        -- Server 1 · Panic #9999 @ 1763700000
        "##);
    }

    #[test]
    fn over_and_its_reply() {
        let mut world = sample::world();
        world.panics.get_mut(&Ident(4107)).unwrap().over_at = Some(sample::OPENED.plus_ms(125_000));
        assert_snapshot!(shown(&world, 4107, Style::Card), @r##"
        > <@&7> <@&8> Panic over: A-10 John Doe
        #2ECC71 ✅ Panic over · A-10
        {Unit} A-10 John Doe
        {Department} LSPD · Patrol
        {Rank} Sergeant
        {Current call} Call #501 · 211 Armed Robbery
        {Linked 911} 911 #302
        {Duration} 2 min 5 s
        [Timeline] 🆘 <t:1763700000:t> panic · ✅ <t:1763700125:t> over
        -- Server 1 · Panic #4107 @ 1763700000
        "##);
        let view = sample::view(&world, Style::Card);
        assert_snapshot!(show(&over(&[&world.panics[&Ident(4107)]], &view)), @r##"
        > ✅ Panic over · A-10 · after 2 min 5 s
        silent
        "##);
        assert_eq!(over(&[&world.panics[&Ident(9999)]], &view), None);
    }
}
