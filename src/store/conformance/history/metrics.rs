//! Metric buckets.

use std::time::Duration;

use crate::store::{
    LatencySketch, MetricBucket, MetricQuery, Resolution, RunId, TimeRange,
    conformance::{
        bench::{HistoryBench, invalid},
        samples::{LARGEST, at, service},
        verdict::{Doing, Stop, Verdict, ensure},
    },
};

async fn found(bench: &HistoryBench, mut query: MetricQuery) -> Result<Vec<MetricBucket>, Stop> {
    let mut found = Vec::new();
    for _ in 0..1000 {
        let page = bench.other.metrics(&query).await.doing("a query of metrics")?;
        found.extend(page.items);
        if page.next.is_none() {
            return Ok(found);
        }
        query.page = page.next;
    }
    Err(Stop::Failed("the pages of a query of metrics have no end".to_owned()))
}

async fn upsert(bench: &HistoryBench, buckets: &[MetricBucket]) -> Verdict {
    bench.one.upsert_metrics(buckets).await.doing("upsert_metrics")
}

fn filled(mut bucket: MetricBucket, count: u64) -> MetricBucket {
    bucket.counts.admitted = count;
    bucket.counts.succeeded = count;
    bucket.counts.failed = count;
    bucket.counts.slow = count;
    bucket.counts.rejected = count;
    bucket.counts.ignored = count;
    bucket.counts.late = count;
    bucket.counts.unavailable = Duration::from_micros(count);
    bucket.latencies = LatencySketch::default();
    for nanos in [1, 1_000_000, u64::MAX] {
        bucket.latencies.record(Duration::from_nanos(nanos), count);
    }
    bucket
}

pub(super) async fn a_metric_bucket_replaces_the_one_with_its_key(bench: HistoryBench) -> Verdict {
    let (one, other) = (service("one")?, service("other")?);
    let (run, peer) = (RunId::random(), RunId::random());
    let of = |service: &_, run, start| {
        MetricBucket::new(Clone::clone(service), run, Resolution::Minute, start)
    };
    let keys = [
        of(&one, run, at(0)),
        of(&one, peer, at(0)),
        of(&other, run, at(0)),
        of(&one, run, at(60)),
    ];
    for round in [1, LARGEST, 3] {
        let buckets = [
            filled(keys[0].clone(), round),
            filled(keys[1].clone(), round),
            filled(keys[2].clone(), 1),
            filled(keys[3].clone(), 2),
        ];
        upsert(&bench, &buckets).await?;
        let mut hour = MetricBucket::new(one.clone(), run, Resolution::Hour, at(0));
        hour.counts.late = round;
        upsert(&bench, &[hour.clone()]).await?;
        let minutes = found(&bench, MetricQuery::new(Resolution::Minute)).await?;
        ensure!(
            minutes.len() == 4 && buckets.iter().all(|bucket| minutes.contains(bucket)),
            "{buckets:?} were written, and {minutes:?} are there"
        );
        let hours = found(&bench, MetricQuery::new(Resolution::Hour)).await?;
        ensure!(hours == [hour], "one hour was written, and {hours:?} is there");
    }
    // One batch may write one bucket twice: the later one counts.
    let last = filled(keys[0].clone(), 9);
    upsert(&bench, &[filled(keys[0].clone(), 8), last.clone()]).await?;
    let minutes = found(&bench, MetricQuery::new(Resolution::Minute)).await?;
    ensure!(
        minutes.len() == 4 && minutes.contains(&last),
        "a bucket that is twice in a batch is not the later one: {minutes:?}"
    );
    Ok(())
}

pub(super) async fn metric_buckets_are_written_all_or_none(bench: HistoryBench) -> Verdict {
    let (service, run) = (service("payments")?, RunId::random());
    let good = MetricBucket::new(service, run, Resolution::Second, at(0));
    let mut early = good.clone();
    early.start = at(1).after(Duration::from_micros(1));
    let mut large = good.clone();
    large.counts.failed = LARGEST + 1;
    for bad in [early, large] {
        let answer = bench.one.upsert_metrics(&[good.clone(), bad]).await;
        invalid("a batch with a bucket that is not valid", answer)?;
        let found = found(&bench, MetricQuery::new(Resolution::Second)).await?;
        ensure!(found.is_empty(), "a batch that was refused left {found:?}");
    }
    upsert(&bench, &[]).await
}

pub(super) async fn metric_buckets_are_found_page_by_page(bench: HistoryBench) -> Verdict {
    let (one, other) = (service("one")?, service("other")?);
    let runs = [RunId::random(), RunId::random(), RunId::random()];
    let mut buckets = Vec::new();
    for second in [4, 2, 0, 3, 1] {
        for run in runs {
            for service in [&one, &other] {
                let bucket =
                    MetricBucket::new(service.clone(), run, Resolution::Second, at(second));
                buckets.push(filled(bucket, second + 1));
            }
        }
    }
    upsert(&bench, &buckets).await?;
    for service in [None, Some(one)] {
        for range in [TimeRange::ALL, TimeRange { from: at(1), until: at(3) }] {
            for limit in [0, 1, 4, 15, 1000] {
                let mut query = MetricQuery::new(Resolution::Second);
                query.service.clone_from(&service);
                query.range = range;
                query.limit = limit;
                let wanted = |bucket: &&MetricBucket| {
                    service.as_ref().is_none_or(|service| *service == bucket.service)
                        && range.contains(bucket.start)
                };
                let wanted: Vec<&MetricBucket> = buckets.iter().filter(wanted).collect();
                let found = found(&bench, query).await?;
                ensure!(
                    found.is_sorted_by_key(|bucket| bucket.start),
                    "buckets are not in the order of their start"
                );
                ensure!(
                    found.len() == wanted.len()
                        && wanted.iter().all(|wanted| found.contains(wanted)),
                    "{} buckets by {limit} within {range:?}, and {} were found",
                    wanted.len(),
                    found.len()
                );
            }
        }
    }
    Ok(())
}
