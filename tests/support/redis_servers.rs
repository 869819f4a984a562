//! Redis for tests: a prefix of one's own on the server of all tests, or a server of one's own.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    env,
    ffi::OsStr,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use ::redis::{Client, FromRedisValue, ToRedisArgs, aio::MultiplexedConnection};
use tempfile::TempDir;
use tower_breaker::store::redis::{RedisStore, RedisStoreBuilder};

/// Where the tests find Redis.
pub(crate) const REDIS: &str = "TOWER_BREAKER_REDIS_URL";

/// A part of the server of the tests that one test has for itself, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct TestRedis {
    pub(crate) url: String,
    pub(crate) prefix: String,
}

impl TestRedis {
    pub(crate) fn new() -> Self {
        let url = env::var(REDIS).unwrap_or_else(|_| {
            panic!(
                "this test needs Redis: run scripts/test, or `scripts/servers cargo nextest run …`, \
                 or set {REDIS} to the URL of a server"
            )
        });
        Self { url, prefix: format!("test-{:016x}", fastrand::u64(..)) }
    }

    pub(crate) fn builder(&self) -> RedisStoreBuilder {
        RedisStore::builder(&self.url).prefix(&self.prefix).operation_timeout(secs(10))
    }

    pub(crate) async fn store(&self) -> RedisStore {
        self.builder().connect().await.expect("a store")
    }

    /// A connection that the store knows nothing of.
    pub(crate) async fn raw(&self) -> Raw {
        raw(&self.url).await
    }

    /// A key: `circuit:payments`.
    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{{{}}}:{rest}", self.prefix)
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        let (url, mine) = (self.url.clone(), self.key("*"));
        // A runtime of its own: the one of the test cannot be waited for in a destructor.
        let _ = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut raw = raw(&url).await;
                let mut cursor = "0".to_owned();
                loop {
                    let (next, keys): (String, Vec<Vec<u8>>) =
                        raw.ask("SCAN", (&cursor, "MATCH", &mine, "COUNT", 1000)).await;
                    for key in keys {
                        raw.ask::<()>("DEL", key).await;
                    }
                    cursor = next;
                    if cursor == "0" {
                        break;
                    }
                }
            });
        })
        .join();
    }
}

/// A connection that speaks for itself.
pub(crate) struct Raw(MultiplexedConnection);

impl Raw {
    pub(crate) async fn ask<T: FromRedisValue>(
        &mut self,
        command: &str,
        arguments: impl ToRedisArgs,
    ) -> T {
        let answer = ::redis::cmd(command).arg(arguments).query_async(&mut self.0).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }
}

pub(crate) async fn raw(url: &str) -> Raw {
    let client = Client::open(url).expect("a URL of Redis");
    Raw(client.get_multiplexed_async_connection().await.expect("the server of the tests"))
}

/// A server that a test may stop and kill.
#[derive(Debug)]
pub(crate) struct OwnServer {
    pub(crate) port: u16,
    folder: TempDir,
    options: Vec<String>,
    process: Option<Child>,
}

impl OwnServer {
    /// A server that keeps nothing on disk. Options are those of the configuration file:
    /// `["--requirepass", "secret"]`.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { port: 0, folder, options, process: None };
        // Another one may take the port before the server does.
        for _ in 0..5 {
            server.port = free_port();
            if server.run().await {
                return server;
            }
        }
        panic!("the server does not start: {}", server.log());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn builder(&self) -> RedisStoreBuilder {
        RedisStore::builder(self.url()).operation_timeout(Duration::from_millis(500))
    }

    pub(crate) async fn raw(&self) -> Raw {
        raw(&self.url()).await
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The server again, at the same port, with nothing in it.
    pub(crate) async fn again(&mut self) {
        self.kill();
        assert!(self.run().await, "the server does not start again: {}", self.log());
    }

    /// The server hangs: its connections stay open.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &process.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    async fn run(&mut self) -> bool {
        let program = program();
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a file");
        let mut process = Command::new(&program)
            .current_dir(self.folder.path())
            .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
            .args(["--port", &self.port.to_string()])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log)
            .spawn()
            .expect("the server");
        for _ in 0..500 {
            if process.try_wait().expect("its status").is_some() {
                return false;
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                self.process = Some(process);
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let _ = process.kill();
        let _ = process.wait();
        false
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> String {
    let runs = |program: &dyn AsRef<OsStr>| {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    let known = ["redis-server", "valkey-server"];
    match known.into_iter().find(|program| runs(program)) {
        Some(program) => program.to_owned(),
        None => panic!(
            "this test starts a Redis of its own, and there is neither redis-server nor \
             valkey-server on PATH: apt-get install redis-server (brew install redis, dnf install \
             redis)"
        ),
    }
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
