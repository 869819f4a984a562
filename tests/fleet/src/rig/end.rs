//! How a fleet ends.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tower_breaker::{
    State,
    store::{CircuitRecord, StateStore, Stored, Timestamp},
};
use tower_breaker_torture::{
    check::Chains,
    database::{changes, records},
    ledger::Ledger,
    line::Line as Torn,
};

use super::fleet::{Rig, START};
use crate::{
    Error,
    clock::boot,
    log::{End, Log, Phase, Rule},
    said::{Answer, Line, Standing, Who},
};

impl Rig {
    /// Waits until all processes agree with the store, and notes how that went.
    ///
    /// # Errors
    ///
    /// If a process or the store does not answer.
    pub async fn settle(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let mut end = End { healed: self.healed, ..End::default() };
        loop {
            end.processes = self.standings().await?;
            let (durable, cache) = self.stored().await?;
            end.store = durable;
            let agree = end.processes.iter().flat_map(|(_, here)| here).all(|here| {
                end.store.iter().find(|stored| stored.service == here.service) == Some(here)
            });
            if agree && cache.is_none_or(|cache| alike(&cache, &end.store)) {
                end.agreed = Some(boot());
                break;
            }
            if began.elapsed() > Duration::from_secs(20) {
                break;
            }
            self.sleep(Duration::from_millis(20)).await;
        }
        self.log.end = Some(end);
        Ok(())
    }

    /// Waits until something has to be so, and notes that it had to be.
    ///
    /// # Errors
    ///
    /// If a process does not answer.
    pub async fn phase(&mut self, rule: Rule, within: Duration) -> Result<(), Error> {
        let (began, started) = (boot(), Instant::now());
        while started.elapsed() < within {
            let standings = self.standings().await?;
            let all = |is: fn(State) -> bool, but: Option<usize>| {
                let others = standings.iter().filter(|(who, _)| Some(who.slot) != but);
                others.flat_map(|(_, here)| here).all(|here| is(here.state))
            };
            let so = match rule {
                // It has to be so all the time.
                Rule::NobodyOpensBut(_) => false,
                Rule::AllOpen => all(|state| state != State::Closed, None),
                Rule::AllCloseBut(but) => all(|state| state == State::Closed, but),
            };
            if so {
                break;
            }
            self.sleep(Duration::from_millis(50)).await;
        }
        self.hear();
        self.log.phases.push(Phase { rule, began, ended: boot() });
        Ok(())
    }

    /// Where all processes are, as they say when asked now.
    ///
    /// # Errors
    ///
    /// If one does not say.
    pub async fn standings(&mut self) -> Result<Vec<(Who, Vec<Standing>)>, Error> {
        self.skip();
        let mut standings = Vec::new();
        for slot in 0..self.size() {
            self.tell(slot, "states")?;
        }
        for _ in 0..self.size() {
            let standing =
                self.until("a process says where it is", START, |who, said| match &said.line {
                    Line::States { circuits, .. } => Some((who, circuits.clone())),
                    _ => None,
                });
            standings.push(standing.await?);
        }
        Ok(standings)
    }

    /// Where the stores are, overrides included: the database, and the cache in front of it.
    async fn stored(&self) -> Result<(Vec<Standing>, Option<Vec<Standing>>), Error> {
        let durable = records(&self.store).await?.into_iter().map(standing).collect();
        let Some(cache) = &self.cache else { return Ok((durable, None)) };
        let cache = cache.load_all(None).await?.stored.into_iter();
        let cache = cache.filter_map(Stored::record).map(standing).collect();
        Ok((durable, Some(cache)))
    }

    /// Ends all processes, and returns the log of the run.
    ///
    /// # Errors
    ///
    /// If one does not end well, or the history cannot be read.
    pub async fn end(mut self) -> Result<Log, Error> {
        for slot in 0..self.size() {
            self.tell(slot, "quit")?;
        }
        for process in &mut self.processes {
            let Some(worker) = process.worker.take() else { continue };
            let who = process.who;
            let said = tokio::task::spawn_blocking(|| worker.end_well()).await??;
            self.log.said.extend(said.into_iter().map(|said| (who, said)));
        }
        self.log.arrivals = self.upstream.arrivals();
        if !self.log.setup.tiered {
            self.log.history = self.history().await?;
        }
        Ok(self.log)
    }

    /// What is wrong with the history in the database.
    async fn history(&self) -> Result<Vec<String>, Error> {
        let mut ledger = Ledger::default();
        let mut tries = HashMap::new();
        for (who, said) in &self.log.said {
            match &said.line {
                Line::Try(write) => {
                    ledger.note(&Torn::Try(write.attempt.clone()));
                    tries.insert((*who, said.sequence), write.attempt.clone());
                }
                Line::Answer { of, answer: Answer::Taken { .. } } => {
                    if let Some(attempt) = tries.get(&(*who, *of)) {
                        ledger.note(&Torn::Ack(attempt.clone()));
                    }
                }
                _ => {}
            }
        }
        let events = changes(&self.store, Timestamp::EPOCH).await?;
        let records = records(&self.store).await?;
        Ok(Chains::default().check(&events, &records, &mut ledger))
    }
}

fn standing(record: CircuitRecord) -> Standing {
    Standing {
        service: record.service.to_string(),
        state: record.override_.value.map_or(record.state.state, State::from),
        version: Some(record.state.version),
    }
}

/// Whether both have the same, in any order.
fn alike(one: &[Standing], other: &[Standing]) -> bool {
    one.len() == other.len() && one.iter().all(|standing| other.contains(standing))
}
