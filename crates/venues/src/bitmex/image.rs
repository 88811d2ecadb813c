//! What BitMEX's tables hold at the moment: rows begun by a `partial` and changed by inserts, updates and deletes. Pure.
//!
//! Updates carry only what changed, so the whole row is kept as the texts that came. Nothing counts before the partial
//! (venues.md 6). Memory is bounded. The order book is kept by the ids of its levels, because changes name no price.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, Timestamp};
use serde_json::value::RawValue;

use super::contracts::Contract;
use super::wire::{Field, WireLevel};
use crate::book::{BookKind, BookUpdate, Depth, Follows};
use crate::error::WireError;

/// Rows of one table at most. A table that outgrows it is thrown away; the connection then begins anew.
const MOST_ROWS: usize = 10_000;

/// What a message does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The table as it is.
    Partial,
    /// New rows.
    Insert,
    /// Changed fields of rows.
    Update,
    /// Rows that are gone.
    Delete,
}

impl Action {
    /// Reads the word of a message.
    pub fn of(field: &Field<'_>) -> Result<Self, WireError> {
        const WHAT: &str = "stream message";
        match field.text() {
            "partial" => Ok(Self::Partial),
            "insert" => Ok(Self::Insert),
            "update" => Ok(Self::Update),
            "delete" => Ok(Self::Delete),
            "" => Err(WireError::Missing { what: WHAT, field: "action" }),
            _ => Err(WireError::Invalid { what: WHAT, field: "action", expected: "a known action" }),
        }
    }
}

/// One row as its fields' texts.
pub type Row = BTreeMap<String, Box<RawValue>>;

/// The rows of a table by the field that names them.
#[derive(Debug)]
pub struct Image {
    what: &'static str,
    key: &'static str,
    rows: BTreeMap<String, Row>,
    whole: bool,
}

impl Image {
    /// An image that waits for its partial.
    pub const fn new(what: &'static str, key: &'static str) -> Self {
        Self { what, key, rows: BTreeMap::new(), whole: false }
    }

    /// Takes in a message. Gives every row that it named, whole, as JSON; nothing before the partial.
    pub fn take(&mut self, action: Action, rows: Vec<Row>) -> Result<Vec<String>, WireError> {
        if action == Action::Partial {
            self.rows.clear();
            self.whole = true;
        }
        if !self.whole {
            return Ok(vec![]);
        }
        let mut named = Vec::with_capacity(rows.len());
        for row in rows {
            let key = row.get(self.key).map(|key| key.get().to_owned());
            let key = key.ok_or(WireError::Missing { what: self.what, field: self.key })?;
            if action == Action::Delete {
                self.rows.remove(&key);
                continue;
            }
            let kept = self.rows.entry(key).or_default();
            if action != Action::Update {
                kept.clear();
            }
            kept.extend(row);
            named.push(serde_json::to_string(kept).expect("texts of JSON under text names"));
        }
        if self.rows.len() > MOST_ROWS {
            self.rows.clear();
            self.whole = false;
        }
        Ok(named)
    }

    /// Whether the partial has come and the table has not grown beyond all bounds since.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }
}

/// The ids of an order book's levels and where they lie.
#[derive(Debug, Default)]
pub struct Levels {
    prices: BTreeMap<(IsBid, Decimal), Price>,
    number: i64,
    whole: bool,
}

type IsBid = bool;

const LEVEL: &str = "order book";

