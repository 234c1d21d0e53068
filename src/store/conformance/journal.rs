//! The journal: its numbers, what is forgotten of it, and what is read of it.

use super::*;

#[tokio::test]
async fn sequence_numbers_never_go_back_even_when_the_journal_is_pruned() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let row =
        JournalRow { seq: 41, server: ServerId(1), source: Source::Http, kind: "X".into(), received_at: UnixMs(1), body: "{}".into() };
    own(&store).ingest(Batch { journal: vec![row], ..Batch::default() }, Vec::new()).await.unwrap();
    assert_eq!(store.prune(UnixMs(2), UnixMs(0), UnixMs(2)).await.unwrap(), 1);
    assert_eq!(last_seq(&store).await.unwrap(), 41);
}

fn journaled(seq: i64, received_at: i64) -> JournalRow {
    let (kind, received_at) = ("X".into(), UnixMs(received_at));
    JournalRow { seq, server: ServerId(1), source: Source::Http, kind, received_at, body: r#"{"type":"X"}"#.into() }
}

/// When each of the events since then was received.
async fn received_since(store: &Store, since: i64) -> Vec<i64> {
    let note = |all: &mut Vec<i64>, event: crate::event::RawEvent| all.push(event.received_at.0);
    own(store).events_since(UnixMs(since), Vec::new(), note).await.unwrap()
}

#[tokio::test]
async fn no_number_is_given_twice_though_numbers_are_reserved_by_the_thousand() {
    let folder = Folder::new();
    let posts = |from: u32, to: u32| -> Vec<DesiredPost> { (from..to).map(|at| draft(7, &format!("s{at}"), "", Lane::New)).collect() };
    let numbers = async |store: &Store| -> Vec<i64> {
        let all = |connection: &Connection| {
            let mut select = connection.prepare("SELECT id FROM post ORDER BY id")?;
            let found = select.query_map((), |row| row.get(0))?;
            found.collect()
        };
        store.reader.run(all).await.unwrap()
    };
    let first = store(&folder).await;
    put(&first, posts(0, 1_001), 1).await;
    let journal = (1..=1_001).map(|seq| journaled(seq, 1)).collect();
    own(&first).ingest(Batch { journal, ..Batch::default() }, Vec::new()).await.unwrap();
    let given = numbers(&first).await;
    assert_eq!(given.len(), 1_001);
    // Everything that shows which numbers were used is gone.
    first.unlink(GuildId(1), UnixMs(1), Vec::new()).await.unwrap();
    first.prune(UnixMs(2), UnixMs(0), UnixMs(2)).await.unwrap();
    assert_eq!(numbers(&first).await, [0; 0]);
    assert!(first.close(std::time::Duration::from_secs(20)).await);

    let second = store(&folder).await;
    assert!(last_seq(&second).await.unwrap() >= 1_001);
    put(&second, posts(2_000, 2_003), 1).await;
    let later = numbers(&second).await;
    assert!(later.len() == 3 && later.iter().all(|number| number > given.last().unwrap()), "{later:?}");
}

#[tokio::test]
async fn events_are_forgotten_by_age_whatever_the_clock_did() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let day = 86_400_000;
    // The clock was wrong by months when the first came; the fourth had waited for long.
    let rows = [journaled(1, 100 * day), journaled(2, day), journaled(3, 2 * day), journaled(4, day), journaled(5, 3 * day)];
    own(&store).ingest(Batch { journal: rows.to_vec(), ..Batch::default() }, Vec::new()).await.unwrap();
    assert_eq!(store.prune(UnixMs(2 * day), UnixMs(0), UnixMs(3 * day)).await.unwrap(), 3);
    assert_eq!(received_since(&store, 0).await, [2 * day, 3 * day]);
    assert_eq!(store.prune(UnixMs(2 * day), UnixMs(0), UnixMs(3 * day)).await.unwrap(), 0);
}

#[tokio::test]
async fn events_since_a_time_are_all_that_were_received_since_in_the_order_of_their_commits() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let received = [400_000, 900_000, 899_000, 700_000, 901_000];
    let rows = (1..).zip(received).map(|(seq, at)| journaled(seq, at)).collect();
    own(&store).ingest(Batch { journal: rows, ..Batch::default() }, Vec::new()).await.unwrap();
    assert_eq!(received_since(&store, 899_000).await, [900_000, 899_000, 901_000]);
}

#[tokio::test]
async fn the_write_ahead_log_stays_short_however_much_is_written() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let log = crate::files::beside(&folder.0.join("tenfour.db"), "-wal");
    for seq in 1..=1_500 {
        let row = JournalRow { body: "x".repeat(8_000), ..journaled(seq, 1) };
        own(&store).ingest(Batch { journal: vec![row], ..Batch::default() }, Vec::new()).await.unwrap();
        let bytes = std::fs::metadata(&log).unwrap().len();
        assert!(bytes < 5 * 1_048_576, "{bytes} bytes of the log after {seq} events");
    }
}
