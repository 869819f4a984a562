//! Two threads that work at the same time on one circuit.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

/// The second thread. It lives as long as the program, as server threads do, so what a breaker
/// keeps for each thread is kept.
fn partner() -> &'static Sender<Job> {
    static PARTNER: OnceLock<Sender<Job>> = OnceLock::new();
    PARTNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        sender
    })
}

/// Two things, each worked on by a thread of its own.
pub struct Duo<T> {
    mine: T,
    theirs: Option<T>,
}

impl<T: Send + 'static> Duo<T> {
    /// One for this thread, one for the other.
    pub fn new(mine: T, theirs: T) -> Self {
        Self { mine, theirs: Some(theirs) }
    }

    /// Lets both threads make `calls` calls at once with `work`, and tells how long it took from
    /// the first start to the last end.
    ///
    /// They wait for each other several times on the way. So threads that run one after the other,
    /// because something else has a core, take much longer and not shorter: the fastest of many
    /// rounds is one in which they ran side by side all the time.
    ///
    /// # Panics
    ///
    /// If `work` panics on the other thread.
    pub fn run(
        &mut self,
        calls: u64,
        work: impl Fn(&mut T, u64) + Copy + Send + 'static,
    ) -> Duration {
        let gate = Arc::new(AtomicU64::new(0));
        let (sender, results) = channel();
        let mut theirs = self.theirs.take().expect("it always comes back");
        let their_gate = Arc::clone(&gate);
        partner()
            .send(Box::new(move || {
                let span = in_step(&their_gate, calls, |calls| work(&mut theirs, calls));
                let _ = sender.send((span, theirs));
            }))
            .expect("the other thread lives");
        let (my_start, my_end) = in_step(&gate, calls, |calls| work(&mut self.mine, calls));
        let ((start, end), theirs) = results.recv().expect("the other thread finished");
        self.theirs = Some(theirs);
        my_end.max(end) - my_start.min(start)
    }
}

/// Works in steps, and waits before each until both threads have come to it.
fn in_step(gate: &AtomicU64, calls: u64, mut work: impl FnMut(u64)) -> (Instant, Instant) {
    const STEPS: u64 = 16;
    wait(gate, 1);
    let start = Instant::now();
    for step in 0..STEPS {
        wait(gate, step + 2);
        work(calls * (step + 1) / STEPS - calls * step / STEPS);
    }
    (start, Instant::now())
}

/// Waits until both threads have come so often.
fn wait(gate: &AtomicU64, times: u64) {
    gate.fetch_add(1, Ordering::AcqRel);
    while gate.load(Ordering::Acquire) < 2 * times {
        spin_loop();
    }
}
