//! Orders: what is asked of a venue, under which name, and what became of it.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::exchange::words;
use crate::{BotId, Price, Quantity, RefusalCode, ShortText, Symbol, Timestamp};

words! {
    /// Buy or sell.
    Side, SideError, "side",
    /// Increases a long or reduces a short position.
    Buy = "buy",
    /// Increases a short or reduces a long position.
    Sell = "sell",
}

impl Side {
    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// +1 for buy, −1 for sell.
    pub const fn sign(self) -> Decimal {
        match self {
            Self::Buy => Decimal::ONE,
            Self::Sell => Decimal::NEGATIVE_ONE,
        }
    }
}

words! {
    /// How long a limit order stays.
    TimeInForce, TimeInForceError, "time in force",
    /// Until canceled.
    Gtc = "gtc",
    /// Fill at once what can be filled, cancel the rest.
    Ioc = "ioc",
    /// All at once or nothing.
    Fok = "fok",
    /// Only as a maker; canceled or refused when it would take.
    PostOnly = "post_only",
}

words! {
    /// What an order may do to the position.
    PositionEffect, PositionEffectError, "position effect",
    /// May open or grow a position.
    Increase = "increase",
    /// May only shrink a position, never open or flip one.
    ReduceOnly = "reduce_only",
}

words! {
    /// Why the bot sent the order.
    OrderPurpose, OrderPurposeError, "order purpose",
    /// Opens a position.
    Entry = "entry",
    /// Closes a position or a share of it at once.
    Exit = "exit",
    /// Rests at the venue and limits the loss.
    ProtectiveStop = "protective_stop",
    /// Rests at the venue and takes the profit.
    TakeProfit = "take_profit",
}

impl OrderPurpose {
    const fn letter(self) -> char {
        match self {
            Self::Entry => 'e',
            Self::Exit => 'x',
            Self::ProtectiveStop => 's',
            Self::TakeProfit => 't',
        }
    }

    fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.iter().copied().find(|purpose| purpose.letter() == letter)
    }
}

words! {
    /// Which price starts a stop order.
    TriggerSource, TriggerSourceError, "trigger source",
    /// The last traded price.
    Last = "last",
    /// The venue's mark price.
    Mark = "mark",
    /// The index price.
    Index = "index",
}

words! {
    /// From which side the price must reach the trigger.
    TriggerDirection, TriggerDirectionError, "trigger direction",
    /// The price rises to the trigger or beyond.
    Rises = "rises",
    /// The price falls to the trigger or beyond.
    Falls = "falls",
}

/// What kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OrderKind {
    /// Whatever the book gives.
    Market,
    /// At `price` or better.
    Limit {
        /// The worst acceptable price.
        price: Price,
        /// How long.
        time_in_force: TimeInForce,
    },
    /// A market order once the trigger price is reached.
    StopMarket {
        /// The price that starts it.
        trigger: Price,
        /// From which side it must be reached.
        direction: TriggerDirection,
        /// Which price is watched.
        source: TriggerSource,
    },
}

/// An order to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Our own name for it; sending it twice under one name is harmless.
    pub client_id: ClientOrderId,
    /// The instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderKind,
    /// Size on the instrument's lot.
    pub quantity: Quantity,
    /// May it grow the position?
    pub effect: PositionEffect,
    /// Why it is sent.
    pub purpose: OrderPurpose,
}

/// The name a venue gave an order.
pub type VenueOrderId = ShortText<64>;

/// An order that rests at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrder {
    /// Our name, when the order is ours.
    pub client_id: Option<ClientOrderId>,
    /// The venue's name.
    pub venue_id: VenueOrderId,
    /// The instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderKind,
    /// Full size.
    pub quantity: Quantity,
    /// Part already filled; zero or more.
    #[serde(with = "crate::money::decimal_text")]
    pub filled: Decimal,
    /// May it grow the position?
    pub effect: PositionEffect,
    /// Its state.
    pub status: OrderStatus,
}

words! {
    /// The state of an order as a venue tells it. The engine's lifecycle table says which may follow which.
    OrderStatus, OrderStatusError, "order status",
    /// Accepted and working, nothing filled yet.
    Open = "open",
    /// A stop order that waits for its trigger.
    Untriggered = "untriggered",
    /// Working, partly filled.
    PartiallyFilled = "partially_filled",
    /// Wholly filled. Final.
    Filled = "filled",
    /// Ended by a cancel or by its time in force, perhaps after partial fills. Final.
    Canceled = "canceled",
    /// The venue did not take it. Final.
    Rejected = "rejected",
}

impl OrderStatus {
    /// Nothing more can happen to the order.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Filled | Self::Canceled | Self::Rejected => true,
            Self::Open | Self::Untriggered | Self::PartiallyFilled => false,
        }
    }
}

