//! Alerts and their incidents.

use serde_json::json;

use crate::store::{
    AlertQuery, AlertRecord, MAX_TEXT, Severity, TimeRange, Timestamp,
    conformance::{
        bench::{HistoryBench, invalid},
        samples::{at, service},
        verdict::{Doing, Stop, Verdict, ensure, side_by_side},
    },
};

fn alert(key: &str, seconds: u64) -> Result<AlertRecord, Stop> {
    let kind = "circuit_opened".to_owned();
    let mut alert = AlertRecord::new(key.to_owned(), kind, Severity::Error, at(seconds));
    alert.service = Some(service("payments")?);
    alert.message = "it opened: '\"; €".to_owned();
    alert.details.insert("rate".to_owned(), json!(0.5));
    Ok(alert)
}

async fn raise(bench: &HistoryBench, alert: &AlertRecord) -> Result<AlertRecord, Stop> {
    bench.one.raise_alert(alert).await.doing("raise_alert")
}

async fn resolve(bench: &HistoryBench, key: &str, seconds: u64) -> Result<bool, Stop> {
    bench.other.resolve_alert(key, at(seconds)).await.doing("resolve_alert")
}

async fn acknowledge(
    bench: &HistoryBench,
    key: &str,
    by: &str,
    seconds: u64,
) -> Result<bool, Stop> {
    bench.other.acknowledge_alert(key, by, at(seconds)).await.doing("acknowledge_alert")
}

async fn found(bench: &HistoryBench, query: &AlertQuery) -> Result<Vec<AlertRecord>, Stop> {
    bench.other.alerts(query).await.doing("a query of alerts")
}

pub(super) async fn an_alert_counts_until_it_is_resolved(bench: HistoryBench) -> Verdict {
    let first = alert("a", 10)?;
    let raised = raise(&bench, &first).await?;
    ensure!(raised == first, "{first:?} was raised first, and is {raised:?}");
    let mut second = alert("a", 30)?;
    second.message = "something else".to_owned();
    second.count = 4;
    let mut wanted = first.clone();
    (wanted.count, wanted.last_at) = (5, at(30));
    let raised = raise(&bench, &second).await?;
    ensure!(raised == wanted, "the incident is {wanted:?}, and is told as {raised:?}");
    let raised = raise(&bench, &alert("a", 20)?).await?;
    wanted.count = 6;
    ensure!(raised == wanted, "an alert that comes late moves the last time: {raised:?}");
    ensure!(!resolve(&bench, "b", 40).await?, "an unknown incident was resolved");
    ensure!(resolve(&bench, "a", 40).await?, "an incident that goes on was not resolved");
    ensure!(!resolve(&bench, "a", 50).await?, "an incident was resolved twice");
    wanted.resolved_at = Some(at(40));
    let again = alert("a", 60)?;
    let raised = raise(&bench, &again).await?;
    ensure!(raised == again, "after its end an incident begins anew, and is {raised:?}");
    let found = found(&bench, &AlertQuery::default()).await?;
    ensure!(found == [again, wanted.clone()], "two incidents are there: {found:?}");
    let mut nameless = alert("", 1)?;
    invalid("an alert without a key", bench.one.raise_alert(&nameless).await)?;
    nameless.key = "k".to_owned();
    nameless.message = "x".repeat(MAX_TEXT + 1);
    invalid("a message that is too long", bench.one.raise_alert(&nameless).await)
}

