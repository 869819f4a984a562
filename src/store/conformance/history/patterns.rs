//! Patterns and silences.

use std::time::Duration;

use serde_json::json;

use crate::store::{
    PatternQuery, PatternRecord, Silence, TimeRange, Timestamp,
    conformance::{
        bench::{HistoryBench, invalid},
        samples::{LARGEST, at, service},
        verdict::{Doing, Stop, Verdict, ensure},
    },
};

fn pattern(key: &str, of: &str, seen: Timestamp) -> Result<PatternRecord, Stop> {
    let mut pattern = PatternRecord::new(key.to_owned(), service(of)?, "burst".to_owned(), seen);
    pattern.window = Duration::from_micros(LARGEST);
    pattern.failure_count = LARGEST;
    pattern.error_rate = 0.1;
    pattern.suggested_threshold = Some(u32::MAX);
    pattern.suggested_timeout = Some(Duration::from_micros(1));
    pattern.confidence = 1.0;
    pattern.first_seen = Timestamp::EPOCH;
    pattern.evidence.insert("gaps'\"".to_owned(), json!([0.25, null]));
    Ok(pattern)
}

async fn put(bench: &HistoryBench, pattern: &PatternRecord) -> Verdict {
    bench.one.upsert_pattern(pattern).await.doing("upsert_pattern")
}

async fn found(bench: &HistoryBench, query: &PatternQuery) -> Result<Vec<PatternRecord>, Stop> {
    bench.other.patterns(query).await.doing("a query of patterns")
}

pub(super) async fn a_pattern_replaces_the_one_with_its_key(bench: HistoryBench) -> Verdict {
    let mut first = pattern("a", "payments", at(1))?;
    let other = pattern("A", "payments", at(0))?;
    put(&bench, &first).await?;
    put(&bench, &other).await?;
    first.pattern = "escalating".to_owned();
    first.last_seen = Timestamp::MAX;
    first.suggested_threshold = None;
    first.suggested_timeout = None;
    put(&bench, &first).await?;
    put(&bench, &first).await?;
    let found = found(&bench, &PatternQuery::default()).await?;
    ensure!(found == [first, other], "two patterns are there: {found:?}");
    let mut unsure = pattern("b", "payments", at(1))?;
    unsure.confidence = 1.5;
    invalid("a confidence of 1.5", bench.one.upsert_pattern(&unsure).await)
}

pub(super) async fn patterns_are_found_the_latest_first(bench: HistoryBench) -> Verdict {
    for (key, of, seen) in [("b", "one", 5), ("c", "other", 9), ("a", "one", 7), ("d", "one", 1)] {
        put(&bench, &pattern(key, of, at(seen))?).await?;
    }
    let all = PatternQuery::default();
    let mut of_one = all.clone();
    of_one.service = Some(service("one")?);
    let mut ranged = all.clone();
    ranged.range = TimeRange { from: at(5), until: at(9) };
    let mut two = all.clone();
    two.limit = 2;
    let mut none = all.clone();
    none.limit = 0;
    for (query, wanted) in
        [(all, "cabd"), (of_one, "abd"), (ranged, "ab"), (two, "ca"), (none, "c")]
    {
        let keys: String =
            found(&bench, &query).await?.into_iter().map(|pattern| pattern.key).collect();
        ensure!(keys == wanted, "{query:?} must find {wanted}, and finds {keys}");
    }
    Ok(())
}

pub(super) async fn a_silence_is_replaced_and_ends(bench: HistoryBench) -> Verdict {
    let silence = |key: &str, from, until| {
        Silence::new(key.to_owned(), at(from), at(until), "ops'\"".to_owned())
    };
    let put = async |silence: &Silence| bench.one.put_silence(silence).await.doing("put_silence");
    let keys = async |now| {
        let silences = bench.other.silences(now).await.doing("silences")?;
        let mut keys: Vec<String> = silences.into_iter().map(|silence| silence.key).collect();
        keys.sort();
        Ok::<_, Stop>(keys.concat())
    };
    put(&silence("a", 0, 10)).await?;
    put(&silence("b", 20, 30)).await?;
    let mut full = silence("c", 5, 40);
    full.service = Some(service("payments")?);
    full.kind = Some("circuit_opened".to_owned());
    full.reason = Some("deploy €".to_owned());
    put(&full).await?;
    put(&full).await?;
    let listed = bench.other.silences(at(0)).await.doing("silences")?;
    ensure!(listed.contains(&full), "{full:?} was put, and {listed:?} is there");
    for (now, wanted) in [(0, "abc"), (9, "abc"), (10, "bc"), (30, "c"), (40, "")] {
        let keys = keys(at(now)).await?;
        ensure!(keys == wanted, "at second {now} {wanted:?} have not ended, and there is {keys:?}");
    }
    put(&silence("a", 0, 50)).await?;
    put(&silence("c", 5, 4)).await?;
    let left = keys(at(35)).await?;
    ensure!(left == "a", "`a` was made longer and `c` removed, and there is {left:?}");
    invalid("a silence without a key", bench.one.put_silence(&silence("", 0, 9)).await)
}
