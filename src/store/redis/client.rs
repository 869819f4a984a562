//! Where the server is, from the URL.

use redis::{
    Client, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, TlsCertificates,
    io::tcp::TcpSettings,
};

use super::failure::Problem;

/// What a URL looks like that leads to a server.
const FORM: &str = "write `redis://user:password@host:port/database`, `rediss://` for TLS, with \
                    special characters in the password as `%40`";

/// A client that speaks the newer protocol. What is wrong with a URL is said without repeating it.
pub(super) fn client(url: &str, root_certificate: Option<&[u8]>) -> Result<Client, Problem> {
    let info = url.into_connection_info().map_err(|error| wrong(&error))?;
    let settings = info.redis_settings().clone();
    let info = info
        .set_tcp_settings(TcpSettings::default().set_nodelay(true))
        .set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name());
    if !matches!(info.addr(), redis::ConnectionAddr::TcpTls { .. }) {
        return Client::open(info).map_err(|error| wrong(&error));
    }
    use_a_provider();
    with_tls(info, root_certificate)
}

fn with_tls(info: ConnectionInfo, root_certificate: Option<&[u8]>) -> Result<Client, Problem> {
    let Some(pem) = root_certificate else {
        return Client::open(info).map_err(|error| wrong(&error));
    };
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) };
    Client::build_with_tls(info, certificates).map_err(|error| {
        Problem::Configuration(format!("the store's root certificate is not one in PEM: {error}"))
    })
}

/// The same server in the protocol that all versions speak: to ask one that is too old which it is.
pub(super) fn old(client: &Client) -> Result<Client, Problem> {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    Client::open(info.set_redis_settings(settings)).map_err(|error| wrong(&error))
}

/// rustls panics where two providers are linked and none was chosen.
fn use_a_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that another thread chose one since.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn wrong(error: &redis::RedisError) -> Problem {
    // The category and the crate's own words; the detail may be a part of the URL.
    let said = error.to_string();
    let known = ["Invalid database number", "Missing hostname", "wildcard address", "Unix sockets"];
    let because = known.iter().find(|known| said.contains(*known));
    let because = because.map(|because| format!(" ({because})")).unwrap_or_default();
    Problem::Configuration(format!("the store's URL is not one of Redis{because}: {FORM}"))
}
