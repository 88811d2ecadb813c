//! HTTP/1.1 over kept connections, one per lane, so that an order never waits behind a download and an exit never
//! behind an entry.
//!
//! A request is prepared (signed) only when its connection is ready, so that its time stamp is fresh. Every byte handed
//! to the connection is counted: an error is [`HttpError::NotSent`] only when not one byte of the request was.
//! Follows no redirects, keeps no cookies, repeats nothing by itself except on a kept connection that turned out to be
//! closed before anything was written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::error::{NotSentCause, UnknownCause};
use crate::hosts::Base;
use crate::signer::HttpRequest;
use crate::transport::Dialer;

/// Which connection a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Public data; may be busy with downloads.
    Market,
    /// Questions about the account.
    Account,
    /// Orders and settings.
    Orders,
    /// Orders that shrink a position, and cancels.
    Exits,
}

impl Lane {
    const COUNT: usize = 4;

    const fn index(self) -> usize {
        match self {
            Self::Market => 0,
            Self::Account => 1,
            Self::Orders => 2,
            Self::Exits => 3,
        }
    }
}

/// Time and size limits of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// For resolving, connecting and TLS together.
    pub connect: Duration,
    /// For a whole request with its answer, once connected.
    pub answer: Duration,
    /// For waiting until earlier requests of the lane are done.
    pub busy: Duration,
    /// A connection unused for longer is not used again.
    pub idle: Duration,
    /// Largest answer, in bytes.
    pub largest_answer: usize,
}

/// A whole answer.
#[derive(Debug)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpError {
    /// Nothing of the request was written.
    NotSent(NotSentCause),
    /// Some or all of it may have been.
    Unknown(UnknownCause),
}

/// A client of one host.
#[derive(Debug)]
pub struct HttpClient<D> {
    dialer: Arc<D>,
    base: Base,
    limits: HttpLimits,
    lanes: [Mutex<Option<Kept>>; Lane::COUNT],
}

/// A connection between two requests.
#[derive(Debug)]
struct Kept {
    sender: SendRequest<Full<Bytes>>,
    writes: Arc<AtomicU64>,
    driver: JoinHandle<()>,
    used: Instant,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Kept {
    /// Stops the connection for good, so that nothing more can be written, and tells how many writes were begun.
    async fn stop(mut self) -> u64 {
        self.driver.abort();
        // Ends at once, by cancellation or because the connection had ended.
        let _ended = (&mut self.driver).await;
        self.writes.load(Ordering::SeqCst)
    }
}

impl<D: Dialer> HttpClient<D> {
    /// A client without connections; they are made when needed.
    pub fn new(dialer: Arc<D>, base: Base, limits: HttpLimits) -> Self {
        Self { dialer, base, limits, lanes: std::array::from_fn(|_| Mutex::new(None)) }
    }

    /// Sends one request and reads its whole answer. `prepare` is called when the connection is ready.
    pub async fn send(
        &self,
        lane: Lane,
        prepare: impl Fn() -> Result<HttpRequest, NotSentCause> + Send,
    ) -> Result<HttpAnswer, HttpError> {
        let waiting = timeout(self.limits.busy, self.lanes[lane.index()].lock());
        let mut slot = waiting.await.map_err(|_| HttpError::NotSent(NotSentCause::Busy))?;
        // Taken out while in use: if this future is dropped, the connection goes with it.
        if let Some(kept) = slot.take().filter(|kept| self.is_fresh(kept)) {
            match self.attempt(kept, &prepare).await {
                Err(HttpError::NotSent(NotSentCause::Closed)) => {}
                Err(error) => return Err(error),
                Ok((answer, kept)) => {
                    *slot = kept;
                    return Ok(answer);
                }
            }
        }
        let kept = self.connect().await.map_err(HttpError::NotSent)?;
        let (answer, kept) = self.attempt(kept, &prepare).await?;
        *slot = kept;
        Ok(answer)
    }

    fn is_fresh(&self, kept: &Kept) -> bool {
        !kept.sender.is_closed() && kept.used.elapsed() < self.limits.idle
    }

    async fn connect(&self) -> Result<Kept, NotSentCause> {
        let dialing = timeout(self.limits.connect, self.dialer.dial(self.base.target()));
        let stream = dialing.await.map_err(|_| NotSentCause::Connect)??;
        let writes = Arc::new(AtomicU64::new(0));
        let counted = Counted { stream, writes: Arc::clone(&writes) };
        let (sender, connection) =
            http1::handshake(TokioIo::new(counted)).await.map_err(|_| NotSentCause::Connect)?;
        // The connection's own error reaches us through the request that it breaks.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Kept { sender, writes, driver, used: Instant::now() })
    }

    async fn attempt(
        &self,
        mut kept: Kept,
        prepare: &(impl Fn() -> Result<HttpRequest, NotSentCause> + Send),
    ) -> Result<(HttpAnswer, Option<Kept>), HttpError> {
        let before = kept.writes.load(Ordering::SeqCst);
        let exchange = async {
            kept.sender.ready().await.map_err(|_| UnknownCause::ConnectionLost)?;
            let request = prepare().map_err(Failure::Prepare)?;
            let request = self.hyper_request(request)?;
            let sent = kept.sender.try_send_request(request).await;
            let response = sent.map_err(|_| UnknownCause::ConnectionLost)?;
            self.whole_answer(response).await.map_err(Failure::Lost)
        };
        let result = timeout(self.limits.answer, exchange).await;
        let failure = match result {
            Ok(Ok(answer)) => {
                kept.used = Instant::now();
                let reusable = !kept.sender.is_closed();
                return Ok((answer, reusable.then_some(kept)));
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Lost(UnknownCause::TimedOut),
        };
        match failure {
            Failure::Prepare(cause) => Err(HttpError::NotSent(cause)),
            Failure::Lost(_) if kept.stop().await == before => Err(HttpError::NotSent(NotSentCause::Closed)),
            Failure::Lost(cause) => Err(HttpError::Unknown(cause)),
        }
    }

    fn hyper_request(&self, request: HttpRequest) -> Result<Request<Full<Bytes>>, Failure> {
        let mut builder = Request::builder()
            .method(request.verb.as_str())
            .uri(format!("{}{}", self.base.prefix(), request.path_and_query))
            .header(HOST, self.base.authority())
            .header(USER_AGENT, concat!("keyhold/", env!("CARGO_PKG_VERSION")));
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        // Fails only on bytes that no path or header may hold; then nothing is sent.
        builder
            .body(Full::new(Bytes::from(request.body)))
            .map_err(|_| Failure::Prepare(NotSentCause::Signer(crate::signer::SignerRefusal::Forbidden)))
    }

    async fn whole_answer(&self, response: Response<Incoming>) -> Result<HttpAnswer, UnknownCause> {
        let (head, body) = response.into_parts();
        let limited = Limited::new(body, self.limits.largest_answer);
        let whole = limited.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { UnknownCause::TooLarge } else { UnknownCause::ConnectionLost }
        })?;
        Ok(HttpAnswer { status: head.status.as_u16(), headers: head.headers, body: whole.to_bytes() })
    }
}

enum Failure {
    Prepare(NotSentCause),
    Lost(UnknownCause),
}

impl From<UnknownCause> for Failure {
    fn from(cause: UnknownCause) -> Self {
        Self::Lost(cause)
    }
}

/// A stream that counts attempts to write. An attempt counts even when it fails: encryption may have sent a part.
#[derive(Debug)]
struct Counted<S> {
    stream: S,
    writes: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
