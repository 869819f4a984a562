//! Takes, keeps and gives back the leases on half-open rounds.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::{
    circuits::Found,
    lease::{Claim, Held, UNUSED_LEASES, Upkeep, claim, unused_leases},
    mirror::Known,
    shared::Shared,
};
use crate::{
    breaker::{Breaker, ServiceName},
    circuit::{Gate, Outcome, State, Version},
    store::{
        ChangeId, CircuitRecord, EventKind, EventRecord, Expected, Extra, Lane, Lease, StateLane,
        StoreError, Stored, bounded_text,
    },
};

/// How often a lease is proposed again over a record that others go on changing.
const TRIES: u32 = 16;

/// Probes a service in the background: whether it is well again.
pub(crate) type Probe = Arc<dyn Fn(ServiceName) -> BoxFuture<'static, bool> + Send + Sync>;

/// What came of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The circuit probes, or does not want to any more.
    Settled,
    /// It is to be asked again after this time.
    Later(Duration),
}

/// What became of a write of the state lane.
enum Written {
    /// It is in the store.
    Taken(Version),
    /// Somebody else wrote before.
    Conflict,
}

impl Shared {
    /// Sees to a circuit that is to probe: waits out another process's round, and leases the next,
    /// unless no more calls were rejected than so many, since then nobody would use it.
    pub(super) async fn ask(
        &self,
        service: &ServiceName,
        unless_rejected: Option<u64>,
    ) -> Result<Asked, StoreError> {
        let Some(found) = self.circuits.find(service) else { return Ok(Asked::Settled) };
        if let Some(left) = self.outwait(&found) {
            return Ok(Asked::Later(left));
        }
        if unless_rejected.is_some_and(|before| found.breaker.rejected() <= before) {
            return Ok(Asked::Settled);
        }
        self.lease(service).await
    }

    /// Leases the round of a circuit that waits for leave to probe, if it may be leased.
    async fn lease(&self, service: &ServiceName) -> Result<Asked, StoreError> {
        for _ in 0..TRIES {
            let Some(found) = self.circuits.find(service) else { return Ok(Asked::Settled) };
            let breaker = &found.breaker;
            let known = self.mirror.get(service);
            self.gates.apply(breaker, known.as_ref());
            let here = breaker.underlying();
            if breaker.gate() != Gate::Granted || breaker.state() != State::Open {
                return Ok(Asked::Settled);
            }
            let left = here.open_for.saturating_sub(here.elapsed);
            if !left.is_zero() {
                return Ok(Asked::Later(left));
            }
            let Some(known) = known.filter(|known| known.record().is_some()) else {
                // There is nothing to lease: what opened it was not taken by the store.
                breaker.set_gate(Gate::Local);
                return Ok(Asked::Settled);
            };
            let Some(record) = known.record() else { return Ok(Asked::Settled) };
            let now = self.clock.now();
            match claim(record, known.sighting, known.age(now), now) {
                Claim::Wait(left) => return Ok(Asked::Later(left)),
                Claim::Nothing => {
                    breaker.set_gate(Gate::Local);
                    return Ok(Asked::Settled);
                }
                Claim::Take => {}
            }
            match self.take(&found, &known, record).await {
                Ok(true) => return Ok(Asked::Settled),
                Ok(false) => {}
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Invalid { .. })) => {
                    // It is this circuit's trouble alone: nobody can lease its round.
                    self.complain(&error);
                    breaker.set_gate(Gate::Local);
                    return Ok(Asked::Settled);
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::unavailable("compare_and_swap", "too many other writers"))
    }

    /// How long a circuit that waits for another process's round has still to wait. Once that is
    /// over the circuit is open with no time left, and the next call that asks may probe.
    fn outwait(&self, found: &Found) -> Option<Duration> {
        let breaker = &found.breaker;
        if breaker.state() != State::HalfOpen || breaker.is_probing() {
            return None;
        }
        let known = self.mirror.get(breaker.service())?;
        let now = self.clock.now();
        match claim(known.record()?, known.sighting, known.age(now), now) {
            Claim::Wait(left) => Some(left),
            Claim::Take | Claim::Nothing => {
                breaker.restore(known.adoption(now));
                None
            }
        }
    }

