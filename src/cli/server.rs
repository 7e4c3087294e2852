//! `engram server`: start, say what is going on, serve, stop.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ServerArgs, shutdown::Shutdown};
use crate::{
    boot,
    config::{Environment, Settings},
    http::service,
    listen, telemetry,
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
    listen::raise_descriptor_limit();
    let shutdown = Shutdown::listen(settings.server.grace).map_err(boot::BootError::Signals)?;
    // Bound before the rest starts, so that a port in use is known at once; served only at the end.
    let address = (settings.server.host.as_str(), settings.server.port);
    let listener = bind(address)
        .await
        .map_err(|source| boot::BootError::Listen { address: format!("{}:{}", address.0, address.1), source })?;
    let local = listener.local_addr().map_err(boot::BootError::Signals)?;
    settings.check_exposure(local)?;
    let open = settings.server.password.is_none();
    let (state, database) = boot::boot(settings, &url(local)).await?;
    tracing::info!("listening on {}", url(local));
    if open && !local.ip().to_canonical().is_loopback() {
        tracing::warn!("there is no password (--no-auth): whoever reaches this address can read and change everything");
    } else if open {
        tracing::info!("there is no password: every program on this machine can use the server");
    }
    tracing::info!("API page: {}/docs", url(local));
    let soft = shutdown.soft.clone();
    let (engine, drain) = (state.engine.clone(), state.settings.node.drain);
    // Work goes to other nodes at once. Requests are still taken for a moment, until a load balancer has noticed.
    let stop = CancellationToken::new();
    let drained = stop.clone();
    tokio::spawn(async move {
        soft.cancelled().await;
        if engine.drain().await {
            tokio::time::sleep(drain).await;
        }
        drained.cancel();
    });
    let settings = state.settings.clone();
    tokio::select! {
        () = listen::serve(listener, service::service(state.clone()), &settings.listen, stop) => {}
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
