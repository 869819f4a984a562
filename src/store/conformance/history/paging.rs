//! Answers in pages.

use std::collections::HashSet;

use crate::store::{
    EventId, EventQuery, EventRecord, MAX_PAGE, PageToken, RunId,
    conformance::{
        bench::HistoryBench,
        samples::{at, event, service},
        verdict::{Doing, Stop, Verdict, ensure},
    },
};

/// Events of two services, many of one time, appended in no order.
async fn fill(bench: &HistoryBench) -> Result<Vec<EventRecord>, Stop> {
    let (one, other) = (service("one")?, service("other")?);
    let runs = [RunId::random(), RunId::random(), RunId::random()];
    let mut events = Vec::new();
    for number in 0..97_u64 {
        let mixed = number * 31 % 97;
        let service = if mixed % 3 == 0 { &other } else { &one };
        let run = runs[(mixed % 3) as usize];
        events.push(event(service, run, mixed, at(mixed / 13)));
    }
    for batch in events.chunks(10) {
        bench.append(batch).await?;
    }
    Ok(events)
}

/// The pages of a query, as the ids of their events.
async fn pages(bench: &HistoryBench, mut query: EventQuery) -> Result<Vec<Vec<EventRecord>>, Stop> {
    let mut pages = Vec::new();
    loop {
        let page = bench.one.events(&query).await.doing("a page of events")?;
        pages.push(page.items);
        ensure!(pages.len() <= 200, "the pages have no end");
        match page.next {
            Some(next) => query.page = Some(next),
            None => return Ok(pages),
        }
    }
}

pub(super) async fn pages_have_every_event_once_and_in_order(bench: HistoryBench) -> Verdict {
    let events = fill(&bench).await?;
    for newest_first in [false, true] {
        for service in [None, Some(service("one")?)] {
            let mut query = EventQuery::all();
            query.newest_first = newest_first;
            query.service = service;
            let wanted = events.iter().filter(|event| {
                query.service.as_ref().is_none_or(|service| *service == event.service)
            });
            let wanted: HashSet<EventId> = wanted.map(|event| event.id).collect();
            let mut order: Option<Vec<EventId>> = None;
            let whole = wanted.len() as u32;
            for limit in [1000, 1, 7, 13, whole - 1, whole, whole + 1] {
                query.limit = limit;
                let pages = pages(&bench, query.clone()).await?;
                let full = pages.len() - 1;
                ensure!(
                    pages.iter().take(full).all(|page| page.len() == limit as usize),
                    "a page of {limit} that is not the last has fewer rows"
                );
                let needed = whole.div_ceil(limit) as usize;
                ensure!(
                    pages.len() == needed,
                    "{whole} rows by {limit} are {needed} pages, and there were {}",
                    pages.len()
                );
                let found: Vec<EventRecord> = pages.into_iter().flatten().collect();
                let ordered = found.is_sorted_by(|one, next| {
                    if newest_first { one.at >= next.at } else { one.at <= next.at }
                });
                ensure!(ordered, "newest_first {newest_first}: the order is not that of time");
                let ids: Vec<EventId> = found.iter().map(|event| event.id).collect();
                let unique: HashSet<EventId> = ids.iter().copied().collect();
                ensure!(
                    ids.len() == unique.len() && unique == wanted,
                    "pages of {limit}: {} rows, {} different ones, of {whole}",
                    ids.len(),
                    unique.len()
                );
                ensure!(
                    order.get_or_insert_with(|| ids.clone()) == &ids,
                    "events of one time have another order with pages of {limit}"
                );
            }
        }
    }
    Ok(())
}

pub(super) async fn a_page_keeps_its_place_while_events_come(bench: HistoryBench) -> Verdict {
    let events = fill(&bench).await?;
    let run = RunId::random();
    for newest_first in [false, true] {
        let mut query = EventQuery::all();
        query.newest_first = newest_first;
        query.limit = 10;
        let mut seen: Vec<EventId> = Vec::new();
        let mut sequence = if newest_first { 100 } else { 0 };
        loop {
            let page = bench.one.events(&query).await.doing("a page of events")?;
            seen.extend(page.items.iter().map(|event| event.id));
            let Some(PageToken(..)) = page.next else { break };
            query.page = page.next;
            sequence += 1;
            ensure!(sequence % 100 < 50, "the pages have no end");
            // Before all others in the order of the query: no page is left to have it.
            let when = if newest_first {
                at(1_000 + sequence)
            } else {
                at(0).before(std::time::Duration::from_secs(sequence))
            };
            bench.append(&[event(&service("late")?, run, sequence, when)]).await?;
        }
        let unique: HashSet<EventId> = seen.iter().copied().collect();
        ensure!(unique.len() == seen.len(), "an event was on two pages while others came");
        let missed = events.iter().filter(|event| !unique.contains(&event.id)).count();
        ensure!(missed == 0, "{missed} events were on no page while others came");
    }
    Ok(())
}

pub(super) async fn a_page_has_at_least_one_row_and_not_all_there_are(
    bench: HistoryBench,
) -> Verdict {
    fill(&bench).await?;
    let mut query = EventQuery::all();
    for (limit, rows) in [(0, 1), (1, 1), (MAX_PAGE + 1, 97), (u32::MAX, 97)] {
        query.limit = limit;
        let page = bench.one.events(&query).await.doing("a query of events")?;
        ensure!(
            page.items.len() == rows && page.next.is_none() == (rows == 97),
            "a page of {limit} of 97 rows has {}, the next one is {:?}",
            page.items.len(),
            page.next
        );
    }
    Ok(())
}