    /// Proposes a lease. Returns whether it is held.
    async fn take(
        &self,
        found: &Found,
        known: &Known,
        record: &CircuitRecord,
    ) -> Result<bool, StoreError> {
        let breaker = &found.breaker;
        let service = breaker.service();
        let taken_over = record.state.state == State::HalfOpen;
        let began = self.clock.boot();
        let lease = Lease {
            token: ChangeId::random().get(),
            owner: self.run,
            term: self.options.lease_term,
            renewals: 0,
            budget: breaker.settings().permitted_calls_in_half_open(),
        };
        let lane = StateLane {
            state: State::HalfOpen,
            open_for: Duration::ZERO,
            lease: Some(lease.clone()),
            reason: Some(bounded_text(&format!("{} probes", self.run))),
            ..record.state.clone()
        };
        let why = if taken_over { "lease_taken_over" } else { "leased" };
        match self.write(service, known, lane, Duration::ZERO, Extra::new(), why).await? {
            Written::Conflict => Ok(false),
            Written::Taken(version) => {
                self.counters.leased(taken_over);
                let held = Held {
                    lease,
                    began,
                    admitted_before: breaker.admitted(),
                    taken_in: breaker.snapshot().generation,
                };
                self.leases.insert(service, held.clone());
                breaker.committed(State::HalfOpen, version);
                let lasting = held.admits_for(self.clock.boot());
                let Lease { token, budget, .. } = held.lease;
                if !lasting.is_zero() && breaker.grant(token, budget, lasting) {
                    self.probe(breaker, budget);
                } else {
                    self.give_back(breaker, &held).await?;
                }
                Ok(true)
            }
        }
    }

    /// Does for all leases that are held what is due. Returns when to look again, if there are any.
    pub(super) async fn keep_leases(&self) -> Result<Option<Duration>, StoreError> {
        let mut next = None;
        for service in self.leases.services() {
            let Some(held) = self.leases.get(&service) else { continue };
            let Some(found) = self.circuits.find(&service) else {
                self.leases.forget(&service, &held.lease);
                continue;
            };
            let breaker = &found.breaker;
            let wait = match held.upkeep(breaker.admitted(), self.clock.boot()) {
                Upkeep::Lapsed => {
                    self.leases.forget(&service, &held.lease);
                    continue;
                }
                // What the round came to is committed as all changes are.
                _ if !breaker.is_probing() => held.lease.term / 8,
                Upkeep::Wait(left) => left,
                Upkeep::Release => {
                    self.counters.unused_lease();
                    self.give_back(breaker, &held).await?;
                    continue;
                }
                Upkeep::Renew => {
                    self.renew(breaker, held.clone()).await?;
                    held.lease.term / 8
                }
            };
            next = Some(next.map_or(wait, |next: Duration| next.min(wait)));
        }
        Ok(next)
    }

    async fn renew(&self, breaker: &Breaker, mut held: Held) -> Result<(), StoreError> {
        let service = breaker.service();
        let Some(known) = self.mirror.get(service) else { return Ok(()) };
        let Some(record) = known.record().filter(|record| holds(record, &held.lease)) else {
            self.leases.forget(service, &held.lease);
            return Ok(());
        };
        held.began = self.clock.boot();
        held.lease.renewals += 1;
        let lane = StateLane { lease: Some(held.lease.clone()), ..record.state.clone() };
        let age = known.age(self.clock.now());
        let used = Extra::from_iter([(UNUSED_LEASES.to_owned(), 0.into())]);
        let extra = if unused_leases(record) > 0 { used } else { Extra::new() };
        let written = self.write(service, &known, lane, age, extra, "lease_renewed").await?;
        if let Written::Taken(version) = written {
            breaker.committed(State::HalfOpen, version);
            if self.leases.renewed(service, &held) {
                breaker.extend_grant(held.admits_for(self.clock.boot()));
            }
        }
        Ok(())
    }

    /// Gives back a lease that nobody used: the circuit is open with no time left, for all.
    async fn give_back(&self, breaker: &Breaker, held: &Held) -> Result<(), StoreError> {
        let service = breaker.service();
        let Some(known) = self.mirror.get(service) else { return Ok(()) };
        if let Some(record) = known.record().filter(|record| holds(record, &held.lease)) {
            let unused = unused_leases(record).saturating_add(1);
            let lane = StateLane {
                state: State::Open,
                open_for: Duration::ZERO,
                lease: None,
                reason: Some("nobody called while it was leased".to_owned()),
                ..record.state.clone()
            };
            let extra = Extra::from_iter([(UNUSED_LEASES.to_owned(), unused.into())]);
            self.write(service, &known, lane, Duration::ZERO, extra, "lease_unused").await?;
        }
        self.leases.forget(service, &held.lease);
        if let Some(known) = self.mirror.get(service) {
            breaker.restore(known.adoption(self.clock.now()));
            self.gates.apply(breaker, Some(&known));
        }
        Ok(())
    }

