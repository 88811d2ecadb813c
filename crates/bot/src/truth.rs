//! Asking the venue for the truth about one instrument: what rests, what was filled, what is held, and what became of every
//! order that nobody is sure of.
//!
//! An answer is trusted only when bot and venue agree, or when the venue says the same twice: lists of a venue are not of
//! one instant. The caller makes sure that no request of ours is on its way meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use keyhold_domain::fill::FillId;
use keyhold_domain::{ClientOrderId, Decimal, Fill, OpenOrder, Position, SignedQuantity, Symbol, Timestamp};
use keyhold_venues::port::{FundingPayment, Resolution};
use keyhold_venues::{AnyVenue, Dialer, TradingVenue as _, VenueError};

use crate::mind::Question;

/// What is to be found out.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// About which instrument.
    pub symbol: Symbol,
    /// Our living orders and how each is to be asked for.
    pub orders: Vec<(ClientOrderId, Question)>,
    /// Orders of which the venue has said before that they never arrived: that stays so.
    pub never_arrived: BTreeSet<ClientOrderId>,
    /// The signed size the bot believes to hold.
    pub held: Decimal,
    /// The fills of which it is made.
    pub known_fills: BTreeSet<FillId>,
    /// Fills are asked for from here on; `None` where the venue's history goes by another clock than ours.
    pub fills_from: Option<Timestamp>,
}

/// The venue's truth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// Fills, known and unknown ones.
    pub fills: Vec<Fill>,
    /// Funding, known and unknown payments, oldest first; also such as the bot does not have to do with.
    pub funding: Vec<FundingPayment>,
    /// The position; `None` means flat.
    pub position: Option<Position>,
    /// What rests.
    pub open_orders: Vec<OpenOrder>,
}

/// What asking has brought.
#[derive(Debug)]
pub struct Found {
    /// Orders that never arrived, also when the rest could not be had: a venue that gives few answers need not be asked
    /// about them again.
    pub never_arrived: BTreeSet<ClientOrderId>,
    /// The truth, or why it could not be had.
    pub truth: Result<Truth, VenueError>,
}

/// How often the lists are read at most before the last answer is taken.
const MOST_READINGS: u32 = 5;
/// Between two readings that differ.
const WAIT: Duration = Duration::from_millis(400);

/// Asks. Takes some seconds when an order never arrived.
pub async fn ask<D: Dialer>(venue: &AnyVenue<D>, inquiry: &Inquiry) -> Found {
    let mut never_arrived = inquiry.never_arrived.clone();
    let truth = match resolve(venue, inquiry, &mut never_arrived).await {
        Ok(()) => read_until_sure(venue, inquiry, &never_arrived).await,
        Err(error) => Err(error),
    };
    Found { never_arrived, truth }
}

/// Notes which orders never arrived, one after the other, until one cannot be asked for.
async fn resolve<D: Dialer>(
    venue: &AnyVenue<D>,
    inquiry: &Inquiry,
    never_arrived: &mut BTreeSet<ClientOrderId>,
) -> Result<(), VenueError> {
    for (id, question) in &inquiry.orders {
        if *question == Question::DidItArrive && !never_arrived.contains(id) {
            match venue.resolve(inquiry.symbol, *id).await? {
                Resolution::Found(_) => {}
                Resolution::NeverArrived => {
                    never_arrived.insert(*id);
                }
            }
        }
    }
    Ok(())
}

async fn read_until_sure<D: Dialer>(
    venue: &AnyVenue<D>,
    inquiry: &Inquiry,
    never_arrived: &BTreeSet<ClientOrderId>,
) -> Result<Truth, VenueError> {
    let mut before = None;
    let mut reading = 1;
    loop {
        let truth = read(venue, inquiry, never_arrived).await?;
        if agrees(inquiry, &truth) || before.as_ref() == Some(&truth) || reading >= MOST_READINGS {
            return with_funding(venue, inquiry, truth).await;
        }
        before = Some(truth);
        reading += 1;
        tokio::time::sleep(WAIT).await;
    }
}

