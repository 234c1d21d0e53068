//! Vertical bars by category, one or two series side by side: calls by hour of the day, time to the first unit by priority.

use super::font::{self, Weight};
use super::paper::{ACCENTS, Anchor, GRID, MARGIN, MUTED, Paper, Pen, TEXT, TOP, float};
use super::scale::drawn;
use super::{Heading, Measure, WIDTH};

/// Categories of one chart; further ones are not drawn.
pub const MAX_CATEGORIES: usize = 24;

const HEIGHT: f64 = 600.0;
const BOTTOM: f64 = 62.0;
const TICK: Pen = Pen::new(19.0, Weight::Regular, MUTED);
const CATEGORY: Pen = Pen::new(20.0, Weight::Regular, TEXT).at(Anchor::Middle);
const VALUE: Pen = Pen::new(20.0, Weight::Bold, TEXT).at(Anchor::Middle).seamed();
/// With many categories: two digits fit a bar, and an outline would cover part of the next one.
const SMALL: Pen = Pen::new(14.0, Weight::Bold, TEXT).at(Anchor::Middle);
const LEGEND: Pen = Pen::new(22.0, Weight::Regular, TEXT);
const NOTHING: Pen = Pen::new(18.0, Weight::Regular, MUTED).at(Anchor::Middle);
/// The smallest readable size.
const SMALLEST: f64 = 11.0;
/// Widest bar.
const WIDEST: f64 = 110.0;

/// One colour.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    /// By category; `None` has no bar and no value.
    pub values: Vec<Option<i64>>,
}

/// Vertical bars.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The heading.
    pub heading: Heading,
    /// Below the bars; the first [`MAX_CATEGORIES`] are drawn.
    pub categories: Vec<String>,
    /// The first two are drawn.
    pub series: Vec<Series>,
    /// What the values are.
    pub measure: Measure,
}

impl Columns {
    pub(super) fn svg(&self) -> String {
        let categories = self.categories.get(..MAX_CATEGORIES).unwrap_or(&self.categories);
        let series = self.series.get(..ACCENTS.len()).unwrap_or(&self.series);
        let mut paper = Paper::new(HEIGHT, &self.heading);
        let most = series.iter().flat_map(|series| series.values.iter().take(categories.len()).flatten()).copied().max().unwrap_or(0);
        let ticks = self.measure.ticks(most);
        let full = float(ticks.last().copied().unwrap_or(1)).max(1.0);
        let said: Vec<String> = ticks.iter().map(|tick| self.measure.say(*tick)).collect();
        let axis = said.iter().map(|said| font::width(said, TICK.size, TICK.weight)).fold(0.0, f64::max);
        let (left, right) = (MARGIN + axis + 14.0, f64::from(WIDTH) - MARGIN);
        // Values stand above the highest bar.
        let (top, bottom) = (TOP + 46.0, HEIGHT - BOTTOM);
        for (tick, said) in ticks.iter().zip(&said) {
            let y = bottom - (bottom - top) * float(*tick) / full;
            paper.line((left, y), (right, y), GRID);
            paper.text(left - 12.0, y + 7.0, TICK.at(Anchor::End), said, 200.0);
        }
        legend(&mut paper, series);
        let pitch = (right - left) / float(i64::try_from(categories.len()).unwrap_or(1)).max(1.0);
        let side_by_side = float(i64::try_from(series.len()).unwrap_or(1)).max(1.0);
        let gap = if pitch > 100.0 { 8.0 } else { 2.0 };
        let bar = ((pitch * 0.72 - gap * (side_by_side - 1.0)) / side_by_side).clamp(2.0, WIDEST);
        let group = bar * side_by_side + gap * (side_by_side - 1.0);
        let mut values: Vec<(f64, f64, String)> = Vec::new();
        let value_pen = if categories.len() > 12 { SMALL } else { VALUE };
        for (nth, category) in (0_i32..).zip(categories) {
            let middle = left + pitch * (f64::from(nth) + 0.5);
            paper.text(middle, bottom + 28.0, CATEGORY, category, pitch - 4.0);
            let value = |series: &Series| usize::try_from(nth).ok().and_then(|nth| series.values.get(nth)).copied().flatten();
            if series.iter().all(|series| value(series).is_none()) {
                paper.text(middle, bottom - 12.0, NOTHING, "no data", pitch - 4.0);
            }
            for (which, series) in (0_i32..).zip(series) {
                let value = value(series);
                let Some(value) = value else { continue };
                let x = middle - group / 2.0 + (bar + gap) * f64::from(which);
                let high = (bottom - top) * float(drawn(value)) / full;
                if value > 0 {
                    paper.column((x, bottom - high.max(3.0), bar, high.max(3.0)), &format!("url(#standing{which})"));
                }
                // Many zeros would only clutter the chart.
                if value > 0 || categories.len() < 12 {
                    values.push((x + bar / 2.0, bottom - high.max(3.0) - 8.0, self.measure.say(drawn(value))));
                }
            }
        }
        // Drawn after all bars, and no wider than its own, so that none hides another's.
        for (x, y, said) in values {
            let wide = font::width(&said, 1.0, value_pen.weight);
            let size = ((bar + gap) / wide.max(0.1)).min(value_pen.size);
            if size >= SMALLEST {
                paper.text(x, y, Pen { size: (size * 10.0).floor() / 10.0, ..value_pen }, &said, 400.0);
            }
        }
        paper.finish()
    }
}

fn legend(paper: &mut Paper, series: &[Series]) {
    let mut x = MARGIN;
    for (series, color) in series.iter().zip(ACCENTS) {
        paper.rect((x, TOP - 18.0, 20.0, 20.0), 5.0, color);
        x += 30.0;
        x += paper.text(x, TOP, LEGEND, &series.name, 400.0) + 36.0;
    }
}
