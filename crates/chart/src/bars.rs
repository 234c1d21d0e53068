//! Horizontal bars, one per row: hours per member or department.

use super::font::{self, Weight};
use super::paper::{Anchor, GRID, MARGIN, MUTED, Paper, Pen, TEXT, TOP, float};
use super::scale::drawn;
use super::{Heading, Measure, WIDTH};

/// Rows of one chart; further ones are counted below it.
pub const MAX_ROWS: usize = 20;

const PITCH: f64 = 62.0;
const BAR: f64 = 34.0;
const BOTTOM: f64 = 66.0;
const LABEL: Pen = Pen::new(24.0, Weight::Bold, TEXT);
const NOTE: Pen = Pen::new(18.0, Weight::Regular, MUTED);
const VALUE: Pen = Pen::new(23.0, Weight::Bold, TEXT).seamed();
const TICK: Pen = Pen::new(19.0, Weight::Regular, MUTED).at(Anchor::Middle);
/// Maximum width of names.
const NAMES: f64 = 400.0;

/// One bar.
#[derive(Clone, Debug)]
pub struct Row {
    pub label: String,
    /// Smaller, below the label; may be empty.
    pub note: String,
    /// Negative counts as 0.
    pub value: i64,
}

/// Horizontal bars, in the given order.
#[derive(Clone, Debug)]
pub struct Bars {
    /// The heading.
    pub heading: Heading,
    /// The first [`MAX_ROWS`] are drawn.
    pub rows: Vec<Row>,
    /// What the values are.
    pub measure: Measure,
}

impl Bars {
    pub(super) fn svg(&self) -> String {
        let rows = self.rows.get(..MAX_ROWS).unwrap_or(&self.rows);
        let height = TOP + PITCH * float(i64::try_from(rows.len()).unwrap_or(0)).max(3.0) + BOTTOM;
        let mut paper = Paper::new(height, &self.heading);
        let most = rows.iter().map(|row| row.value).max().unwrap_or(0);
        // The longest bar gets all the width.
        let ticks: Vec<i64> = self.measure.ticks(most).into_iter().filter(|tick| *tick <= drawn(most)).collect();
        let full = float(drawn(most)).max(1.0);
        let said: Vec<String> = rows.iter().map(|row| self.measure.say(drawn(row.value))).collect();
        let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0_f64, f64::max);
        let names = widest(&mut rows.iter().flat_map(|row| {
            let label = font::width(&font::shown(&row.label, LABEL.weight), LABEL.size, LABEL.weight);
            [label, font::width(&font::shown(&row.note, NOTE.weight), NOTE.size, NOTE.weight)]
        }))
        .min(NAMES);
        let ranks = 48.0;
        let values = widest(&mut said.iter().map(|said| font::width(said, VALUE.size, VALUE.weight))) + 14.0;
        let left = MARGIN + ranks + names + 20.0;
        let right = f64::from(WIDTH) - MARGIN - values;
        let bottom = height - BOTTOM;
        let mut free = f64::MIN;
        for tick in &ticks {
            let x = left + (right - left) * float(*tick) / full;
            paper.line((x, TOP - 8.0), (x, bottom + 4.0), GRID);
            let said = self.measure.say(*tick);
            let half = font::width(&said, TICK.size, TICK.weight) / 2.0;
            if x - half > free {
                paper.text(x, bottom + 32.0, TICK, &said, 300.0);
                free = x + half + 12.0;
            }
        }
        for ((nth, row), said) in (0_i32..).zip(rows).zip(&said) {
            let middle = TOP + PITCH * (f64::from(nth) + 0.5);
            let y = middle - BAR / 2.0;
            paper.text(MARGIN + 30.0, middle + 7.0, NOTE.at(Anchor::End), &format!("{}", nth + 1), ranks);
            if row.note.is_empty() {
                paper.text(MARGIN + ranks, middle + 8.0, LABEL, &row.label, names);
            } else {
                paper.text(MARGIN + ranks, middle - 3.0, LABEL, &row.label, names);
                paper.text(MARGIN + ranks, middle + 19.0, NOTE, &row.note, names);
            }
            let long = (right - left) * float(drawn(row.value)) / full;
            if row.value > 0 {
                // The narrowest visible bar.
                paper.rect((left, y, long.max(3.0), BAR), if long < 12.0 { 1.0 } else { 6.0 }, "url(#lying0)");
            }
            paper.text(left + long.max(3.0) + 12.0, middle + 8.0, VALUE, said, values);
        }
        if let Some(more) = self.rows.len().checked_sub(rows.len()).filter(|more| *more > 0) {
            let words = format!("and {more} more");
            paper.text(f64::from(WIDTH) - MARGIN, 70.0, NOTE.at(Anchor::End), &words, 300.0);
        }
        if rows.is_empty() {
            paper.text(f64::from(WIDTH) / 2.0, TOP + PITCH * 1.5, NOTE.at(Anchor::Middle), "Nothing to show", 600.0);
        }
        paper.finish()
    }
}
