//! Events, observers and subscribers.

use std::{
    sync::{Arc, Mutex},
    thread,
};

use tower_breaker::{
    Breaker, Outcome, State,
    breaker::{Event, EventKind, EventsError, Observer, clock::ManualClock},
    circuit::OutcomeKind,
};

use crate::support::*;

/// One word for an event.
fn word(kind: &EventKind) -> String {
    match kind {
        EventKind::Transition(it) => format!("{}>{}", it.from, it.to),
        EventKind::Call(it) => format!("{:?}", it.outcome),
        EventKind::Rejected(_) => "rejected".to_owned(),
        EventKind::SettingsChanged { .. } => "settings".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn observers_and_subscribers_are_told_the_same_in_the_same_order() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let clock = ManualClock::new();
    let breaker = Breaker::builder("upstream")
        .settings(plain().failure_threshold(1).permitted_calls_in_half_open(1).build().unwrap())
        .clock(clock.clone())
        .observer({
            let told = Arc::clone(&told);
            move |event: &Event| {
                assert_eq!(event.service.as_str(), "upstream");
                told.lock().unwrap().push(word(&event.kind));
            }
        })
        .build()
        .unwrap();
    let mut events = breaker.subscribe();

    calls(&breaker, 3, Outcome::SUCCESS);
    calls(&breaker, 1, Outcome::IGNORED);
    calls(&breaker, 1, Outcome::FAILURE);
    rejected(&breaker);
    wait_out(&breaker, &clock);
    calls(&breaker, 1, Outcome::SUCCESS);
    breaker.configure(plain().build().unwrap());
    breaker.force_open();

    let expected = [
        "Ignored",
        "closed>open",
        "Failure",
        "rejected",
        "open>half_open",
        "half_open>closed",
        "Success",
        "settings",
        "closed>forced_open",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
    let (kinds, missed) = drain(&mut events);
    assert_eq!(kinds.iter().map(word).collect::<Vec<_>>(), expected);
    assert_eq!(missed, 0);
}

/// Keeps one word for each event it is told of.
struct Words {
    told: Arc<Mutex<Vec<String>>>,
    wants_rejections: bool,
}

impl Observer for Words {
    fn observe(&self, event: &Event) {
        self.told.lock().unwrap().push(word(&event.kind));
    }

    fn wants_rejections(&self) -> bool {
        self.wants_rejections
    }
}

#[test]
fn rejections_are_told_only_to_those_who_want_them() {
    for others_want in [false, true] {
        let (told, others): (Arc<Mutex<Vec<String>>>, Arc<_>) = Default::default();
        let observer =
            |told: &Arc<_>, wants_rejections| Words { told: Arc::clone(told), wants_rejections };
        let breaker = Breaker::builder("upstream")
            .settings(plain().failure_threshold(1).build().unwrap())
            .clock(ManualClock::new())
            .observer(observer(&told, false))
            .observer(observer(&others, others_want))
            .build()
            .unwrap();
        trip(&breaker);
        rejected(&breaker);
        let mut events = breaker.subscribe();
        rejected(&breaker);
        let (subscribed, _) = drain(&mut events);
        drop(events);
        rejected(&breaker);
        breaker.reset();

        assert_eq!(*told.lock().unwrap(), ["closed>open", "Failure", "open>closed"]);
        assert_eq!(subscribed.iter().map(word).collect::<Vec<_>>(), ["rejected"]);
        let rejections = others.lock().unwrap().iter().filter(|word| *word == "rejected").count();
        assert_eq!(rejections, if others_want { 3 } else { 0 });
        assert_eq!((breaker.rejected(), breaker.admitted()), (3, 1));
    }
}

// In an open circuit nothing else would come along to tell them.
#[test]
fn a_rejection_that_nobody_wants_tells_what_others_left() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let breaker = Arc::new(std::sync::OnceLock::<Breaker>::new());
    let again = Arc::clone(&breaker);
    // Each of the first events brings another one.
    struct Resets(Words, Arc<std::sync::OnceLock<Breaker>>);
    impl Observer for Resets {
        fn observe(&self, event: &Event) {
            self.0.observe(event);
            if self.0.told.lock().unwrap().len() < 300 {
                self.1.get().unwrap().force_open();
            }
        }

        fn wants_rejections(&self) -> bool {
            false
        }
    }
    let words = Words { told: Arc::clone(&told), wants_rejections: false };
    let built = Breaker::builder("upstream")
        .clock(ManualClock::new())
        .observer(Resets(words, again))
        .build()
        .unwrap();
    breaker.set(built.clone()).unwrap();
    built.force_open();
    assert_eq!(told.lock().unwrap().len(), 256);
    rejected(&built);
    assert_eq!(told.lock().unwrap().len(), 300);
}

#[test]
fn a_record_says_what_became_of_the_call() {
    let (breaker, clock) = live(slow_rate(0.9, 10, 10).permitted_calls_in_half_open(1));
    let mut events = breaker.subscribe();
    let slow = admitted(&breaker);
    clock.advance(secs(2));
    slow.success();
    let (kinds, _) = drain(&mut events);
    let [EventKind::Call(record)] = kinds[..] else { panic!("{kinds:?}") };
    assert_eq!((record.outcome, record.elapsed), (OutcomeKind::Success, Some(secs(2))));
    assert!(record.slow && !record.probe && !record.late);
    assert_eq!((record.generation, record.admitted), (1, 1));
}

#[test]
fn plain_successes_are_no_events() {
    let (breaker, _) = live(plain());
    let mut events = breaker.subscribe();
    calls(&breaker, 1_000, Outcome::SUCCESS);
    assert!(drain(&mut events).0.is_empty());
}

#[test]
fn a_reader_that_lags_is_told_how_many_it_missed_and_goes_on() {
    let (breaker, _) = live(plain());
    let mut events = breaker.subscribe();
    for _ in 0..300 {
        breaker.reset();
    }
    assert_eq!(events.try_recv().unwrap_err(), EventsError::Missed(44));
    let generations: Vec<_> = transitions(&mut events).iter().map(|it| it.generation).collect();
    assert_eq!(generations, (46..=301).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_end_of_a_breaker_is_the_end_of_its_events() {
    let (breaker, _) = live(plain());
    let mut events = breaker.subscribe();
    let clone = breaker.clone();
    drop(breaker);
    clone.force_open();
    drop(clone);
    let last = events.recv().await.unwrap();
    assert_eq!(word(&last.kind), "closed>forced_open");
    assert_eq!(events.recv().await.unwrap_err(), EventsError::Closed);
}

#[tokio::test]
async fn a_reader_that_waits_is_woken() {
    let (breaker, _) = live(plain());
    let mut events = breaker.subscribe();
    let reader = tokio::spawn(async move { events.recv().await.unwrap().kind });
    tokio::task::yield_now().await;
    breaker.reset();
    assert_eq!(word(&reader.await.unwrap()), "closed>closed");
}

#[test]
fn transitions_of_many_threads_are_told_in_their_order_and_all_of_them() {
    // Together fewer than may wait to be told.
    const EACH: u64 = 250;
    let told: Arc<Mutex<Vec<u64>>> = Arc::default();
    let breaker = Breaker::builder("upstream")
        .clock(ManualClock::new())
        .observer({
            let told = Arc::clone(&told);
            move |event: &Event| {
                if let EventKind::Transition(transition) = &event.kind {
                    // Another thread has the chance to be faster.
                    thread::yield_now();
                    told.lock().unwrap().push(transition.generation);
                }
            }
        })
        .build()
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..EACH).for_each(|_| breaker.reset()));
        }
    });
    assert_eq!(*told.lock().unwrap(), (2..2 + 4 * EACH).collect::<Vec<_>>());
}

