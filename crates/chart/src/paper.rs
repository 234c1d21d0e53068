//! Draws what every chart shares: card, heading, text, bars. Discord shows it at half its size, so letters are large.

use std::fmt::Write as _;

use super::font::{self, Weight};
use super::{Heading, WIDTH};

/// Discord's dark card, and the colors on it.
pub(super) const CARD: &str = "#2B2D31";
pub(super) const TEXT: &str = "#F2F3F5";
pub(super) const MUTED: &str = "#B5BAC1";
pub(super) const GRID: &str = "#3F4248";
/// One per series: different in hue and in lightness, so that they differ for the color-blind too.
pub(super) const ACCENTS: [&str; 2] = ["#6CA8FF", "#FFB454"];
/// Where their bars begin.
const SHADES: [&str; 2] = ["#4A7FD6", "#D98A2B"];
/// Margin at the sides.
pub(super) const MARGIN: f64 = 48.0;
/// Where the heading ends.
pub(super) const TOP: f64 = 156.0;

/// Where a text's x is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    pub(super) size: f64,
    pub(super) weight: Weight,
    pub(super) color: &'static str,
    pub(super) anchor: Anchor,
    /// Outlined against what is below it.
    pub(super) seam: bool,
}

impl Pen {
    pub(super) const fn new(size: f64, weight: Weight, color: &'static str) -> Self {
        Self { size, weight, color, anchor: Anchor::Start, seam: false }
    }

    pub(super) const fn seamed(self) -> Self {
        Self { seam: true, ..self }
    }

    pub(super) const fn at(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

/// SVG text in the making.
#[derive(Debug)]
pub(super) struct Paper {
    out: String,
}

impl Paper {
    pub(super) fn new(height: f64, heading: &Heading) -> Self {
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"{}\" font-kerning=\"none\">\n<defs>\n",
            font::FAMILY
        );
        for (nth, (color, shade)) in ACCENTS.iter().zip(SHADES).enumerate() {
            // Horizontal bars brighten toward their end, vertical ones toward their top.
            for (kind, from, to, x, y) in [("lying", shade, *color, 1, 0), ("standing", *color, shade, 0, 1)] {
                writeln!(
                    out,
                    "<linearGradient id=\"{kind}{nth}\" x1=\"0\" y1=\"0\" x2=\"{x}\" y2=\"{y}\"><stop offset=\"0\" stop-color=\"{from}\"/>\
                     <stop offset=\"1\" stop-color=\"{to}\"/></linearGradient>"
                )
                .ok();
            }
        }
        writeln!(out, "</defs>\n<rect width=\"{WIDTH}\" height=\"{height}\" rx=\"20\" fill=\"{CARD}\"/>").ok();
        let mut paper = Self { out };
        let available = f64::from(WIDTH) - 2.0 * MARGIN;
        paper.text(MARGIN, 70.0, Pen::new(40.0, Weight::Bold, TEXT), &heading.title, available);
        paper.text(MARGIN, 110.0, Pen::new(24.0, Weight::Regular, MUTED), &heading.subtitle, available);
        paper
    }

    /// A text within `available` pixels. Returns its width.
    pub(super) fn text(&mut self, x: f64, y: f64, pen: Pen, raw: &str, available: f64) -> f64 {
        let shown = font::fit(raw, pen.size, pen.weight, available);
        let anchor = match pen.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if pen.weight == Weight::Bold { " font-weight=\"bold\"" } else { "" };
        let (size, color, words) = (pen.size, pen.color, escape(&shown));
        // An outline in the card's color, so that no line runs through the words.
        let seam = if pen.seam {
            format!(" stroke=\"{CARD}\" stroke-width=\"6\" stroke-linejoin=\"round\" paint-order=\"stroke\"")
        } else {
            String::new()
        };
        writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"{weight} fill=\"{color}\" text-anchor=\"{anchor}\"{seam}>{words}</text>"
        )
        .ok();
        font::width(&shown, pen.size, pen.weight)
    }

    pub(super) fn rect(&mut self, (x, y, width, height): (f64, f64, f64, f64), round: f64, fill: &str) {
        writeln!(self.out, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\" fill=\"{fill}\"/>")
            .ok();
    }

    /// A vertical bar, rounded at its top only.
    pub(super) fn column(&mut self, (x, y, width, height): (f64, f64, f64, f64), fill: &str) {
        let round = (width / 4.0).min(6.0).min(height);
        let (right, bottom) = (x + width, y + height);
        writeln!(
            self.out,
            "<path d=\"M{x:.1} {bottom:.1}V{:.1}Q{x:.1} {y:.1} {:.1} {y:.1}H{:.1}Q{right:.1} {y:.1} {right:.1} {:.1}V{bottom:.1}Z\" fill=\"{fill}\"/>",
            y + round,
            x + round,
            right - round,
            y + round
        )
        .ok();
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), color: &str) {
        writeln!(self.out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>").ok();
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[expect(clippy::cast_precision_loss, reason = "pixels need no more than 52 bits")]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}
