//! A Postgres server that is restarted, hangs, cuts connections off or has another schema: calls go
//! on with what the process knows, it is logged once, and what was decided meanwhile is committed.

use std::time::Duration;

use tower_breaker::{State, store::sql::SqlStore};
use tower_breaker_torture::{Error, database::Database, postgres::Server, rig::Rig};

type Tested = Result<(), Error>;

async fn store(database: &Database) -> Result<SqlStore, Error> {
    let second = Duration::from_secs(1);
    Ok(database.builder().operation_timeout(second).connect().await?)
}

/// What is decided before, during and after an outage is in the database in the end.
async fn decides(rig: &Rig, database: &Database, mend: impl AsyncFnOnce() -> Tested) -> Tested {
    rig.is_down().await?;
    rig.trip("during")?;
    rig.registry.reset("before")?;
    let speed = rig.is_fast().await?;
    println!("during the outage: {speed}");
    // Longer than the first pauses, so that a condition that is logged at each try is found.
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.trip("late")?;
    assert_eq!(rig.outages(), (1, 0), "{}", rig.log.all());
    mend().await?;
    let other = database.store().await?;
    for (service, state) in
        [("before", State::Closed), ("during", State::Open), ("late", State::Open)]
    {
        rig.stored(&other, service, state).await?;
    }
    rig.is_up().await?;
    assert_eq!(rig.outages(), (1, 1), "{}", rig.log.all());
    rig.trip("after")?;
    rig.stored(&other, "after", State::Open).await?;
    rig.check(&other).await
}

async fn begin(database: &Database) -> Result<Rig, Error> {
    let rig = Rig::start(store(database).await?).await?;
    rig.trip("before")?;
    rig.stored(&database.store().await?, "before", State::Open).await?;
    Ok(rig)
}

#[tokio::test]
async fn a_restarted_server_is_caught_up_with() -> Tested {
    let mut server = Server::start().await?;
    let database = Database::on_server(&server.url()).await?;
    let rig = begin(&database).await?;
    server.stop().await?;
    // Nobody asks a store for nothing: it is found out with the first change.
    rig.trip("first")?;
    decides(&rig, &database, async || server.run().await).await
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_by_nobody() -> Tested {
    let server = Server::start().await?;
    let database = Database::on_server(&server.url()).await?;
    let rig = begin(&database).await?;
    server.freeze()?;
    rig.trip("first")?;
    decides(&rig, &database, async || server.thaw()).await
}

#[tokio::test]
async fn connections_that_are_cut_off_are_made_anew() -> Tested {
    let server = Server::start().await?;
    let database = Database::on_server(&server.url()).await?;
    let rig = begin(&database).await?;
    let other = database.store().await?;
    for round in 0..10 {
        database
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await?;
        let service = format!("round {round}");
        rig.trip(&service)?;
        rig.stored(&other, &service, State::Open).await?;
    }
    rig.is_fast().await?;
    rig.is_up().await?;
    let (began, ended) = rig.outages();
    assert_eq!(began, ended, "{}", rig.log.all());
    rig.check(&other).await
}

#[tokio::test]
async fn a_schema_that_is_too_new_is_left_alone_until_it_is_not() -> Tested {
    let server = Server::start().await?;
    let database = Database::on_server(&server.url()).await?;
    let rig = begin(&database).await?;
    database
        .execute(
            "INSERT INTO circuit_breaker_migrations (version, applied_at) VALUES ('m99990101_000001_later', 0);
             ALTER TABLE circuit_breaker_states RENAME COLUMN current_state TO state_now",
        )
        .await?;
    let refused = database.builder().connect().await.expect_err("a schema that is too new");
    assert!(refused.to_string().contains("newer than this version"), "{refused}");
    rig.trip("first")?;
    decides(&rig, &database, async || {
        database
            .execute(
                "DELETE FROM circuit_breaker_migrations WHERE version = 'm99990101_000001_later';
                 ALTER TABLE circuit_breaker_states RENAME COLUMN state_now TO current_state",
            )
            .await
    })
    .await
}

#[tokio::test]
async fn a_corrupt_row_keeps_nobody_from_the_good_ones() -> Tested {
    let server = Server::start().await?;
    let database = Database::on_server(&server.url()).await?;
    let before = begin(&database).await?;
    before.trip("bad")?;
    before.stored(&database.store().await?, "bad", State::Open).await?;
    before.registry.shutdown(Duration::from_secs(5)).await;
    drop(before);
    database
        .execute(
            "ALTER TABLE circuit_breaker_states DROP CONSTRAINT circuit_breaker_states_current_state_check;
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
    rig.registry.reset("bad")?;
    rig.trip("bad")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
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
