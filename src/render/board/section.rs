//! One embed of a board: groups of lines, and which of them fit.

use crate::render::text::{self, SafeText, safe};
use crate::render::{Embed, limits};

/// Reserved in each section for [`more`].
const MORE: usize = 32;
/// Between two groups of lines.
const GAP: &str = "\n\n";
/// Limit on the calls named after a unit, and on the units named in a call.
pub(super) const NAMED: usize = 4;

/// An embed being built.
pub(super) struct Section {
    pub(super) title: SafeText,
    pub(super) color: u32,
    pub(super) footer: SafeText,
    /// Above the lines.
    pub(super) head: Option<SafeText>,
    pub(super) groups: Vec<Group>,
    /// Instead of lines, if there are none.
    pub(super) empty: &'static str,
}

/// Lines under a heading.
pub(super) struct Group {
    pub(super) heading: Option<SafeText>,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    pub(super) text: SafeText,
    pub(super) urgent: bool,
    pub(super) kept: bool,
}

impl Section {
    /// Its units without any line.
    fn fixed(&self) -> usize {
        let head = self.head.as_ref().map_or(0, |head| text::units(head) + GAP.len());
        text::units(&self.title) + text::units(&self.footer) + head + text::units(self.empty) + MORE
    }

    pub(super) fn embed(self) -> Embed {
        let mut parts: Vec<SafeText> = self.head.into_iter().collect();
        let mut left_out = 0;
        for group in self.groups {
            let all = group.lines.len();
            let kept: Vec<SafeText> = group.lines.into_iter().filter(|line| line.kept).map(|line| line.text).collect();
            left_out += all - kept.len();
            if !kept.is_empty() {
                parts.push(SafeText::join(group.heading.into_iter().chain(kept), "\n"));
            }
        }
        if left_out > 0 {
            parts.push(more(left_out));
        } else if parts.is_empty() {
            parts.push(self.empty.into());
        }
        Embed {
            title: Some(self.title),
            description: Some(SafeText::join(parts, GAP)),
            color: self.color,
            footer: Some(self.footer),
            ..Embed::default()
        }
    }
}

fn more(left_out: usize) -> SafeText {
    safe!("… and {} more", left_out)
}

/// Keeps as many lines as fit: first the urgent ones, then the others. The sections grow alike, so that a crowd on one server
/// doesn't displace everything else. Within a section nothing is kept after a line that was left out, except the urgent ones.
pub(super) fn fill(sections: &mut [Section]) {
    let mut total = limits::TOTAL.saturating_sub(sections.iter().map(Section::fixed).sum());
    let mut room: Vec<usize> = sections
        .iter()
        .map(|section| limits::DESCRIPTION.saturating_sub(section.head.as_deref().map_or(0, text::units) + GAP.len() + MORE))
        .collect();
    for urgent in [true, false] {
        let mut turns = Vec::new();
        for (s, section) in sections.iter().enumerate() {
            let mut before = 0;
            for (g, group) in section.groups.iter().enumerate() {
                for (l, line) in group.lines.iter().enumerate().filter(|(_, line)| line.urgent == urgent) {
                    turns.push((before, s, g, l));
                    before += text::units(&line.text);
                }
            }
        }
        turns.sort_unstable();
        for (_, s, g, l) in turns {
            let Some(left) = room.get_mut(s) else { continue };
            let Some(group) = sections.get_mut(s).and_then(|section| section.groups.get_mut(g)) else { continue };
            let opened = group.lines.iter().any(|line| line.kept);
            let heading = if opened { 0 } else { group.heading.as_deref().map_or(0, |h| text::units(h) + 1) + GAP.len() };
            let Some(line) = group.lines.get_mut(l) else { continue };
            let cost = text::units(&line.text) + 1 + heading;
            if cost > *left || cost > total {
                *left = 0;
                continue;
            }
            (line.kept, *left, total) = (true, *left - cost, total - cost);
        }
    }
}

/// `, +3`: how many of all are left out after [`NAMED`] of them.
pub(super) fn rest(all: usize) -> SafeText {
    if all > NAMED { safe!(", +{}", all - NAMED) } else { SafeText::default() }
}
