//! A short trading session at a simulated Bybit: `session http://HOST:PORT KEY SECRET [linear|inverse] [SYMBOL]`.
//!
//! Shows the whole port at work: a key's rights, the account, streams, an order, a stop, their end, and looking up.
//! For simulated venues only: a secret on a command line is no secret.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints and reads the clock")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use keyhold_domain::{
    BotId, ClientOrderId, ContractType, Exchange, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price,
    Rounding, Side, Symbol, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_venues::port::{CandleRange, MarketSubscription, Series};
use keyhold_venues::signer::{CancelAll, OrderSelection, Scope, SetLeverage};
use keyhold_venues::{
    AnyMarket, Clock, Endpoints, Intent, MacKey, MarketData, Settings, SignedRequest, Signer, SignerRefusal,
    TokioDialer, TradingVenue, VenueConfig, sign_with,
};

struct Key {
    name: String,
    secret: String,
    product: ContractType,
}

impl MacKey for Key {
    fn api_key(&self) -> &str {
        &self.name
    }
    fn mac_sha256(&self, message: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<sha2::Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length will do");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
    fn mac_sha512_base64_secret(&self, _message: &[u8]) -> Option<[u8; 64]> {
        None
    }
    fn passphrase(&self) -> Option<&str> {
        None
    }
}

impl Signer for Key {
    fn api_key_hint(&self) -> &str {
        self.name.get(..2).unwrap_or_default()
    }
    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Bybit, self.product, intent, at, self)
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn order(
    id: u32,
    symbol: Symbol,
    side: Side,
    kind: OrderKind,
    quantity: &str,
) -> Result<NewOrder, Box<dyn Error>> {
    let now = u32::try_from(SystemClock.now().ms() / 1_000 % (1 << 25))?;
    let purpose = if side == Side::Buy { OrderPurpose::Entry } else { OrderPurpose::ProtectiveStop };
    let effect = if side == Side::Buy { PositionEffect::Increase } else { PositionEffect::ReduceOnly };
    let client_id =
        ClientOrderId::new(BotId::from_u128(1 << 90), 0, now, id, purpose).ok_or("out of range")?;
    Ok(NewOrder { client_id, symbol, side, kind, quantity: quantity.parse()?, effect, purpose })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().collect();
    let [_, base, name, secret, rest @ ..] = given.as_slice() else {
        return Err("address, key, secret".into());
    };
    let product: ContractType = rest.first().map_or(Ok(ContractType::Linear), |word| word.parse())?;
    let symbol: Symbol = rest.get(1).map_or("BTCUSDT", String::as_str).parse()?;
    let endpoints = Endpoints::simulated(Exchange::Bybit, ContractType::Linear, base)?;
    let config = VenueConfig { contract_type: product, endpoints, settings: Settings::default() };
    let market = AnyMarket::new(config, Arc::new(TokioDialer::default()), Arc::new(SystemClock))?;
    let venue = market.with_key(Arc::new(Key { name: name.clone(), secret: secret.clone(), product }));

    let now = venue.server_time().await?;
    println!("time {now}, status {:?}", venue.venue_status().await?);
    println!("key {:?}", venue.inspect_key().await?);
    let instruments = venue.instruments().await?;
    let instrument =
        instruments.listed.iter().find(|one| one.symbol == symbol).ok_or("no such instrument")?;
    println!("{instrument:?}\nfees {:?}", venue.fees(symbol).await?);
    let range =
        CandleRange { symbol, timeframe: Timeframe::M1, from: now.plus_ms(-2_000 * 60_000), until: now };
    println!(
        "{} candles, settings {:?}",
        venue.candles(&range).await?.len(),
        venue.account_settings().await?
    );
    venue.use_one_way_mode(symbol).await?;
    venue.set_leverage(&SetLeverage { symbol, leverage: 5.into() }).await?;

    let mut account = venue.account_events();
    let after = Some(Timeframe::M1.open_of(now).plus_ms(-5 * 60_000));
    let series = vec![Series { symbol, timeframe: Timeframe::M1, after }];
    let mut candles = venue.market_events(MarketSubscription { series, ..MarketSubscription::default() });
    println!("{:?}", account.next_event().await);
    let size = if product == ContractType::Linear { "0.01" } else { "100" };
    let entry = order(1, symbol, Side::Buy, OrderKind::Market, size)?;
    println!("placed {:?}", venue.place(&entry).await?);
    let price_now = venue.ticker(symbol).await?.last.ok_or("no price")?;
    let trigger: Price = instrument
        .price(price_now.get() * "0.9".parse::<keyhold_domain::Decimal>()?, Rounding::Down)
        .ok_or("low")?;
    let kind =
        OrderKind::StopMarket { trigger, direction: TriggerDirection::Falls, source: TriggerSource::Last };
    venue.place(&order(2, symbol, Side::Sell, kind, size)?).await?;
    println!("again: {:?}", venue.place(&entry).await);
    println!("resolved {:?}", venue.resolve(symbol, entry.client_id).await?);
    println!("account {:?}", venue.account().await?);
    println!("fills {:?}", venue.fills_since(Some(symbol), now.plus_ms(-3_600_000)).await?.len());
    venue.cancel_all(&CancelAll { scope: Scope::Symbol(symbol), selection: OrderSelection::All }).await?;
    venue.place(&order(3, symbol, Side::Sell, OrderKind::Market, size)?).await?;
    let lost = order(4, symbol, Side::Buy, OrderKind::Market, size)?;
    println!("never sent: {:?}", venue.resolve(symbol, lost.client_id).await?);
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(500), account.next_event()).await {
        println!("account: {event:?}");
    }
    for _ in 0..12 {
        println!("market: {:?}", candles.next_event().await);
    }
    println!("left {:?}, {:?}", venue.positions().await?, venue.open_orders(None).await?);
    Ok(())
}
