//! `engram server`: start, say what is going on, serve, stop.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use super::{ServerArgs, shutdown::Shutdown};
use crate::{
    boot,
    config::{Environment, Settings},
    http::service,
    telemetry,
};

/// Runs the server until it is stopped.
pub fn run(args: &ServerArgs) -> ExitCode {
    let mut settings = match Settings::resolve(args, &Environment::read()) {
        Ok(settings) => settings,
        Err(error) => return fail(&format!("engram: {error}")),
    };
    settings.make_password();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("engram: the runtime could not start: {error}")),
    };
    let telemetry = telemetry::start(&settings, runtime.handle());
    let served = runtime.block_on(serve(settings));
    telemetry.stop();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("engram: {error}")),
    }
}

/// Start-up failures go to stderr in plain words: the log may be filtered.
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
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
    let (engine, drain) = (state.engine.clone(), state.settings.node.drain);
    // Work goes to other nodes at once. Requests are still taken for a moment, until a load balancer has noticed.
    let stop = async move {
        soft.cancelled().await;
        if engine.drain().await {
            tokio::time::sleep(drain).await;
        }
    };
    let server = axum::serve(listener, service::service(state.clone())).with_graceful_shutdown(stop);
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
