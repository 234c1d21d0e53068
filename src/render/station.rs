//! Station alerts.

use super::draft::{self, Draft, Fields, PublicState};
use super::text::{self, SafeText, safe};
use super::{File, Message, Style, View, colors};
use crate::clock::UnixMs;
use crate::event::{Station, StationAlert, StationMessage};

/// Limit on stations with a field of their own.
const MAX_STATIONS: usize = 12;

pub(super) fn alert(alert: &StationAlert, at: UnixMs, view: &View<'_>) -> Message {
    let names: Vec<&str> = alert.stations.iter().filter_map(|s| text::visible(s.name.as_deref())).map(str::trim).collect();
    let color = alert.colors.iter().find_map(|c| colors::parse(c)).unwrap_or(colors::STATION);
    if view.style == Style::Public {
        let state = PublicState { word: "Alerted".into(), since: at, over: None };
        return Draft::public(view, "🔔 Station alert", None, color, "Station alert", state).finish(view);
    }
    let (head, all) = if names.is_empty() { ("🔔", "Station alert".to_owned()) } else { ("🔔", names.join(", ")) };
    // The bell emoji stands before the names without a dot.
    let title = safe!("{} {}", head, text::line(&all, 70));
    let mut draft = Draft::new(view, title, color, "Station alert", at);
    let stations = if names.is_empty() { "Station alert".into() } else { safe!("Station alert: {}", text::line(&all, 200)) };
    draft.sentence = match &alert.message {
        Some(StationMessage::Text(message)) => match draft::line(Some(message), 200) {
            Some(message) => safe!("{}. {}", stations, message),
            None => stations,
        },
        _ => stations,
    };
    match &alert.message {
        Some(StationMessage::Text(message)) => draft.description = draft::block(Some(message), 1_800),
        Some(StationMessage::Audio { extension, base64 }) => {
            draft.description = Some("🔊 Spoken message attached".into());
            draft.files.push(File {
                name: safe!("station-alert.{}", safe_extension(extension)),
                base64: base64.clone(),
                description: safe!("Spoken station alert: {}", text::plain(&all, 200)),
            });
        }
        None => {}
    }
    let mut fields = Fields::default();
    if draft.title.ends_with(text::ELLIPSIS) {
        // The title could not name them all.
        let names: Vec<SafeText> = names.iter().map(|name| text::line(name, 100)).collect();
        fields.wide("Stations", draft::list(&names, ", ", 1_000));
    }
    for station in alert.stations.iter().take(MAX_STATIONS) {
        let name = draft::line(station.name.as_deref(), 100).unwrap_or_else(|| "Station".into());
        fields.inline(name, doors(station));
    }
    fields.inline("Tone", text::visible(alert.tone.as_deref()).map(|tone| text::link(tone).unwrap_or_else(|| text::line(tone, 120))));
    draft.fields = fields.0;
    draft.finish(view)
}

/// `Open: Bay 1, Bay 2`, `Close: Bay 3` under it; nothing if no door moves.
fn doors(station: &Station) -> Option<SafeText> {
    let side = |word: &'static str, doors: &[String]| {
        let doors: Vec<SafeText> = doors.iter().filter_map(|door| draft::line(Some(door), 60)).collect();
        draft::list(&doors, ", ", 300).map(|doors| safe!("{}: {}", word, doors))
    };
    let sides = [side("Open", &station.open), side("Close", &station.close)].into_iter().flatten();
    Some(SafeText::join(sides, "\n")).filter(|sides| !sides.is_empty())
}

/// The name of a file decides what a reader's machine does with it: only sounds may be named.
fn safe_extension(extension: &str) -> &'static str {
    ["mp3", "wav", "ogg"].into_iter().find(|known| *known == extension).unwrap_or("bin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RoleId;
    use crate::render::sample::{self, show};
    use insta::assert_snapshot;

    fn sample_alert() -> StationAlert {
        let station = |name: &str, open: &[&str], close: &[&str]| Station {
            name: Some(name.into()),
            open: open.iter().map(|d| (*d).to_owned()).collect(),
            close: close.iter().map(|d| (*d).to_owned()).collect(),
        };
        StationAlert {
            stations: vec![station("Station 1", &["Bay 1", "Bay 2"], &["Bay 3"]), station("Station 3", &[], &[])],
            message: Some(StationMessage::Text("Structure fire, Breakwater Road 44.\n# smoke showing".into())),
            colors: vec!["nonsense".into(), "#00AAFF".into()],
            tone: Some("tone1".into()),
        }
    }

    #[test]
    fn spoken_as_words() {
        let world = sample::world();
        let view = View { roles: &[RoleId(7)], ..sample::view(&world, Style::Card) };
        assert_snapshot!(show(&Some(alert(&sample_alert(), sample::NOW, &view))), @r##"
        > <@&7> Station alert: Station 1, Station 3. Structure fire, Breakwater Road 44. # smoke showing
        #00AAFF 🔔 Station 1, Station 3
        Structure fire, Breakwater Road 44.
        \# smoke showing
        {Station 1} Open: Bay 1, Bay 2
        Close: Bay 3
        {Tone} tone1
        -- Server 1 · Station alert @ 1763700600
        "##);
        let view = View { style: Style::Public, ..view };
        assert_snapshot!(show(&Some(alert(&sample_alert(), sample::NOW, &view))), @r##"
        > <@&7> 🔔 Station alert
        #00AAFF 🔔 Station alert
        {State} Alerted
        {Since} <t:1763700600:t>
        -- Server 1 · Station alert @ 1763700600
        "##);
    }

    #[test]
    fn stations_that_the_title_has_no_room_for() {
        let world = sample::world();
        let station = |n: usize| Station { name: Some(format!("Fire Station {n}")), ..Station::default() };
        let many = StationAlert { stations: (1..9).map(station).collect(), ..StationAlert::default() };
        let message = alert(&many, sample::NOW, &sample::view(&world, Style::Card));
        assert_eq!(message.embeds[0].fields[0].name, "Stations");
        assert!(message.embeds[0].fields[0].value.ends_with("Fire Station 8"));
    }

    #[test]
    fn spoken_as_sound() {
        let world = sample::world();
        let view = sample::view(&world, Style::Card);
        let sound = |extension: &str| StationAlert {
            stations: vec![],
            message: Some(StationMessage::Audio { extension: extension.into(), base64: "SUQzBAAAAAAA".into() }),
            colors: vec![],
            tone: Some("https://tones.example.org/1.mp3".into()),
        };
        let message = alert(&sound("mp3"), sample::NOW, &view);
        assert_eq!(message.files[0].base64, "SUQzBAAAAAAA");
        assert_snapshot!(show(&Some(message)), @r##"
        #FF6B00 🔔 Station alert
        🔊 Spoken message attached
        {Tone} [tones.¦example.¦org](https://tones.example.org/1.mp3)
        -- Server 1 · Station alert @ 1763700600
        file station-alert.mp3 (Spoken station alert: Station alert)
        "##);
        assert_eq!(alert(&sound("exe"), sample::NOW, &view).files[0].name, "station-alert.bin");
        for style in [Style::Compact, Style::Log, Style::Public] {
            let message = alert(&sound("mp3"), sample::NOW, &View { style, ..view });
            assert!(message.files.is_empty() && !show(&Some(message)).contains("SUQz"));
        }
    }
}
