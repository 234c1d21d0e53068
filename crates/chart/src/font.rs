//! The embedded fonts: which characters they have and how wide these are, read from the fonts' own tables (OpenType: cmap format 4 and
//! 12, hhea, hmtx). Text must be measured before it is drawn, or long names run into bars.

use std::collections::HashMap;
use std::sync::LazyLock;

const REGULAR: &[u8] = include_bytes!("../fonts/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/DejaVuSans-Bold.ttf");
/// The files, for the renderer.
pub(super) const FILES: [&[u8]; 2] = [REGULAR, BOLD];
/// The name in the files.
pub(super) const FAMILY: &str = "DejaVu Sans";
/// Stands for a character that the fonts lack.
pub(super) const STAND_IN: char = '□';
const ELLIPSIS: char = '…';

static WIDTHS: LazyLock<[HashMap<char, f64>; 2]> = LazyLock::new(|| [REGULAR, BOLD].map(|file| widths(file).unwrap_or_default()));

/// Bold or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

fn of(weight: Weight) -> &'static HashMap<char, f64> {
    let [regular, bold] = &*WIDTHS;
    match weight {
        Weight::Regular => regular,
        Weight::Bold => bold,
    }
}

/// One line that the fonts can show: breaks become spaces, invisible characters are removed, missing ones become a box.
pub(super) fn shown(raw: &str, weight: Weight) -> String {
    let known = of(weight);
    let one = |c: char| match c {
        c if c.is_whitespace() => Some(' '),
        c if c.is_control() || is_invisible(c) => None,
        c if known.contains_key(&c) => Some(c),
        _ => Some(STAND_IN),
    };
    let line: String = raw.chars().filter_map(one).collect();
    line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Format characters: directions, joiners, variation selectors. Shown as boxes they would only confuse.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The width of a shown text (pixels at `size`).
pub(super) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let known = of(weight);
    text.chars().map(|c| known.get(&c).copied().unwrap_or(1.0)).sum::<f64>() * size
}

/// A text as shown within `most` pixels: cut with an ellipsis if needed.
pub(super) fn fit(raw: &str, size: f64, weight: Weight, most: f64) -> String {
    let whole = shown(raw, weight);
    if width(&whole, size, weight) <= most {
        return whole;
    }
    let known = of(weight);
    let mut available = most / size - known.get(&ELLIPSIS).copied().unwrap_or(1.0);
    let cut: String = whole
        .chars()
        .take_while(|c| {
            available -= known.get(c).copied().unwrap_or(1.0);
            available >= 0.0
        })
        .collect();
    format!("{}{ELLIPSIS}", cut.trim_end())
}

// ---- tables ----

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn table<'a>(file: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    let count = usize::from(u16_at(file, 4)?);
    let entry = file.get(12..)?.chunks_exact(16).take(count).find(|entry| entry.starts_with(name))?;
    let (from, long) = (u32_at(entry, 8)? as usize, u32_at(entry, 12)? as usize);
    file.get(from..from.checked_add(long)?)
}

/// The advance of every character, in units of the font size.
fn widths(file: &[u8]) -> Option<HashMap<char, f64>> {
    let per_em = f64::from(u16_at(table(file, b"head")?, 18)?);
    let metrics = usize::from(u16_at(table(file, b"hhea")?, 34)?);
    let hmtx = table(file, b"hmtx")?;
    // The last metric applies to all later glyphs.
    let advance = |glyph: usize| u16_at(hmtx, glyph.min(metrics.saturating_sub(1)) * 4).map(|units| f64::from(units) / per_em);
    let mut known = HashMap::new();
    for (c, glyph) in glyphs(table(file, b"cmap")?)? {
        known.insert(c, advance(glyph)?);
    }
    Some(known)
}

