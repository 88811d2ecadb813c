//! WebSocket over a [`Dialer`]: text in, text out, bounded and with time limits. Knows no venue.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::error::NotSentCause;
use crate::hosts::{Base, Security};
use crate::transport::Dialer;

/// Largest message taken, in bytes.
const LARGEST_MESSAGE: usize = 4 << 20;

/// Longest time to hand a frame to the connection.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// The connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream's connection broke")]
pub struct SocketBroken;

/// What arrived.
#[derive(Debug)]
pub enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A ping, pong or something else that only shows that the other side lives.
    SignOfLife,
}

/// An open WebSocket connection.
pub struct Socket<D: Dialer> {
    stream: WebSocketStream<D::Stream>,
}

impl<D: Dialer> std::fmt::Debug for Socket<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Socket")
    }
}

impl<D: Dialer> Socket<D> {
    /// Connects and upgrades within `limit`; `path` goes below the base's prefix.
    pub async fn open(
        dialer: &Arc<D>,
        base: &Base,
        path: &str,
        limit: Duration,
    ) -> Result<Self, NotSentCause> {
        let opening = async {
            let stream = dialer.dial(base.target()).await?;
            let scheme = match base.target().security {
                Security::Tls => "wss",
                Security::Plain => "ws",
            };
            let address = format!("{scheme}://{}{}{path}", base.authority(), base.prefix());
            let request = address.into_client_request().map_err(|_| NotSentCause::Connect)?;
            let config = WebSocketConfig::default()
                .max_message_size(Some(LARGEST_MESSAGE))
                .max_frame_size(Some(LARGEST_MESSAGE));
            let upgraded = client_async_with_config(request, stream, Some(config)).await;
            let (stream, _response) = upgraded.map_err(|_| NotSentCause::Connect)?;
            Ok(Self { stream })
        };
        timeout(limit, opening).await.map_err(|_| NotSentCause::Connect)?
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: String) -> Result<(), SocketBroken> {
        let sending = self.stream.send(Message::text(text));
        timeout(SEND_LIMIT, sending).await.map_err(|_| SocketBroken)?.map_err(|_| SocketBroken)
    }

    /// Sends a ping frame, which the other side's protocol answers by itself.
    pub async fn ping(&mut self) -> Result<(), SocketBroken> {
        let sending = self.stream.send(Message::Ping(Bytes::new()));
        timeout(SEND_LIMIT, sending).await.map_err(|_| SocketBroken)?.map_err(|_| SocketBroken)
    }

    /// The next thing that arrives. Safe to cancel.
    pub async fn next(&mut self) -> Result<Incoming, SocketBroken> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
                Ok(Incoming::SignOfLife)
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(SocketBroken),
        }
    }
}
