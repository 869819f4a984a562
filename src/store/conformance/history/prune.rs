//! What is deleted for its age.

use crate::store::{
    AlertQuery, AlertRecord, EventQuery, MetricBucket, MetricQuery, PatternQuery, PatternRecord,
    Prune, Resolution, RunId, Severity, Silence, Timestamp,
    conformance::{
        bench::HistoryBench,
        samples::{at, event, service},
        verdict::{Doing, Stop, Verdict, ensure},
    },
};

async fn prune(
    bench: &HistoryBench,
    what: Prune,
    before: Timestamp,
    at_most: u32,
    wanted: u64,
) -> Verdict {
    let pruned = bench.one.prune(what, before, at_most).await.doing("prune")?;
    ensure!(
        pruned == wanted,
        "{what:?}: at most {at_most} from before {before}: {wanted} must go, and {pruned} went"
    );
    Ok(())
}

pub(super) async fn old_events_go_the_oldest_first_and_no_more_than_asked(
    bench: HistoryBench,
) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    // Written in an order that is not that of their times.
    let events: Vec<_> =
        (0..30).map(|number| event(&service, run, number, at(number * 7 % 30))).collect();
    bench.append(&events).await?;
    for (before, at_most, gone, oldest) in [
        (20, 0, 0, 0),
        (0, 9, 0, 0),
        (20, 6, 6, 6),
        (8, 50, 2, 8),
        (20, 7, 7, 15),
        (20, 100, 5, 20),
        (20, 100, 0, 20),
    ] {
        prune(&bench, Prune::Events, at(before), at_most, gone).await?;
        let left = bench.events(EventQuery::all()).await?;
        let times: Vec<Timestamp> = left.iter().map(|event| event.at).collect();
        let wanted: Vec<Timestamp> = (oldest..30).map(at).collect();
        ensure!(times == wanted, "events from second {oldest} on must be left, and are {times:?}");
    }
    Ok(())
}

pub(super) async fn old_metrics_go_by_resolution(bench: HistoryBench) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    for resolution in Resolution::ALL {
        for number in [2, 0, 1] {
            let start = at(number * 3600);
            let bucket = MetricBucket::new(service.clone(), run, resolution, start);
            bench.one.upsert_metrics(&[bucket]).await.doing("upsert_metrics")?;
        }
    }
    prune(&bench, Prune::Metrics(Resolution::Minute), at(2 * 3600), 1, 1).await?;
    prune(&bench, Prune::Metrics(Resolution::Hour), at(2 * 3600), 9, 2).await?;
    for (resolution, starts) in [
        (Resolution::Second, vec![at(0), at(3600), at(7200)]),
        (Resolution::Minute, vec![at(3600), at(7200)]),
        (Resolution::Hour, vec![at(7200)]),
    ] {
        let found = bench.other.metrics(&MetricQuery::new(resolution)).await.doing("metrics")?;
        let left: Vec<Timestamp> = found.items.iter().map(|bucket| bucket.start).collect();
        ensure!(left == starts, "{resolution:?}: {starts:?} must be left, and {left:?} are");
    }
    Ok(())
}

pub(super) async fn old_findings_go_and_unresolved_alerts_stay(bench: HistoryBench) -> Verdict {
    let payments = service("payments")?;
    for number in [3, 1, 2] {
        let key = number.to_string();
        let mut pattern =
            PatternRecord::new(key.clone(), payments.clone(), "steady".to_owned(), at(number));
        pattern.first_seen = Timestamp::EPOCH;
        bench.one.upsert_pattern(&pattern).await.doing("upsert_pattern")?;
        let alert = AlertRecord::new(key.clone(), "k".to_owned(), Severity::Info, at(0));
        bench.one.raise_alert(&alert).await.doing("raise_alert")?;
        if number != 2 {
            bench.one.resolve_alert(&key, at(10 + number)).await.doing("resolve_alert")?;
        }
    }
    let silence = Silence::new("s".to_owned(), at(0), at(5), "ann".to_owned());
    bench.one.put_silence(&silence).await.doing("put_silence")?;
    prune(&bench, Prune::Patterns, at(3), 1, 1).await?;
    let patterns = bench.other.patterns(&PatternQuery::default()).await.doing("patterns")?;
    let keys: String = patterns.into_iter().map(|pattern| pattern.key).collect();
    ensure!(keys == "32", "the pattern that was seen first must go, and {keys:?} are left");
    // What ended before: one alert and the silence.
    prune(&bench, Prune::Alerts, at(12), 9, 2).await?;
    let silences = bench.other.silences(at(0)).await.doing("silences")?;
    ensure!(silences.is_empty(), "a silence that ended is left: {silences:?}");
    let alerts = async || {
        let alerts = bench.other.alerts(&AlertQuery::default()).await.doing("alerts")?;
        let mut keys: Vec<String> = alerts.into_iter().map(|alert| alert.key).collect();
        keys.sort();
        Ok::<_, Stop>(keys.concat())
    };
    let left = alerts().await?;
    ensure!(left == "23", "alert 1 ended before and must go, and {left:?} are left");
    prune(&bench, Prune::Alerts, Timestamp::MAX, 9, 1).await?;
    let left = alerts().await?;
    ensure!(left == "2", "an alert that goes on must stay, and {left:?} are left");
    Ok(())
}
