//! Custom ids: whatever Discord hands back, only what we would have written ourselves is read, and all that we write is read back.
//!
//! Input: any bytes, taken as a custom id once and as a choice once.

use tenfour::commands::components::{Choice, Verb, id, parse};
use tenfour::ids::{ChannelId, RoleId, ServerId};
use tenfour::render::button;
use tenfour::route::Preset;

/// Discord's limit, and the most servers that one id names.
const LONGEST: usize = 100;
const SERVERS: usize = 5;

/// Panics if a promise is broken.
pub(super) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some((verb, choice)) = parse(&text) {
        assert!(text.len() <= LONGEST && choice.servers.len() <= SERVERS);
        assert_eq!(id(verb, &choice), text, "read, but never written");
    }
    if let Some((verb, on)) = button::parse(&text) {
        assert!(text.len() <= LONGEST);
        assert_eq!(button::id(verb, on), text, "read, but never written");
    }
    if let Some(on) = button::chosen(&text) {
        assert!(button::id(button::Verb::Panel, on).ends_with(&*text), "chosen, but never offered");
    }
    if let Some((verb, choice)) = chosen(data) {
        let written = id(verb, &choice);
        assert!(written.len() <= LONGEST && written.is_ascii(), "{written}");
        assert_eq!(parse(&written), Some((verb, choice)), "{written}");
        one_byte_off(&written, data);
    }
}

/// A choice made of bytes.
fn chosen(data: &[u8]) -> Option<(Verb, Choice)> {
    let mut bytes = data.iter().copied();
    let verb = Verb::all().nth(usize::from(bytes.next()? % 16))?;
    let servers = bytes.next()? % 6;
    let mut number = |length: u8| (0..length).try_fold(0_u64, |number, _| Some(number << 8 | u64::from(bytes.next()?)));
    let servers = (0..servers).map(|_| Some(ServerId(u32::try_from(number(4)?).ok()?))).collect::<Option<Vec<_>>>()?;
    let preset = usize::try_from(number(1)?).ok()?;
    let channel = number(8).map(ChannelId);
    let role = number(8).map(RoleId);
    Some((verb, Choice { servers, preset: Preset::ALL.get(preset % 8).copied(), channel, role }))
}

/// An id that somebody tampered with means something else or nothing.
fn one_byte_off(written: &str, data: &[u8]) {
    let (Some(at), Some(with)) = (data.first(), data.last()) else { return };
    let mut bytes = written.as_bytes().to_vec();
    let at = usize::from(*at) % bytes.len();
    bytes[at] = with & 0x7f;
    let text = String::from_utf8(bytes).unwrap();
    if let Some((verb, choice)) = parse(&text) {
        assert_eq!(id(verb, &choice), text);
    }
}
