//! Colors of embeds, 0xRRGGBB: the color says kind and priority while open, gray when over.

use crate::event::Priority;

pub(super) const EMERGENCY: u32 = 0xE7_4C3C;
pub(super) const CIVIL: u32 = 0xF3_9C12;
pub(super) const PANIC: u32 = 0xFF_0033;
pub(super) const PANIC_OVER: u32 = 0x2E_CC71;
pub(super) const CLOSED: u32 = 0x95_A5A6;
pub(super) const ON_DUTY: u32 = 0x2E_CC71;
pub(super) const OFF_DUTY: u32 = 0x7F_8C8D;
pub(super) const STATION: u32 = 0xFF_6B00;
pub(super) const TONE: u32 = 0x1A_BC9C;
pub(super) const BOLO: u32 = 0xF1_C40F;
pub(super) const WARRANT: u32 = 0x8E_44AD;
pub(super) const RECORD: u32 = 0x58_65F2;
pub(super) const FEED_TROUBLE: u32 = 0xF1_C40F;
pub(super) const FEED_BACK: u32 = 0x2E_CC71;
/// Everything without a color of its own.
pub(super) const OTHER: u32 = 0x34_98DB;

/// Of an open dispatch call.
pub(super) fn priority(priority: Option<&Priority>) -> u32 {
    match priority {
        Some(Priority::Level(..=1)) => 0xC0_392B,
        Some(Priority::Level(2)) => 0xE6_7E22,
        _ => 0x34_98DB,
    }
}

/// A color as a station alert sends it: `#RRGGBB`, with or without `#`, `#RGB`, or one of the plain names seen in the CAD's examples.
pub(super) fn parse(text: &str) -> Option<u32> {
    let text = text.trim();
    let named = match text.to_ascii_lowercase().as_str() {
        "red" => Some(0xFF_0000),
        "green" => Some(0x00_8000),
        "blue" => Some(0x00_00FF),
        "yellow" => Some(0xFF_FF00),
        "orange" => Some(0xFF_A500),
        "purple" => Some(0x80_0080),
        "white" => Some(0xFF_FFFF),
        _ => None,
    };
    let hex = text.strip_prefix('#').unwrap_or(text);
    if named.is_some() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return named;
    }
    let number = u32::from_str_radix(hex, 16).ok()?;
    match hex.len() {
        6 => Some(number),
        3 => Some(((number >> 8) & 0xF) * 0x11_0000 + ((number >> 4) & 0xF) * 0x1100 + (number & 0xF) * 0x11),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stations_colour() {
        for (text, color) in [
            ("#FF6B00", Some(0xFF_6B00)),
            (" ff6b00 ", Some(0xFF_6B00)),
            ("#f60", Some(0xFF_6600)),
            ("Red", Some(0xFF_0000)),
            ("", None),
            ("#", None),
            ("#12345", None),
            ("+12345", None),
            ("#1234567", None),
            ("é12345", None),
            ("taupe", None),
        ] {
            assert_eq!(parse(text), color, "{text}");
        }
    }
}
