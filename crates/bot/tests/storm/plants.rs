//! Planted faults: who compares the books must be told of each of them, or the storm proves nothing.
//!
//! Two faults are planted in the world (a venue that fills an order twice, a bot that starts without its memory), the others
//! in a copy of books that agree.

use keyhold_domain::{BotId, ClientOrderId, Decimal, OrderPurpose, OrderStatus};
use keyhold_protocol::uplink::{Command, OrderOutcome, Phase};
use serde_json::{Value, json};

use crate::judge::{Books, Wanted, name_of};
use crate::market::VenueKind;
use crate::storm::Run;

/// So many prices after a plant it is looked for.
const LATER: u32 = 24;

/// What is planted in the world.
#[derive(Debug, Clone, Copy)]
enum Plant {
    /// The venue fills as much again as the bot has ordered.
    FilledTwice,
    /// The bot starts without its memory.
    Forgotten,
}

/// A change of books that agreed.
type Doctoring = fn(&mut Books, BotId);

/// What is wrong with the books, and a word of what must be said about it.
const DOCTORED: [(Doctoring, &str); 10] = [
    (|books, _| books.size += Decimal::ONE, "position:"),
    (|books, _| books.beat = Some((Phase::Online, 1)), "not at rest"),
    (|books, _| books.beat = None, "no heartbeat"),
    (|books, _| list(&mut books.truth, "open_orders").clear(), "open orders:"),
    (bare, "stops for 0"),
    (lost, "without outcome"),
    (twice_named, "two orders are named"),
    (twice_decided, "are both entries"),
    (overfilled, "was held after"),
    (strange, "does not know"),
];

/// The same for what must never have happened.
const NEVER: [(Doctoring, &str); 2] = [
    (|books, _| books.faults.push("planted".to_owned()), "the line:"),
    (|books, _| books.imbalance = json!({ "USDT": "0.01" }), "appeared or vanished"),
];

fn list<'a>(truth: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    truth[name].as_array_mut().expect("a list")
}

fn bare(books: &mut Books, _: BotId) {
    list(&mut books.truth, "open_orders").clear();
    for order in books.orders.values_mut() {
        order.status = Some(OrderStatus::Canceled);
    }
}

fn lost(books: &mut Books, _: BotId) {
    let entry =
        books.orders.values_mut().find(|order| order.order.client_id.purpose() == OrderPurpose::Entry);
    entry.expect("there was an entry").outcome = OrderOutcome::Unknown;
}

fn entry(books: &Books) -> Value {
    let is_entry = |order: &&Value| name_of(order).is_some_and(|name| name.purpose() == OrderPurpose::Entry);
    let orders = books.truth["orders"].as_array().expect("a list");
    orders.iter().rfind(is_entry).expect("there was an entry").clone()
}

fn twice_named(books: &mut Books, _: BotId) {
    let entry = entry(books);
    list(&mut books.truth, "orders").push(entry);
}

fn twice_decided(books: &mut Books, bot: BotId) {
    let mut entry = entry(books);
    let first = name_of(&entry).expect("it was found by its name");
    let second = ClientOrderId::new(bot, 0, 1, 1_000, OrderPurpose::Entry).expect("a small number");
    let known = books.orders[&first].clone();
    books.orders.insert(second, known);
    entry["client_id"] = json!(second);
    list(&mut books.truth, "orders").push(entry);
}

fn overfilled(books: &mut Books, _: BotId) {
    let fills = list(&mut books.truth, "fills");
    // A position is held, so the newest fill has opened it or a part of it.
    for _ in 0..20 {
        fills.push(fills.last().expect("there was a fill").clone());
    }
}

fn strange(books: &mut Books, _: BotId) {
    let mut entry = entry(books);
    entry["client_id"] = Value::Null;
    entry["link_id"] = json!("somebody's");
    list(&mut books.truth, "orders").push(entry);
}

/// Plays every planted fault.
pub(crate) async fn play(kind: &'static VenueKind) -> Result<String, String> {
    let mut noticed = 0;
    for plant in [Plant::FilledTwice, Plant::Forgotten] {
        in_the_world(kind, plant).await?;
        noticed += 1;
    }
    let mut run = Run::new(kind, 3);
    run.start_bot();
    let books = run.until_held().await?;
    if let Some(wrong) = books.never() {
        return Err(format!("good weather, and yet {wrong}"));
    }
    for (doctor, word) in DOCTORED.into_iter().chain(NEVER) {
        let mut books = books.clone();
        doctor(&mut books, run.home.bot);
        told(word, books.difference(Wanted::Anything).or_else(|| books.never()))?;
        noticed += 1;
    }
    run.server.command(7, Command::Flatten);
    run.agree(Wanted::Flat).await?;
    let mut books = run.judge();
    books.wallet += Decimal::new(1, 2);
    told("money:", books.difference(Wanted::Flat))?;
    let mut books = run.judge();
    books.commands = 1;
    told("has not said", books.difference(Wanted::Flat))?;
    Ok(format!("{} planted faults were noticed", noticed + 2))
}

fn told(word: &str, said: Option<String>) -> Result<(), String> {
    match said {
        Some(said) if said.contains(word) => Ok(()),
        said => Err(format!("planted {word:?}, and this was said: {said:?}")),
    }
}

async fn in_the_world(kind: &'static VenueKind, plant: Plant) -> Result<(), String> {
    let mut run = Run::new(kind, 2);
    run.start_bot();
    let books = run.until_held().await?;
    let word = match plant {
        Plant::FilledTwice => {
            let side = if books.size > Decimal::ZERO { "buy" } else { "sell" };
            let quantity = books.size.abs();
            run.control(
                "hand",
                &json!({ "account": 1, "symbol": run.symbol(), "side": side, "quantity": quantity.to_string() }),
            );
            "position:"
        }
        Plant::Forgotten => {
            run.kill_bot().await?;
            std::fs::remove_dir_all(&run.home.folder).map_err(|error| error.to_string())?;
            std::fs::create_dir(&run.home.folder).map_err(|error| error.to_string())?;
            run.start_bot();
            // It leaves the position alone, which is not its own any more, and takes away the orders that bear its name.
            "open orders:"
        }
    };
    for _ in 0..LATER {
        run.calm_tick().await;
    }
    let books = run.judge();
    told(word, books.difference(Wanted::Anything)).map_err(|error| format!("{plant:?}: {error}"))
}
