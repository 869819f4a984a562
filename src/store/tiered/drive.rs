//! Drives the rule over the two stores.

use std::{sync::Arc, time::Duration};

use super::{
    health::add,
    kept::Owing,
    rule::{Answer, Ask, Kept, Seen, Source, Tier, Variant, Verdict, Work, Write},
    shared::Shared,
    tier::counts,
    view::{self, Written, held, merged, shown},
};
use crate::{
    circuit::Version,
    name::ServiceName,
    store::{
        CircuitRecord, Committed, EventRecord, Expected, Lane, StoreError, Stored, Timestamp,
        Tombstone,
    },
};

/// How long a write that the cache has may take to the durable store.
const ON_ITS_WAY: Duration = Duration::from_millis(5);

/// One write on its way through the tiers.
pub(super) struct Drive {
    shared: Arc<Shared>,
    service: ServiceName,
    work: Work,
    write: Write,
    next: Option<CircuitRecord>,
    event: Option<EventRecord>,
    kept: Option<CircuitRecord>,
    contents: [Option<Stored>; 2],
    /// When the tiers took it, by their clocks.
    at: [Option<Timestamp>; 2],
    /// Whether it has waited for a write that may be on its way.
    has_waited: bool,
    /// What was proposed last.
    proposed: Option<Kept>,
    /// The writes whose events the durable store was given.
    given: Vec<Version>,
    error: Option<StoreError>,
}

impl Drive {
    fn new(shared: &Arc<Shared>, service: &ServiceName, work: Work) -> Self {
        Self {
            shared: Arc::clone(shared),
            service: service.clone(),
            work,
            write: Write::new(work, Variant::Sound),
            next: None,
            event: None,
            kept: None,
            contents: [None, None],
            at: [None, None],
            has_waited: false,
            proposed: None,
            given: Vec::new(),
            error: None,
        }
    }

    /// Writes a lane.
    pub(super) fn swap(
        shared: &Arc<Shared>,
        expected: Expected,
        next: CircuitRecord,
        event: Option<EventRecord>,
    ) -> Self {
        let service = next.service.clone();
        let lane = expected.lane;
        let work = Work::Swap {
            lane,
            expected: expected.version,
            read: shared.shown(&service, lane, expected.version),
            next: next.version(lane),
            change: next.change_id(lane),
        };
        let drive = Self::new(shared, &service, work);
        Self { next: Some(next), event, ..drive }
    }

    /// Removes a record.
    pub(super) fn remove(shared: &Arc<Shared>, service: &ServiceName, expected: Expected) -> Self {
        let work = Work::Remove { lane: expected.lane, expected: expected.version };
        Self::new(shared, service, work)
    }

    /// Has the tiers agree on a circuit, with what is kept for the durable store.
    pub(super) fn settle(
        shared: &Arc<Shared>,
        service: &ServiceName,
        kept: Option<(Kept, CircuitRecord)>,
    ) -> Self {
        let (kept, record) = kept.unzip();
        let drive = Self::new(shared, service, Work::Settle { kept });
        Self { kept: record, ..drive }
    }

