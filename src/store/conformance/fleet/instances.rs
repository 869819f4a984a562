//! What processes tell of themselves.

use std::time::Duration;

use serde_json::json;

use crate::{
    circuit::Version,
    store::{
        InstanceRow, RunId, Timestamp, Vote, WindowSummary,
        conformance::{
            bench::{FleetBench, invalid},
            samples::{LARGEST, at, service},
            verdict::{Doing, Stop, Verdict, ensure, eventually},
        },
    },
};

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

fn row(name: &str) -> InstanceRow {
    InstanceRow::new(RunId::random(), name.to_owned(), at(0))
}

async fn publish(bench: &FleetBench, row: &InstanceRow) -> Verdict {
    bench.one.publish(row).await.doing("publish")
}

async fn told(bench: &FleetBench, age: Duration) -> Result<Vec<InstanceRow>, Stop> {
    let mut rows = bench.other.instances(age).await.doing("instances")?;
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(rows)
}

async fn names(bench: &FleetBench, age: Duration) -> Result<String, Stop> {
    Ok(told(bench, age).await?.into_iter().map(|row| row.name).collect())
}

pub(super) async fn a_process_has_one_row_which_is_kept_whole(bench: FleetBench) -> Verdict {
    let mut row = row("host'\"; 決済");
    row.started_at = Timestamp::MAX;
    row.age = HOUR * 9;
    row.votes = vec![Vote {
        service: service("';--")?,
        version: Version::new(LARGEST, 1),
        open_for: Duration::from_micros(LARGEST),
    }];
    row.windows = vec![WindowSummary {
        service: service("決済")?,
        calls: LARGEST,
        failures: LARGEST,
        slow_calls: 0,
    }];
    row.extra.insert("zone".to_owned(), json!({ "of": ["eu", null, 1] }));
    for round in 0..3_u64 {
        row.extra.insert("round".to_owned(), json!(round));
        publish(&bench, &row).await?;
        let mut rows = told(&bench, HOUR).await?;
        for row in &mut rows {
            ensure!(row.age < HOUR, "a row that was just written is {:?} old", row.age);
            row.age = HOUR * 9;
        }
        ensure!(rows == [row.clone()], "{row:?} was published, and {rows:?} is there");
    }
    row.extra.clear();
    row.votes.clear();
    row.windows.clear();
    publish(&bench, &row).await?;
    let rows = told(&bench, HOUR).await?;
    let empty = rows.iter().all(|row| row.extra.is_empty() && row.votes.is_empty());
    ensure!(empty && rows.len() == 1, "an empty row was published, and {rows:?} is there");
    row.name = String::new();
    invalid("a row without a name", bench.one.publish(&row).await)
}

pub(super) async fn rows_are_told_by_their_age(bench: FleetBench) -> Verdict {
    let (old, new) = (row("old"), row("new"));
    publish(&bench, &old).await?;
    tokio::time::sleep(SHORT).await;
    publish(&bench, &new).await?;
    let all = names(&bench, HOUR).await?;
    ensure!(all == "newold", "two processes told of themselves, and there is {all:?}");
    let rows = told(&bench, HOUR).await?;
    let ages: Vec<Duration> = rows.iter().map(|row| row.age).collect();
    let apart = match ages[..] {
        [new, old] => old.saturating_sub(new),
        _ => Duration::ZERO,
    };
    ensure!(apart >= SHORT / 2, "of rows {SHORT:?} apart the ages are {ages:?}");
    eventually("a row that is old is not told", || async {
        Ok(names(&bench, SHORT * 2).await?.is_empty().then_some(()))
    })
    .await?;
    publish(&bench, &old).await?;
    let recent = names(&bench, Duration::from_secs(30)).await?;
    ensure!(recent == "newold", "a row that was told again is not told: {recent:?}");
    let all = names(&bench, Duration::MAX).await?;
    ensure!(all == "newold", "of any age there are two rows, and there is {all:?}");
    Ok(())
}

pub(super) async fn rows_are_retired_and_forgotten(bench: FleetBench) -> Verdict {
    let rows = ["a", "b", "c", "d"].map(row);
    for row in &rows {
        publish(&bench, row).await?;
    }
    for _ in 0..2 {
        bench.one.retire(rows[1].run).await.doing("retire")?;
    }
    let left = names(&bench, HOUR).await?;
    ensure!(left == "acd", "`b` was retired, and there is {left:?}");
    for (age, at_most, forgotten) in [
        (HOUR, 9, 0),
        (Duration::MAX, 9, 0),
        (Duration::ZERO, 0, 0),
        (Duration::ZERO, 2, 2),
        (Duration::ZERO, 9, 1),
    ] {
        let answer = bench.one.forget_instances(age, at_most).await.doing("forget_instances")?;
        ensure!(
            answer == forgotten,
            "of age {age:?} at most {at_most}: {forgotten} must be forgotten, and {answer} were"
        );
    }
    let left = names(&bench, HOUR).await?;
    ensure!(left.is_empty(), "all rows were forgotten, and there is {left:?}");
    Ok(())
}
