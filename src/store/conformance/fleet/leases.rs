//! Leases on background work.

use std::{sync::Arc, time::Duration};

use tokio::sync::Barrier;

use crate::store::{
    NamedLease, RunId,
    conformance::{
        bench::{FleetBench, invalid},
        verdict::{Doing, Stop, Verdict, ensure, eventually, polled, side_by_side},
    },
};

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

async fn take(
    bench: &FleetBench,
    turn: usize,
    name: &str,
    owner: RunId,
    term: Duration,
) -> Result<Option<NamedLease>, Stop> {
    bench.handle(turn).lease(name, owner, term).await.doing("lease")
}

/// A lease that nobody holds.
async fn free(
    bench: &FleetBench,
    name: &str,
    owner: RunId,
    term: Duration,
) -> Result<NamedLease, Stop> {
    let lease = take(bench, 0, name, owner, term).await?;
    lease.ok_or_else(|| Stop::Failed(format!("nobody holds {name:?}, and it was not given")))
}

/// Waits until a lease ran out and is taken by another.
async fn taken_over(bench: &FleetBench, name: &str, owner: RunId) -> Result<NamedLease, Stop> {
    eventually("a lease that ran out can be taken", || take(bench, 1, name, owner, HOUR)).await
}

pub(super) async fn a_lease_is_held_by_one_and_not_twice_by_the_same(bench: FleetBench) -> Verdict {
    let (owner, peer) = (RunId::random(), RunId::random());
    let names = ["retention", "Retention", "';--", "分析", "a%", &"n".repeat(256)];
    for name in names {
        let lease = free(&bench, name, owner, HOUR).await?;
        let given = (lease.name.as_str(), lease.owner, lease.term);
        ensure!(given == (name, owner, HOUR), "{name:?} was asked for, {lease:?} was given");
        ensure!(lease.token <= i64::MAX as u64, "the token {} is too large", lease.token);
        for (who, asks) in [("its holder", owner), ("another", peer)] {
            for turn in 0..2 {
                let second = take(&bench, turn, name, asks, HOUR).await?;
                ensure!(second.is_none(), "{name:?} is held, and {who} was given {second:?}");
            }
        }
        let released = bench.other.release(&lease).await.doing("release")?;
        ensure!(released, "{name:?} was held and could not be released");
        let again = bench.one.release(&lease).await.doing("release")?;
        ensure!(!again, "{name:?} was released twice");
        let next = free(&bench, name, peer, HOUR).await?;
        ensure!(next.token != lease.token, "two leases have the token {}", next.token);
    }
    invalid("a lease without a name", bench.one.lease("", owner, HOUR).await)?;
    invalid("a name that is too long", bench.one.lease(&"n".repeat(257), owner, HOUR).await)
}

pub(super) async fn a_lease_that_ran_out_can_be_taken(bench: FleetBench) -> Verdict {
    let (owner, peer) = (RunId::random(), RunId::random());
    let long = free(&bench, "long", owner, HOUR).await?;
    let short = free(&bench, "short", owner, SHORT).await?;
    let next = taken_over(&bench, "short", peer).await?;
    ensure!(next.owner == peer && next.token != short.token, "{short:?} was followed by {next:?}");
    let other = take(&bench, 1, "long", peer, HOUR).await?;
    ensure!(other.is_none(), "{long:?} has not run out, and {other:?} was given");
    Ok(())
}

pub(super) async fn a_lost_lease_is_neither_renewed_nor_released(bench: FleetBench) -> Verdict {
    let (owner, peer) = (RunId::random(), RunId::random());
    // The same owner takes it over too: only the token tells the two apart.
    for next_owner in [peer, owner] {
        let name = format!("work of {next_owner}");
        let lost = free(&bench, &name, owner, SHORT).await?;
        let held = taken_over(&bench, &name, next_owner).await?;
        let renewed = bench.one.renew(&lost).await.doing("renew")?;
        ensure!(!renewed, "{lost:?} was lost to {held:?}, and was renewed");
        let released = bench.one.release(&lost).await.doing("release")?;
        ensure!(!released, "{lost:?} was lost to {held:?}, and was released");
        let third = take(&bench, 0, &name, owner, HOUR).await?;
        ensure!(third.is_none(), "{held:?} is held, and {third:?} was given");
        let renewed = bench.other.renew(&held).await.doing("renew")?;
        ensure!(renewed, "{held:?} is held, and was not renewed");
    }
    Ok(())
}

pub(super) async fn renewing_begins_the_term_anew(bench: FleetBench) -> Verdict {
    let (owner, peer) = (RunId::random(), RunId::random());
    let mut lease = free(&bench, "work", owner, SHORT).await?;
    tokio::time::sleep(SHORT * 2).await;
    // It ran out, and nobody took it since.
    lease.term = HOUR;
    let renewed = bench.other.renew(&lease).await.doing("renew")?;
    ensure!(renewed, "{lease:?} ran out, nobody took it, and it was not renewed");
    tokio::time::sleep(SHORT * 2).await;
    let second = take(&bench, 1, "work", peer, HOUR).await?;
    ensure!(second.is_none(), "{lease:?} was renewed, and {second:?} was given");
    lease.term = SHORT;
    let renewed = bench.one.renew(&lease).await.doing("renew")?;
    ensure!(renewed, "{lease:?} is held, and was not renewed");
    taken_over(&bench, "work", peer).await?;
    let unknown = NamedLease::new("unknown".to_owned(), lease.token, owner, HOUR);
    let renewed = bench.one.renew(&unknown).await.doing("renew")?;
    ensure!(!renewed, "{unknown:?} was never given, and was renewed");
    Ok(())
}

pub(super) async fn one_of_many_that_race_gets_the_lease(bench: FleetBench) -> Verdict {
    const RACERS: usize = 8;
    for round in 0..20 {
        let start = Arc::new(Barrier::new(RACERS));
        let racers = (0..RACERS).map(|racer| {
            let (store, start) = (bench.handle(racer), Arc::clone(&start));
            async move {
                start.wait().await;
                let term = if round % 2 == 0 { HOUR } else { Duration::MAX };
                store.lease("work", RunId::random(), term).await.doing("lease beside others")
            }
        });
        let given: Vec<NamedLease> = side_by_side(racers).await?.into_iter().flatten().collect();
        ensure!(given.len() == 1, "a lease was given to {} of {RACERS}: {given:?}", given.len());
        for lease in &given {
            let released = bench.one.release(lease).await.doing("release")?;
            ensure!(released, "{lease:?} was held and could not be released");
        }
    }
    Ok(())
}

pub(super) async fn a_call_for_a_lease_that_is_dropped_leaves_at_most_a_term(
    bench: FleetBench,
) -> Verdict {
    let owner = RunId::random();
    for polls in 0..=8 {
        let name = format!("work {polls}");
        polled(polls, bench.one.lease(&name, owner, SHORT)).await;
        taken_over(&bench, &name, owner).await?;
    }
    Ok(())
}
