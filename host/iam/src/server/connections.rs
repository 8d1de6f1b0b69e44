//! Connections: HTTP/1.1 over what a socket accepts, with TLS or without, and bounds on what one can take.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tracing::debug;

/// Serves what the listener accepts until `stopped`, and then what was begun.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopped: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, accepted(&listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            next = next => next,
            () = &mut stopped => break,
        };
        let (router, watcher, tls) = (router.clone(), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => talk(stream, peer, router, watcher).await,
                Some(tls) => match time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => talk(stream, peer, router, watcher).await,
                    Ok(Err(error)) => debug!(%peer, %error, "a TLS handshake failed"),
                    Err(_) => debug!(%peer, "a TLS handshake took too long"),
                },
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// The next connection. What keeps one from being accepted passes: it went away, or files are short.
async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // An answer is one write: nothing is gained by waiting for more.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%peer, %error, "a connection went away");
                }
                return (stream, peer);
            }
            Err(error) => {
                debug!(%error, "a connection was not accepted");
                time::sleep(BREATH).await;
            }
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) {
    let service = service_fn(move |request| answer(router.clone(), peer, request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let connection = watcher.watch(http.serve_connection(TokioIo::new(stream), service));
    match time::timeout(LONGEST, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%peer, %error, "a connection ended badly"),
        Err(_) => debug!(%peer, "a connection took too long"),
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let answer = time::timeout(REQUEST, router.oneshot(request)).await;
    Ok(answer.map_or_else(
        |_| StatusCode::REQUEST_TIMEOUT.into_response(),
        |answer| answer.unwrap_or_else(|error| match error {}),
    ))
}

/// Each takes a file and some memory.
const MOST_CONNECTIONS: usize = 512;
/// For the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For the lines before a request's body, and between two requests.
const HEADERS: Duration = Duration::from_secs(30);
/// For a request's body and what is done about it: passwords may wait for each other.
const REQUEST: Duration = Duration::from_secs(60);
/// For all of a connection's requests and answers: whoever does not read theirs gives the place back.
const LONGEST: Duration = Duration::from_secs(600);
/// Before another attempt when files are short.
const BREATH: Duration = Duration::from_millis(200);