    /// Does it. Answers with what was committed: version 0.0 for what is no write of a lane.
    pub(super) async fn run(mut self) -> Result<Committed, StoreError> {
        loop {
            let repairs = self.write.repairs();
            let answer = match self.write.ask() {
                Ask::Look(tier) => self.look(tier).await?,
                Ask::Swap { tier: Tier::Durable, from: Source::Of(_), .. }
                    if !self.has_waited && matches!(self.work, Work::Swap { .. }) =>
                {
                    // Whoever wrote the cache is most likely about to write the durable store too.
                    self.has_waited = true;
                    tokio::time::sleep(ON_ITS_WAY.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    Answer::Refused
                }
                Ask::Swap { tier, lane, expected, seen, from } => {
                    if from == Source::Next {
                        let base = self
                            .proposed
                            .map_or(self.write.held(tier).seen(lane).change, |before| before.base);
                        self.proposed = Some(Kept { lane, seen, base });
                    }
                    self.write_lane(tier, lane, expected, seen, from).await?
                }
                Ask::Remove { tier, lane, expected } => {
                    self.write_removal(tier, Expected { lane, version: expected }).await?
                }
                Ask::End(verdict) => return self.end(verdict),
            };
            if let (Some(why), Answer::Accepted) = (repairs, answer) {
                self.shared.counters.repaired(why);
            }
            self.write.answer(answer);
        }
    }

    async fn look(&mut self, tier: Tier) -> Result<Answer, StoreError> {
        let shared = Arc::clone(&self.shared);
        let store = &shared.side(tier).store;
        match shared.call(tier, "load", store.load(&self.service)).await {
            Ok(stored) => {
                let answer = Answer::Held(held(stored.as_ref()));
                self.contents[tier as usize] = stored;
                Ok(answer)
            }
            // What the cache has and nobody can read, the durable store decides alone.
            Err(error @ StoreError::Corrupt { .. }) if tier == Tier::Cache => {
                Ok(self.failed(error))
            }
            Err(error) if counts(&error) => Ok(self.failed(error)),
            Err(error) => Err(error),
        }
    }

    fn failed(&mut self, error: StoreError) -> Answer {
        self.error = Some(error);
        Answer::Failed
    }

    // ===== writing =====

    async fn write_lane(
        &mut self,
        tier: Tier,
        lane: Lane,
        mut expected: Option<Version>,
        seen: Seen,
        from: Source,
    ) -> Result<Answer, StoreError> {
        let mut event = self.event_of(lane, seen, from);
        if tier == Tier::Durable && from != Source::Next {
            // What was done without the durable store is told to it in its order.
            let since = expected.unwrap_or_default();
            let owing = self.shared.owed.between(&self.service, lane, since, seen.version);
            for owing in owing {
                let record = owing.record();
                let (of_write, with) = (owing.kept.seen, owing.event);
                if of_write.version >= seen.version {
                    event = with;
                    continue;
                }
                if with.is_none() {
                    continue;
                }
                let written = Written {
                    lane,
                    seen: of_write,
                    source: Some(&record),
                    event: None,
                    fills: None,
                }
                .record(&self.service);
                match self.put(tier, Expected { lane, version: expected }, written, with).await? {
                    Answer::Accepted => expected = Some(of_write.version),
                    answer => return Ok(answer),
                }
            }
        }
        let source = match from {
            Source::Next => self.next.as_ref(),
            Source::Kept => self.kept.as_ref(),
            Source::Of(tier) => match &self.contents[tier as usize] {
                Some(Stored::Record(record)) => Some(record),
                _ => None,
            },
        };
        let waits = event.as_ref().filter(|_| tier == Tier::Cache);
        let fills = match from {
            Source::Of(of) => Some(self.write.held(of)),
            Source::Next | Source::Kept => None,
        };
        let fills = fills.filter(|_| self.contents[tier as usize].is_none());
        let written = Written { lane, seen, source, event: waits, fills }.record(&self.service);
        let event = event.filter(|_| tier == Tier::Durable);
        self.put(tier, Expected { lane, version: expected }, written, event).await
    }

    /// The event that goes with a write.
    fn event_of(&self, lane: Lane, seen: Seen, from: Source) -> Option<EventRecord> {
        match from {
            Source::Next => self.told(seen.version),
            Source::Of(Tier::Cache) => {
                view::event(self.contents[Tier::Cache as usize].as_ref(), lane)
            }
            Source::Of(Tier::Durable) => None,
            Source::Kept => {
                let all =
                    self.shared.owed.between(&self.service, lane, Version::default(), seen.version);
                all.into_iter().last().and_then(|owing| owing.event)
            }
        }
    }

    /// The event of the write, of the version that is committed.
    fn told(&self, version: Version) -> Option<EventRecord> {
        let mut event = self.event.clone()?;
        if let Work::Swap { next, .. } = self.work
            && event.version == Some(next)
        {
            event.version = Some(version);
        }
        Some(event)
    }

    async fn put(
        &mut self,
        tier: Tier,
        expected: Expected,
        written: CircuitRecord,
        event: Option<EventRecord>,
    ) -> Result<Answer, StoreError> {
        let shared = Arc::clone(&self.shared);
        let swapped = shared.side(tier).store.compare_and_swap(expected, &written, event.as_ref());
        match shared.call(tier, "compare_and_swap", swapped).await {
            Ok(committed) => {
                self.at[tier as usize] = Some(committed.at);
                if event.is_some() {
                    self.given.push(committed.version);
                }
                let mut record = begun(&self.service, self.contents[tier as usize].take());
                record.take_lane(expected.lane, &written);
                self.contents[tier as usize] = Some(Stored::Record(record));
                Ok(Answer::Accepted)
            }
            Err(error) => self.refused(tier, error),
        }
    }

    async fn write_removal(
        &mut self,
        tier: Tier,
        expected: Expected,
    ) -> Result<Answer, StoreError> {
        let shared = Arc::clone(&self.shared);
        let removed = shared.side(tier).store.remove(&self.service, expected);
        match shared.call(tier, "remove", removed).await {
            Ok(()) => {
                let record = begun(&self.service, self.contents[tier as usize].take());
                let tombstone = Tombstone::of(&record, Timestamp::EPOCH);
                self.contents[tier as usize] = Some(Stored::Tombstone(tombstone));
                Ok(Answer::Accepted)
            }
            Err(error) => self.refused(tier, error),
        }
    }

    fn refused(&mut self, tier: Tier, error: StoreError) -> Result<Answer, StoreError> {
        match error {
            StoreError::Conflict { current } => {
                self.contents[tier as usize] = current.map(|current| *current);
                Ok(Answer::Refused)
            }
            error if counts(&error) => Ok(self.failed(error)),
            error => Err(error),
        }
    }

    // ===== the end =====

    fn end(mut self, verdict: Verdict) -> Result<Committed, StoreError> {
        let [cache, durable] = self.at;
        let at = durable.or(cache).unwrap_or(Timestamp::EPOCH);
        self.clear();
        let contents = std::mem::take(&mut self.contents);
        match verdict {
            Verdict::Committed { version, owed } => {
                if let Some(tier) = owed {
                    self.owe(tier, version);
                }
                let [cache, durable] = contents;
                let current = merged(cache, durable).map(|(stored, _)| stored);
                self.shared.note_shown(&self.service, current.as_ref());
                Ok(Committed::new(version, at))
            }
            Verdict::Settled => Ok(Committed::new(Version::default(), at)),
            Verdict::Conflict => {
                let [cache, durable] = contents;
                let current = merged(cache, durable).map(|(stored, _)| shown(stored));
                self.shared.note_shown(&self.service, current.as_ref());
                Err(StoreError::conflict(current))
            }
            Verdict::Unavailable => Err(self.error.unwrap_or_else(|| {
                StoreError::unavailable("compare_and_swap", "the tiers do not come to agree")
            })),
        }
    }

    /// A tier has not got what was committed.
    fn owe(&self, tier: Tier, version: Version) {
        let write = match (&self.next, self.proposed) {
            (Some(next), Some(kept)) => Some(Owing::new(kept, next.clone(), self.told(version))),
            _ => None,
        };
        if self.shared.owed.add(tier, &self.service, write) {
            add(&self.shared.counters.dropped_events);
        }
    }

    /// Forgets what is owed and was paid, or overtaken.
    fn clear(&self) {
        if !Tier::ALL.into_iter().all(|tier| self.write.reaches(tier)) {
            return;
        }
        let mut left = 0;
        for last in self.shared.owed.last(&self.service) {
            let [cache, durable] =
                Tier::ALL.map(|tier| self.write.held(tier).seen(last.lane).change);
            let has_it = cache == durable && (cache == last.seen.change || cache != last.base);
            // A cache that lost it has what it took the place of, and it is about to be put back.
            if has_it {
                let lost = self.shared.owed.paid(&self.service, last.lane, &self.given);
                for _ in 0..lost {
                    add(&self.shared.counters.dropped_events);
                }
            } else {
                left += 1;
            }
        }
        if left == 0 {
            self.shared.owed.settled(&self.service);
        }
    }
}

/// What there is to write a lane into.
fn begun(service: &ServiceName, stored: Option<Stored>) -> CircuitRecord {
    match stored {
        Some(Stored::Record(record)) => record,
        Some(Stored::Tombstone(tombstone)) => {
            let mut record = CircuitRecord::new(service.clone());
            record.state.version = tombstone.versions.state;
            record.override_.version = tombstone.versions.override_;
            record.settings.version = tombstone.versions.settings;
            record
        }
        None => CircuitRecord::new(service.clone()),
    }
}