impl Levels {
    /// What a message changes in the book. `None` before the partial. Changes are numbered here: BitMEX does not.
    pub fn take(
        &mut self,
        action: Action,
        rows: &[WireLevel<'_>],
        contract: Contract,
        at: Timestamp,
    ) -> Result<Option<BookUpdate>, WireError> {
        let kind = match action {
            Action::Partial => {
                *self = Self { whole: true, number: self.number, ..Self::default() };
                BookKind::Snapshot
            }
            Action::Insert | Action::Update | Action::Delete => BookKind::Delta,
        };
        if !self.whole {
            return Ok(None);
        }
        let (mut bids, mut asks) = (vec![], vec![]);
        for row in rows {
            let (is_bid, level) = match self.level(action, row, contract) {
                Ok(level) => level,
                Err(error) => {
                    // What it changed is not known.
                    self.whole = false;
                    return Err(error);
                }
            };
            if is_bid { bids.push(level) } else { asks.push(level) }
        }
        self.number += 1;
        Ok(Some(BookUpdate {
            kind,
            number: self.number,
            follows: Follows::Next,
            depth: Depth::Bounded,
            bids,
            asks,
            at,
        }))
    }

    fn level(
        &mut self,
        action: Action,
        row: &WireLevel<'_>,
        contract: Contract,
    ) -> Result<(IsBid, (Price, Decimal)), WireError> {
        let invalid = |field, expected| WireError::Invalid { what: LEVEL, field, expected };
        let is_bid = match row.side.text() {
            "Buy" => true,
            "Sell" => false,
            "" => return Err(WireError::Missing { what: LEVEL, field: "side" }),
            _ => return Err(invalid("side", "Buy or Sell")),
        };
        let id = (is_bid, row.id.get(LEVEL, "id")?);
        let size = || -> Result<Decimal, WireError> {
            let size: Decimal = row.size.get(LEVEL, "size")?;
            let size = contract.quantity(size).filter(|size| *size >= Decimal::ZERO);
            size.ok_or(invalid("size", "a size of zero or more"))
        };
        let unknown = invalid("id", "a level of the book");
        Ok(match action {
            Action::Partial | Action::Insert => {
                let price = row.price.get(LEVEL, "price")?;
                self.prices.insert(id, price);
                (is_bid, (price, size()?))
            }
            Action::Update => (is_bid, (*self.prices.get(&id).ok_or(unknown)?, size()?)),
            Action::Delete => (is_bid, (self.prices.remove(&id).ok_or(unknown)?, Decimal::ZERO)),
        })
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::ContractType;

    use super::super::contracts::currency;
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn rows_are_kept_whole_and_nothing_counts_before_the_partial() {
        let mut image = Image::new("order", "orderID");
        assert!(image.take(Action::Insert, rows(r#"[{"orderID":"a","cumQty":1}]"#)).unwrap().is_empty());
        assert!(!image.is_whole());
        let told = image.take(Action::Partial, rows(r#"[{"orderID":"a","price":0.10,"cumQty":0}]"#)).unwrap();
        assert_eq!(told, [r#"{"cumQty":0,"orderID":"a","price":0.10}"#]);
        let told = image.take(Action::Update, rows(r#"[{"orderID":"a","cumQty":5}]"#)).unwrap();
        assert_eq!(told, [r#"{"cumQty":5,"orderID":"a","price":0.10}"#]);
        assert_eq!(image.take(Action::Delete, rows(r#"[{"orderID":"a"}]"#)).unwrap(), [""; 0]);
        let told = image.take(Action::Update, rows(r#"[{"orderID":"a","cumQty":6}]"#)).unwrap();
        assert_eq!(
            told,
            [r#"{"cumQty":6,"orderID":"a"}"#],
            "what is left of an unknown row is told as it came"
        );
        assert!(image.take(Action::Update, rows(r#"[{"cumQty":6}]"#)).is_err());
    }

    #[test]
    fn levels_are_found_by_their_ids() {
        let contract =
            Contract { kind: ContractType::Inverse, size: Decimal::ONE, settle: currency("XBt").unwrap() };
        let mut levels = Levels::default();
        let mut take = |action, text: &str| {
            let rows: Vec<WireLevel<'_>> = serde_json::from_str(text).unwrap();
            let update = levels.take(action, &rows, contract, Timestamp::from_ms(1))?;
            Ok::<_, WireError>(update.map(|update| {
                let side = |rows: &[(Price, Decimal)]| {
                    rows.iter().fold(String::new(), |text, (price, size)| text + &format!("{price}x{size} "))
                };
                format!("{:?}{} {}| {}", update.kind, update.number, side(&update.bids), side(&update.asks))
            }))
        };
        assert_eq!(take(Action::Update, r#"[{"id":1,"side":"Buy","size":5}]"#), Ok(None));
        let whole =
            r#"[{"id":1,"side":"Buy","size":5,"price":10},{"id":2,"side":"Sell","size":6,"price":11.5}]"#;
        assert_eq!(take(Action::Partial, whole).unwrap().unwrap(), "Snapshot1 10x5 | 11.5x6 ");
        let changed = take(Action::Update, r#"[{"id":2,"side":"Sell","size":7}]"#).unwrap().unwrap();
        assert_eq!(changed, "Delta2 | 11.5x7 ");
        let gone = take(Action::Delete, r#"[{"id":1,"side":"Buy"}]"#).unwrap().unwrap();
        assert_eq!(gone, "Delta3 10x0 | ");
        assert!(take(Action::Delete, r#"[{"id":1,"side":"Buy"}]"#).is_err());
        assert_eq!(take(Action::Delete, r#"[{"id":2,"side":"Sell"}]"#), Ok(None), "the book is lost");
    }
}
