//! The service that the fleet calls: it breaks when it is told to, and knows who called.

use std::{
    io::{Error, Result},
    net::SocketAddr,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tower_breaker::State;

/// How it answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mode {
    Well,
    Fails,
    /// It fails the calls of this one, so that it is the first one to find out, and keeps those
    /// waiting that ask whether it is well again.
    Breaks(String),
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    probes: mpsc::UnboundedReceiver<String>,
}

impl Upstream {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mode = watch::Sender::new(Mode::Well);
        let (probe, probes) = mpsc::unbounded_channel();
        let modes = mode.subscribe();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, modes.clone(), probe.clone()));
            }
        });
        Ok(Self { address, mode, probes })
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Who sent the next probe.
    pub(crate) async fn probe(&mut self) -> Option<String> {
        self.probes.recv().await
    }

    /// Who sent the probes that came since.
    pub(crate) fn probes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.probes.try_recv().ok()).collect()
    }
}

async fn answer(
    stream: TcpStream,
    mut modes: watch::Receiver<Mode>,
    probes: mpsc::UnboundedSender<String>,
) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let (name, state) = line.trim_end().split_once(' ').unwrap_or_default();
    let probe = state == State::HalfOpen.as_str();
    if probe {
        // Nobody counts them any more at the end.
        let _ = probes.send(name.to_owned());
    }
    let settled = modes.wait_for(|mode| !probe || !matches!(mode, Mode::Breaks(_))).await;
    let well = match &*settled.map_err(Error::other)? {
        Mode::Well => true,
        Mode::Fails => false,
        Mode::Breaks(first) => first != name,
    };
    stream.write_all(if well { b"+" } else { b"-" }).await
}

/// Calls it, with what the caller's circuit is in: in half-open, the call is a probe.
pub(crate) async fn ask(address: SocketAddr, name: &str, state: State) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{name} {state}\n").as_bytes()).await?;
    match stream.read_u8().await? {
        b'+' => Ok(()),
        _ => Err(Error::other("the service failed")),
    }
}
