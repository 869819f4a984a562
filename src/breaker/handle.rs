//! What permits, breakers and services point at.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock, Weak},
};

use super::{
    Permit, Rejected, ServiceName,
    changes::ChangeLog,
    core::{Effects, GateWord, Lane, Lanes, LiveCircuit, Padded},
    event::EventKind,
    hub::Hub,
    latency_recorder::LatencyRecorder,
    near::{lanes, thread_lane},
    waiters::{Waiters, Waiting},
};
use crate::circuit::{Circuit, Command, Grant, Refusal, Transition};

/// A circuit, as one lane of threads reaches it.
///
/// A named breaker has a few handles, so that threads do not write the same reference count; a keyed
/// one has a single handle that is the circuit.
#[derive(Debug)]
pub(crate) struct Handle {
    service: ServiceName,
    hub: Arc<Hub>,
    place: Place,
}

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a keyed circuit is in its handle: one allocation a key"
)]
enum Place {
    /// Those who wait for a keyed circuit are seldom, so their list is made for the first one.
    Own {
        circuit: LiveCircuit,
        waiters: OnceLock<Arc<Waiters>>,
    },
    Lane {
        group: Arc<Group>,
        lane: Arc<Padded<Lane>>,
        index: usize,
    },
}

/// What the handles of a named breaker share.
#[derive(Debug)]
struct Group {
    circuit: LiveCircuit,
    /// The handles of all lanes. Weak, since each of them points here: the breaker keeps them.
    siblings: OnceLock<Box<[Weak<Handle>]>>,
    waiters: Arc<Waiters>,
    changes: ChangeLog,
    /// Made when somebody first wants to know how long calls take.
    latencies: OnceLock<LatencyRecorder>,
}

impl Handle {
    /// A handle that is its circuit.
    pub(super) fn own(service: ServiceName, hub: Arc<Hub>, circuit: Circuit) -> Arc<Self> {
        let circuit = LiveCircuit::new(circuit, hub.clock.clone(), Lanes::one());
        Arc::new(Self { service, hub, place: Place::Own { circuit, waiters: OnceLock::new() } })
    }

    /// The handles of a circuit with a few lanes.
    pub(super) fn lanes(
        service: &ServiceName,
        hub: &Arc<Hub>,
        circuit: Circuit,
    ) -> Arc<[Arc<Self>]> {
        let lanes = Lanes::many(lanes());
        let words = match &lanes {
            Lanes::Many(words) => words.to_vec(),
            Lanes::One(_) => Vec::new(),
        };
        let group = Arc::new(Group {
            circuit: LiveCircuit::new(circuit, hub.clock.clone(), lanes),
            siblings: OnceLock::new(),
            waiters: Arc::default(),
            changes: ChangeLog::default(),
            latencies: OnceLock::new(),
        });
        let handles: Arc<[Arc<Self>]> = words
            .into_iter()
            .enumerate()
            .map(|(index, lane)| {
                Arc::new(Self {
                    service: service.unshared(),
                    hub: Arc::clone(hub),
                    place: Place::Lane { group: Arc::clone(&group), lane, index },
                })
            })
            .collect();
        let siblings = handles.iter().map(Arc::downgrade).collect();
        // The group is new: nobody else has set them.
        let _ = group.siblings.set(siblings);
        handles
    }

    pub(crate) fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    #[inline(always)]
    pub(crate) fn circuit(&self) -> &LiveCircuit {
        match &self.place {
            Place::Own { circuit, .. } => circuit,
            Place::Lane { group, .. } => &group.circuit,
        }
    }

    #[inline(always)]
    pub(super) fn lane(&self) -> &Lane {
        match &self.place {
            Place::Own { circuit, .. } => circuit.lanes().get(0),
            Place::Lane { lane, .. } => &lane.0,
        }
    }

