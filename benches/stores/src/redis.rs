//! How long it takes to commit a transition in Redis, and to hear of one.

use std::time::Instant;

use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    sync::mpsc,
};
use tower_breaker::store::{ChangeHint, StateStore, redis::RedisStore};

use crate::{
    Result,
    report::{Report, quantile},
    transitions::Chain,
};

const COUNT: u64 = 5_000;

pub(crate) async fn measure(report: &mut Report, url: &str) -> Result<()> {
    let builder = RedisStore::builder(url).prefix(format!("bench-{}", std::process::id()));
    let (store, other) = (builder.clone().connect().await?, builder.connect().await?);
    let mut ping = Ping::connect(url).await?;

    let (heard, mut hints) = mpsc::unbounded_channel();
    let mut watch = other.watch();
    let watching = tokio::spawn(async move {
        while let Some(hint) = watch.next().await {
            if matches!(hint, ChangeHint::Changed(_)) && heard.send(Instant::now()).is_err() {
                break;
            }
        }
    });
    let mut chain = Chain::new("a");
    let (mut ours, mut told, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..COUNT {
        // In turns, so that a machine that changes its speed changes it for all.
        let started = Instant::now();
        let took = chain.commit(&store).await?;
        let at = hints.recv().await.ok_or("the watcher ended")?;
        let asked = ping.ask().await?;
        // The first ones are sent as source, and over connections that are new.
        if round >= COUNT / 50 {
            ours.push(took);
            told.push(at.duration_since(started).as_secs_f64() * 1e6);
            bare.push(asked);
        }
    }
    watching.abort();
    let of = |times: &mut [f64]| (quantile(times, 0.5), quantile(times, 0.99));
    let (ours, told, bare) = (of(&mut ours), of(&mut told), of(&mut bare));
    report.row(
        "transition, Redis",
        format!(
            "p50 {:.0} µs, p99 {:.0} µs; the bare round trip p50 {:.0} µs, p99 {:.0} µs",
            ours.0, ours.1, bare.0, bare.1
        ),
    );
    report.row(
        "hint at another connection, Redis",
        format!("p50 {:.0} µs, p99 {:.0} µs after the write began", told.0, told.1),
    );
    report.at_most("transition, Redis: p50 in µs", ours.0, 300.0);
    report.at_most("hint, Redis: p50 in µs", told.0, 500.0);
    Ok(())
}

/// A connection that does nothing but ask whether the server is there.
struct Ping(BufStream<TcpStream>);

impl Ping {
    async fn connect(url: &str) -> Result<Self> {
        let (_, rest) = url.split_once("://").ok_or("the URL of Redis has no scheme")?;
        let address = rest.split(['/', '?']).next().unwrap_or_default();
        let address = address.rsplit_once('@').map_or(address, |(_, address)| address);
        let port = if address.contains(':') { "" } else { ":6379" };
        let stream = TcpStream::connect(format!("{address}{port}")).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufStream::new(stream)))
    }

    /// Returns how long the answer took, in microseconds. A server that wants a password answers too.
    async fn ask(&mut self) -> Result<f64> {
        let started = Instant::now();
        self.0.write_all(b"PING\r\n").await?;
        self.0.flush().await?;
        self.0.read_line(&mut String::new()).await?;
        Ok(started.elapsed().as_secs_f64() * 1e6)
    }
}
