//! The arithmetic of `benches/delivery`: nobody looks twice at a percentile, so it must be right. No time is measured here.

use std::time::Duration;

#[path = "../../benches/delivery/numbers.rs"]
mod numbers;

use numbers::{Samples, Target, shown};

#[test]
fn percentiles_are_by_nearest_rank() {
    let ms = |n| Duration::from_millis(n);
    let samples = Samples::new((1..=100).rev().map(ms).collect());
    let at = |percent| samples.percentile(percent);
    assert_eq!([at(0.0), at(1.0), at(50.0), at(99.0), at(99.5), at(100.0)], [1, 1, 50, 99, 100, 100].map(|n| Some(ms(n))));
    assert_eq!((samples.median(), samples.ms(99.0)), (Some(ms(50)), Some(99.0)));
    let three = Samples::new(vec![ms(9), ms(1), ms(5)]);
    assert_eq!([50.0, 99.0].map(|percent| three.percentile(percent)), [Some(ms(5)), Some(ms(9))]);
    assert_eq!(Samples::default().percentile(50.0), None);
}

#[test]
fn a_target_without_its_figures_is_not_judged() {
    assert_eq!(Target::AtMost(8.0).met(Some(8.0), None), Some(true));
    assert_eq!(Target::AtMost(8.0).met(Some(8.1), None), Some(false));
    assert_eq!(Target::PeerAtMost(1.0 / 3.0).met(Some(1.0), Some(3.0)), Some(true));
    assert_eq!(Target::PeerAtLeast(2.0).met(Some(3.9), Some(2.0)), Some(false));
    assert_eq!(Target::PeerAtLeast(2.0).met(Some(3.9), None), None);
    assert_eq!(Target::AtMost(1.0).met(None, None), None);
}

#[test]
fn figures_have_three_digits_and_thousands_apart() {
    let texts = [0.0, 0.0123, 0.1, 1.236, 12.34, 123.4, 1_234.5, 1_234_567.0, -4_321.0].map(shown);
    assert_eq!(texts, ["0.00", "0.012", "0.10", "1.24", "12.3", "123", "1,234", "1,234,567", "-4,321"]);
}