pub(super) async fn an_incident_has_one_alert_however_many_raise_it(
    bench: HistoryBench,
) -> Verdict {
    const RAISERS: usize = 8;
    for round in 0..10_u64 {
        let key = format!("k{round}");
        let alert = alert(&key, round)?;
        let raisers = (0..RAISERS).map(|raiser| {
            let store = if raiser % 2 == 0 { bench.one.clone() } else { bench.other.clone() };
            let alert = alert.clone();
            async move { store.raise_alert(&alert).await.doing("raise_alert beside others") }
        });
        let mut told: Vec<u64> =
            side_by_side(raisers).await?.into_iter().map(|alert| alert.count).collect();
        told.sort_unstable();
        let each: Vec<u64> = (1..=RAISERS as u64).collect();
        ensure!(told == each, "raised eight times at once, the counts that were told are {told:?}");
        let mut rows = found(&bench, &AlertQuery::default()).await?;
        rows.retain(|row| row.key == key);
        let counts: Vec<u64> = rows.iter().map(|row| row.count).collect();
        ensure!(
            counts == [RAISERS as u64],
            "raised {RAISERS} times at once, an incident has the counts {counts:?}"
        );
        let resolvers = (0..4).map(|resolver| {
            let store = if resolver % 2 == 0 { bench.one.clone() } else { bench.other.clone() };
            let key = key.clone();
            async move { store.resolve_alert(&key, at(100)).await.doing("resolve_alert") }
        });
        let resolved = side_by_side(resolvers).await?.into_iter().filter(|ended| *ended).count();
        ensure!(resolved == 1, "an incident was ended by {resolved} of four at once");
    }
    Ok(())
}

pub(super) async fn who_acknowledges_first_is_kept(bench: HistoryBench) -> Verdict {
    ensure!(!acknowledge(&bench, "a", "ann", 1).await?, "an unknown incident was acknowledged");
    raise(&bench, &alert("a", 1)?).await?;
    ensure!(acknowledge(&bench, "a", "ann'\"", 2).await?, "nobody had acknowledged before");
    ensure!(!acknowledge(&bench, "a", "bob", 3).await?, "somebody had acknowledged before");
    let raised = raise(&bench, &alert("a", 4)?).await?;
    let by = raised.acknowledged_by.as_deref();
    ensure!(by == Some("ann'\""), "`ann'\"` acknowledged, and {by:?} is kept");
    ensure!(raised.acknowledged_at == Some(at(2)), "at {:?}", raised.acknowledged_at);
    resolve(&bench, "a", 5).await?;
    raise(&bench, &alert("a", 6)?).await?;
    resolve(&bench, "a", 7).await?;
    // None goes on: it is the last one that ended.
    ensure!(acknowledge(&bench, "a", "cid", 8).await?, "the last incident was not acknowledged");
    raise(&bench, &alert("a", 9)?).await?;
    ensure!(acknowledge(&bench, "a", "dot", 10).await?, "a new incident was acknowledged already");
    let found = found(&bench, &AlertQuery::default()).await?;
    let by: Vec<&str> = found.iter().filter_map(|row| row.acknowledged_by.as_deref()).collect();
    ensure!(by == ["dot", "cid", "ann'\""], "the latest first, they were acknowledged by {by:?}");
    let long = "x".repeat(MAX_TEXT + 1);
    invalid("a name that is too long", bench.one.acknowledge_alert("a", &long, at(11)).await)
}

pub(super) async fn alerts_are_found_the_latest_first(bench: HistoryBench) -> Verdict {
    for (key, seconds) in [("b", 5), ("c", 9), ("a", 7), ("d", 1)] {
        let mut alert = alert(key, seconds)?;
        if key == "d" {
            alert.service = None;
        } else if key == "a" {
            alert.service = Some(service("other")?);
        }
        raise(&bench, &alert).await?;
    }
    acknowledge(&bench, "c", "ann", 10).await?;
    resolve(&bench, "b", 10).await?;
    let with = |change: fn(&mut AlertQuery)| {
        let mut query = AlertQuery::default();
        change(&mut query);
        query
    };
    let of_payments = AlertQuery { service: Some(service("payments")?), ..AlertQuery::default() };
    let queries = [
        (AlertQuery::default(), "cabd"),
        (of_payments, "cb"),
        (with(|query| query.unacknowledged = true), "abd"),
        (with(|query| query.unresolved = true), "cad"),
        (with(|query| (query.unresolved, query.unacknowledged) = (true, true)), "ad"),
        (with(|query| query.range = TimeRange { from: at(5), until: at(9) }), "ab"),
        (with(|query| query.range.until = Timestamp::EPOCH), ""),
        (with(|query| query.limit = 2), "ca"),
        (with(|query| query.limit = 0), "c"),
    ];
    for (query, wanted) in queries {
        let keys: String = found(&bench, &query).await?.into_iter().map(|row| row.key).collect();
        ensure!(keys == wanted, "{query:?} must find {wanted:?}, and finds {keys:?}");
    }
    Ok(())
}
