//! Hints that something changed.

use std::{
    collections::{HashSet, VecDeque},
    future::pending,
    pin::pin,
    sync::Arc,
    time::Duration,
};

#[cfg(feature = "postgres")]
use futures_util::future::Either;
use futures_util::{
    future::select,
    stream::{self, BoxStream, StreamExt as _},
};
use tokio::sync::watch;

#[cfg(feature = "sqlite")]
use super::glance::Glance;
use super::{db::Db, states};
use crate::{
    name::ServiceName,
    store::{ChangeHint, StoreError},
};

/// The longest pause before a watcher asks a database again that did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Hints from now on. What changed is found by the change cursor, which misses no commit; the rest
/// only says when to look: an interval, a write of this process, or a notification of Postgres.
pub(super) fn stream(db: Arc<Db>) -> BoxStream<'static, ChangeHint> {
    let watcher = Watcher {
        #[cfg(feature = "sqlite")]
        glance: db.sqlite_writer.as_ref().and_then(|it| it.another()).map(Glance::new),
        written: db.written.subscribe(),
        db,
        hints: VecDeque::new(),
        stands: None,
        told: HashSet::new(),
        replaced: 0,
        pause: Duration::ZERO,
        #[cfg(feature = "postgres")]
        listener: None,
    };
    stream::unfold(watcher, |mut watcher| async {
        let hint = watcher.next().await;
        Some((hint, watcher))
    })
    .boxed()
}

struct Watcher {
    db: Arc<Db>,
    written: watch::Receiver<()>,
    hints: VecDeque<ChangeHint>,
    /// The cursor; none before the first look, and after one that failed.
    stands: Option<i64>,
    /// What the last look told and the next one may find again.
    told: HashSet<(String, i64)>,
    /// How often another file was in the place of the database at the last look.
    replaced: u64,
    pause: Duration,
    #[cfg(feature = "sqlite")]
    glance: Option<Glance>,
    #[cfg(feature = "postgres")]
    listener: Option<sea_orm::sqlx::postgres::PgListener>,
}

impl Watcher {
    async fn next(&mut self) -> ChangeHint {
        loop {
            if let Some(hint) = self.hints.pop_front() {
                return hint;
            }
            if self.stands.is_some() {
                self.wait().await;
            }
            match self.look().await {
                Ok(()) => self.pause = Duration::ZERO,
                Err(_) => {
                    // Whoever loads is told the error; what is missed here is made good by a resync.
                    self.stands = None;
                    let doubled = (self.pause * 2).max(self.db.poll_interval.unwrap_or_default());
                    self.pause = doubled.clamp(Duration::from_millis(10), LONGEST_PAUSE);
                    tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64())).await;
                }
            }
        }
    }

    /// Finds what changed since the last look.
    async fn look(&mut self) -> Result<(), StoreError> {
        let Some(stands) = self.stands else {
            self.listen().await?;
            let changes = states::select_changes(self.db.backend, i64::MAX);
            let rows = self.db.read("watch", changes).await?;
            let first = rows.first().map(states::stands).transpose()?;
            self.stands = Some(first.unwrap_or_default());
            self.replaced = self.db.replaced();
            self.told.clear();
            self.hints.push_back(ChangeHint::Resync);
            return Ok(());
        };
        let rows = self.db.read("watch", states::select_changes(self.db.backend, stands)).await?;
        let replaced = self.db.replaced();
        if std::mem::replace(&mut self.replaced, replaced) != replaced {
            self.hints.push_back(ChangeHint::Resync);
        }
        let mut told = HashSet::new();
        for row in &rows {
            let now = states::stands(row)?;
            if now < stands {
                // Another database, or an older copy.
                self.hints.push_back(ChangeHint::Resync);
            }
            self.stands = Some(now);
            let Some((name, cursor)) = states::change(row) else { continue };
            let service = ServiceName::new(&name);
            let change = (name, cursor);
            if !self.told.contains(&change) {
                self.hints.push_back(service.map_or(ChangeHint::Resync, ChangeHint::Changed));
            }
            told.insert(change);
        }
        self.told = told;
        Ok(())
    }

    /// Waits until there may be something to find.
    async fn wait(&mut self) {
        let Self { db, written, .. } = self;
        #[cfg(feature = "sqlite")]
        if let (Some(interval), Some(glance)) = (db.poll_interval, &mut self.glance) {
            select(pin!(glance.committed(db, interval)), pin!(written.changed())).await;
            return;
        }
        let interval = async {
            match db.poll_interval {
                Some(interval) => tokio::time::sleep(interval).await,
                None => pending().await,
            }
        };
        let written = async {
            // It never ends: the sender is in the database, which this has.
            if written.changed().await.is_err() {
                pending::<()>().await;
            }
        };
        let due = async {
            select(pin!(interval), pin!(written)).await;
        };
        #[cfg(feature = "postgres")]
        if let Some(listener) = &mut self.listener {
            let heard = match select(pin!(listener.try_recv()), pin!(due)).await {
                Either::Left((heard, _)) => heard,
                Either::Right(_) => return,
            };
            match heard {
                Ok(Some(_)) => {}
                // The connection was lost, and with it what was told meanwhile. The listener makes
                // itself a new one.
                Ok(None) => self.hints.push_back(ChangeHint::Resync),
                Err(_) => {
                    self.listener = None;
                    self.stands = None;
                }
            }
            return;
        }
        due.await;
    }

    #[cfg(feature = "postgres")]
    async fn listen(&mut self) -> Result<(), StoreError> {
        use sea_orm::sqlx::postgres::PgListener;

        self.listener = None;
        let Some(pool) = self.db.listeners.clone() else { return Ok(()) };
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(states::CHANNEL).await?;
            Ok(listener)
        };
        // Without one the interval has to do: there may be a proxy that pools transactions, or too
        // many watchers.
        self.listener = self.db.in_time("watch", listening).await.ok();
        Ok(())
    }

    #[cfg(not(feature = "postgres"))]
    async fn listen(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
