//! Which company, and which of its worlds.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $error:ident, $what:literal, $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word used in files, databases and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        #[doc = concat!("The text names no ", $what, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error("is not a known {}", $what)]
        pub struct $error;

        impl std::str::FromStr for $name {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or($error)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        $crate::serde_by_text!($name);
    };
}
pub(crate) use words;

words! {
    /// A company that runs a market for perpetual contracts.
    Exchange, ExchangeError, "exchange",
    /// Bybit, v5 API.
    Bybit = "bybit",
    /// Binance, USD-M and COIN-M futures.
    Binance = "binance",
    /// Kraken Futures.
    KrakenFutures = "kraken_futures",
    /// OKX, v5 API.
    Okx = "okx",
    /// BitMEX. Closed on 2026-09-23; offered in the simulated environment only.
    Bitmex = "bitmex",
}

impl Exchange {
    /// The number that stands for the exchange inside an envelope's context. Never reused.
    pub const fn code(self) -> u16 {
        match self {
            Self::Bybit => 1,
            Self::Binance => 2,
            Self::KrakenFutures => 3,
            Self::Okx => 4,
            Self::Bitmex => 5,
        }
    }

    /// Whether its keys come with a passphrase.
    pub const fn issues_passphrase(self) -> bool {
        match self {
            Self::Okx => true,
            Self::Bybit | Self::Binance | Self::KrakenFutures | Self::Bitmex => false,
        }
    }

    /// The name people know.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Bybit => "Bybit",
            Self::Binance => "Binance",
            Self::KrakenFutures => "Kraken Futures",
            Self::Okx => "OKX",
            Self::Bitmex => "BitMEX",
        }
    }
}

words! {
    /// Which world a key belongs to. Fixed when the key is made; results of two worlds are never added.
    Environment, EnvironmentError, "environment",
    /// Real money.
    Live = "live",
    /// The exchange's own test or demo system.
    Testnet = "testnet",
    /// A venue that Keyhold runs itself: paper trading.
    Simulated = "simulated",
}

impl Environment {
    /// The number that stands for the environment inside an envelope's context. Never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::Live => 1,
            Self::Testnet => 2,
            Self::Simulated => 3,
        }
    }
}

words! {
    /// At which of an exchange's sites an account was opened. A site has hosts of its own and knows the keys of its own
    /// accounts only; most exchanges have one. `crates/venues/src/hosts/table.rs` says which exchange has which.
    Site, SiteError, "site",
    /// The one for everybody else.
    Global = "global",
    /// Bybit's second address, for networks in which the first does not answer. The accounts are the same.
    Alternate = "alternate",
    /// Bybit Netherlands.
    Netherlands = "netherlands",
    /// Bybit Turkey.
    Turkey = "turkey",
    /// Bybit Kazakhstan.
    Kazakhstan = "kazakhstan",
    /// Bybit Georgia.
    Georgia = "georgia",
    /// Bybit United Arab Emirates.
    UnitedArabEmirates = "united_arab_emirates",
    /// Bybit Indonesia.
    Indonesia = "indonesia",
    /// OKX in the European Economic Area.
    EuropeanEconomicArea = "european_economic_area",
    /// OKX in the United States.
    UnitedStates = "united_states",
}

impl Site {
    /// The name for people.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Global => "Global",
            Self::Alternate => "Global, second address",
            Self::Netherlands => "Netherlands",
            Self::Turkey => "Turkey",
            Self::Kazakhstan => "Kazakhstan",
            Self::Georgia => "Georgia",
            Self::UnitedArabEmirates => "United Arab Emirates",
            Self::Indonesia => "Indonesia",
            Self::EuropeanEconomicArea => "European Economic Area",
            Self::UnitedStates => "United States",
        }
    }
}
