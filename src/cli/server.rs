//! `engram server`: start, say what is going on, serve, stop.

use std::{io::IsTerminal as _, net::SocketAddr, process::ExitCode, time::Duration};

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::{ServerArgs, shutdown::Shutdown};
use crate::{
    boot,
    config::{Environment, Settings},
    http::router,
};

/// Runs the server until it is stopped.
pub fn run(args: &ServerArgs) -> ExitCode {
    let mut settings = match Settings::resolve(args, &Environment::read()) {
        Ok(settings) => settings,
        Err(error) => return fail(&format!("engram: {error}")),
    };
    start_log(&settings);
    settings.make_password();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("engram: the runtime could not start: {error}")),
    };
    match runtime.block_on(serve(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("engram: {error}")),
    }
}

/// Start-up failures go to stderr in plain words: the log may be filtered.
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

fn start_log(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log.filter).unwrap_or_else(|error| {
        eprintln!("engram: ENGRAM_LOG is not a valid filter ({error}); using `info`");
        EnvFilter::new("info")
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second subscriber (in tests) is not an error.
    let _ = if settings.log.json { builder.json().try_init() } else { builder.try_init() };
}

async fn serve(settings: Settings) -> Result<(), boot::BootError> {
    if !settings.unsupported.is_empty() {
        tracing::warn!("not supported yet and ignored: {}", settings.unsupported.join(", "));
    }
    let shutdown = Shutdown::listen(settings.server.grace).map_err(boot::BootError::Signals)?;
    // Bound before the rest starts, so that a port in use is known at once; served only at the end.
    let address = (settings.server.host.as_str(), settings.server.port);
    let listener = bind(address)
        .await
        .map_err(|source| boot::BootError::Listen { address: format!("{}:{}", address.0, address.1), source })?;
    let local = listener.local_addr().map_err(boot::BootError::Signals)?;
    let (state, database) = boot::boot(settings, &url(local)).await?;
    tracing::info!("listening on {}", url(local));
    tracing::info!("API page: {}/docs", url(local));
    let soft = shutdown.soft.clone();
    // A stream's frames leave at once: waiting to fill a packet costs a reader 40 ms.
    let listener = listener.tap_io(|tcp| {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, router::service(state.clone())).with_graceful_shutdown(soft.cancelled_owned());
    tokio::select! {
        result = async { server.await } => result.map_err(boot::BootError::Signals)?,
        () = shutdown.hard.cancelled() => {}
        // Whoever supervises this process starts it again; answering errors for ever helps nobody.
        () = database.failed() => return Err(boot::BootError::DatabaseFailed),
    }
    tokio::select! {
        () = state.engine.shutdown() => tracing::info!("stopped"),
        () = shutdown.hard.cancelled() => tracing::warn!("stopped before every step was over; they go on after the next start"),
    }
    database.close().await;
    Ok(())
}

/// Binds, waiting a moment for a predecessor that was just killed: the system frees its port a little
/// after its end.
async fn bind(address: (&str, u16)) -> std::io::Result<TcpListener> {
    for _ in 0..20 {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
    TcpListener::bind(address).await
}

/// The address as one types it.
fn url(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("http://localhost:{}", address.port()),
        _ => format!("http://{address}"),
    }
}
