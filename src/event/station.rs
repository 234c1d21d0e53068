//! Station alerts: `EVENT_STATION_ALERT`, whose message may be text or a sound.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};

use super::normalise::{Item, JsonFields, text};
use super::{DecodeError, Event, Station, StationAlert, StationMessage};

/// Longest sound kept, as base64: 10 MiB decoded, Discord's limit for a file.
const MAX_AUDIO: usize = 10 * 1024 * 1024 / 3 * 4;
/// Below this, base64 of a known sound could be a word; the shortest header alone is longer.
const MIN_AUDIO: usize = 32;
/// From this length on, text in only the base64 alphabet is data, whatever it encodes: nobody speaks it.
const SURELY_DATA: usize = 512;

pub(super) fn alert(item: Item<'_>) -> Result<Event, DecodeError> {
    let data = item.data;
    let alert = StationAlert {
        stations: data.objects("locations").unwrap_or_default().into_iter().filter_map(station).collect(),
        message: message(data),
        colors: data.texts("colors"),
        tone: data.text("tone"),
    };
    if alert == StationAlert::default() { Err(DecodeError::Missing("locations")) } else { Ok(Event::StationAlert(alert)) }
}

fn station(fields: JsonFields<'_>) -> Option<Station> {
    let station = Station { name: fields.text("name"), open: fields.texts("open"), close: fields.texts("close") };
    (station != Station::default()).then_some(station)
}

fn message(data: JsonFields<'_>) -> Option<StationMessage> {
    let value = data.get("message")?;
    match value.as_str().and_then(sound) {
        Some(sound) => sound,
        None => text(value).map(StationMessage::Text),
    }
}

/// `None`: this is text. `Some(None)`: data that is too large or broken, never shown.
fn sound(message: &str) -> Option<Option<StationMessage>> {
    let message = message.trim();
    let (payload, declared) = match data_url(message) {
        Some(payload) => (payload, true),
        None => (message, false),
    };
    // Spaces distinguish text from base64; only a data URL may be wrapped into lines.
    let is_base64 =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'=') || declared && b.is_ascii_whitespace();
    if !declared && (payload.len() < MIN_AUDIO || !payload.bytes().all(is_base64)) {
        return None;
    }
    let extension = payload.get(..MIN_AUDIO).and_then(decoded).and_then(|first| extension(&first));
    if !declared && extension.is_none() && payload.len() < SURELY_DATA {
        return None;
    }
    if payload.len() > MAX_AUDIO {
        return Some(None);
    }
    // Encoded again: one alphabet, whole padding, no stray bits, so that later decoders need not be tolerant.
    Some(
        decoded(payload)
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| StationMessage::Audio { extension: extension.unwrap_or("bin").into(), base64: STANDARD.encode(bytes) }),
    )
}

/// The part after `data:…;base64,`.
fn data_url(text: &str) -> Option<&str> {
    let rest = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).and_then(|_| text.get(5..))?;
    let (head, payload) = rest.split_once(',')?;
    let marked = head.len() <= 200 && head.rsplit(';').next().is_some_and(|word| word.trim().eq_ignore_ascii_case("base64"));
    marked.then_some(payload)
}

/// Either alphabet, with or without padding; white space and stray last bits are accepted.
fn decoded(payload: &str) -> Option<Vec<u8>> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
    );
    let mut plain: Vec<u8> = payload
        .bytes()
        .filter(|b| !b.is_ascii_whitespace())
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    while plain.last() == Some(&b'=') {
        plain.pop();
    }
    // A single last character encodes no whole byte: the sound was cut, the rest of it still plays.
    if plain.len() % 4 == 1 {
        plain.pop();
    }
    TOLERANT.decode(plain).ok()
}

