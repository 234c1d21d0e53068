//! Runs the fuzz targets' checks over their seeds, over inputs that fuzzing once found, and over the event fixtures: bugs found once stay
//! fixed without a fuzzer, and the targets keep compiling.

use std::path::{Path, PathBuf};

#[path = "../../fuzz/checks/custom_id.rs"]
mod custom_id;
#[path = "../../fuzz/checks/envelope.rs"]
mod envelope;
#[path = "../../fuzz/checks/filter.rs"]
mod filter;
#[path = "../../fuzz/checks/records.rs"]
mod records;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(target: &str, folder: &str, check: fn(&[u8])) {
    let files = files(folder);
    assert!(files.len() >= 5, "{folder} holds too little");
    for file in files {
        let data = std::fs::read(&file).unwrap();
        // Seeds are also truncated and damaged: the fuzzer's first steps, the same each time.
        for end in (0..data.len()).step_by(data.len() / 16 + 1).chain([data.len()]) {
            let cut = &data[..end];
            if std::panic::catch_unwind(|| check(cut)).is_err() {
                panic!("{target}: {} up to byte {end} breaks a promise (above)", file.display());
            }
        }
    }
}

#[test]
fn records_keep_their_promises() {
    replay("records", "fuzz/seeds/records", records::check);
}

#[test]
fn envelopes_keep_their_promises() {
    replay("envelope", "fuzz/seeds/envelope", envelope::check);
    replay("envelope", "tests/fixtures/push-events", envelope::check);
}

#[test]
fn custom_ids_keep_their_promises() {
    replay("custom_id", "fuzz/seeds/custom_id", custom_id::check);
}

#[test]
fn filters_keep_their_promises() {
    replay("filter", "fuzz/seeds/filter", filter::check);
}