    /// Gives back what is held, for processes that end. What fails lapses.
    pub(super) async fn give_back_all(&self) {
        for service in self.leases.services() {
            let (Some(held), Some(found)) =
                (self.leases.get(&service), self.circuits.find(&service))
            else {
                continue;
            };
            // A round that is over has its result in the backlog, and one whose probes are under way
            // lapses: whoever took over at once would probe beside them.
            let unused = found.breaker.admitted() <= held.admitted_before;
            if unused
                && found.breaker.is_probing()
                && self.give_back(&found.breaker, &held).await.is_err()
            {
                return;
            }
        }
    }

    /// Writes the state lane over what is known.
    async fn write(
        &self,
        service: &ServiceName,
        known: &Known,
        lane: StateLane,
        age: Duration,
        extra: Extra,
        why: &'static str,
    ) -> Result<Written, StoreError> {
        let expected = Expected::found(Lane::State, known.stored.as_ref());
        let before = known.record().map_or(State::Closed, |record| record.state.state);
        let mut next = CircuitRecord::new(service.clone());
        next.state = StateLane {
            change_id: ChangeId::random(),
            version: known.highest()[Lane::State as usize].next(),
            ..lane
        };
        next.age = age;
        next.extra = extra;
        let event = self.lease_event(service, &next, before, why);
        let written = self.store.compare_and_swap(expected, &next, Some(&event));
        match self.in_time("compare_and_swap", written).await {
            Ok(committed) => {
                next.state.version = committed.version;
                self.learn_state(service, known, next);
                Ok(Written::Taken(committed.version))
            }
            Err(StoreError::Conflict { current }) => {
                let mine = current.as_deref().is_some_and(|current| match current {
                    Stored::Record(record) => record.state.change_id == next.state.change_id,
                    Stored::Tombstone(_) => false,
                });
                let version =
                    current.as_deref().map_or(Version::default(), |now| now.version(Lane::State));
                self.met(service, current.map(|current| *current));
                if mine {
                    return Ok(Written::Taken(version));
                }
                self.counters.conflict();
                if let Some(found) = self.circuits.find(service) {
                    self.follow(&found);
                }
                Ok(Written::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes what was written of the state, over the other lanes as they are known.
    fn learn_state(&self, service: &ServiceName, known: &Known, next: CircuitRecord) {
        let mut record = known.record().cloned().unwrap_or(CircuitRecord::new(service.clone()));
        record.take_lane(Lane::State, &next);
        self.mirror.learn(Stored::Record(record), self.clock.now());
    }

    fn lease_event(
        &self,
        service: &ServiceName,
        next: &CircuitRecord,
        before: State,
        why: &'static str,
    ) -> EventRecord {
        let mut event =
            EventRecord::new((self.ids)(), service.clone(), self.wall(), EventKind::StateChange);
        event.from = Some(before);
        event.to = Some(next.state.state);
        event.version = Some(next.state.version);
        event.reason = Some(why.to_owned());
        if let Some(lease) = &next.state.lease {
            event.data.insert("owner".to_owned(), lease.owner.to_string().into());
            event.data.insert("lease".to_owned(), lease.token.into());
        }
        event
    }

    // ===== background probes =====

    /// Lets the user's probe decide a round, if there is one.
    fn probe(&self, breaker: &Breaker, budget: u32) {
        let Some(probe) = self.options.probe.clone() else { return };
        let (breaker, term) = (breaker.clone(), self.options.lease_term);
        tokio::spawn(async move {
            for _ in 0..budget {
                let Ok(permit) = breaker.try_acquire() else { return };
                // In a task of its own, so that a panic is a failed probe.
                let probing = tokio::spawn(probe(breaker.service().clone()));
                let well = matches!(tokio::time::timeout(term, probing).await, Ok(Ok(true)));
                permit.record(if well { Outcome::SUCCESS } else { Outcome::FAILURE });
            }
        });
    }
}

fn holds(record: &CircuitRecord, lease: &Lease) -> bool {
    let held = record.state.lease.as_ref().map(|held| held.token);
    record.state.state == State::HalfOpen && held == Some(lease.token)
}
