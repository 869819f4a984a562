//! The scenarios that every subject goes through with its circuit closed.

use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::runtime::Builder;

use crate::duo::Duo;
use crate::inner::{Inner, PendsOnce, Ready, Sometimes};
use crate::row::{Batch, Rows, timed};
use crate::subject::{Subject, Visitor};

/// One service, one thread, an inner service that answers at once.
pub const CLOSED: &str = "closed";

/// As [`ONE_PERCENT`], with the failures switched off.
pub const NO_FAILURES: &str = "no failures";

/// One call in a hundred fails.
pub const ONE_PERCENT: &str = "1 % failures";

/// The inner service answers at the second poll.
pub const PENDS_ONCE: &str = "pends once";

/// Each call goes through a new clone of the service.
pub const CLONED: &str = "clone for each call";

/// Two threads, each with a service of its own, around one circuit.
pub const TWO_THREADS: &str = "two threads";

/// Two threads, each call through a new clone of one service.
pub const TWO_CLONING: &str = "two threads, clone for each call";

/// A tokio runtime of one thread awaits the calls.
pub const TOKIO: &str = "tokio";

/// Adds the rows of each subject.
pub struct Standard<'a>(pub &'a mut Rows);

impl Visitor for Standard<'_> {
    fn visit<T: Subject>(&mut self, subject: &T) {
        let mut add = |scenario: &str, build: &dyn Fn() -> Batch| {
            self.0.add(scenario, subject.name(), subject.kind(), build);
        };
        let sometimes = |fails| Sometimes { fails };
        add(CLOSED, &|| one_thread::<T, _>(subject.wrap(Ready)));
        add(NO_FAILURES, &|| one_thread::<T, _>(subject.wrap(sometimes(false))));
        add(ONE_PERCENT, &|| one_thread::<T, _>(subject.wrap(sometimes(true))));
        add(PENDS_ONCE, &|| one_thread::<T, _>(subject.wrap(PendsOnce)));
        add(CLONED, &|| cloning::<T, _>(subject.wrap(Ready)));
        add(TWO_THREADS, &|| two_threads::<T, _>(subject.wrap(Ready)));
        add(TWO_CLONING, &|| two_cloning::<T, _>(subject.wrap(Ready)));
        add(TOKIO, &|| under_tokio::<T, _>(subject.wrap(Ready)));
    }
}

/// Calls one service again and again. The requests go on counting from batch to batch.
pub fn one_thread<T: Subject, S: Inner>(mut service: T::Service<S>) -> Batch {
    let mut first = 0;
    Box::new(move |calls| {
        let requests = first..first + calls;
        first = requests.end;
        timed(|| {
            let mut cx = Context::from_waker(Waker::noop());
            for request in requests {
                T::call(&mut service, request, &mut cx);
            }
        })
    })
}

fn cloning<T: Subject, S: Inner>(service: T::Service<S>) -> Batch {
    Box::new(move |calls| timed(|| clone_and_call::<T, S>(&service, calls)))
}

fn clone_and_call<T: Subject, S: Inner>(service: &T::Service<S>, calls: u64) {
    let mut cx = Context::from_waker(Waker::noop());
    for request in 0..calls {
        T::call(&mut service.clone(), request, &mut cx);
    }
}

fn two_threads<T: Subject, S: Inner>(service: T::Service<S>) -> Batch {
    let mut duo = Duo::new(service.clone(), service);
    Box::new(move |calls| {
        2 * duo.run(calls / 2, |service, calls| {
            let mut cx = Context::from_waker(Waker::noop());
            for request in 0..calls {
                T::call(service, request, &mut cx);
            }
        })
    })
}

fn two_cloning<T: Subject, S: Inner>(service: T::Service<S>) -> Batch {
    let service = Arc::new(service);
    let mut duo = Duo::new(Arc::clone(&service), service);
    Box::new(move |calls| {
        2 * duo.run(calls / 2, |service, calls| clone_and_call::<T, S>(service, calls))
    })
}

fn under_tokio<T: Subject, S: Inner>(mut service: T::Service<S>) -> Batch {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    Box::new(move |calls| {
        timed(|| {
            runtime.block_on(async {
                for request in 0..calls {
                    T::run(&mut service, request).await;
                }
            });
        })
    })
}
