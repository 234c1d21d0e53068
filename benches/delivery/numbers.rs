//! Percentiles and goals: the benchmark's only arithmetic, tested in `tests/it/benchmark.rs`.

use std::time::Duration;

/// Samples of one thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Takes samples in any order.
    pub(crate) fn new(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }

    /// The smallest sample that at least `percent` of them do not exceed (nearest rank). `None` without samples.
    pub(crate) fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied()
    }

    /// The middle one.
    pub(crate) fn median(&self) -> Option<Duration> {
        self.percentile(50.0)
    }

    /// In milliseconds.
    pub(crate) fn ms(&self, percent: f64) -> Option<f64> {
        self.percentile(percent).map(|sample| sample.as_secs_f64() * 1e3)
    }
}

/// The goal for a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// Ours is at most this.
    AtMost(f64),
    /// Ours is at most so many times the peer's.
    PeerAtMost(f64),
    /// Ours is at least so many times the peer's.
    PeerAtLeast(f64),
}

impl Target {
    /// Whether it is met; `None` if a figure it needs wasn't measured.
    pub(crate) fn met(self, ours: Option<f64>, peer: Option<f64>) -> Option<bool> {
        let ours = ours?;
        Some(match self {
            Self::AtMost(limit) => ours <= limit,
            Self::PeerAtMost(times) => ours <= times * peer?,
            Self::PeerAtLeast(times) => ours >= times * peer?,
        })
    }
}

/// A figure as people read it: three significant digits, thousands set apart.
pub(crate) fn shown(value: f64) -> String {
    let size = value.abs();
    if size >= 1e3 {
        let digits = format!("{:.0}", value);
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
        let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        format!("{sign}{}", groups.join(","))
    } else {
        let places = if size >= 100.0 {
            0
        } else if size >= 10.0 {
            1
        } else if size >= 0.1 || value == 0.0 {
            2
        } else {
            3
        };
        format!("{value:.places$}")
    }
}
