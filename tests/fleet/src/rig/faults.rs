//! What can be broken.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tower_breaker_torture::process::Worker;

use super::fleet::Rig;
use crate::{
    Error,
    clock::boot,
    log::{Fault, FaultKind},
    proxy::Way,
    said::Said,
};

/// One of the stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The one in front.
    Cache,
    /// The database.
    Durable,
}

/// Something that is broken, and has to be mended.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Away {
    fault: usize,
    slot: usize,
    tier: Tier,
}

impl Rig {
    fn began(&mut self, kind: FaultKind, slot: Option<usize>) -> usize {
        self.log.faults.push(Fault { kind, slot, began: boot(), ended: None });
        self.log.faults.len() - 1
    }

    fn ended(&mut self, fault: usize) {
        self.healed = boot();
        if let Some(fault) = self.log.faults.get_mut(fault) {
            fault.ended = Some(self.healed);
        }
    }

    fn worker(&mut self, slot: usize) -> Result<&mut Worker<Said>, Error> {
        let worker = self.processes.get_mut(slot).and_then(|process| process.worker.as_mut());
        Ok(worker.ok_or("no such process")?)
    }

    /// Gives a process an order.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn tell(&mut self, slot: usize, order: &str) -> Result<(), Error> {
        self.worker(slot)?.tell(order)
    }

    /// Lets a process stand still for a while.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn stand_still(&mut self, slot: usize, lasting: Duration) -> Result<(), Error> {
        let id = i32::try_from(self.worker(slot)?.id())?;
        let pid = Pid::from_raw(id).ok_or("no process id")?;
        let fault = self.began(FaultKind::Stopped, Some(slot));
        kill_process(pid, Signal::STOP)?;
        self.sleep(lasting).await;
        kill_process(pid, Signal::CONT)?;
        self.ended(fault);
        Ok(())
    }

    /// Kills a process, and starts another one in its place after a while.
    ///
    /// # Errors
    ///
    /// If it cannot be killed, or the other one does not start.
    pub async fn kill(&mut self, slot: usize, pause: Duration) -> Result<(), Error> {
        let process = self.processes.get_mut(slot).ok_or("no such process")?;
        let worker = process.worker.take().ok_or("no such process")?;
        let who = process.who;
        let said = worker.kill()?;
        self.log.said.extend(said.into_iter().map(|said| (who, said)));
        let fault = self.began(FaultKind::Killed, Some(slot));
        self.sleep(pause).await;
        if let Some(process) = self.processes.get_mut(slot) {
            process.who.life += 1;
        }
        self.run(slot)?;
        self.is_ready(slot).await?;
        self.ended(fault);
        Ok(())
    }

    /// Sets the wall clock of a process wrong, if it has one of its own.
    ///
    /// # Errors
    ///
    /// If there is no such process.
    pub fn set_clock(&mut self, slot: usize, seconds: i64) -> Result<(), Error> {
        let fault = self.began(FaultKind::ClockSet, Some(slot));
        self.tell(slot, &format!("wall {seconds}"))?;
        self.ended(fault);
        Ok(())
    }

    /// Cuts a process off from one of its stores.
    pub fn cut(&mut self, slot: usize, tier: Tier, way: Way) -> Away {
        let kind = match tier {
            Tier::Cache => FaultKind::CacheCut,
            Tier::Durable => FaultKind::DurableCut,
        };
        let fault = self.began(kind, Some(slot));
        self.set_way(slot, tier, way);
        Away { fault, slot, tier }
    }

    /// Opens that way again.
    pub fn join(&mut self, away: Away) {
        self.set_way(away.slot, away.tier, Way::Open);
        self.ended(away.fault);
    }

    fn set_way(&self, slot: usize, tier: Tier, way: Way) {
        let Some(process) = self.processes.get(slot) else { return };
        match tier {
            Tier::Cache => process.cache.iter().for_each(|proxy| proxy.set(way)),
            Tier::Durable => process.durable.set(way),
        }
    }

    /// Lets a store stand still.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    pub fn freeze(&mut self, tier: Tier) -> Result<Away, Error> {
        let kind = match tier {
            Tier::Cache => FaultKind::CacheFrozen,
            Tier::Durable => FaultKind::DurableFrozen,
        };
        let fault = self.began(kind, None);
        match tier {
            Tier::Cache => self.redis.as_ref().ok_or("no cache")?.signal(Signal::STOP)?,
            Tier::Durable => self.postgres.freeze()?,
        }
        Ok(Away { fault, slot: 0, tier })
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn thaw(&mut self, away: Away) -> Result<(), Error> {
        match away.tier {
            Tier::Cache => self.redis.as_ref().ok_or("no cache")?.signal(Signal::CONT)?,
            Tier::Durable => self.postgres.thaw()?,
        }
        self.ended(away.fault);
        Ok(())
    }

    /// Stops a store.
    ///
    /// # Errors
    ///
    /// If it does not stop.
    pub async fn stop(&mut self, tier: Tier) -> Result<Away, Error> {
        let kind = match tier {
            Tier::Cache => FaultKind::CacheDown,
            Tier::Durable => FaultKind::DurableDown,
        };
        let fault = self.began(kind, None);
        match tier {
            Tier::Cache => self.redis.as_mut().ok_or("no cache")?.kill(),
            Tier::Durable => self.postgres.stop().await?,
        }
        Ok(Away { fault, slot: 0, tier })
    }

    /// Starts it again. A cache has lost all that it had.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn restart(&mut self, away: Away) -> Result<(), Error> {
        match away.tier {
            Tier::Cache => {
                let emptied = self.began(FaultKind::CacheEmptied, None);
                self.redis.as_mut().ok_or("no cache")?.run().await?;
                self.ended(emptied);
            }
            Tier::Durable => self.postgres.run().await?,
        }
        self.ended(away.fault);
        Ok(())
    }
}