    /// Whether this handle is of the lane that the running thread should use.
    #[inline(always)]
    pub(crate) fn is_near(&self) -> bool {
        match &self.place {
            Place::Own { .. } => true,
            Place::Lane { index, .. } => *index == thread_lane(),
        }
    }

    /// The handle of the running thread's lane, or this one if all breakers of that lane are gone.
    pub(crate) fn near(self: &Arc<Self>) -> Arc<Self> {
        if let Place::Lane { group, .. } = &self.place
            && let Some(siblings) = group.siblings.get()
            && let Some(near) = siblings[thread_lane() % siblings.len()].upgrade()
        {
            return near;
        }
        Arc::clone(self)
    }

    /// The handles of a circuit that has several.
    pub(super) fn siblings(&self) -> Option<&[Weak<Self>]> {
        match &self.place {
            Place::Own { .. } => None,
            Place::Lane { group, .. } => group.siblings.get().map(|siblings| &**siblings),
        }
    }

    // ===== calls =====

    /// Asks for a healthy call. The gate says what the permit has to look at.
    #[inline(always)]
    pub(crate) fn ask(&self) -> Option<GateWord> {
        self.circuit().ask(self.lane())
    }

    /// A permit for a call whose owner says when it goes on.
    #[inline(always)]
    pub(crate) fn acquire(self: &Arc<Self>) -> Result<Permit, Rejected> {
        match self.ask() {
            Some(gate) => Ok(Permit::immediate(Arc::clone(self), gate)),
            None => self.acquire_closely(false),
        }
    }

    /// A permit for a call that [`ask`](Self::ask) did not admit, or that has not asked.
    ///
    /// One function from the gate to the rejection, which is then built where the caller wants it.
    #[inline(never)]
    pub(crate) fn acquire_closely(self: &Arc<Self>, begun: bool) -> Result<Permit, Rejected> {
        let circuit = self.circuit();
        if let Some(refusal) = circuit.refusal() {
            return Err(self.reject(refusal));
        }
        match self.ask_circuit() {
            Ok(gate) if begun => Ok(Permit::begun(Arc::clone(self), gate)),
            Ok(gate) => Ok(Permit::immediate(Arc::clone(self), gate)),
            Err(refusal) => Err(self.reject(refusal)),
        }
    }

    #[cold]
    fn ask_circuit(&self) -> Result<GateWord, Refusal> {
        self.followed_up(|on| self.circuit().ask_closely(self.lane(), on))
    }

    /// Whether a call would be rejected now. Changes nothing and counts nothing.
    #[inline(always)]
    pub(crate) fn rejects(&self) -> bool {
        let circuit = self.circuit();
        !circuit.gate().admits() && circuit.refuses()
    }

    /// The circuit would admit, but the inner service has not been asked whether it is ready.
    pub(crate) fn not_ready(&self) -> Refusal {
        Refusal::not_ready(self.circuit().gate().standing().state())
    }

    /// Counts a rejection and tells of it.
    #[inline(always)]
    pub(crate) fn reject(&self, refusal: Refusal) -> Rejected {
        self.lane().count_rejected();
        if refusal.command == Some(Command::RequestGrant) {
            self.note_command(Command::RequestGrant);
            self.hub.push(&self.service, EventKind::GrantRequested);
        }
        let rejected = Rejected {
            service: self.service.clone(),
            state: refusal.state,
            retry_after: refusal.retry_after,
            reason: refusal.reason,
        };
        // In an open circuit rejections are all that comes: they tell what others left, too.
        let asked = self.hub.wants_rejections() || self.hub.has_untold();
        if tracing::enabled!(tracing::Level::DEBUG) || asked {
            self.tell_rejection(&rejected);
        }
        rejected
    }

