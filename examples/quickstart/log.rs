//! What happened, in the order it did.

use std::{iter, time::SystemTime};

use tower_breaker::{
    State,
    breaker::{Event, EventKind, Events},
    circuit::Transition,
};

/// Prints what happens: calls with the same answer as one line, and the transitions.
pub(crate) struct Log {
    events: Events,
    started: SystemTime,
    pub(crate) states: Vec<State>,
    calls: u32,
    /// The calls that are not printed yet: when the first was answered, its number, the answer.
    run: Option<(SystemTime, u32, String)>,
}

impl Log {
    pub(crate) fn new(events: Events) -> Self {
        let states = vec![State::Closed];
        Self { events, started: SystemTime::now(), states, calls: 0, run: None }
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.flush();
        self.line(SystemTime::now(), "", text);
    }

    pub(crate) fn call(&mut self, mut answer: String) {
        let events: Vec<Event> = iter::from_fn(|| self.events.try_recv().unwrap()).collect();
        if events.iter().any(|it| matches!(&it.kind, EventKind::Call(call) if call.probe)) {
            answer += " (probe)";
        }
        // Half-open begins when a call asks; all else follows from what it came to.
        self.transitions(&events, |to| to == State::HalfOpen);
        self.calls += 1;
        if self.run.as_ref().is_none_or(|(.., same)| *same != answer) {
            self.flush();
            self.run = Some((SystemTime::now(), self.calls, answer));
        }
        self.transitions(&events, |to| to != State::HalfOpen);
    }

    fn transitions(&mut self, events: &[Event], which: fn(State) -> bool) {
        for event in events {
            if let EventKind::Transition(Transition { from, to, reason, .. }) = event.kind
                && which(to)
            {
                self.flush();
                self.line(event.at, &format!("{} → {}", name(from), name(to)), &reason.to_string());
                self.states.push(to);
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        if let Some((at, first, answer)) = self.run.take() {
            let last = self.calls;
            let which = if first == last {
                format!("call {first}")
            } else {
                format!("calls {first}–{last}")
            };
            self.line(at, &which, &answer);
        }
    }

    fn line(&self, at: SystemTime, what: &str, text: &str) {
        let ms = at.duration_since(self.started).unwrap_or_default().as_millis();
        println!("{ms:>6} ms   {what:<20}  {text}");
    }
}

/// A state as people write it.
fn name(state: State) -> String {
    state.as_str().replace('_', "-").to_uppercase()
}
