//! Tests what the charts say, and that they can be seen.

use super::*;

fn heading() -> Heading {
    Heading { title: "Hours on duty by member".into(), subtitle: "7 days up to 21 Nov 2026, 16:00 · Europe/Berlin".into() }
}

fn row(label: &str, note: &str, value: i64) -> Row {
    Row { label: label.into(), note: note.into(), value }
}

fn bars() -> Chart {
    let rows = vec![
        row("Maximiliane Elisabeth von und zu Brineford-Hollenbach", "2L-31 · Los Santos Police Department", 149_400_000),
        row("<b>Tom & \"Jerry\"</b>", "A-12 · Fire", 90_000_000),
        row("Иван Ελένη Łukasz", "C-7", 61_200_000),
        row("警察 🚓", "", 7_000_000),
        row("Newcomer", "M-1 · EMS", 12_000),
        row("Nobody", "", 0),
    ];
    Chart::Bars(Bars { heading: heading(), rows, measure: Measure::Duration })
}

fn by_hour() -> Chart {
    let emergencies = [0, 0, 1, 0, 0, 0, 0, 2, 3, 1, 0, 4, 5, 2, 6, 8, 11, 14, 19, 26, 31, 24, 12, 5];
    let calls = [1, 0, 0, 0, 0, 0, 1, 2, 2, 3, 4, 4, 6, 7, 9, 12, 14, 18, 25, 32, 38, 30, 17, 8];
    Chart::Columns(Columns {
        heading: Heading { title: "Calls by hour of the day".into(), subtitle: "30 days up to 21 Nov 2026, 16:00 · Europe/Berlin".into() },
        categories: (0..24).map(|hour| format!("{hour:02}")).collect(),
        series: vec![
            Series { name: "911 and civil calls".into(), values: emergencies.into_iter().map(Some).collect() },
            Series { name: "Dispatch calls".into(), values: calls.into_iter().map(Some).collect() },
        ],
        measure: Measure::Count,
    })
}

fn by_priority() -> Chart {
    Chart::Columns(Columns {
        heading: Heading { title: "Time to the first unit by priority".into(), subtitle: "30 days · UTC".into() },
        categories: ["Priority 1", "Priority 2", "Priority 3", "<Code> & 4"].map(str::to_owned).to_vec(),
        series: vec![
            Series { name: "Median".into(), values: vec![Some(38_000), Some(75_000), Some(190_000), None] },
            Series { name: "90th percentile".into(), values: vec![Some(95_000), Some(240_000), Some(610_000), None] },
        ],
        measure: Measure::Duration,
    })
}

#[test]
fn the_svg_of_each_kind() {
    insta::assert_snapshot!("bars", svg(&bars()));
    insta::assert_snapshot!("by_hour", svg(&by_hour()));
    insta::assert_snapshot!("by_priority", svg(&by_priority()));
}

/// Size and number of colours.
fn looked_at(chart: &Chart) -> (u32, u32, usize) {
    let png = picture(&svg(chart)).unwrap();
    if let Ok(folder) = std::env::var("TENFOUR_CHARTS") {
        let name = svg(chart).len();
        std::fs::write(format!("{folder}/{name}.png"), &png).unwrap();
    }
    let pixels = Pixmap::decode_png(&png).unwrap();
    let colors: std::collections::HashSet<[u8; 4]> = pixels.pixels().iter().map(|p| [p.red(), p.green(), p.blue(), p.alpha()]).collect();
    (pixels.width(), pixels.height(), colors.len())
}

#[test]
fn pictures_have_their_size_and_are_not_blank() {
    for (chart, height) in [(bars(), 594), (by_hour(), 600), (by_priority(), 600)] {
        let (width, high, colors) = looked_at(&chart);
        assert_eq!((width, high), (WIDTH, height));
        assert!(colors > 100, "{colors} colours");
    }
}

#[test]
fn text_is_drawn_and_names_of_strangers_are_not_markup() {
    let of = |label: &str| {
        let rows = vec![row(label, "", 1)];
        picture(&svg(&Chart::Bars(Bars { heading: Heading::default(), rows, measure: Measure::Count }))).unwrap()
    };
    assert_ne!(of("Ann"), of("Bob"), "the font is not found");
    assert_eq!(of("警"), of("察"), "one stand-in for all that the font lacks");
    assert_ne!(of("警"), of(""));
    let text = svg(&Chart::Bars(Bars {
        heading: Heading { title: "</text><script>\u{0}]]>&".into(), subtitle: String::new() },
        rows: vec![row("<image href=\"file:///etc/passwd\"/>", "&lt;", 5)],
        measure: Measure::Count,
    }));
    assert!(!text.contains("<script") && !text.contains("<image") && text.contains("&amp;lt;"), "{text}");
    picture(&text).unwrap();
}

#[test]
fn whatever_is_counted_it_stays_within_its_bounds() {
    let rows: Vec<Row> = (0..500).map(|n| row(&"W".repeat(900), &"\u{202e}x".repeat(300), i64::MAX - n)).collect();
    let huge = Chart::Bars(Bars { heading: heading(), rows, measure: Measure::Duration });
    let (width, height, _) = looked_at(&huge);
    assert!(width == WIDTH && height <= MAX_HEIGHT);
    assert!(svg(&huge).contains("and 480 more"));
    let nothing = Chart::Columns(Columns { heading: heading(), categories: vec![], series: vec![], measure: Measure::Count });
    picture(&svg(&nothing)).unwrap();
    let nothing = Chart::Bars(Bars { heading: heading(), rows: vec![row("x", "", -9)], measure: Measure::Count });
    picture(&svg(&nothing)).unwrap();
    let long = Columns {
        heading: heading(),
        categories: (0..900).map(|n| n.to_string()).collect(),
        series: vec![Series { name: "W".repeat(900), values: vec![Some(i64::MAX); 900] }; 9],
        measure: Measure::Duration,
    };
    picture(&svg(&Chart::Columns(long))).unwrap();
    assert!(matches!(picture("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"90000\" height=\"9\"/>"), Err(ChartError::TooLarge)));
    assert!(matches!(picture("<svg"), Err(ChartError::Svg(_))));
}

#[tokio::test]
async fn the_painter_paints() {
    let painter = Painter::default();
    let (one, two) = tokio::join!(painter.paint(bars()), painter.paint(bars()));
    assert_eq!(one.unwrap(), two.unwrap());
}
