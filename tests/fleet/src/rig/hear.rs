//! What the processes say, as it comes.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tower_breaker_torture::process::Worker;

use super::fleet::{LOOK, Process, Rig};
use crate::{
    Error,
    said::{Answer, Line, Said, Who},
};

impl Rig {
    /// Takes down what was said since the last time.
    pub fn hear(&mut self) {
        for process in &mut self.processes {
            let said = process.worker.as_mut().map(Worker::said).unwrap_or_default();
            self.log.said.extend(said.into_iter().map(|said| (process.who, said)));
        }
    }

    /// Forgets what was said and not looked at.
    pub fn skip(&mut self) {
        self.hear();
        self.read = self.log.said.len();
    }

    /// Hears for a while.
    pub async fn sleep(&mut self, lasting: Duration) {
        tokio::time::sleep(lasting).await;
        self.hear();
    }

    /// Waits until a process says something, from what was not looked at yet on.
    ///
    /// # Errors
    ///
    /// If none does in time.
    pub async fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut is: impl FnMut(Who, &Said) -> Option<T>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        loop {
            self.hear();
            while let Some((who, said)) = self.log.said.get(self.read) {
                self.read += 1;
                if let Some(found) = is(*who, said) {
                    return Ok(found);
                }
            }
            if began.elapsed() > within {
                return Err(format!("{what}: not within {within:?}\n{}", self.logged()).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a process has a lease. Returns its place.
    ///
    /// # Errors
    ///
    /// If none takes one in time.
    pub async fn holder(&mut self, within: Duration) -> Result<usize, Error> {
        self.skip();
        let mut asked = HashSet::new();
        self.until("a lease is taken", within, |who, said| match &said.line {
            Line::Try(write) if write.lease.as_ref().is_some_and(|lease| lease.renewals == 0) => {
                asked.insert((who, said.sequence));
                None
            }
            Line::Answer { of, answer: Answer::Taken { .. } } => {
                asked.contains(&(who, *of)).then_some(who.slot)
            }
            _ => None,
        })
        .await
    }

    /// How many results changed nothing so far since their lease was lost, of the processes that live.
    #[must_use]
    pub fn fenced(&self) -> u64 {
        let last = |process: &Process| {
            let said = self.log.said.iter().rev().filter(|(who, _)| *who == process.who);
            said.into_iter().find_map(|(_, said)| match &said.line {
                Line::Stats(stats) => Some(stats.fenced),
                _ => None,
            })
        };
        self.processes.iter().filter_map(last).sum()
    }

    /// The last of what the processes logged.
    #[must_use]
    pub fn logged(&self) -> String {
        let mut text = String::new();
        for process in &self.processes {
            let log = process.worker.as_ref().map(Worker::log).unwrap_or_default();
            for line in log.iter().rev().take(5).rev() {
                text.push_str(&format!("{}: {line}\n", process.who));
            }
        }
        text
    }
}
