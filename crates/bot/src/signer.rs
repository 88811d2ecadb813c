//! The right to sign, and its limits: typed intents only, for the assigned instruments only.
//!
//! It wraps the opened credential for the adapters, which never see the secret. Paths for moving money do not exist in the
//! adapters; this is the second wall, should an adapter be wrong about what it sends.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use keyhold_domain::{ContractType, Exchange, Symbol, Timestamp};
use keyhold_unseal::capability::PassphraseAccess;
use keyhold_unseal::{Credential, MacAlgorithm};
use keyhold_venues::signer::{Intent, MacKey, SignedRequest, Signer, SignerRefusal, sign_with};

/// A credential that signs requests of one venue.
pub struct KeySigner {
    credential: Credential,
    exchange: Exchange,
    contract_type: ContractType,
    hint: String,
    symbols: RwLock<BTreeSet<Symbol>>,
}

impl std::fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySigner").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}

impl KeySigner {
    /// Takes the credential over. Signs no order before [`Self::trade_only`] names instruments.
    pub fn new(credential: Credential, exchange: Exchange, contract_type: ContractType) -> Self {
        let hint = keyhold_seal::hint(credential.api_key());
        Self { credential, exchange, contract_type, hint, symbols: RwLock::default() }
    }

    /// From now on orders are signed for these instruments and no others.
    pub fn trade_only(&self, symbols: impl Iterator<Item = Symbol>) {
        *self.symbols.write().unwrap_or_else(PoisonError::into_inner) = symbols.collect();
    }

    fn allows(&self, intent: &Intent) -> bool {
        let known = |symbol| self.symbols.read().unwrap_or_else(PoisonError::into_inner).contains(symbol);
        match intent {
            Intent::Place(order) | Intent::PlaceIn(order, _) => known(&order.symbol),
            Intent::Amend(amend) | Intent::AmendOn(amend, _) => known(&amend.symbol),
            Intent::SetLeverage(set) | Intent::SetLeverageIn(set, _) => known(&set.symbol),
            Intent::UseOneWayMode { symbol } => known(symbol),
            // Canceling never adds risk: an order of a former instrument may still rest.
            Intent::Cancel(_)
            | Intent::CancelMany(_)
            | Intent::Query(_)
            | Intent::StreamLogin
            | Intent::StreamChallenge(_)
            | Intent::StreamToken(_) => true,
            // The bot cancels one by one: a sweep would take orders that are not its own, and so would the venue's switch.
            // It leaves the margin mode alone.
            Intent::CancelAll(_)
            | Intent::SetMarginMode(_)
            | Intent::SetMarginModeOf { .. }
            | Intent::DeadMansSwitch { .. } => false,
        }
    }
}

impl Signer for KeySigner {
    fn api_key_hint(&self) -> &str {
        &self.hint
    }

    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        if !self.allows(intent) {
            return Err(SignerRefusal::Forbidden);
        }
        sign_with(self.exchange, self.contract_type, intent, at, &Key(&self.credential))
    }
}

/// The credential as the renderers see it.
struct Key<'a>(&'a Credential);

impl MacKey for Key<'_> {
    fn api_key(&self) -> &str {
        self.0.api_key()
    }

    fn mac_sha256(&self, message: &[u8]) -> [u8; 32] {
        let mac = self.0.mac(MacAlgorithm::HmacSha256, message);
        let mac = mac.expect("only the algorithm with a base64 secret can fail");
        mac.try_into().expect("HMAC-SHA-256 gives 32 bytes")
    }

    fn mac_sha512_base64_secret(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.0.mac(MacAlgorithm::HmacSha512Base64Secret, message).ok()?.try_into().ok()
    }

    fn passphrase(&self) -> Option<&str> {
        self.0.passphrase(&PassphraseAccess::for_request_header())
    }
}
