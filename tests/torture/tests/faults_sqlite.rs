//! A SQLite file that is deleted, replaced, full, not writable or damaged: calls go on with what the
//! process knows, it is logged once, and what was decided meanwhile is committed.

// The limit of another process's files is Linux's.
#[cfg(target_os = "linux")]
mod unprivileged;

use std::{fs, path::Path, time::Duration};

use tower_breaker::{
    ServiceName, State,
    store::{
        EventId, EventKind, EventQuery, EventRecord, HistoryStore, RunId, Timestamp, sql::SqlStore,
    },
};
use tower_breaker_torture::{Error, database::Database, rig::Rig};

type Tested = Result<(), Error>;

async fn store(database: &Database) -> Result<SqlStore, Error> {
    let second = Duration::from_secs(1);
    Ok(database.builder().operation_timeout(second).connect().await?)
}

async fn begin(database: &Database) -> Result<Rig, Error> {
    let rig = Rig::start(store(database).await?).await?;
    rig.trip("before")?;
    rig.stored(&database.store().await?, "before", State::Open).await?;
    Ok(rig)
}

/// The file and those beside it.
fn files(path: &Path) -> [std::path::PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        path.into()
    })
}

/// A process that went on with the file that is gone would commit to nowhere.
#[tokio::test]
async fn a_file_that_is_deleted_is_made_anew_with_all_that_is_known() -> Tested {
    let database = Database::sqlite()?;
    let rig = begin(&database).await?;
    for file in files(&database.path()?) {
        fs::remove_file(file)?;
    }
    rig.trip("during")?;
    rig.is_fast().await?;
    rig.registry.reset("before")?;
    rig.trip("before")?;
    let other = database.store().await?;
    rig.stored(&other, "during", State::Open).await?;
    rig.stored(&other, "before", State::Open).await?;
    rig.is_up().await?;
    let (began, ended) = rig.outages();
    assert!(began <= 1 && began == ended, "{}", rig.log.all());
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_moved_away_and_back_is_caught_up_with() -> Tested {
    let database = Database::sqlite()?;
    let rig = begin(&database).await?;
    let folder = tempfile::tempdir()?;
    let away = files(&folder.path().join("away.db"));
    let here = files(&database.path()?);
    for (from, to) in here.iter().zip(&away) {
        fs::rename(from, to)?;
    }
    rig.trip("during")?;
    rig.is_fast().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (from, to) in away.iter().zip(&here) {
        // What was made in its place meanwhile goes.
        fs::rename(from, to)?;
    }
    let other = database.store().await?;
    rig.stored(&other, "during", State::Open).await?;
    rig.stored(&other, "before", State::Open).await?;
    rig.is_up().await
}

/// As a full disk does it. The connection went on with a savepoint where a transaction should have
/// begun, and what was acknowledged after the next failure was never committed.
#[tokio::test]
async fn a_transaction_that_the_database_ended_by_itself_takes_no_later_one_with_it() -> Tested {
    let database = Database::sqlite()?;
    let (store, other) = (store(&database).await?, database.store().await?);
    let run = RunId::random();
    let event = |sequence| -> Result<EventRecord, Error> {
        let id = EventId { run, sequence };
        let service = ServiceName::new("a")?;
        Ok(EventRecord::new(id, service, Timestamp::EPOCH, EventKind::Failure))
    };
    for how in ["ROLLBACK", "ABORT"] {
        database
            .execute(&format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON circuit_breaker_events \
                 BEGIN SELECT RAISE({how}, 'refused'); END"
            ))
            .await?;
        store.append(&[event(0)?]).await.expect_err("the trigger refuses");
        database.execute("DROP TRIGGER refuse").await?;
    }
    store.append(&[event(1)?]).await?;
    let kept = other.events(&EventQuery::all()).await?.items;
    assert_eq!(kept, [event(1)?], "it was acknowledged");
    Ok(())
}

