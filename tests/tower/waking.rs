//! Who is woken when a circuit changes its mind, and that nothing waits for ever.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::SystemTime,
};

use tower::{Layer, Service};
use tower_breaker::{
    Breaker, BreakerMap, CircuitBreaker, CircuitBreakerLayer, Outcome, State,
    breaker::{Clock, clock::ManualClock},
    circuit::Moment,
    service::OnOpen,
};

use crate::{inner::Inner, support::*};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn waiting(breaker: &Breaker) -> CircuitBreaker<Inner> {
    CircuitBreakerLayer::new(breaker.clone()).on_open(OnOpen::Wait).layer(Inner::default())
}

fn is_ready<S: Service<u32>>(service: &mut S, waker: &Waker) -> bool {
    service.poll_ready(&mut Context::from_waker(waker)).is_ready()
}

#[tokio::test]
async fn a_service_that_waits_for_a_keyed_circuit_is_woken() {
    let breaker = BreakerMap::builder().build().unwrap().breaker("host");
    breaker.force_open();
    let mut service = waiting(&breaker);
    let woken = Arc::new(Woken::default());
    assert!(!is_ready(&mut service, &woken.clone().into()));
    breaker.lift_override();
    assert_eq!(woken.0.load(SeqCst), 1);
    assert!(is_ready(&mut service, &woken.clone().into()));
}

type Hook = Box<dyn FnOnce() + Send>;

/// Does something the next time it is read.
#[derive(Clone, Default)]
struct Hooked(ManualClock, Arc<Mutex<Option<Hook>>>);

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Clock for Hooked {
    fn now(&self) -> Moment {
        let hook = self.1.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        self.0.now()
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }
}

// While a probe's place is on its way back, the last place is taken and somebody begins to wait:
// seen from outside of the lock, the gate is what it was.
#[tokio::test]
async fn a_place_that_comes_back_wakes_who_began_to_wait_meanwhile() {
    let clock = Hooked::default();
    let settings = plain().failure_threshold(1).permitted_calls_in_half_open(2);
    let breaker = Breaker::builder("upstream")
        .settings(settings.build().unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    breaker.try_acquire().unwrap().failure();
    clock.0.advance(secs(60));
    let first = breaker.try_acquire().unwrap();

    let woken = Arc::new(Woken::default());
    let meanwhile = Arc::new(Mutex::new(None));
    *clock.1.lock().unwrap() = Some(Box::new({
        let (breaker, woken, meanwhile) = (breaker.clone(), woken.clone(), meanwhile.clone());
        move || {
            let last = breaker.try_acquire().unwrap();
            let mut service = waiting(&breaker);
            assert!(!is_ready(&mut service, &woken.clone().into()));
            woken.0.store(0, SeqCst);
            *meanwhile.lock().unwrap() = Some((last, service));
        }
    }));
    first.record(Outcome::IGNORED);
    assert_eq!(woken.0.load(SeqCst), 1);
    let (_last, mut service) = meanwhile.lock().unwrap().take().expect("the hook ran");
    assert!(is_ready(&mut service, &woken.clone().into()));
}

/// A waker that owns a service which waits itself: what tasks are to simple executors.
struct Owner(#[allow(dead_code, reason = "it is dropped")] Mutex<Option<CircuitBreaker<Inner>>>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_waker_may_drop_another_service_that_waits() {
    let breaker = Breaker::builder("upstream").build().unwrap();
    breaker.force_open();
    let (mut first, mut second) = (waiting(&breaker), waiting(&breaker));
    assert!(!is_ready(&mut second, Waker::noop()));
    let owner = Waker::from(Arc::new(Owner(Mutex::new(Some(second)))));
    assert!(!is_ready(&mut first, &owner));
    drop(owner);

    // The list of those who wait has the last reference to the second service now.
    let (done, ended) = mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    thread::spawn(move || {
        let _entered = runtime.enter();
        assert!(!is_ready(&mut first, Waker::noop()));
        done.send(()).unwrap();
    });
    assert!(ended.recv_timeout(secs(10)).is_ok(), "the thread hangs");
}

/// Never ready, as a connection that cannot be made.
#[derive(Clone)]
struct Stuck;

impl Service<u32> for Stuck {
    type Response = u32;
    type Error = std::io::Error;
    type Future = std::future::Pending<Result<u32, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Pending
    }

    fn call(&mut self, _: u32) -> Self::Future {
        unreachable!("it is never ready")
    }
}

#[test]
fn who_waits_for_an_inner_service_is_woken_and_rejected_when_the_circuit_opens() {
    let breaker = Breaker::builder("upstream").build().unwrap();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(Stuck);
    let woken = Arc::new(Woken::default());
    assert!(!is_ready(&mut service, &woken.clone().into()));
    breaker.force_open();
    assert_eq!(woken.0.load(SeqCst), 1);
    assert!(is_ready(&mut service, &woken.clone().into()));
}

// A balancer keeps an idle standby ready: its reservations are no failed recoveries.
#[tokio::test]
async fn a_round_that_was_only_reserved_is_no_failed_recovery() {
    let (breaker, clock) = live(plain());
    trip(&breaker);
    clock.advance(secs(60));
    let mut service = waiting(&breaker);
    for _ in 0..3 {
        assert!(is_ready(&mut service, Waker::noop()));
        assert_eq!(breaker.state(), State::HalfOpen);
        clock.advance(secs(120));
    }
    breaker.handle_deadline();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.reopens), (State::Open, 0));
    assert_eq!(snapshot.remaining, Some(secs(0)));

    // Tried and hung, it is one.
    assert!(is_ready(&mut service, Waker::noop()));
    let probe = admitted(&breaker);
    clock.advance(secs(120));
    breaker.handle_deadline();
    assert_eq!(breaker.snapshot().reopens, 1);
    drop(probe);
}

#[tokio::test]
async fn a_reserved_probe_that_is_called_counts_as_one_that_was_tried() {
    let (breaker, clock) = live(plain());
    trip(&breaker);
    clock.advance(secs(60));
    let mut service = waiting(&breaker);
    assert!(is_ready(&mut service, Waker::noop()));
    service.get_mut().pend(1);
    let call = service.call(7);
    clock.advance(secs(120));
    breaker.handle_deadline();
    assert_eq!(breaker.snapshot().reopens, 1);
    drop(call);
}
