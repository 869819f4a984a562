//! A way between one process and one store that can be cut off in one direction.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

use crate::Error;

/// What a proxy lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything.
    Open,
    /// Nothing that the process sends arrives. What is held is delivered once the way is open again,
    /// as a network does that was away for a while; if not, the connection is gone then.
    CutUp {
        /// It is delivered late.
        held: bool,
    },
    /// Nothing that the store sends arrives.
    CutDown {
        /// It is delivered late.
        held: bool,
    },
    /// Neither; new connections are refused.
    Refused,
}

impl Way {
    /// Whether the direction is cut off, and whether what is sent is held.
    fn cut(self, up: bool) -> Option<bool> {
        match self {
            Self::CutUp { held } if up => Some(held),
            Self::CutDown { held } if !up => Some(held),
            Self::Refused => Some(false),
            _ => None,
        }
    }
}

/// A proxy of one process for one store.
#[derive(Debug)]
pub struct Proxy {
    /// Where the process finds it.
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one for the server on that port of this machine.
    ///
    /// # Errors
    ///
    /// If it cannot listen.
    pub async fn start(port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (way, ways) = watch::channel(Way::Open);
        let task = tokio::spawn(async move {
            while let Ok((process, _)) = listener.accept().await {
                if *ways.borrow() == Way::Refused {
                    continue;
                }
                let ways = ways.clone();
                tokio::spawn(async move { join(process, port, ways).await.is_ok() });
            }
        });
        Ok(Self { address, way, task })
    }

    /// Cuts it off, or opens it again.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn join(process: TcpStream, port: u16, ways: watch::Receiver<Way>) -> std::io::Result<()> {
    let store = TcpStream::connect(("127.0.0.1", port)).await?;
    process.set_nodelay(true)?;
    store.set_nodelay(true)?;
    let ((from_process, to_process), (from_store, to_store)) =
        (process.into_split(), store.into_split());
    // When either ends, both halves of both are dropped, and the connections with them.
    tokio::select! {
        ended = carry(from_process, to_store, true, ways.clone()) => ended,
        ended = carry(from_store, to_process, false, ways) => ended,
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    up: bool,
    mut ways: watch::Receiver<Way>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    let mut swallowed = false;
    loop {
        if swallowed && ways.borrow().cut(up).is_none() {
            // What is missing cannot be made up for.
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        let length = tokio::select! {
            read = from.read(&mut bytes) => read?,
            changed = ways.changed() => {
                if changed.is_err() || *ways.borrow() == Way::Refused {
                    return Err(std::io::ErrorKind::ConnectionReset.into());
                }
                continue;
            }
        };
        let cut = ways.borrow().cut(up);
        match cut {
            _ if length == 0 => return Ok(()),
            Some(false) => swallowed = true,
            Some(true) => {
                if ways.wait_for(|way| way.cut(up).is_none()).await.is_err() {
                    return Ok(());
                }
                to.write_all(bytes.get(..length).unwrap_or_default()).await?;
            }
            None => to.write_all(bytes.get(..length).unwrap_or_default()).await?,
        }
    }
}