fn glyphs(cmap: &[u8]) -> Option<Vec<(char, usize)>> {
    let count = usize::from(u16_at(cmap, 2)?);
    let subtables: Vec<&[u8]> = (0..count).filter_map(|nth| cmap.get(usize::try_from(u32_at(cmap, 4 + nth * 8 + 4)?).ok()?..)).collect();
    let format = |wanted: u16| subtables.iter().find(|subtable| u16_at(subtable, 0) == Some(wanted));
    match (format(12), format(4)) {
        (Some(groups), _) => groups_of(groups),
        (None, Some(segments)) => segments_of(segments),
        (None, None) => None,
    }
}

/// Format 12: groups of first, last, first glyph.
fn groups_of(subtable: &[u8]) -> Option<Vec<(char, usize)>> {
    let mut found = Vec::new();
    for nth in 0..u32_at(subtable, 12)? as usize {
        let at = 16 + nth * 12;
        let (first, last, glyph) = (u32_at(subtable, at)?, u32_at(subtable, at + 4)?, u32_at(subtable, at + 8)?);
        found.extend((first..=last).zip(glyph..).filter_map(|(c, glyph)| Some((char::from_u32(c)?, glyph as usize))));
    }
    Some(found)
}

/// Format 4: segments with a difference, or an offset into glyph numbers behind them.
fn segments_of(subtable: &[u8]) -> Option<Vec<(char, usize)>> {
    let double = usize::from(u16_at(subtable, 6)?);
    let mut found = Vec::new();
    for at in (0..double).step_by(2) {
        let last = u16_at(subtable, 14 + at)?;
        let first = u16_at(subtable, 16 + double + at)?;
        let delta = u16_at(subtable, 16 + 2 * double + at)?;
        let place = 16 + 3 * double + at;
        let offset = usize::from(u16_at(subtable, place)?);
        for c in first..=last {
            let glyph = match offset {
                0 => c.wrapping_add(delta),
                offset => match u16_at(subtable, place + offset + usize::from(c - first) * 2)? {
                    0 => 0,
                    glyph => glyph.wrapping_add(delta),
                },
            };
            // Glyph 0 is the font's own "missing".
            if let (Some(c), 1..) = (char::from_u32(c.into()), glyph) {
                found.push((c, glyph.into()));
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_what_people_write_in_europe() {
        for weight in [Weight::Regular, Weight::Bold] {
            let text = "AZaz09 Ärger Łódź Ștefan Ελλάδα Київ – … → □ \u{fffd}";
            assert_eq!(shown(text, weight), text.replace('\u{a0}', " "));
        }
    }

    #[test]
    fn widths_are_the_fonts_own() {
        // DejaVu Sans 2.37 by its own tables: 2048 units per em; "A" 1401, space 651, "i" 569; bold "A" 1585.
        for (text, weight, units) in
            [("A", Weight::Regular, 1401.0), (" ", Weight::Regular, 651.0), ("i", Weight::Regular, 569.0), ("A", Weight::Bold, 1585.0)]
        {
            assert!((width(text, 2048.0, weight) - units).abs() < 0.5, "{text:?} {weight:?}: {}", width(text, 2048.0, weight));
        }
    }

    #[test]
    fn hostile_names_become_one_line_with_boxes() {
        assert_eq!(shown("a\nb\t c\u{202e}\u{200d}d\u{0}", Weight::Regular), "a b cd");
        assert_eq!(shown("警察 🚓", Weight::Bold), "□□ □");
        assert_eq!(shown("\u{feff}", Weight::Regular), "");
    }

    #[test]
    fn long_names_are_cut_to_their_width() {
        let name = "Maximiliane Elisabeth von und zu Brineford-Hollenbach";
        let cut = fit(name, 18.0, Weight::Bold, 200.0);
        assert!(cut.ends_with('…') && cut.starts_with("Maximil"), "{cut}");
        assert!(width(&cut, 18.0, Weight::Bold) <= 200.0);
        assert_eq!(fit("Ann", 18.0, Weight::Bold, 200.0), "Ann");
        assert_eq!(fit(name, 18.0, Weight::Bold, 1.0), "…");
    }
}
