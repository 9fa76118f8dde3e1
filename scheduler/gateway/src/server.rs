//! Connections: accepted, wrapped into TLS, answered, and ended in order.
//!
//! No client may hold more than its connection: headers and handshakes have their time, and there are only so many
//! connections at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::app::App;
use crate::metrics::Waiting;
use crate::observe::observe;
use crate::openapi::routes;

/// For the headers of a request, and for the next request on a connection.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// What is being answered when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Accepting fails when there are no descriptors left; some come free.
const PAUSE: Duration = Duration::from_millis(50);

/// How a server listens.
#[derive(Clone, Default)]
pub struct Listen {
    /// With which certificate, if it speaks TLS.
    pub tls: Option<TlsAcceptor>,
    /// Connections at one time; further ones wait in the kernel's queue. 0 stands for 20,000.
    pub max_connections: usize,
}

/// Everything that this server answers, as one service.
pub fn router(app: &Arc<App>) -> Router {
    routes()
        .layer(from_fn_with_state(Arc::clone(app), observe))
        .with_state(Arc::clone(app))
}

/// Serves until `stop` is done, then ends what it has begun: who waits for a job is told how far it is.
///
/// # Errors
/// Never once it listens: what fails with one connection is that connection's end.
pub async fn serve(
    listener: TcpListener,
    listen: Listen,
    app: Arc<App>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = router(&app);
    let most = match listen.max_connections {
        0 => 20_000,
        most => most,
    };
    let places = Arc::new(Semaphore::new(most));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                sleep(PAUSE).await;
                continue;
            }
        };
        let counted = Waiting::on(&app.metrics.connections);
        let (tls, router, watcher) = (listen.tls.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _held = (place, counted);
            connection(stream, tls, router, watcher).await;
        });
    }
    drop(listener);
    tracing::info!("stopping: no connection is accepted any more");
    app.stopping.cancel();
    if timeout(STOP_WITHIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests are left without an answer");
    }
    Ok(())
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, watcher: Watcher) {
    // Answers are small and are waited for. A stream that is gone already is noticed at the next step.
    stream.set_nodelay(true).unwrap_or_default();
    match tls {
        None => answer(stream, router, watcher).await,
        Some(tls) => match timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
            Ok(Ok(stream)) => answer(stream, router, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    watcher: Watcher,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
