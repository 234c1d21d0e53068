//! Compares what operators get with the program: the table of series, the dashboard and the alert rules against what `/metrics` says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tenfour::ids::ServerId;
use tenfour::metrics::Metrics;

/// Series that the dashboard doesn't show. None: a series that nobody looks at need not exist.
const NOT_SHOWN: [&str; 0] = [];

/// How the names of series begin.
const PREFIXES: [&str; 2] = ["tenfour_", "process_"];

/// Most of `process_…` is read from `/proc`.
fn is_measured_here(name: &str) -> bool {
    cfg!(target_os = "linux") || !name.starts_with("process_") || name == "process_start_time_seconds"
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Series {
    kind: String,
    labels: BTreeSet<String>,
}

/// The series as written in a query (a histogram without its suffixes), from the text itself.
fn registered() -> BTreeMap<String, Series> {
    let text = Metrics::new(&[ServerId(1)], &["panic"]).encode();
    let mut found: BTreeMap<String, Series> = BTreeMap::new();
    let mut family = (String::new(), String::new());
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (name, kind) = &family;
        let series = line.split(['{', ' ']).next().unwrap();
        let series = if kind == "histogram" { name } else { series };
        assert!(series.starts_with(name.as_str()), "{line} is not of {name}");
        let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(labels, _)| labels);
        let entry = found.entry(series.to_owned()).or_default();
        entry.kind.clone_from(kind);
        // No label's value holds a comma or an equals sign.
        entry.labels.extend(labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned())).filter(|label| label != "le"));
    }
    found
}

#[test]
fn the_table_of_series_is_what_the_program_has() {
    let mut listed = BTreeMap::new();
    for row in read("deploy/README.md").lines().filter(|line| PREFIXES.iter().any(|prefix| line.starts_with(&format!("| `{prefix}")))) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        let labels = match cells[2] {
            "none" => BTreeSet::new(),
            some => some.split(", ").map(|label| label.trim_matches('`').to_owned()).collect(),
        };
        let name = cells[0].trim_matches('`').to_owned();
        assert!(!cells[3].is_empty(), "{name} has no meaning");
        assert!(listed.insert(name, Series { kind: cells[1].to_owned(), labels }).is_none(), "{row} stands twice");
    }
    listed.retain(|name, _| is_measured_here(name));
    assert_eq!(listed, registered());
}

/// Every name of a series in a text, histograms without their suffixes.
fn named(text: &str, there: &BTreeMap<String, Series>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for name in words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix))).map(str::to_owned) {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
        let histogram = base.filter(|base| there.get(*base).is_some_and(|series| series.kind == "histogram"));
        names.insert(histogram.map_or(name.clone(), str::to_owned));
    }
    names
}

#[test]
fn the_dashboard_shows_every_series_and_no_other() {
    let there = registered();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/tenfour.json")).unwrap();
    let mut ids = BTreeSet::new();
    let mut shown = BTreeSet::new();
    let mut rows = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        if panel["type"] == "row" {
            rows.push(title);
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${DS_PROMETHEUS}", "{title}");
        let (x, w) = (panel["gridPos"]["x"].as_u64().unwrap(), panel["gridPos"]["w"].as_u64().unwrap());
        assert!(x + w <= 24, "{title} stands outside");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${DS_PROMETHEUS}", "{title}");
            let asked = target["expr"].as_str().unwrap();
            let balance = |open: char, close: char| asked.matches(open).count() == asked.matches(close).count();
            assert!(balance('(', ')') && balance('{', '}') && balance('[', ']'), "{title}: {asked}");
            let names = named(asked, &there);
            assert!(!names.is_empty(), "{title}: {asked}");
            // A histogram is queried by its parts.
            for name in names.iter().filter(|name| there.get(*name).is_some_and(|series| series.kind == "histogram")) {
                assert!(["_bucket", "_sum", "_count"].iter().any(|part| asked.contains(&format!("{name}{part}"))), "{title}: {asked}");
            }
            labels_exist(title, asked, target["legendFormat"].as_str().unwrap(), &names, &there);
            shown.extend(names);
        }
    }
    assert_eq!(rows, ["At a glance", "Queue", "Events", "Discord", "CAD", "Store", "Process"]);
    assert_eq!(dashboard["__inputs"][0]["name"], "DS_PROMETHEUS");
    let there: BTreeSet<String> = there.into_keys().filter(|name| !NOT_SHOWN.contains(&name.as_str())).collect();
    let shown: BTreeSet<String> = shown.into_iter().filter(|name| is_measured_here(name)).collect();
    assert_eq!(shown, there);
}

/// A label in a legend or a `by (…)` is a label of the queried series.
fn labels_exist(title: &str, asked: &str, legend: &str, names: &BTreeSet<String>, there: &BTreeMap<String, Series>) {
    let known = |label: &str| ["le", "instance"].contains(&label) || names.iter().any(|name| there[name].labels.contains(label));
    for label in legend.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(label, _)| label) {
        assert!(known(label), "{title}: no label {label} in {names:?}");
    }
    for label in asked.split("by (").skip(1).filter_map(|rest| rest.split_once(')')).flat_map(|(labels, _)| labels.split(", ")) {
        assert!(known(label), "{title}: no label {label} in {names:?}");
    }
}

#[test]
fn alert_rules_ask_for_what_there_is() {
    let there = registered();
    let rules = read("deploy/prometheus/tenfour.rules.yml");
    let alerts = rules.matches("- alert: ").count();
    let asked: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(alerts >= 5 && asked.len() == alerts && rules.matches("summary: ").count() == alerts);
    for asked in asked {
        for name in named(asked, &there).into_iter().filter(|name| is_measured_here(name)) {
            assert!(there.contains_key(&name), "{asked}: there is no {name}");
        }
    }
    for (name, _) in rules.match_indices("SONORAN_").chain(rules.match_indices("DISCORD_")).chain(rules.match_indices("DATABASE_")) {
        let setting: String = rules[name..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        assert!(tenfour::config::VARIABLES.iter().any(|variable| variable.name == setting), "there is no setting {setting}");
    }
}