/// As after a backup was put back.
#[tokio::test]
async fn an_older_copy_is_brought_up_to_date() -> Tested {
    let database = Database::sqlite()?;
    let rig = begin(&database).await?;
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("copy.db");
    database.execute(&format!("VACUUM INTO '{}'", copy.display())).await?;
    let other = database.store().await?;
    for _ in 0..3 {
        rig.registry.reset("before")?;
        rig.stored(&other, "before", State::Closed).await?;
        rig.trip("before")?;
        rig.stored(&other, "before", State::Open).await?;
    }
    rig.trip("newer")?;
    rig.stored(&other, "newer", State::Open).await?;
    drop(other);
    let version = rig.registry.stored("before").ok_or("a record")?.version;

    let [file, wal, shm] = files(&database.path()?);
    for file in [&wal, &shm, &file] {
        fs::remove_file(file)?;
    }
    fs::rename(&copy, &file)?;
    rig.registry.reset("before")?;
    let other = database.store().await?;
    rig.stored(&other, "before", State::Closed).await?;
    rig.stored(&other, "newer", State::Open).await?;
    rig.is_up().await?;
    let now = rig.registry.stored("before").ok_or("a record")?.version;
    assert!(now > version, "{now} was used before: {version} was the last");
    Ok(())
}

#[tokio::test]
async fn a_corrupt_row_keeps_nobody_from_the_good_ones() -> Tested {
    let database = Database::sqlite()?;
    let before = begin(&database).await?;
    before.trip("bad")?;
    before.stored(&database.store().await?, "bad", State::Open).await?;
    before.registry.shutdown(Duration::from_secs(5)).await;
    drop(before);
    database
        .execute(
            "PRAGMA ignore_check_constraints = ON;
             UPDATE circuit_breaker_states SET current_state = 'ajar' WHERE service_name = 'bad'",
        )
        .await?;
    let rig = Rig::start(store(&database).await?).await?;
    assert_eq!(rig.registry.breaker("before")?.state(), State::Open);
    rig.trip("bad")?;
    rig.trip("good")?;
    let other = database.store().await?;
    rig.stored(&other, "good", State::Open).await?;
    rig.is_fast().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let complaints = rig.log.saying("cannot be read and is left as it is");
    assert_eq!(complaints.len(), 1, "{}", rig.log.all());
    assert!(complaints[0].contains("bad") && complaints[0].contains("ajar"), "{complaints:?}");
    assert_eq!(rig.outages(), (0, 0), "{}", rig.log.all());
    database
        .execute(
            "UPDATE circuit_breaker_states SET current_state = 'closed' WHERE service_name = 'bad'",
        )
        .await?;
    rig.stored(&other, "bad", State::Open).await?;
    assert_eq!(rig.log.saying("can be read again").len(), 1, "{}", rig.log.all());
    Ok(())
}

#[tokio::test]
async fn a_schema_that_is_too_new_is_left_alone_until_it_is_not() -> Tested {
    let database = Database::sqlite()?;
    let rig = begin(&database).await?;
    let later = "m99990101_000001_later";
    database
        .execute(&format!(
            "INSERT INTO circuit_breaker_migrations (version, applied_at) VALUES ('{later}', 0);
             ALTER TABLE circuit_breaker_states RENAME COLUMN current_state TO state_now"
        ))
        .await?;
    let refused = database.builder().connect().await.expect_err("a schema that is too new");
    assert!(refused.to_string().contains("newer than this version"), "{refused}");
    rig.trip("during")?;
    rig.is_down().await?;
    rig.is_fast().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.outages(), (1, 0), "{}", rig.log.all());
    database
        .execute(&format!(
            "DELETE FROM circuit_breaker_migrations WHERE version = '{later}';
             ALTER TABLE circuit_breaker_states RENAME COLUMN state_now TO current_state"
        ))
        .await?;
    let other = database.store().await?;
    rig.stored(&other, "during", State::Open).await?;
    rig.is_up().await?;
    assert_eq!(rig.outages(), (1, 1), "{}", rig.log.all());
    rig.check(&other).await
}
