//! The bytes of a segment: a header, then records, each with its length and a checksum.
//!
//! ```text
//! header   "tbspill1"  run: u64  checksum of both: u32
//! record   length: u32  checksum of length and payload: u32  payload: an event as JSON
//! ```
//!
//! Numbers are little-endian, checksums CRC-32. Reading stops at the first byte that does not fit:
//! what a crash tore off is at the end, and behind damage no length can be trusted.

use crate::store::{EventRecord, RunId};

const MAGIC: &[u8; 8] = b"tbspill1";
pub(super) const HEADER: usize = 20;
const RECORD_HEADER: usize = 8;

/// More than the bounds of an event let it have.
const MAX_PAYLOAD: usize = 1 << 20;

/// The header of a segment of that run.
pub(super) fn header(run: RunId) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let (body, checksum) = bytes.split_at_mut(HEADER - 4);
    let (magic, number) = body.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    number.copy_from_slice(&run.get().to_le_bytes());
    checksum.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    bytes
}

/// Appends the record of an event. An event that has no JSON of the length is left out: no event is
/// so large.
pub(super) fn append(event: &EventRecord, out: &mut Vec<u8>) -> bool {
    let Ok(payload) = serde_json::to_vec(event) else { return false };
    let Some(length) = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD)
    else {
        return false;
    };
    let length = length.to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, &payload).to_le_bytes());
    out.extend_from_slice(&payload);
    true
}

/// The events of a segment, and how many bytes were of use.
pub(super) fn read(bytes: &[u8]) -> (Vec<EventRecord>, usize) {
    let mut events = Vec::new();
    let Some(run) = run(bytes) else { return (events, 0) };
    let mut used = HEADER;
    while let Some((event, length)) = bytes.get(used..).and_then(|rest| record(rest, run)) {
        events.push(event);
        used += length;
    }
    (events, used)
}

fn run(bytes: &[u8]) -> Option<RunId> {
    let (body, rest) = bytes.split_at_checked(HEADER - 4)?;
    let expected = u32::from_le_bytes(*rest.first_chunk()?);
    let number = body.strip_prefix(MAGIC)?.first_chunk()?;
    if crc32fast::hash(body) != expected {
        return None;
    }
    RunId::new(u64::from_le_bytes(*number))
}

fn record(bytes: &[u8], run: RunId) -> Option<(EventRecord, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (expected, rest) = rest.split_first_chunk::<4>()?;
    let size = u32::from_le_bytes(*length) as usize;
    let payload = rest.get(..size).filter(|_| size <= MAX_PAYLOAD)?;
    if checksum(*length, payload) != u32::from_le_bytes(*expected) {
        return None;
    }
    let event: EventRecord = serde_json::from_slice(payload).ok()?;
    (event.id.run == run).then_some((event, RECORD_HEADER + size))
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        name::ServiceName,
        store::{EventId, EventKind, Timestamp},
    };

    fn events(count: u64) -> Vec<EventRecord> {
        let run = RunId::new(7).unwrap();
        (0..count)
            .map(|sequence| {
                let service = ServiceName::new(format!("service {sequence}")).unwrap();
                let id = EventId { run, sequence };
                let mut event = EventRecord::new(id, service, Timestamp::MAX, EventKind::Failure);
                event.error_message = Some("ü\"\n".to_owned());
                event.elapsed = Some(std::time::Duration::from_micros(5));
                event
            })
            .collect()
    }

    fn segment(events: &[EventRecord]) -> Vec<u8> {
        let mut bytes = header(RunId::new(7).unwrap()).to_vec();
        assert!(events.iter().all(|event| append(event, &mut bytes)));
        bytes
    }

    #[test]
    fn what_is_written_is_read_in_order() {
        let written = events(20);
        let bytes = segment(&written);
        assert_eq!(read(&bytes), (written, bytes.len()));
    }

    #[test]
    fn an_event_of_another_run_is_none_of_the_segment() {
        let mut bytes = header(RunId::new(8).unwrap()).to_vec();
        assert!(append(&events(1)[0], &mut bytes));
        assert_eq!(read(&bytes), (Vec::new(), HEADER));
    }

    proptest! {
        #[test]
        fn of_a_torn_segment_the_whole_records_are_read(cut in 0_usize..4_000) {
            let written = events(10);
            let bytes = segment(&written);
            let torn = &bytes[..cut.min(bytes.len())];
            let (read, used) = read(torn);
            prop_assert!(used <= torn.len());
            prop_assert_eq!(&read[..], &written[..read.len()]);
            // None that is whole is left out.
            let next = segment(&written[..(read.len() + 1).min(written.len())]);
            prop_assert!(read.len() == written.len() || next.len() > torn.len());
        }

        #[test]
        fn a_flipped_bit_never_makes_up_an_event(at in 0_usize..4_000, bit in 0_u8..8) {
            let written = events(10);
            let mut bytes = segment(&written);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let (read, used) = read(&bytes);
            prop_assert!(used <= at, "the damaged record is not read");
            prop_assert_eq!(&read[..], &written[..read.len()]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let behind = [header(RunId::new(7).unwrap()).to_vec(), bytes.clone()].concat();
            prop_assert_eq!(read(&bytes).0, Vec::new());
            prop_assert_eq!(read(&behind).0, Vec::new());
        }
    }
}
