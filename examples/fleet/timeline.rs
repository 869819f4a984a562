//! Who knew what when.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, SystemTime},
};

use tokio::{sync::mpsc, time::timeout};
use tower_breaker::{State, error::BoxError};

use crate::{processes::Told, worker::Fact};

/// How long anything is waited for. A slow machine needs a part of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the processes told, and what the story did to them.
pub(crate) struct Timeline {
    started: SystemTime,
    told: mpsc::UnboundedReceiver<Told>,
    /// What each process told after what it was last waited for.
    news: HashMap<String, VecDeque<Told>>,
    /// What is not printed yet.
    lines: Vec<(SystemTime, String, String)>,
}

impl Timeline {
    pub(crate) fn new(told: mpsc::UnboundedReceiver<Told>) -> Self {
        let started = SystemTime::now();
        Self { started, told, news: HashMap::new(), lines: Vec::new() }
    }

    /// Begins another chapter, after all of the one before.
    pub(crate) fn chapter(&mut self, title: &str) {
        self.print();
        println!("\n{title}");
    }

    /// Prints what there is, in the order in which it happened.
    pub(crate) fn print(&mut self) {
        while let Ok(told) = self.told.try_recv() {
            self.hear(told);
        }
        self.lines.sort_by_key(|(at, ..)| *at);
        for (at, who, what) in self.lines.drain(..) {
            let ms = at.duration_since(self.started).unwrap_or_default().as_secs_f64() * 1e3;
            println!("{ms:>9.1} ms  {who:<9} {what}");
        }
    }

    /// Notes what the story did or found.
    pub(crate) fn note(&mut self, who: &str, what: impl Into<String>) -> SystemTime {
        self.note_at(SystemTime::now(), who, what)
    }

    pub(crate) fn note_at(
        &mut self,
        at: SystemTime,
        who: &str,
        what: impl Into<String>,
    ) -> SystemTime {
        self.lines.push((at, who.to_owned(), what.into()));
        at
    }

    /// Waits until each of these processes has told such a fact since it was last waited for.
    /// Returns those.
    pub(crate) async fn each<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        what: &str,
        is_it: impl Fn(&Fact) -> bool,
    ) -> Result<Vec<Told>, BoxError> {
        let mut found = Vec::new();
        for name in names {
            let told = timeout(PATIENCE, self.first(name, &is_it)).await;
            let late = |_| format!("{name} does not tell within {PATIENCE:?}: {what}");
            found.push(told.map_err(late)??);
        }
        Ok(found)
    }

    async fn first(&mut self, name: &str, is_it: impl Fn(&Fact) -> bool) -> Result<Told, BoxError> {
        loop {
            while let Some(told) = self.news.get_mut(name).and_then(VecDeque::pop_front) {
                if is_it(&told.fact) {
                    return Ok(told);
                }
            }
            let told = self.told.recv().await.ok_or("all processes ended")?;
            self.hear(told);
        }
    }

    fn hear(&mut self, told: Told) {
        self.lines.push((told.at, told.who.clone(), text(&told.fact)));
        self.news.entry(told.who.clone()).or_default().push_back(told);
    }
}

fn text(fact: &Fact) -> String {
    match fact {
        Fact::Ready { run } => format!("is ready: run {run}"),
        Fact::Is { state: State::HalfOpen, by_itself: true, .. } => {
            "HALF-OPEN: it has the lease, and probes".to_owned()
        }
        Fact::Is { state: State::HalfOpen, .. } => "HALF-OPEN: another one probes".to_owned(),
        Fact::Is { state, by_itself, reason, .. } => {
            let state = state.as_str().replace('_', "-").to_uppercase();
            let who = if *by_itself { reason } else { "it was told" };
            format!("{state}: {who}")
        }
        Fact::Rejects { state } => format!("rejects its first call in {state}"),
        Fact::Called { rejected: Some(state) } => format!("is asked, and rejects in {state}"),
        Fact::Called { rejected: None } => "is asked, and calls".to_owned(),
        Fact::Health { registry, cache, durable } => {
            let up = |up: &bool| if *up { "up" } else { "DOWN" };
            format!(
                "Redis is {}, Postgres is {}, the store of its registry is {}",
                up(cache),
                up(durable),
                up(registry)
            )
        }
    }
}
