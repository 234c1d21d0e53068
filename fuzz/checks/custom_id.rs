//! Checks custom ids: whatever Discord sends back, only ids that the bot could have written are read, and all that it writes are read back.
//!
//! Input: any bytes, read once as a custom id and once as the parts of one.

use tenfour::clock::UnixMs;
use tenfour::commands::custom_id::{AuditQuery, CustomId, MAX_CHOSEN_SERVERS, NewCallOptions, SetupChoice, SetupStep};
use tenfour::ids::{CallId, ChannelId, GuildId, Ident, RoleId, ServerId, UserId};
use tenfour::render::custom_id::{MAX_CUSTOM_ID, On, Verb};
use tenfour::route::Preset;
use tenfour::store::audit::AuditKind;
use tenfour::world::Subject;

/// Panics if a promise is broken.
pub(super) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    read(&text);
    if let Some(on) = On::parse(&text) {
        assert_eq!(on.to_string(), text, "read, but never written");
    }
    if let Some(id) = built(&mut data.iter().copied()) {
        let written = id.to_string();
        assert!(written.len() <= MAX_CUSTOM_ID && written.is_ascii(), "{written}");
        assert_eq!(CustomId::parse(&written), Some(id), "{written}");
        one_byte_off(&written, data);
    }
}

fn read(text: &str) {
    if let Some(id) = CustomId::parse(text) {
        assert!(text.len() <= MAX_CUSTOM_ID);
        if let CustomId::Setup(_, choice) = &id {
            assert!(choice.servers.len() <= MAX_CHOSEN_SERVERS);
        }
        assert_eq!(id.to_string(), text, "read, but never written");
    }
}

/// A custom id made of bytes.
fn built(bytes: &mut impl Iterator<Item = u8>) -> Option<CustomId> {
    let kind = bytes.next()?;
    let small = usize::from(bytes.next()?);
    let mut number = || (0..8).try_fold(0_u64, |number, _| Some(number << 8 | u64::from(bytes.next()?)));
    let server = |number: u64| ServerId(u32::try_from(number >> 32).unwrap_or_default());
    // Every second number is present.
    let some = |number: u64| number.is_multiple_of(2).then_some(number);
    Some(match kind % 13 {
        0 => {
            let (verb, _) = Verb::ALL.get(small % 16)?;
            let (server, one, other) = (server(number()?), number()?.cast_signed(), number()?);
            let subject = match small / 16 % 4 {
                0 => Subject::Emergency(CallId(one), UnixMs(other.cast_signed())),
                1 => Subject::Dispatch(CallId(one), UnixMs(other.cast_signed())),
                2 => Subject::Panic(Ident(one), UnixMs(other.cast_signed())),
                _ => Subject::Event(one, u32::try_from(other >> 32).unwrap_or_default()),
            };
            CustomId::Card(*verb, On { server, subject })
        }
        1 => CustomId::PickCard,
        2 => {
            let (step, _) = SetupStep::ALL.get(small % 16)?;
            let servers = (0..small / 16 % (MAX_CHOSEN_SERVERS + 1)).map(|_| Some(server(number()?))).collect::<Option<Vec<_>>>()?;
            let preset = number().and_then(|number| Preset::ALL.get(usize::try_from(number % 8).ok()?).copied());
            let choice = SetupChoice { servers, preset, channel: number().map(ChannelId), role: number().map(RoleId) };
            CustomId::Setup(*step, choice)
        }
        3 => CustomId::Labels,
        4 => CustomId::Link,
        5 => CustomId::Unlink(GuildId(number()?)),
        6 => {
            let kind = AuditKind::ALL.get(small % 3).copied();
            let (days, page) = (server(number()?).0, server(number()?).0);
            CustomId::Audit(AuditQuery { user: number().and_then(some).map(UserId), kind, days, upto: number()?.cast_signed(), page })
        }
        7 => CustomId::ReplaceSettings(number()?.cast_signed()),
        8 => CustomId::KeepSettings(number()?.cast_signed()),
        9 => CustomId::RestoreRoutes(number()?.cast_signed()),
        10 => {
            let layout = number().and_then(some).zip(number()).map(|(layout, version)| (layout.cast_signed(), version.cast_signed()));
            let attach = [None, Some(true), Some(false)].get(small % 3).copied()?;
            CustomId::NewCall(NewCallOptions { server: number().and_then(some).map(server), attach, layout })
        }
        11 => CustomId::PlaceEmergency(number().and_then(some).map(server)),
        _ => CustomId::Panic { on: small.is_multiple_of(2), server: server(number()?) },
    })
}

/// An id that somebody tampered with means something else or nothing.
fn one_byte_off(written: &str, data: &[u8]) {
    let (Some(at), Some(with)) = (data.first(), data.last()) else { return };
    let mut bytes = written.as_bytes().to_vec();
    let at = usize::from(*at) % bytes.len();
    bytes[at] = with & 0x7f;
    read(&String::from_utf8(bytes).unwrap());
}
