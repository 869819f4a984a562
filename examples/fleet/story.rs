//! What happens to the fleet, and what has to hold.

use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tower_breaker::{
    ServiceName, State,
    circuit::Override,
    error::BoxError,
    store::{
        EventKind, EventQuery, HistoryStore, RunId, StateStore, Stored, redis::RedisStore,
        sql::SqlStore,
    },
};

use crate::{
    processes::{Process, Told},
    servers::{Postgres, Redis},
    timeline::{PATIENCE, Timeline},
    upstream::{Mode, Upstream},
    worker::{Fact, Order, PERMITTED, SERVICE, Stores, Worker},
};

const NAMES: [&str; 4] = ["one", "two", "three", "four"];

struct Story {
    timeline: Timeline,
    upstream: Upstream,
    /// Those that live.
    fleet: Vec<Process>,
    redis: Option<Redis>,
    history: SqlStore,
    /// Which process is which in the history.
    runs: Vec<(RunId, String)>,
    // At last, when the processes have ended.
    _database: Database,
}

enum Database {
    Postgres(#[allow(dead_code, reason = "it is there to be dropped")] Postgres),
    Sqlite(#[allow(dead_code, reason = "it is there to be dropped")] TempDir),
}

pub(crate) async fn tell(sqlite: bool) -> Result<(), BoxError> {
    let mut story = Story::begin(sqlite).await?;
    let told = story.happens().await;
    // Also what came before it went wrong.
    story.timeline.print();
    told.map(|()| println!("\nAll of it held."))
}

impl Story {
    async fn begin(sqlite: bool) -> Result<Self, BoxError> {
        let (stores, redis, database, history) = if sqlite {
            let folder = tempfile::tempdir()?;
            let file = format!("sqlite://{}?mode=rwc", folder.path().join("fleet.db").display());
            let stores = Stores::Sqlite { file: file.clone() };
            (stores, None, Database::Sqlite(folder), file)
        } else {
            let redis = Redis::start().await?;
            let postgres = Postgres::create().await?;
            let url = postgres.url.clone();
            let stores = Stores::RedisAndPostgres { redis: redis.url(), postgres: url.clone() };
            (stores, Some(redis), Database::Postgres(postgres), url)
        };
        let upstream = Upstream::start().await?;
        let (told, facts) = mpsc::unbounded_channel();
        let mut timeline = Timeline::new(facts);
        timeline.chapter("Four processes start, and call a service that is well.");
        let mut fleet = Vec::new();
        for name in NAMES {
            let (name, stores) = (name.to_owned(), stores.clone());
            let worker = Worker { name, upstream: upstream.address, stores };
            fleet.push(Process::start(&worker, told.clone())?);
        }
        let ready = |fact: &Fact| matches!(fact, Fact::Ready { .. });
        let mut runs = Vec::new();
        for told in timeline.each(NAMES, "that it is ready", ready).await? {
            if let Fact::Ready { run } = told.fact {
                runs.push((run, told.who));
            }
        }
        let history = SqlStore::builder(history).connect().await?;
        Ok(Self { timeline, upstream, fleet, redis, history, runs, _database: database })
    }

    async fn happens(&mut self) -> Result<(), BoxError> {
        self.one_trips_and_all_reject().await?;
        let holder = self.one_probes_and_the_others_wait().await?;
        let heir = self.the_holder_is_killed(&holder).await?;
        self.the_probes_fail().await?;
        if self.redis.is_some() {
            self.redis_is_killed().await?;
        }
        self.an_override_reaches_everybody().await?;
        if self.redis.is_some() {
            self.redis_comes_back_empty().await?;
        }
        self.the_service_is_well_again().await?;
        self.all_end().await?;
        self.the_history_has(&holder, &heir).await
    }

    async fn one_trips_and_all_reject(&mut self) -> Result<(), BoxError> {
        let first = NAMES[0];
        self.timeline.chapter("The service breaks. One process finds out, and all reject.");
        self.upstream.set(Mode::Breaks(first.to_owned()));
        self.timeline.note("upstream", format!("fails the calls of {first}"));
        let opened = |fact: &Fact| matches!(fact, Fact::Is { state: State::Open, .. });
        let by_itself = |fact: &Fact| matches!(fact, Fact::Is { by_itself: true, .. });
        let tripped = self
            .timeline
            .each([first], "that it trips", |fact| opened(fact) && by_itself(fact))
            .await?;
        self.timeline
            .each(NAMES[1..].to_vec(), "that it was told", |fact| opened(fact) && !by_itself(fact))
            .await?;
        let rejected = |fact: &Fact| matches!(fact, Fact::Rejects { state: State::Open });
        let rejecting = self.timeline.each(NAMES, "that it rejects", rejected).await?;
        for Told { who, at, .. } in &rejecting[1..] {
            let after = millis(tripped[0].at, *at);
            self.timeline.note("", format!("{who} rejected {after:.1} ms after {first} tripped"));
        }
        Ok(())
    }

    /// Returns who probes.
    async fn one_probes_and_the_others_wait(&mut self) -> Result<String, BoxError> {
        self.timeline
            .chapter("The open time ends. One takes the lease and probes, the others wait.");
        let holder = self.probed_by(|_| true).await?;
        self.others_wait(&holder).await?;
        Ok(holder)
    }

    /// Returns who took over.
    async fn the_holder_is_killed(&mut self, holder: &str) -> Result<String, BoxError> {
        self.timeline.chapter("The one that probes is killed. After the term another one probes.");
        let at = self.fleet.iter().position(|process| process.name == holder);
        self.fleet.remove(at.ok_or("somebody unknown probes")?).kill().await?;
        let killed = self.timeline.note(holder, "is killed: kill -9");
        let heir = self.probed_by(|name| name != holder).await?;
        let after = millis(killed, SystemTime::now());
        self.timeline.note("", format!("{heir} took over {after:.0} ms after that"));
        self.others_wait(&heir).await?;
        Ok(heir)
    }

    async fn the_probes_fail(&mut self) -> Result<(), BoxError> {
        self.timeline.chapter("The probes fail, and the circuit is open again for all.");
        self.upstream.set(Mode::Fails);
        self.timeline.note("upstream", "fails all calls");
        let again = |fact: &Fact| matches!(fact, Fact::Is { state: State::Open, reopens: 1.., .. });
        self.timeline.each(names(&self.fleet), "that it is open again", again).await?;
        Ok(())
    }

    async fn redis_is_killed(&mut self) -> Result<(), BoxError> {
        self.timeline.chapter("Redis is killed. The fleet goes on over Postgres, and says so.");
        self.redis.as_mut().ok_or("no Redis")?.kill().await?;
        self.timeline.note("Redis", "is killed: kill -9");
        let on_postgres = |fact: &Fact| {
            matches!(fact, Fact::Health { registry: true, cache: false, durable: true })
        };
        self.timeline.each(names(&self.fleet), "that Redis is down", on_postgres).await?;
        Ok(())
    }

    async fn an_override_reaches_everybody(&mut self) -> Result<(), BoxError> {
        self.timeline.chapter("A person forces the circuit open at one process: it is for all.");
        self.fleet[0].order(Order::ForceOpen).await?;
        let set = self.timeline.note(&self.fleet[0].name, "is told to force it open");
        let forced = |fact: &Fact| matches!(fact, Fact::Is { state: State::ForcedOpen, .. });
        let told = self.timeline.each(names(&self.fleet), "that it is forced open", forced).await?;
        for Told { who, at, .. } in told {
            let after = millis(set, at);
            self.timeline.note("", format!("{who} had it {after:.1} ms after that"));
        }
        Ok(())
    }

    async fn redis_comes_back_empty(&mut self) -> Result<(), BoxError> {
        self.timeline.chapter("Redis comes back with nothing in it, and is filled from Postgres.");
        let redis = self.redis.as_mut().ok_or("no Redis")?;
        redis.start_again().await?;
        let url = redis.url();
        self.timeline.note("Redis", "is there again, and empty");
        let both_up = |fact: &Fact| {
            matches!(fact, Fact::Health { registry: true, cache: true, durable: true })
        };
        self.timeline.each(names(&self.fleet), "that Redis is back", both_up).await?;
        let store = RedisStore::connect(url).await?;
        let service = ServiceName::new(SERVICE)?;
        let seeded = async {
            loop {
                if let Some(Stored::Record(record)) = store.load(&service).await?
                    && record.override_.value == Some(Override::ForcedOpen)
                {
                    return Ok::<_, BoxError>(record);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let record = timeout(PATIENCE, seeded).await.map_err(|_| "Redis is not filled again")??;
        let what =
            format!("has {SERVICE} again, with the override and version {}", record.state.version);
        self.timeline.note("Redis", what);
        Ok(())
    }

    async fn the_service_is_well_again(&mut self) -> Result<(), BoxError> {
        self.timeline
            .chapter("The override is lifted; the service still fails, so they open again.");
        let last = self.fleet.last_mut().ok_or("no process")?;
        last.order(Order::Lift).await?;
        self.timeline.note(&last.name, "is told to lift it");
        let closed = |fact: &Fact| matches!(fact, Fact::Is { state: State::Closed, .. });
        let opened = |fact: &Fact| matches!(fact, Fact::Is { state: State::Open, .. });
        self.timeline.each(names(&self.fleet), "that it is closed", closed).await?;
        self.timeline.each(names(&self.fleet), "that it is open", opened).await?;

        self.timeline.chapter("The service is well again: one probes, and all close.");
        self.upstream.set(Mode::Well);
        self.timeline.note("upstream", "is well");
        self.timeline.each(names(&self.fleet), "that it is closed", closed).await?;
        Ok(())
    }

    async fn all_end(&mut self) -> Result<(), BoxError> {
        self.timeline.chapter("The processes end, and have nothing left to write.");
        for mut process in std::mem::take(&mut self.fleet) {
            process.order(Order::Quit).await?;
            timeout(PATIENCE, process.ended()).await??;
            self.timeline.note(&process.name, "ended well");
        }
        Ok(())
    }

    async fn the_history_has(&mut self, holder: &str, heir: &str) -> Result<(), BoxError> {
        self.timeline.chapter("What the fleet agreed on, from its history:");
        let query = EventQuery::of(ServiceName::new(SERVICE)?);
        let events = self.history.events(&query).await?.items;
        let mut leased = Vec::new();
        for event in events.iter().filter(|event| event.kind == EventKind::StateChange) {
            let reason = event.reason.as_deref().unwrap_or_default();
            let state = event.to.map_or("", State::as_str);
            let run = event.data.get("owner").and_then(|owner| owner.as_str());
            let owner = self.runs.iter().find(|(id, _)| Some(&*id.to_string()) == run);
            let owner = owner.map_or("", |(_, name)| name);
            self.timeline.note_at(event.at.into(), owner, format!("{state:<11}  {reason}"));
            leased.push((reason, owner));
        }
        for lease in [("leased", holder), ("lease_taken_over", heir)] {
            holds(leased.contains(&lease), || format!("{lease:?} is not in the history"))?;
        }
        Ok(())
    }

    // ===== probes =====

    /// Waits for a probe of one of these. Returns who sent it.
    async fn probed_by(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String, BoxError> {
        let probing = async {
            loop {
                match self.upstream.probe().await {
                    Some(name) if wanted(&name) => return Ok(name),
                    Some(_) => {}
                    None => return Err("the upstream ended"),
                }
            }
        };
        let name = timeout(PATIENCE, probing).await.map_err(|_| "nobody probes")??;
        self.timeline.note("upstream", format!("is probed by {name}, and does not answer yet"));
        Ok(name)
    }

    /// Has all but this one called: they reject, for as long as it probes. Nobody else probed, and it
    /// no more than it may.
    async fn others_wait(&mut self, holder: &str) -> Result<(), BoxError> {
        for process in self.fleet.iter_mut().filter(|process| process.name != holder) {
            process.order(Order::Call).await?;
        }
        let others: Vec<_> = names(&self.fleet).filter(|name| *name != holder).collect();
        let called = |fact: &Fact| matches!(fact, Fact::Called { .. });
        for Told { who, fact, .. } in self.timeline.each(others, "that it called", called).await? {
            let waits = matches!(fact, Fact::Called { rejected: Some(_) });
            holds(waits, || format!("{who} called while {holder} has the lease"))?;
        }
        let mut probes = self.upstream.probes();
        probes.push(holder.to_owned());
        let permitted = PERMITTED as usize;
        holds(probes.len() <= permitted && probes.iter().all(|name| name == holder), || {
            format!(
                "{holder} has a lease of {permitted} probes, and there were those of {probes:?}"
            )
        })
    }
}

fn holds(it: bool, what: impl FnOnce() -> String) -> Result<(), BoxError> {
    if it { Ok(()) } else { Err(what().into()) }
}

fn names(fleet: &[Process]) -> impl Iterator<Item = &str> {
    fleet.iter().map(|process| process.name.as_str())
}

fn millis(from: SystemTime, to: SystemTime) -> f64 {
    to.duration_since(from).unwrap_or_default().as_secs_f64() * 1e3
}
