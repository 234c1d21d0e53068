//! Scenarios: what the CAD sends, in which order, and the exact messages that people then see. The files are `tests/scenarios/*.txt`;
//! `tests/scenarios/README.md` says how to read and write them.
//!
//! `TENFOUR_ACCEPT=1` writes what is shown now into the files: review it before committing. `TENFOUR_ONLY=word` plays those
//! whose file or sentence has the word.

mod script;
mod shown;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use script::Step;

/// Minimum number of scenarios, besides those of single fixtures.
const AT_LEAST: usize = 45;
/// The file with each shape of an event by itself.
const SHAPES: &str = "shapes";

/// One scenario.
pub(crate) struct Scenario {
    file: PathBuf,
    sentence: String,
    /// With its line numbers in the file.
    steps: Vec<Step>,
    expected: String,
}

#[test]
fn every_scenario_ends_in_exactly_these_messages() {
    let only = std::env::var("TENFOUR_ONLY").unwrap_or_default();
    let all = scenarios();
    let chosen: Vec<&Scenario> = all.iter().filter(|scenario| scenario.name().contains(&only)).collect();
    let played = play(&chosen);
    let accept = std::env::var_os("TENFOUR_ACCEPT").is_some();
    let mut failed = Vec::new();
    for (scenario, outcome) in chosen.iter().zip(&played) {
        match outcome {
            Err(why) => failed.push(format!("{}\n{why}", scenario.name())),
            Ok(shown) if *shown != scenario.expected => {
                failed.push(format!("{}\n{}", scenario.name(), difference(&scenario.expected, shown)))
            }
            Ok(_) => {}
        }
    }
    if accept {
        let outcomes: Vec<(&Scenario, &String)> = chosen.iter().zip(&played).filter_map(|(h, o)| Some((*h, o.as_ref().ok()?))).collect();
        write(&outcomes);
    }
    let hint = if accept { "\n\nAccepted: read the files critically, then run again without TENFOUR_ACCEPT." } else { "" };
    assert!(failed.is_empty(), "{} of {} scenarios:\n\n{}{hint}", failed.len(), chosen.len(), failed.join("\n\n"));
    assert!(!accept, "nothing to accept");
}

#[test]
fn the_table_is_whole() {
    let all = scenarios();
    let hint = all.iter().filter(|scenario| !scenario.name().starts_with(SHAPES)).count();
    assert!(hint >= AT_LEAST, "{hint} scenarios, {AT_LEAST} wanted");
    let names: BTreeSet<String> = all.iter().map(Scenario::name).collect();
    assert_eq!(names.len(), all.len(), "two scenarios have one name");
    let used: BTreeSet<&str> = all.iter().flat_map(|scenario| &scenario.steps).filter_map(Step::fixture).collect();
    let files = std::fs::read_dir(script::fixtures()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let missing: Vec<String> =
        files.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).filter(|name| !used.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "fixtures without a scenario: {missing:?}");
}

impl Scenario {
    fn name(&self) -> String {
        format!("{}: {}", self.file.file_stem().unwrap().to_string_lossy(), self.sentence)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn scenarios() -> Vec<Scenario> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    files.into_iter().flat_map(|file| sections(&file)).collect()
}

/// `== sentence`, steps, `---`, what is expected; and so on.
fn sections(file: &Path) -> Vec<Scenario> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut found: Vec<Scenario> = Vec::new();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let (mut words, mut shared) = (script::Words::default(), 0);
    let mut in_steps = true;
    let place = |line: usize| format!("{}:{line}", file.display());
    for (number, line) in (1_usize..).zip(text.lines()) {
        if let Some(sentence) = line.strip_prefix("== ") {
            match found.last_mut() {
                None => {
                    words.learn(&std::mem::take(&mut lines), &place);
                    shared = words.len();
                }
                // New: nothing is expected of it yet.
                Some(before) if in_steps => before.steps = words.steps(&std::mem::take(&mut lines), &place),
                Some(_) => {}
            }
            words.truncate(shared);
            in_steps = true;
            found.push(Scenario { file: file.to_owned(), sentence: sentence.to_owned(), steps: Vec::new(), expected: String::new() });
        } else if line == "---" && in_steps {
            in_steps = false;
            found.last_mut().unwrap().steps = words.steps(&std::mem::take(&mut lines), &place);
        } else if in_steps {
            lines.push((number, line));
        } else {
            let expected = &mut found.last_mut().unwrap().expected;
            expected.push_str(line);
            expected.push('\n');
        }
    }
    if in_steps && let Some(last) = found.last_mut() {
        last.steps = words.steps(&lines, &place);
    }
    for scenario in &mut found {
        scenario.expected = scenario.expected.trim_end().to_owned();
    }
    found
}

/// Plays them on all cores, each in its own world.
fn play(scenarios: &[&Scenario]) -> Vec<Result<String, String>> {
    let next = AtomicUsize::new(0);
    let played = Mutex::new(vec![Err("was not played".to_owned()); scenarios.len()]);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(scenario) = scenarios.get(at) else { return };
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let outcome = runtime.block_on(script::play(&scenario.steps));
                    played.lock().unwrap()[at] = outcome;
                }
            });
        }
    });
    played.into_inner().unwrap()
}

/// Writes what was shown into the files.
fn write(outcomes: &[(&Scenario, &String)]) {
    let files: BTreeSet<&PathBuf> = outcomes.iter().map(|(scenario, _)| &scenario.file).collect();
    for file in files {
        let text = format!("\n{}", std::fs::read_to_string(file).unwrap());
        let mut sections = text.split("\n== ");
        let mut written = sections.next().unwrap_or_default().to_owned();
        for section in sections {
            let sentence = section.lines().next().unwrap_or_default();
            let own = outcomes.iter().find(|(scenario, _)| scenario.file == *file && scenario.sentence == sentence);
            let steps = section.split_once("\n---\n").map_or(section, |(steps, _)| steps).trim_end();
            match own {
                Some((_, shown)) => written.push_str(&format!("\n== {steps}\n---\n{shown}\n")),
                None => written.push_str(&format!("\n== {section}")),
            }
        }
        std::fs::write(file, format!("{}\n", written.trim())).unwrap();
    }
}

/// Common lines at both ends are left out, except a few.
fn difference(expected: &str, shown: &str) -> String {
    let (expected, shown): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), shown.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let before = expected.iter().zip(&shown).take_while(same).count();
    let rest = expected.len().min(shown.len()) - before;
    let after = expected.iter().rev().zip(shown.iter().rev()).take(rest).take_while(same).count();
    let context = expected[..before].iter().rev().take(3).rev().map(|line| format!("    {line}"));
    let less = expected[before..expected.len() - after].iter().map(|line| format!("  - {line}"));
    let more = shown[before..shown.len() - after].iter().map(|line| format!("  + {line}"));
    context.chain(less).chain(more).collect::<Vec<_>>().join("\n")
}
