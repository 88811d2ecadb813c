//! Pages of lists that grow for ever: newest first, continued by a cursor.

use keyhold_domain::Timestamp;

/// Largest page.
const MAX_LIMIT: u32 = 500;

/// Where a page continues: strictly before this instant and, among equals, this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The instant of the last item seen.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
}

/// One page.
#[derive(Debug, Clone)]
pub struct PageRequest {
    limit: u32,
    before: Before,
}

impl PageRequest {
    /// A page of `limit` items (1 to 500) that continues after `before`, or the first one.
    pub fn new(limit: u32, before: Option<Before>) -> Self {
        // Greater than any id: 'g' sorts after every hexadecimal digit, '~' after every printable text.
        let newest = || Before { at: Timestamp::from_ms(i64::MAX), id: "~".to_owned() };
        Self { limit: limit.clamp(1, MAX_LIMIT), before: before.unwrap_or_else(newest) }
    }

    pub(crate) fn limit(&self) -> i64 {
        self.limit.into()
    }

    pub(crate) fn at(&self) -> Timestamp {
        self.before.at
    }

    pub(crate) fn id(&self) -> &str {
        &self.before.id
    }

    /// How many items fill the page.
    pub fn size(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }
}

impl std::fmt::Display for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at.ms(), self.id)
    }
}

impl std::str::FromStr for Before {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('.').ok_or(())?;
        if id.len() > 80 {
            return Err(());
        }
        Ok(Self { at: Timestamp::from_ms(at.parse().map_err(|_| ())?), id: id.to_owned() })
    }
}