    #[cold]
    fn tell_rejection(&self, rejected: &Rejected) {
        tracing::debug!(
            service = %rejected.service,
            state = rejected.state.as_str(),
            reason = rejected.reason.as_str(),
            retry_after = rejected.retry_after.map(tracing::field::debug),
            generation = self.circuit().gate().generation(),
            "circuit breaker: call rejected",
        );
        if self.hub.wants_rejections() {
            self.hub.push(&self.service, EventKind::Rejected(rejected.clone()));
        }
        self.hub.tell();
    }

    // ===== what follows =====

    /// Does something to the circuit under its lock, and tells what happened.
    pub(crate) fn with<R>(
        &self,
        op: impl FnOnce(&mut Circuit, crate::circuit::Moment, &mut crate::circuit::Transitions) -> R,
    ) -> R {
        let ticks = self.ticks();
        self.followed_up(|on| self.circuit().with(ticks, self.lane(), on, op))
    }

    pub(crate) fn grant(&self, grant: impl FnOnce(crate::circuit::Moment) -> Grant) -> bool {
        self.followed_up(|on| self.circuit().grant(self.lane(), on, grant))
    }

    pub(crate) fn look(&self) {
        self.followed_up(|on| self.circuit().look(self.lane(), on));
    }

    pub(crate) fn read<R>(&self, op: impl FnOnce(&mut Circuit, super::core::Read) -> R) -> R {
        let result = self.circuit().read(self.lane(), op);
        // What a bounded teller left.
        self.hub.tell();
        result
    }

    pub(crate) fn configure(
        &self,
        shared: bool,
        op: impl FnOnce(&mut Circuit, crate::circuit::Moment, &mut crate::circuit::Transitions),
    ) {
        self.followed_up(|on| self.circuit().configure(self.lane(), on, op));
        self.hub.push(&self.service, EventKind::SettingsChanged { shared });
        self.hub.tell();
    }

    /// Queues transitions in their order. Runs under the circuit's lock.
    fn queue(&self, happened: &[Transition]) {
        for &transition in happened {
            if let Place::Lane { group, .. } = &self.place {
                group.changes.note(transition);
            }
            self.hub.push(&self.service, EventKind::Transition(transition));
        }
    }

    fn note_command(&self, command: Command) {
        if let Place::Lane { group, .. } = &self.place {
            group.changes.request(command);
        }
    }

    pub(super) fn changes(&self) -> Option<&ChangeLog> {
        match &self.place {
            Place::Own { .. } => None,
            Place::Lane { group, .. } => Some(&group.changes),
        }
    }

    /// Where the latencies of a named breaker are kept, and the lane that records them.
    pub(super) fn latencies(&self) -> Option<(&OnceLock<LatencyRecorder>, usize)> {
        match &self.place {
            Place::Own { .. } => None,
            Place::Lane { group, index, .. } => Some((&group.latencies, *index)),
        }
    }

    /// Does something under the circuit's lock, and what follows outside of it: wakes who waits for
    /// another gate, and tells what happened.
    ///
    /// Whether the gate changed is known under the lock only: seen from outside it may have changed
    /// and changed back.
    pub(super) fn followed_up<R>(&self, act: impl FnOnce(&dyn Fn(Effects<'_>)) -> R) -> R {
        let gate_changed = Cell::new(false);
        let result = act(&|effects| {
            self.queue(effects.transitions);
            gate_changed.set(effects.gate_changed);
        });
        if gate_changed.get() {
            self.wake();
        }
        self.hub.tell();
        result
    }

    pub(crate) fn wake(&self) {
        match &self.place {
            Place::Own { waiters, .. } => {
                if let Some(waiters) = waiters.get() {
                    waiters.wake();
                }
            }
            Place::Lane { group, .. } => group.waiters.wake(),
        }
    }

    /// A place among those that are woken when the gate changes.
    pub(crate) fn wait(&self) -> Waiting {
        Waiting::new(Arc::clone(match &self.place {
            Place::Own { waiters, .. } => waiters.get_or_init(Arc::default),
            Place::Lane { group, .. } => &group.waiters,
        }))
    }
}
