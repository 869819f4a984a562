//! What the servers count themselves.

use redis::aio::MultiplexedConnection;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tower_breaker::store::RunId;

use crate::Result;

/// A prefix that nobody used before.
pub(super) fn prefix(part: &str) -> String {
    format!("bench-{part}-{}", RunId::random())
}

/// Asks both servers how many commands they had. What this asks is left out.
pub(super) struct Servers {
    redis: MultiplexedConnection,
    postgres: DatabaseConnection,
    database: String,
}

/// How many commands there were.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commands {
    pub(super) redis: u64,
    pub(super) postgres: u64,
}

impl Commands {
    pub(super) fn since(self, before: Self) -> Self {
        Self { redis: self.redis - before.redis, postgres: self.postgres - before.postgres }
    }
}

impl Servers {
    /// `url` is that of the database whose statements are counted.
    pub(super) async fn connect(redis: &str, postgres: &str, url: &str) -> Result<Self> {
        let base = url.split_once('?').map_or(url, |(base, _)| base);
        let (_, database) = base.rsplit_once('/').ok_or("the URL has no database")?;
        Ok(Self {
            redis: connection(redis).await?,
            postgres: Database::connect(postgres).await?,
            database: database.to_owned(),
        })
    }

    /// Commands that clients sent to Redis, those within scripts not among them, and transactions of
    /// Postgres, which is one for each statement. Postgres is told of them by its processes, at the
    /// latest some ten seconds after.
    pub(super) async fn commands(&mut self) -> Result<Commands> {
        let info: String =
            redis::cmd("INFO").arg("commandstats").query_async(&mut self.redis).await?;
        let calls = info.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let sent = ["eval", "evalsha", "ping", "hello", "subscribe"].contains(&name);
            rest.split_once(',')?.0.parse::<u64>().ok().filter(|_| sent)
        });
        let sql = "SELECT xact_commit + xact_rollback AS count FROM pg_stat_database \
                   WHERE datname = $1";
        let backend = self.postgres.get_database_backend();
        let statement =
            Statement::from_sql_and_values(backend, sql, [self.database.as_str().into()]);
        let row = self.postgres.query_one_raw(statement).await?.ok_or("no such database")?;
        let postgres = u64::try_from(row.try_get::<i64>("", "count")?)?;
        Ok(Commands { redis: calls.sum(), postgres })
    }
}

pub(super) async fn connection(url: &str) -> Result<MultiplexedConnection> {
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection().await?)
}
