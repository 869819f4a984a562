//! Creates and drops the tables of tower-breaker.

use std::{error::Error, process::ExitCode, time::Duration};

use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{
        DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector,
        sqlx::{
            ConnectOptions as _,
            postgres::{PgConnectOptions, PgPoolOptions},
            sqlite::{SqliteConnectOptions, SqlitePoolOptions},
        },
    },
};
use tower_breaker_migration::Migrator;

const HELP: &str = "\
Creates and drops the tables of tower-breaker, and touches no others.

Usage: tower-breaker-migration [-u URL] COMMAND

Commands:
  up [N]      applies all migrations that were not applied, or the next N
  down [N]    takes back the last migration, or the last N
  status      says which migrations were applied
  fresh       drops the tables and creates them again: what is in them is lost

Options:
  -u, --database-url URL   sqlite://path or postgres://user:password@host/database;
                           else the environment variable DATABASE_URL
  -h, --help               prints this";

/// How long the server, and others who migrate at the same time, are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

enum Command {
    Up(Option<u32>),
    Down(u32),
    Status,
    Fresh,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Some((url, command)) = arguments()? else {
        println!("{HELP}");
        return Ok(());
    };
    let db = connect(&url).await?;
    match command {
        Command::Up(steps) => Migrator::up(&db, steps).await?,
        Command::Down(steps) => Migrator::down(&db, Some(steps)).await?,
        Command::Fresh => Migrator::fresh(&db).await?,
        Command::Status => {}
    }
    let pending = Migrator::pending(&db).await?;
    for migration in Migrator::get_migration_files() {
        let is_pending = pending.iter().any(|name| name == migration.name());
        println!("{}: {}", migration.name(), if is_pending { "pending" } else { "applied" });
    }
    db.close().await?;
    Ok(())
}

/// The URL and the command; none if help is wanted.
fn arguments() -> Result<Option<(String, Command)>, Box<dyn Error>> {
    use lexopt::{Arg, ValueExt};

    let mut url = None;
    let mut words = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('u') | Arg::Long("database-url") => url = Some(parser.value()?.string()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = match words[..] {
        ["up"] => Command::Up(None),
        ["up", steps] => Command::Up(Some(steps.parse()?)),
        ["down"] => Command::Down(1),
        ["down", steps] => Command::Down(steps.parse()?),
        ["status"] => Command::Status,
        ["fresh"] => Command::Fresh,
        [] => return Ok(None),
        _ => return Err(format!("there is no command `{}`; see --help", words.join(" ")).into()),
    };
    let url = match url {
        Some(url) => url,
        None => std::env::var("DATABASE_URL")
            .map_err(|_| "no database: give its URL with -u or in DATABASE_URL")?,
    };
    Ok(Some((url, command)))
}

/// Connects without repeating the URL in an error: it may hold a password.
async fn connect(url: &str) -> Result<DatabaseConnection, Box<dyn Error>> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        "sqlite" => {
            let options: SqliteConnectOptions =
                url.parse().map_err(|_| "the URL is not one of SQLite: write sqlite://path")?;
            // A URL that does not say how means a file that is created.
            let says_how = url.contains("mode=");
            let options = if says_how { options } else { options.create_if_missing(true) };
            let options = options.busy_timeout(PATIENCE).disable_statement_logging();
            let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
            Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_with(options).await?))
        }
        "postgres" | "postgresql" => {
            let options: PgConnectOptions = url.parse().map_err(|_| {
                "the URL is not one of Postgres: write postgres://user:password@host:port/database"
            })?;
            let options = options.disable_statement_logging();
            let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
            Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool.connect_with(options).await?))
        }
        _ => Err("the database's URL must begin with sqlite: or postgres:".into()),
    }
}
