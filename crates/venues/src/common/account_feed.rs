//! A private stream as account events.
//!
//! One task per call, ended by dropping the [`EventStream`]. Nothing is dropped; a program that does not listen makes
//! the stream wait. After every (re)connection the program is told to ask, because venues repeat nothing. A venue tells
//! by [`PrivateStream`] how it lets us in and what its messages say.

use std::convert::Infallible;
use std::marker::PhantomData;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::link::{Ended, GOOD_SESSION, LinkNo, Links, Tick};
use super::rest::{Dialect, Rest};
use crate::event::{AccountEvent, EventStream};
use crate::transport::Dialer;

/// A venue's private stream.
pub trait PrivateStream<D: Dialer>: Send + Sync + 'static {
    /// The dialect of its calls.
    type Dialect: Dialect;

    /// What a session must remember, such as a listen key.
    type Session: Send + Sync;

    /// The calls.
    fn rest(&self) -> &Rest<D, Self::Dialect>;

    /// Connects, logs in and subscribes.
    fn open(&self) -> impl Future<Output = Result<(Links<D>, Self::Session), Ended>> + Send;

    /// What a message says. Nothing for talk; an error when the venue ends the session by it.
    fn read(&self, session: &mut Self::Session, link: LinkNo, text: &str)
    -> Result<Vec<AccountEvent>, Ended>;

    /// What must be done from time to time, and what it brings; called after every ping.
    fn tend(
        &self,
        _session: &mut Self::Session,
    ) -> impl Future<Output = Result<Vec<AccountEvent>, Ended>> + Send {
        async { Ok(vec![]) }
    }
}

/// Starts the task.
pub fn start<D: Dialer, V: PrivateStream<D>>(venue: V) -> EventStream<AccountEvent> {
    let (events, listener) = mpsc::channel(venue.rest().settings.event_queue);
    let feed = Feed { venue, events, dialer: PhantomData };
    EventStream::new(listener, tokio::spawn(feed.run()))
}

struct Feed<D, V> {
    venue: V,
    events: mpsc::Sender<AccountEvent>,
    dialer: PhantomData<fn() -> D>,
}

impl<D: Dialer, V: PrivateStream<D>> Feed<D, V> {
    /// Sessions one after the other, until nobody listens. Waits in between are bounded by the settings.
    async fn run(self) {
        let mut backoff = self.venue.rest().backoff();
        loop {
            let began = Instant::now();
            let ended = match self.listen().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            let event = match ended {
                Ended::ListenerGone => return,
                Ended::Broken => AccountEvent::Disconnected { at: self.venue.rest().clock.now() },
                Ended::Refused(error) => AccountEvent::Refused(error),
            };
            if self.events.send(event).await.is_err() {
                return;
            }
            if began.elapsed() >= GOOD_SESSION {
                backoff.reset();
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    async fn listen(&self) -> Result<Infallible, Ended> {
        self.venue.rest().ensure_venue_time().await.map_err(|_| Ended::Broken)?;
        let (mut links, mut session) = self.venue.open().await?;
        self.events.send(AccountEvent::Resynced { at: self.venue.rest().clock.now() }).await?;
        loop {
            match links.next().await? {
                (link, Tick::News(text)) => {
                    for event in self.venue.read(&mut session, link, &text)? {
                        self.events.send(event).await?;
                    }
                }
                (_, Tick::Quiet) => {
                    for event in self.venue.tend(&mut session).await? {
                        self.events.send(event).await?;
                    }
                }
            }
        }
    }
}
