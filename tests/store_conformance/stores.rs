//! The stores of this crate. A new one is one function here.

use tower_breaker::store::{
    MemoryStore,
    conformance::{self, connected},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    let subject = connected(
        || async { MemoryStore::new() },
        |store: &MemoryStore| std::future::ready(store.clone()),
    );
    let report = conformance::all(subject).await;
    println!("{report}");
    report.assert();
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod sql {
    use std::sync::{Arc, Mutex, PoisonError};

    use async_trait::async_trait;
    use sea_orm::ConnectionTrait;
    use tower_breaker::{
        ServiceName,
        store::{
            conformance::{self, Subject},
            sql::SqlStore,
        },
    };

    use crate::databases::TestDatabase;

    /// Databases, one a check: the suite does one check at a time, so the last one is in use.
    struct Databases {
        kind: Kind,
        last: Mutex<Option<Arc<TestDatabase>>>,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        SqliteMemory,
        SqliteFile,
        Postgres,
    }

    impl Databases {
        fn last(&self) -> Arc<TestDatabase> {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(last.as_ref().expect("a check has a store"))
        }
    }

    #[async_trait]
    impl Subject for Databases {
        type Store = SqlStore;

        async fn fresh(&self) -> SqlStore {
            let database = match self.kind {
                Kind::SqliteMemory => TestDatabase::sqlite_memory(),
                Kind::SqliteFile => TestDatabase::sqlite_file(),
                Kind::Postgres => TestDatabase::postgres().await,
            };
            let store = database.store().await;
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(database));
            store
        }

        /// A pool of its own, as another process has it; but what is in memory is in one process.
        async fn connect_again(&self, store: &SqlStore) -> Option<SqlStore> {
            Some(match self.kind {
                Kind::SqliteMemory => store.clone(),
                Kind::SqliteFile | Kind::Postgres => self.last().store().await,
            })
        }

        async fn damage(&self, _: &SqlStore, service: &ServiceName) -> bool {
            if self.kind == Kind::SqliteMemory {
                return false;
            }
            let name = service.as_str().replace('\'', "''");
            let damage = format!(
                "UPDATE circuit_breaker_states SET extra = '[1]' \
                 WHERE service_name = '{name}'"
            );
            let done = self.last().connection().await.execute_unprepared(&damage).await;
            done.expect("the database takes it").rows_affected() == 1
        }
    }

    async fn passes(kind: Kind) {
        let report = conformance::all(Databases { kind, last: Mutex::default() }).await;
        println!("{report}");
        report.assert();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn sqlite_in_memory() {
        passes(Kind::SqliteMemory).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn sqlite_in_a_file() {
        passes(Kind::SqliteFile).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn postgres() {
        passes(Kind::Postgres).await;
    }
}

#[cfg(feature = "redis")]
mod redis {
    use std::sync::{Arc, Mutex, PoisonError};

    use async_trait::async_trait;
    use tower_breaker::{
        ServiceName,
        store::{
            conformance::{self, Subject},
            redis::RedisStore,
        },
    };

    use crate::redis_servers::TestRedis;

    /// Prefixes, one a check: the suite does one check at a time, so the last one is in use.
    #[derive(Default)]
    struct Prefixes(Mutex<Option<Arc<TestRedis>>>);

    impl Prefixes {
        fn last(&self) -> Arc<TestRedis> {
            let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(last.as_ref().expect("a check has a store"))
        }
    }

    #[async_trait]
    impl Subject for Prefixes {
        type Store = RedisStore;

        async fn fresh(&self) -> RedisStore {
            let redis = TestRedis::new();
            let store = redis.store().await;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(redis));
            store
        }

        /// A connection of its own, as another process has it.
        async fn connect_again(&self, _: &RedisStore) -> Option<RedisStore> {
            Some(self.last().store().await)
        }

        async fn damage(&self, _: &RedisStore, service: &ServiceName) -> bool {
            let redis = self.last();
            let key = redis.key(&format!("circuit:{service}"));
            let added: u32 = redis.raw().await.ask("HSET", (key, "state", "[1]")).await;
            added == 0
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn state() {
        let report = conformance::state_store(Prefixes::default()).await;
        println!("{report}");
        report.assert();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn fleet() {
        let report = conformance::fleet_store(Prefixes::default()).await;
        println!("{report}");
        report.assert();
    }
}
