//! Adds the tables of the circuits to a database that an application has already, through the
//! connection that it has, beside its own tables and its own migrations.
//!
//! ```text
//! cargo run --example own_database --features sqlite
//! ```

use std::{sync::Arc, time::Duration};

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, Database, EntityTrait, PaginatorTrait, Set,
    entity::prelude::*,
};
use tower_breaker::{Registry, Settings, State, error::BoxError, store::sql::SqlStore};

/// What the application keeps for itself.
mod orders {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) item: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());

    // The application's own database, with a table in it.
    let database = Database::connect(&url).await?;
    database
        .execute_unprepared("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")
        .await?;
    orders::ActiveModel { item: Set("a lamp".to_owned()), ..Default::default() }
        .insert(&database)
        .await?;

    // The circuits move in, over the same connection.
    let store = SqlStore::from_connection(database.clone())?;
    store.migrate().await?;
    let settings = Settings::builder().failure_threshold(1).build()?;
    let registry = Registry::builder().stores(Arc::new(store)).defaults(settings).start().await?;
    registry.breaker("payments")?.try_acquire()?.failure();
    let left = registry.shutdown(Duration::from_secs(5)).await;
    assert!(left.is_nothing(), "{left:?}");

    // Both are there, and a person can read them.
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    for row in database.query_all_raw(statement(tables)).await? {
        println!("table    {}", row.try_get::<String>("", "name")?);
    }
    let states = "SELECT service_name, current_state FROM circuit_breaker_states";
    for row in database.query_all_raw(statement(states)).await? {
        let service: String = row.try_get("", "service_name")?;
        let state: String = row.try_get("", "current_state")?;
        println!("circuit  {service} is {state}");
        assert_eq!((service.as_str(), state.as_str()), ("payments", State::Open.as_str()));
    }
    assert_eq!(orders::Entity::find().count(&database).await?, 1);
    Ok(())
}

fn statement(sql: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql)
}
