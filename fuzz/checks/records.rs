//! Checks SignalR records: however the bytes are split, the same records come out, and what is read can be written and read again.
//!
//! Input: byte 0 the longest record allowed, byte 1 how the stream is cut, the rest is the stream.

use tenfour_signalr::record::{Incoming, RecordBuffer, invocation, no_result, parse, parse_handshake};

const SEPARATOR: u8 = 0x1e;

/// Panics if a promise is broken.
pub(super) fn check(data: &[u8]) {
    let [max, cut, stream @ ..] = data else { return };
    // Small enough that it is reached, large enough for whole records.
    let max = usize::from(*max) * 8;
    let (wanted, too_long) = by_hand(stream, max);
    assert_eq!(taken(stream, max, stream.len().max(1), 0), (wanted.clone(), too_long), "in one piece");
    let most = usize::from(*cut % 23) + 1;
    assert_eq!(taken(stream, max, most, usize::from(*cut)), (wanted.clone(), too_long), "in pieces of up to {most}");
    for record in &wanted {
        read(record);
    }
}

/// The records of a stream, and whether it must end with an error: the rule in three lines.
fn by_hand(stream: &[u8], max: usize) -> (Vec<Vec<u8>>, bool) {
    let parts: Vec<&[u8]> = stream.split(|byte| *byte == SEPARATOR).collect();
    let good: Vec<Vec<u8>> = parts.iter().take_while(|part| part.len() <= max).map(|part| part.to_vec()).collect();
    let too_long = good.len() < parts.len();
    // What follows the last separator isn't a record yet.
    let whole = if too_long { good.len() } else { parts.len() - 1 };
    (good.into_iter().take(whole).collect(), too_long)
}

/// The buffer's records if the stream comes in pieces of 1 to `most` bytes.
fn taken(stream: &[u8], max: usize, most: usize, mut turn: usize) -> (Vec<Vec<u8>>, bool) {
    let mut buffer = RecordBuffer::new(max);
    let (mut rest, mut records) = (stream, Vec::new());
    while !rest.is_empty() {
        let length = if most >= rest.len() { rest.len() } else { turn % most + 1 };
        turn = turn.wrapping_mul(31).wrapping_add(7);
        let (piece, after) = rest.split_at(length);
        rest = after;
        buffer.push(piece);
        loop {
            match buffer.next_record() {
                Ok(Some(record)) => records.push(record.to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert!(error.to_string().len() < 200, "{error}");
                    return (records, true);
                }
            }
        }
    }
    (records, false)
}

fn read(record: &[u8]) {
    if let Err(error) = parse_handshake(record) {
        drop(error.to_string());
    }
    match parse(record) {
        Err(error) => {
            // A place and a kind, never the record's text.
            let words = error.to_string();
            assert!(words.len() < 200 && words.is_ascii(), "{words}");
        }
        Ok(Incoming::Invocation { target, id, arguments: Some(arguments) }) => {
            assert!(!target.is_empty() && id.as_deref() != Some(""));
            let list = serde_json::value::to_raw_value(&arguments).unwrap();
            let written = invocation(id.as_deref(), &target, &list).unwrap();
            match parse(body(&written)) {
                Ok(Incoming::Invocation { target: t, id: i, arguments: Some(a) }) => {
                    assert_eq!((t, i), (target, id));
                    let texts = |list: &[&serde_json::value::RawValue]| list.iter().map(|raw| raw.get().to_owned()).collect::<Vec<_>>();
                    assert_eq!(texts(&a), texts(&arguments));
                }
                other => panic!("{other:?} of {written}"),
            }
        }
        Ok(Incoming::Completion { id, .. }) => {
            let written = no_result(&id).unwrap();
            let again = parse(body(&written));
            assert!(matches!(&again, Ok(Incoming::Completion { id: i, outcome: Err(_) }) if *i == id), "{again:?} of {written}");
        }
        Ok(Incoming::Invocation { arguments: None, .. } | Incoming::Ping | Incoming::Close { .. } | Incoming::Ignored(_)) => {}
    }
}

/// A written record without its separator, which must be its only one.
fn body(written: &str) -> &[u8] {
    let body = written.strip_suffix('\u{1e}').expect("a record ends with the separator");
    assert!(!body.contains('\u{1e}'));
    body.as_bytes()
}
