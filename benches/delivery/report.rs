//! The results, as a table for people and as JSON for the next run.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::machine::Machine;
use super::numbers::{Target, shown};

/// One line of the table: our figure, the peer's if it has one, and the goal.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Name of the scenario as on the command line.
    pub(crate) scenario: &'static str,
    /// What the figure is.
    pub(crate) what: String,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Ours.
    pub(crate) tenfour: Option<f64>,
    /// The peer's.
    pub(crate) peer: Option<f64>,
    /// The goal.
    pub(crate) targets: Vec<Target>,
    /// Why it isn't judged, or what else must be known.
    pub(crate) note: String,
}

impl Row {
    /// Our figure alone.
    pub(crate) fn new(scenario: &'static str, what: impl Into<String>, unit: &'static str, tenfour: Option<f64>) -> Self {
        Self { scenario, what: what.into(), unit, tenfour, peer: None, targets: Vec::new(), note: String::new() }
    }

    /// Adds the peer's.
    #[must_use]
    pub(crate) fn against(mut self, peer: Option<f64>) -> Self {
        self.peer = peer;
        self
    }

    /// Adds the goal.
    #[must_use]
    pub(crate) fn must(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds a note.
    #[must_use]
    pub(crate) fn note(mut self, words: impl Into<String>) -> Self {
        self.note = words.into();
        self
    }

    fn ratio(&self) -> Option<f64> {
        let (ours, peer) = (self.tenfour?, self.peer?);
        (peer != 0.0).then(|| ours / peer)
    }

    fn asked(&self) -> String {
        let words = self.targets.iter().map(|target| match target {
            Target::AtMost(limit) => format!("≤ {}", shown(*limit)),
            Target::PeerAtMost(1.0) => "no more than the peer".to_owned(),
            Target::PeerAtMost(times) => format!("≤ {times:.2} × the peer"),
            Target::PeerAtLeast(1.0) => "more than the peer".to_owned(),
            Target::PeerAtLeast(times) => format!("≥ {times:.0} × the peer"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// Met by all that was measured; `None` if there is no goal or nothing could be judged.
    pub(crate) fn met(&self) -> Option<bool> {
        let judged: Vec<bool> = self.targets.iter().filter_map(|target| target.met(self.tenfour, self.peer)).collect();
        (!judged.is_empty()).then(|| judged.iter().all(|met| *met))
    }

    fn cells(&self) -> [String; 8] {
        let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), shown);
        let met = match (self.met(), self.targets.is_empty()) {
            (Some(true), _) => "yes",
            (Some(false), _) => "**no**",
            (None, false) => "not judged",
            (None, true) => "",
        };
        [
            self.scenario.to_owned(),
            self.what.clone(),
            self.unit.to_owned(),
            figure(self.tenfour),
            figure(self.peer),
            self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.asked(),
            if self.note.is_empty() { met.to_owned() } else { format!("{met} ({})", self.note).trim_start().to_owned() },
        ]
    }

    fn json(&self) -> Value {
        json!({
            "scenario": self.scenario, "what": self.what, "unit": self.unit, "tenfour": self.tenfour, "peer": self.peer,
            "ratio": self.ratio(), "asked": self.asked(), "met": self.met(), "note": self.note
        })
    }
}

const HEAD: [&str; 8] = ["scenario", "what", "unit", "Tenfour", "peer", "ratio", "asked", "met"];

/// Everything of one run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The machine and the versions.
    pub(crate) machine: Machine,
    /// In the order measured.
    pub(crate) rows: Vec<Row>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<String>,
}

impl Report {
    /// The table in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n\n| {} |\n|{}\n", self.machine.sentence(), HEAD.join(" | "), "---|".repeat(HEAD.len()));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.cells().join(" | "));
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "\nNot measured: {skipped}.");
        }
        text
    }

    /// The table for a terminal.
    pub(crate) fn text(&self) -> String {
        let rows: Vec<[String; 8]> = self.rows.iter().map(|row| row.cells().map(|cell| cell.replace("**", ""))).collect();
        let all = || std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().cloned());
        let mut widths = [0; 8];
        for row in all() {
            for (width, cell) in widths.iter_mut().zip(&row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = format!("{}\n\n", self.machine.sentence());
        for row in all() {
            let cells = row.iter().zip(widths).enumerate().map(|(at, (cell, width))| {
                // Figures are right-aligned.
                if (3..=5).contains(&at) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "not measured: {skipped}");
        }
        text
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        json!({
            "machine": self.machine.json(), "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(), "skipped": self.skipped
        })
    }

    /// `document` with the table between the two marks replaced by this one.
    ///
    /// # Errors
    /// If the marks are not there.
    pub(crate) fn inserted(&self, document: &str) -> Result<String, &'static str> {
        const BEGIN: &str = "<!-- table: begin -->";
        const END: &str = "<!-- table: end -->";
        let missing = "it lacks the marks <!-- table: begin --> and <!-- table: end -->";
        let (before, rest) = document.split_once(BEGIN).ok_or(missing)?;
        let (_, after) = rest.split_once(END).ok_or(missing)?;
        Ok(format!("{before}{BEGIN}\n{}{END}{after}", self.markdown()))
    }
}
