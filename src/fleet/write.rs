//! Has circuits settled.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};

use super::{
    coordinator::{AT_ONCE, Coordinator},
    dirty::Mark,
    settle::Settled,
};
use crate::{circuit::State, store::StoreError};

impl Coordinator {
    /// Settles all circuits that changed. After an error nothing more is begun.
    pub(super) async fn settle_all(&mut self) -> Result<(), StoreError> {
        let (mut marks, all) = self.shared.dirty.take();
        if all {
            for service in self.shared.circuits.names() {
                marks.entry(service).or_default();
            }
        }
        for (service, backlog) in &self.backlogs {
            if !backlog.blocked && !marks.contains_key(service) {
                marks.insert(service.clone(), Mark::default());
            }
        }
        let work: Vec<_> = marks
            .into_iter()
            .map(|(service, mark)| {
                let backlog = self.backlogs.remove(&service).unwrap_or_default();
                (service, mark, backlog)
            })
            .collect();
        let shared = &self.shared;
        let failed = AtomicBool::new(false);
        let failed = &failed;
        let mut settling = stream::iter(work)
            .map(|(service, mark, mut backlog)| async move {
                if failed.load(Ordering::Relaxed) {
                    shared.dirty.put_back(service.clone(), mark);
                    return (service, backlog, None);
                }
                let result = shared.settle(&service, mark, &mut backlog).await;
                if result.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                (service, backlog, Some(result))
            })
            .buffer_unordered(AT_ONCE);
        let mut error = None;
        let mut again = Vec::new();
        let mut opened = Vec::new();
        while let Some((service, backlog, result)) = settling.next().await {
            if let Some(found) = shared.circuits.find(&service) {
                match found.breaker.state() {
                    State::HalfOpen => {
                        self.half_open.insert(service.clone());
                        if !found.breaker.is_probing() {
                            opened.push((service.clone(), found.breaker));
                        }
                    }
                    State::Open => opened.push((service.clone(), found.breaker)),
                    _ => {}
                }
            }
            match result {
                Some(Err(failure)) => error = Some(failure),
                Some(Ok(Settled::Again)) => again.push(service.clone()),
                Some(Ok(Settled::Agreed | Settled::Blocked)) | None => {}
            }
            if !backlog.is_empty() {
                self.backlogs.insert(service, backlog);
            }
        }
        for service in again {
            shared.dirty.mark(&service);
        }
        shared.dirty.set_taken(self.backlogs.len());
        drop(settling);
        for (service, breaker) in opened {
            self.opened(&service, &breaker);
        }
        error.map_or(Ok(()), Err)
    }
}
