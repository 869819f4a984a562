//! The folder of segments. Everything in here blocks, and runs where that is allowed.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{error::SpillError, options::SpillOptions, segment};
use crate::store::{EventRecord, RunId};

const SUFFIX: &str = "spill";

/// The segments on disk, the oldest first.
#[derive(Debug)]
pub(in crate::journal) struct Spill {
    options: SpillOptions,
    run: RunId,
    /// Locked as long as this lives; the system lets go of it when the process dies.
    _lock: File,
    ended: VecDeque<Segment>,
    current: Option<(Segment, File)>,
    next: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    bytes: u64,
}

/// What became of events that were to be spilled.
#[derive(Debug)]
pub(in crate::journal) struct Spilled {
    /// Those that are not on disk, in their order.
    pub(in crate::journal) left: Vec<EventRecord>,
    /// Why, unless the folder is full.
    pub(in crate::journal) error: Option<SpillError>,
}

/// What was read from the oldest segment.
#[derive(Debug)]
pub(in crate::journal) struct Replay {
    pub(in crate::journal) path: PathBuf,
    pub(in crate::journal) events: Vec<EventRecord>,
    /// Bytes at its end that nothing could be made of.
    pub(in crate::journal) damaged: u64,
}

impl Spill {
    /// Takes a folder over, with what an earlier run left in it.
    pub(in crate::journal) fn open(options: SpillOptions, run: RunId) -> Result<Self, SpillError> {
        let folder = &options.folder;
        fs::create_dir_all(folder).map_err(SpillError::io(folder))?;
        let lock = lock(folder)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(SpillError::io(folder))? {
            let entry = entry.map_err(SpillError::io(folder))?;
            let path = entry.path();
            if let Some(index) = index_of(&path) {
                let bytes = entry.metadata().map_err(SpillError::io(&path))?.len();
                found.push((index, Segment { path, bytes }));
            }
        }
        found.sort_by_key(|&(index, _)| index);
        let next = found.last().map_or(0, |&(index, _)| index.saturating_add(1));
        let ended: VecDeque<_> = found.into_iter().map(|(_, segment)| segment).collect();
        let bytes = ended.iter().map(|segment| segment.bytes).sum();
        Ok(Self { options, run, _lock: lock, ended, current: None, next, bytes })
    }

    /// How many bytes the segments have.
    pub(in crate::journal) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(in crate::journal) fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.current.is_none()
    }

    /// Writes events behind all that are there, as far as there is room.
    pub(in crate::journal) fn spill(&mut self, events: Vec<EventRecord>) -> Spilled {
        let mut events = VecDeque::from(events);
        let mut error = None;
        while !events.is_empty() {
            match self.spill_some(&mut events) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failed) => {
                    error = Some(failed);
                    break;
                }
            }
        }
        Spilled { left: events.into(), error }
    }

    /// Writes as many of the events as fit into one segment. Returns whether there was room for any.
    fn spill_some(&mut self, events: &mut VecDeque<EventRecord>) -> Result<bool, SpillError> {
        let begun = self.current.as_ref().map_or(0, |(segment, _)| segment.bytes);
        let segment_bytes = self.options.segment_bytes as u64;
        let room = (self.options.max_bytes as u64).saturating_sub(self.bytes);
        let mut bytes = Vec::new();
        if self.current.is_none() {
            bytes.extend_from_slice(&segment::header(self.run));
        }
        let mut count = 0;
        for event in events.iter() {
            let before = bytes.len();
            segment::append(event, &mut bytes);
            if bytes.len() as u64 > room {
                bytes.truncate(before);
                break;
            }
            count += 1;
            if begun + bytes.len() as u64 >= segment_bytes {
                break;
            }
        }
        if count == 0 {
            return Ok(false);
        }
        self.write(&bytes)?;
        events.drain(..count);
        if self.current.as_ref().is_some_and(|(segment, _)| segment.bytes >= segment_bytes) {
            self.end_segment();
        }
        Ok(true)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        let (mut segment, mut file) = match self.current.take() {
            Some(current) => current,
            None => self.begin_segment()?,
        };
        let path = segment.path.clone();
        let written = file.write_all(bytes);
        if written.is_ok() {
            segment.bytes += bytes.len() as u64;
            self.bytes += bytes.len() as u64;
            self.current = Some((segment, file));
            return Ok(());
        }
        // What was written of it goes. Where even that fails it is a torn end, which is not read.
        if segment.bytes == 0 {
            let _ = fs::remove_file(&segment.path);
        } else {
            let _ = file.set_len(segment.bytes);
            self.ended.push_back(segment);
        }
        written.map_err(SpillError::io(path))
    }

    fn begin_segment(&mut self) -> Result<(Segment, File), SpillError> {
        let path = self.options.folder.join(format!("{:020}.{SUFFIX}", self.next));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(SpillError::io(&path))?;
        self.next += 1;
        Ok((Segment { path, bytes: 0 }, file))
    }

    fn end_segment(&mut self) {
        self.ended.extend(self.current.take().map(|(segment, _)| segment));
    }

    /// Reads the oldest segment. What comes goes to another one from now on.
    pub(in crate::journal) fn oldest(&mut self) -> Result<Option<Replay>, SpillError> {
        if self.ended.is_empty() {
            self.end_segment();
        }
        let Some(oldest) = self.ended.front() else { return Ok(None) };
        let bytes = fs::read(&oldest.path).map_err(SpillError::io(&oldest.path))?;
        let (events, used) = segment::read(&bytes);
        let damaged = (bytes.len() - used) as u64;
        Ok(Some(Replay { path: oldest.path.clone(), events, damaged }))
    }

    /// Deletes the oldest segment: the store has it. Forgets it also where that fails, since the
    /// next run may write it again without harm.
    pub(in crate::journal) fn remove_oldest(&mut self) -> Result<(), SpillError> {
        let Some(Segment { path, bytes }) = self.ended.pop_front() else { return Ok(()) };
        self.bytes = self.bytes.saturating_sub(bytes);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SpillError::io(path)(error))
            }
            _ => Ok(()),
        }
    }
}

