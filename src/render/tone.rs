//! Tones. Their targets may be units: nothing of them is public.

use super::draft::{self, Draft, Fields};
use super::text::{self, SafeText, safe};
use super::{Message, Style, View, colors, unit, words};
use crate::clock::UnixMs;
use crate::event::ToneTarget;
use crate::ids::{CallId, Ident};

pub(super) fn tone(url: Option<&str>, targets: &[ToneTarget], at: UnixMs, view: &View<'_>) -> Option<Message> {
    if view.style == Style::Public {
        return None;
    }
    let names: Vec<SafeText> = targets.iter().filter_map(|t| target(t, view)).collect();
    let title = match draft::list(&names, ", ", 58) {
        Some(names) => safe!("🎵 Tone · {}", names),
        None => "🎵 Tone".into(),
    };
    let mut draft = Draft::new(view, title, colors::TONE, "Tone", at);
    draft.sentence = match draft::list(&names, ", ", 400) {
        Some(names) => safe!("Tone for {}", names),
        None => "Tone played".into(),
    };
    let mut fields = Fields::default();
    fields.inline("Targets", draft::list(&names, ", ", 600));
    fields.inline("Sound", url.and_then(text::link));
    draft.fields = fields.0;
    Some(draft.finish(view))
}

/// Who receives it (docs/cad-contract.md#n6): by what we know of calls and units, else the CAD's label, else the value.
fn target(target: &ToneTarget, view: &View<'_>) -> Option<SafeText> {
    let number = target.value.as_deref().and_then(|v| v.trim().parse::<i64>().ok());
    match (target.kind, number) {
        (Some(0), _) => Some("All units".into()),
        (Some(1), Some(call)) => Some(words::call(CallId(call))),
        (Some(5), Some(ident)) if view.world.units.contains_key(&Ident(ident)) => Some(unit::short(view, Ident(ident))),
        _ => draft::line(target.label.as_deref(), 60).or_else(|| draft::line(target.value.as_deref(), 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    fn to(kind: i64, value: &str, label: &str) -> ToneTarget {
        ToneTarget { kind: Some(kind), value: Some(value.into()), label: Some(label.into()) }
    }

    #[test]
    fn tones() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        let targets = [to(1, "501", "Dispatch Call 501"), to(3, "KBFR", "Prescott PD"), to(5, "4107", "x"), to(5, "1", "Ident 1")];
        let url = Some("https://tones.example.org/structure-fire.mp3");
        assert_snapshot!(show(&tone(url, &targets, sample::NOW, &view)), @r##"
        #1ABC9C 🎵 Tone · Call #501, Prescott PD, A-10, Ident 1
        {Targets} Call #501, Prescott PD, A-10, Ident 1
        {Sound} [tones.¦example.¦org](https://tones.example.org/structure-fire.mp3)
        -- Server 1 · Tone @ 1763700600
        "##);
        assert_snapshot!(show(&tone(Some("javascript:x"), &[to(0, "", "")], sample::NOW, &view)), @r##"
        #1ABC9C 🎵 Tone · All units
        {Targets} All units
        -- Server 1 · Tone @ 1763700600
        "##);
        assert_snapshot!(show(&tone(None, &[], sample::NOW, &sample::view(&world, Style::Log))), @r##"
        #1ABC9C (no title)
        <t:1763700600:t> 🎵 Tone
        -- Server 1 · Tone @ 1763700600
        "##);
        assert_eq!(tone(url, &targets, sample::NOW, &sample::view(&world, Style::Public)), None);
    }
}