/// News of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// Our name for it.
    pub client_id: ClientOrderId,
    /// The venue's name, once known.
    pub venue_id: Option<VenueOrderId>,
    /// The instrument.
    pub symbol: Symbol,
    /// Its state now.
    pub status: OrderStatus,
    /// Sum of its fills so far; zero or more.
    #[serde(with = "crate::money::decimal_text")]
    pub filled: Decimal,
    /// Why, for rejected and venue-canceled orders.
    pub refusal: Option<RefusalCode>,
    /// When the venue says it happened.
    pub at: Timestamp,
}

/// An order's name, computed from facts so that a repeated send is recognized as the same order.
///
/// Text form, 26 letters and digits (fits Bybit's and Binance's 36 and OKX's 32): `kh`, ten letters of the bot,
/// two of the instrument's slot, five of the epoch, six of the sequence, one of the purpose; base 32 without
/// `i l o u`. Epochs make ids unique even when a bot has lost its journal and counts from zero again.
///
/// ```
/// use keyhold_domain::{BotId, ClientOrderId, OrderPurpose};
/// let id = ClientOrderId::new(BotId::from_u128(1 << 90), 3, 1, 7, OrderPurpose::Entry).unwrap();
/// assert_eq!(id.to_string().len(), 26);
/// assert_eq!(id.to_string().parse::<ClientOrderId>().unwrap(), id);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    bot: u64,
    slot: u16,
    epoch: u32,
    sequence: u32,
    purpose: OrderPurpose,
}

const BOT_LETTERS: usize = 10;
const SLOT_LETTERS: usize = 2;
const EPOCH_LETTERS: usize = 5;
const SEQUENCE_LETTERS: usize = 6;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl ClientOrderId {
    /// `slot` below 1,024 (the bot's instrument), `epoch` below 2^25 (the deployment), `sequence` below 2^30.
    /// `None` when a part is out of range.
    pub fn new(bot: BotId, slot: u16, epoch: u32, sequence: u32, purpose: OrderPurpose) -> Option<Self> {
        let in_range = slot < 1 << 10 && epoch < 1 << 25 && sequence < 1 << 30;
        in_range.then_some(Self { bot: Self::bot_tag(bot), slot, epoch, sequence, purpose })
    }

    /// The 50 bits of a bot's id that its orders carry.
    pub fn bot_tag(bot: BotId) -> u64 {
        u64::try_from(bot.to_u128() >> 78).expect("128 − 78 = 50 bits remain")
    }

    /// Whether the order was named by this bot.
    pub fn is_of(&self, bot: BotId) -> bool {
        self.bot == Self::bot_tag(bot)
    }

    /// The bot's instrument slot.
    pub const fn slot(&self) -> u16 {
        self.slot
    }

    /// The deployment the name belongs to.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The running number within slot and epoch.
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Why the order was sent.
    pub const fn purpose(&self) -> OrderPurpose {
        self.purpose
    }
}

fn write_base32(f: &mut fmt::Formatter<'_>, value: u64, letters: usize) -> fmt::Result {
    for position in (0..letters).rev() {
        let digit = (value >> (5 * position)) & 31;
        let letter = ALPHABET[usize::try_from(digit).map_err(|_| fmt::Error)?];
        write!(f, "{}", char::from(letter))?;
    }
    Ok(())
}

fn read_base32(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        Some((value << 5) | u64::try_from(digit).ok()?)
    })
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kh")?;
        write_base32(f, self.bot, BOT_LETTERS)?;
        write_base32(f, self.slot.into(), SLOT_LETTERS)?;
        write_base32(f, self.epoch.into(), EPOCH_LETTERS)?;
        write_base32(f, self.sequence.into(), SEQUENCE_LETTERS)?;
        write!(f, "{}", self.purpose.letter())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not one of our order names: the order belongs to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of our client order ids")]
pub struct ClientOrderIdError;

impl FromStr for ClientOrderId {
    type Err = ClientOrderIdError;
    fn from_str(text: &str) -> Result<Self, ClientOrderIdError> {
        let parse = || {
            let rest = text.strip_prefix("kh")?;
            let (bot, rest) = rest.split_at_checked(BOT_LETTERS)?;
            let (slot, rest) = rest.split_at_checked(SLOT_LETTERS)?;
            let (epoch, rest) = rest.split_at_checked(EPOCH_LETTERS)?;
            let (sequence, rest) = rest.split_at_checked(SEQUENCE_LETTERS)?;
            let mut letters = rest.chars();
            let purpose = OrderPurpose::from_letter(letters.next()?)?;
            if letters.next().is_some() {
                return None;
            }
            Some(Self {
                bot: read_base32(bot)?,
                slot: u16::try_from(read_base32(slot)?).ok()?,
                epoch: u32::try_from(read_base32(epoch)?).ok()?,
                sequence: u32::try_from(read_base32(sequence)?).ok()?,
                purpose,
            })
        };
        parse().ok_or(ClientOrderIdError)
    }
}