#[test]
fn events_that_find_no_place_are_counted_and_told_of() {
    const RESETS: u64 = 5_000;
    let told: Arc<Mutex<(u64, u64)>> = Arc::default();
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(Some(gate));
    let (began, begun) = std::sync::mpsc::channel();
    let breaker = Breaker::builder("upstream")
        .clock(ManualClock::new())
        .observer({
            let told = Arc::clone(&told);
            move |event: &Event| {
                // The first event is told until somebody says go.
                if let Some(gate) = gate.lock().unwrap().take() {
                    began.send(()).unwrap();
                    gate.recv().unwrap();
                }
                let mut told = told.lock().unwrap();
                match event.kind {
                    EventKind::Transition(_) => told.0 += 1,
                    EventKind::Dropped { events } => told.1 += events,
                    _ => {}
                }
            }
        })
        .build()
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| breaker.reset());
        begun.recv().unwrap();
        (1..RESETS).for_each(|_| breaker.reset());
        go.send(()).unwrap();
    });
    // One call does not tell all that has gathered.
    (0..5).for_each(|_| drop(breaker.snapshot()));
    let (transitions, dropped) = *told.lock().unwrap();
    assert_eq!(transitions, 1 + 1_024);
    assert_eq!(transitions + dropped, RESETS);
}

// A thread that tells until nothing is left tells for ever under load, and its call hangs.
#[test]
fn a_call_tells_a_bounded_number_of_events_and_the_next_one_goes_on() {
    let told = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let breaker = Arc::new(std::sync::OnceLock::<Breaker>::new());
    let counter = Arc::clone(&told);
    let again = Arc::clone(&breaker);
    let built = Breaker::builder("upstream")
        .clock(ManualClock::new())
        .observer(move |_: &Event| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // Each event brings another one.
            if let Some(breaker) = again.get() {
                breaker.reset();
            }
        })
        .build()
        .unwrap();
    breaker.set(built.clone()).unwrap();
    without_deadlock(move || {
        let count = || told.load(std::sync::atomic::Ordering::Relaxed);
        built.reset();
        assert_eq!(count(), 256);
        let _ = built.state();
        assert_eq!(count(), 512);
    });
}

// The lock would be held by the thread that tells, while the other waits for it.
#[test]
fn observers_run_while_no_lock_is_held() {
    without_deadlock(|| {
        let breaker = Arc::new(std::sync::OnceLock::<Breaker>::new());
        let held = Arc::clone(&breaker);
        let observer = move |event: &Event| {
            let EventKind::Transition(transition) = &event.kind else { return };
            if transition.to != State::Open {
                return;
            }
            // Another thread uses the breaker to its full while this one is being told.
            let breaker = held.get().unwrap().clone();
            thread::spawn(move || {
                rejected(&breaker);
                breaker.force_open();
                breaker.lift_override();
                calls(&breaker, 3, Outcome::FAILURE);
                breaker.snapshot().state
            })
            .join()
            .unwrap();
        };
        let built =
            Breaker::builder("upstream").clock(ManualClock::new()).observer(observer).build();
        breaker.set(built.unwrap()).unwrap();
        trip_without_looking(breaker.get().unwrap());
        assert_eq!(breaker.get().unwrap().state(), State::Closed);
    });
}

fn trip_without_looking(breaker: &Breaker) {
    calls(breaker, 5, Outcome::FAILURE);
}