fn lock(folder: &Path) -> Result<File, SpillError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(SpillError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpillError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SpillError::io(path)(error)),
    }
}

fn index_of(path: &Path) -> Option<u64> {
    let is_segment = path.extension().is_some_and(|suffix| suffix == SUFFIX);
    path.file_stem().filter(|_| is_segment)?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::ServiceName,
        store::{EventId, EventKind, Timestamp},
    };

    fn run(id: u64) -> RunId {
        RunId::new(id).unwrap()
    }

    fn events(run: RunId, sequences: std::ops::Range<u64>) -> Vec<EventRecord> {
        let service = ServiceName::new("a").unwrap();
        let event = |sequence| {
            let id = EventId { run, sequence };
            EventRecord::new(id, service.clone(), Timestamp::EPOCH, EventKind::Failure)
        };
        sequences.map(event).collect()
    }

    fn open(folder: &Path, id: u64) -> Spill {
        let options = SpillOptions::new(folder).segment_bytes(4096).max_bytes(64 << 10);
        options.check().unwrap();
        Spill::open(options, run(id)).unwrap()
    }

    fn replay(spill: &mut Spill) -> (Vec<EventRecord>, u64) {
        let (mut all, mut damaged) = (Vec::new(), 0);
        while let Some(replay) = spill.oldest().unwrap() {
            all.extend(replay.events);
            damaged += replay.damaged;
            spill.remove_oldest().unwrap();
        }
        (all, damaged)
    }

    #[test]
    fn what_runs_before_left_comes_first_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(folder.path(), 1);
        let one = events(run(1), 0..50);
        assert!(first.spill(one.clone()).left.is_empty());
        assert!(first.ended.len() > 1, "more than one segment");
        drop(first);

        let mut second = open(folder.path(), 2);
        let two = events(run(2), 0..20);
        assert!(second.spill(two.clone()).left.is_empty());
        assert!(second.bytes() > 0);
        assert_eq!(replay(&mut second), ([one, two].concat(), 0));
        assert!(second.is_empty());
        assert_eq!(second.bytes(), 0);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "the lock alone");
    }

    #[test]
    fn a_torn_end_is_cut_and_what_comes_after_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = open(folder.path(), 1);
        let one = events(run(1), 0..3);
        spill.spill(one.clone());
        let path = spill.current.as_ref().unwrap().0.path.clone();
        drop(spill);
        let mut torn = OpenOptions::new().append(true).open(path).unwrap();
        torn.write_all(&[9, 0, 0, 0, 1]).unwrap();

        let mut spill = open(folder.path(), 2);
        let two = events(run(2), 0..3);
        spill.spill(two.clone());
        assert_eq!(replay(&mut spill), ([one, two].concat(), 5));
    }

    #[test]
    fn a_full_folder_gives_back_what_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = open(folder.path(), 1);
        let all = events(run(1), 0..1_000);
        let Spilled { left, error } = spill.spill(all.clone());
        assert!(error.is_none());
        assert!(spill.bytes() <= 64 << 10);
        assert!(!left.is_empty());
        assert_eq!([replay(&mut spill).0, left].concat(), all);
    }

    #[test]
    fn a_folder_belongs_to_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), 1);
        let options = SpillOptions::new(folder.path());
        let error = Spill::open(options.clone(), run(2)).unwrap_err();
        assert!(matches!(error, SpillError::InUse { .. }));
        assert!(error.to_string().contains("in use by another process"), "{error}");
        drop(first);
        Spill::open(options, run(2)).unwrap();
    }

    #[test]
    fn a_folder_that_went_away_gives_the_events_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = open(&folder.path().join("inner"), 1);
        fs::remove_dir_all(folder.path().join("inner")).unwrap();
        let Spilled { left, error } = spill.spill(events(run(1), 0..3));
        assert_eq!(left, events(run(1), 0..3));
        assert!(matches!(error, Some(SpillError::Io { .. })));
        assert!(spill.is_empty());
    }
}