/// One pass over the lists. Resting orders first: an order that is filled in between shows up in the fills. The position
/// last: whatever the fills tell is in it already, and what happened after them makes it disagree, so that it is asked again.
async fn read<D: Dialer>(
    venue: &AnyVenue<D>,
    inquiry: &Inquiry,
    never_arrived: &BTreeSet<ClientOrderId>,
) -> Result<Truth, VenueError> {
    let symbol = inquiry.symbol;
    let open_orders = venue.open_orders(Some(symbol)).await?;
    let mut fills = Vec::new();
    for (id, _) in inquiry.orders.iter().filter(|(id, _)| !never_arrived.contains(id)) {
        if let Some(report) = venue.order(symbol, *id).await? {
            fills.extend(report.fills);
        }
    }
    if let Some(from) = inquiry.fills_from {
        let more = venue.fills_since(Some(symbol), from).await?;
        for fill in more {
            if !fills.iter().any(|known: &Fill| known.fill_id == fill.fill_id) {
                fills.push(fill);
            }
        }
    }
    fills.sort_by_key(|fill| fill.at);
    let position = venue.positions().await?.into_iter().find(|position| position.symbol == symbol);
    Ok(Truth { fills, funding: Vec::new(), position, open_orders })
}

/// Adds funding to what was found. Asked for once: some venues give few answers about it (Kraken 33 in ten minutes), and
/// it says nothing about what is held. Who holds nothing and waits for nothing pays nothing.
async fn with_funding<D: Dialer>(
    venue: &AnyVenue<D>,
    inquiry: &Inquiry,
    truth: Truth,
) -> Result<Truth, VenueError> {
    let Some(from) = inquiry.fills_from else { return Ok(truth) };
    if inquiry.held.is_zero() && truth.fills.is_empty() {
        return Ok(truth);
    }
    let mut funding = venue.funding_since(Some(inquiry.symbol), from).await?;
    funding.sort_by_key(|payment| payment.at);
    Ok(Truth { funding, ..truth })
}

/// Whether the venue shows what the bot will believe once it has heard of these fills, so that no second look is needed. What
/// it believes now is not enough: a position that was opened and closed unseen leaves it as it was, also when the second
/// fill happened after the fills were read.
fn agrees(inquiry: &Inquiry, truth: &Truth) -> bool {
    let news = truth.fills.iter().filter(|fill| !inquiry.known_fills.contains(&fill.fill_id));
    let size = news.fold(inquiry.held, |size, fill| {
        size.saturating_add(SignedQuantity::of(fill.side, fill.quantity).get())
    });
    truth.position.map_or(Decimal::ZERO, |position| position.size.get()) == size
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{Liquidity, Money, Side};

    use super::*;

    fn fill(id: &str, side: Side) -> Fill {
        Fill {
            fill_id: id.parse().unwrap(),
            client_id: None,
            venue_order_id: "o-1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side,
            price: "50000".parse().unwrap(),
            quantity: "0.011".parse().unwrap(),
            fee: Money::zero("USDT".parse().unwrap()),
            liquidity: Liquidity::Taker,
            at: Timestamp::from_ms(1),
        }
    }

    #[test]
    fn a_flat_position_with_half_of_the_fills_that_made_it_is_not_believed() {
        let symbol = "BTCUSDT".parse().unwrap();
        let inquiry = |known: &[&str]| Inquiry {
            symbol,
            orders: Vec::new(),
            never_arrived: BTreeSet::new(),
            held: Decimal::ZERO,
            known_fills: known.iter().map(|id| id.parse().unwrap()).collect(),
            fills_from: None,
        };
        let flat = |fills: &[Fill]| Truth { fills: fills.to_vec(), ..Truth::default() };
        let (entry, liquidation) = (fill("f-1", Side::Sell), fill("f-2", Side::Buy));
        assert!(agrees(&inquiry(&[]), &flat(&[])));
        assert!(!agrees(&inquiry(&[]), &flat(&[entry])), "its end was not read");
        assert!(agrees(&inquiry(&[]), &flat(&[entry, liquidation])));
        assert!(agrees(&inquiry(&["f-1", "f-2"]), &flat(&[entry, liquidation])), "what is known counts once");
    }
}