/// Known sounds by their first bytes. Browsers record as WebM, MP4 or Ogg.
fn extension(first: &[u8]) -> Option<&'static str> {
    match first {
        [b'I', b'D', b'3', ..] => Some("mp3"),
        // Eleven bits of frame sync, then a layer that is not reserved: MPEG audio.
        [0xFF, second, ..] if second & 0xE0 == 0xE0 && second & 0x06 != 0 => Some("mp3"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("wav"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [b'f', b'L', b'a', b'C', ..] => Some("flac"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("webm"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("m4a"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::decode_one;
    use super::*;

    fn message_of(message: impl Into<Value>) -> Option<StationMessage> {
        match decode_one("EVENT_STATION_ALERT", json!({"tone": "tone1", "message": message.into()})) {
            Ok(Event::StationAlert(alert)) => alert.message,
            other => panic!("{other:?}"),
        }
    }

    fn audio(extension: &str, bytes: &[u8]) -> Option<StationMessage> {
        Some(StationMessage::Audio { extension: extension.into(), base64: STANDARD.encode(bytes) })
    }

    fn sample(first: &[u8]) -> Vec<u8> {
        let mut bytes = first.to_vec();
        bytes.resize(100, 0xA5);
        bytes
    }

    #[test]
    fn sounds_are_known_by_their_first_bytes() {
        for (first, extension) in [
            (&b"ID3\x04"[..], "mp3"),
            (b"\xFF\xFB\x90", "mp3"),
            (b"\xFF\xF3\x40", "mp3"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
            (b"OggS\0\x02", "ogg"),
            (b"fLaC\0", "flac"),
            (b"\x1A\x45\xDF\xA3\x9F", "webm"),
            (b"\0\0\0\x20ftypM4A ", "m4a"),
        ] {
            let bytes = sample(first);
            assert_eq!(message_of(STANDARD.encode(&bytes)), audio(extension, &bytes), "{extension}");
            assert_eq!(message_of(format!("data:audio/x;base64,{}", STANDARD.encode(&bytes))), audio(extension, &bytes), "{extension}");
        }
    }

    #[test]
    fn words_stay_words() {
        for words in [
            "Structure fire, Breakwater Road 44",
            "SUQz",
            "data: none yet",
            "data:base64",
            "Feuerwehrhauptbrandmeisterstellvertreter",
            &"A".repeat(200),
        ] {
            assert_eq!(message_of(words), Some(StationMessage::Text(words.into())), "{words}");
        }
        // Looks like a sound, but has a space in it.
        let spaced = format!("{} and go", STANDARD.encode(sample(b"ID3")));
        assert_eq!(message_of(spaced.as_str()), Some(StationMessage::Text(spaced)));
        assert_eq!(message_of(" "), None);
        assert_eq!(message_of(Value::Null), None);
        assert_eq!(message_of(7), Some(StationMessage::Text("7".into())));
    }

    #[test]
    fn unknown_data_is_never_text() {
        let bytes = [0x55; 600];
        assert_eq!(message_of(STANDARD.encode(bytes)), audio("bin", &bytes));
        assert_eq!(message_of("data:text/plain;base64,aGVsbG8="), audio("bin", b"hello"));
        for broken in ["data:audio/mpeg;base64,", "data:audio/mpeg;base64,***"] {
            assert_eq!(message_of(broken), None, "{broken}");
        }
        // Padding in the middle: the alphabet of base64, but no base64.
        assert_eq!(message_of(format!("SUQzBAAA{}", "=A".repeat(300))), None);
    }

    #[test]
    fn the_base64_kept_is_strict() {
        let bytes = sample(b"ID3\xFB\xFF\xFE");
        let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
        assert!(url_safe.contains(['-', '_']));
        assert_eq!(message_of(url_safe), audio("mp3", &bytes));
        let wrapped = format!("data:audio/mpeg;base64,{}", STANDARD.encode(&bytes).replace("pa", "pa\r\n"));
        assert_eq!(message_of(wrapped), audio("mp3", &bytes));
        let cut = STANDARD.encode(sample(b"ID3").get(..99).unwrap());
        assert_eq!(message_of(&cut[..cut.len() - 3]), audio("mp3", &sample(b"ID3")[..96]));
        let stray = format!("{}//", STANDARD.encode(&sample(b"ID3")[..96]));
        let Some(StationMessage::Audio { base64, .. }) = message_of(stray) else { panic!() };
        assert!(STANDARD.decode(base64).is_ok());
    }

    #[test]
    fn a_sound_too_large_is_shown_to_nobody() {
        let large = format!("SUQz{}", "A".repeat(MAX_AUDIO));
        assert_eq!(message_of(large), None);
    }

    #[test]
    fn stations_without_anything_are_left_out_and_an_empty_alert_is_refused() {
        let locations = json!([{}, null, {"name": " "}, {"name": "A"}, {"open": "Bay 1"}]);
        let expected =
            [Station { name: Some("A".into()), ..Station::default() }, Station { open: vec!["Bay 1".into()], ..Station::default() }];
        match decode_one("EVENT_STATION_ALERT", json!({"locations": locations})) {
            Ok(Event::StationAlert(alert)) => assert_eq!(alert.stations, expected),
            other => panic!("{other:?}"),
        }
        for empty in [json!({}), json!({"locations": "x", "message": "", "colors": [], "tone": ""})] {
            assert_eq!(decode_one("EVENT_STATION_ALERT", empty.clone()), Err(DecodeError::Missing("locations")), "{empty}");
        }
    }
}
