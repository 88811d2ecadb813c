//! Making connections. The trait exists so that a confined program can be handed connected sockets by another one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::NotSentCause;
use crate::hosts::{Security, Target};

/// Gives connected byte streams. Nothing of a request is written while dialing.
pub trait Dialer: Send + Sync + 'static {
    /// A connected stream, encrypted where the target asks for it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects. The caller sets the time limit.
    fn dial(&self, target: &Target) -> impl Future<Output = Result<Self::Stream, NotSentCause>> + Send;
}

/// Dials by TCP from this process, with TLS by rustls and the Mozilla root certificates.
#[derive(Debug, Clone)]
pub struct TokioDialer {
    tls: Arc<ClientConfig>,
}

/// At most so many addresses of a host are tried.
const MOST_ADDRESSES: usize = 4;

impl Default for TokioDialer {
    fn default() -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Arc::new(tls) }
    }
}

impl Dialer for TokioDialer {
    type Stream = TokioStream;

    async fn dial(&self, target: &Target) -> Result<TokioStream, NotSentCause> {
        let addresses =
            lookup_host((target.host.as_str(), target.port)).await.map_err(|_| NotSentCause::Resolve)?;
        let mut connected = Err(NotSentCause::Resolve);
        for address in addresses.take(MOST_ADDRESSES) {
            connected = TcpStream::connect(address).await.map_err(|_| NotSentCause::Connect);
            if connected.is_ok() {
                break;
            }
        }
        let tcp = connected?;
        // An order is one small packet; it must not wait for more.
        tcp.set_nodelay(true).map_err(|_| NotSentCause::Connect)?;
        match target.security {
            Security::Plain => Ok(TokioStream::Plain(tcp)),
            Security::Tls => {
                let name = ServerName::try_from(target.host.clone()).map_err(|_| NotSentCause::Tls)?;
                let connector = TlsConnector::from(Arc::clone(&self.tls));
                let tls = connector.connect(name, tcp).await.map_err(|_| NotSentCause::Tls)?;
                Ok(TokioStream::Tls(Box::new(tls)))
            }
        }
    }
}

/// A TCP connection, bare or encrypted.
#[derive(Debug)]
pub enum TokioStream {
    /// Bare.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! forward {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            TokioStream::Plain($stream) => $call,
            TokioStream::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for TokioStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for TokioStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
