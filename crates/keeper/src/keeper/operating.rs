//! The operator's verbs: closing and opening the keys, and new keys for old.

use keyhold_protocol::keeper::{Answer, Refusal, RekeyRoot, Unseal};
use keyhold_seal::EntropySource;

use super::{Asker, Custody, Keeper, Refused, by, opened};
use crate::audit::{Entry, Event};
use crate::clock::Now;
use crate::ring::{BATCH, KeysError};
use crate::sealing::{OpenError, SealedBy};
use crate::vault::{Reached, Rollback, VaultError};

impl<E: EntropySource> Keeper<E> {
    pub(super) fn seal(&mut self, asker: Asker, now: Now) -> Answer {
        match self.custody {
            Custody::Sealed => Answer::Done,
            Custody::Open(_) => {
                // Signed while the key to sign with is still there.
                self.anchor(now);
                self.forget_keys();
                self.record_soon(Entry {
                    detail: Some(SealedBy::Operator.as_str().to_owned()),
                    ..by(Event::Sealed, asker, now)
                });
                tracing::info!("sealed by the operator");
                Answer::Done
            }
        }
    }

    pub(super) fn unseal(&mut self, unseal: &Unseal, asker: Asker, now: Now) -> Result<Answer, Refused> {
        match self.custody {
            Custody::Open(_) => return Ok(Answer::Done),
            Custody::Sealed => {}
        }
        if !self.guesses.wait(now.running).is_zero() {
            return Err(Refused::new(Refusal::RateLimited, "unseal"));
        }
        let history = self.audit.history();
        let reached = Reached { records: history.generation(), keys: history.keys_generation() };
        let opened =
            self.opener.open(unseal.passphrase.as_ref(), reached, Rollback::Refuse, &mut self.entropy);
        match opened {
            Ok(vault) => {
                self.audit.record(by(Event::Unsealed, asker, now))?;
                self.guesses.succeeded();
                self.custody = Custody::Open(Box::new(vault));
                tracing::info!("unsealed");
                Ok(Answer::Done)
            }
            // Nothing was guessed: what would open the keys was not there when the keeper started.
            Err(OpenError::Vault(VaultError::Keys(KeysError::NoSuchProvider))) => {
                Err(Refused::new(Refusal::ProviderUnavailable, "unseal"))
            }
            Err(error) => {
                tracing::warn!(%error, "the keys did not open");
                self.guesses.failed(now.running);
                self.audit.record_when_possible(by(Event::UnsealFailed, asker, now));
                let code = match error {
                    OpenError::Closed => Refusal::UnsealFailed,
                    OpenError::Vault(error) => error.refusal(),
                };
                Err(Refused::new(code, "unseal"))
            }
        }
    }

    pub(super) fn rotate_kek(&mut self, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let entropy = &mut self.entropy;
        let step = opened(&mut self.custody)?.change_keys(|ring| ring.rotate(BATCH, now.wall_ms, entropy))?;
        self.record_soon(Entry {
            detail: Some(format!("epoch {}, {} keys remain", step.epoch, step.remaining)),
            ..by(Event::Rotate, asker, now)
        });
        Ok(Answer::Rotated { epoch: step.epoch, remaining: step.remaining })
    }

    pub(super) fn rekey_root(
        &mut self,
        rekey: &RekeyRoot,
        asker: Asker,
        now: Now,
    ) -> Result<Answer, Refused> {
        if rekey.passphrase.is_some() && !self.guesses.wait(now.running).is_zero() {
            return Err(Refused::new(Refusal::RateLimited, "rekey"));
        }
        self.record(by(Event::Rekey, asker, now))?;
        let vault = opened(&mut self.custody)?;
        match self.opener.rekey(vault, rekey.passphrase.as_ref(), &mut self.entropy) {
            Ok(()) => {
                let reached = vault.reached();
                tracing::info!(keys_generation = reached.keys, "the root key is new");
                Ok(Answer::Done)
            }
            Err(OpenError::Closed) => {
                self.guesses.failed(now.running);
                Err(Refused::new(Refusal::UnsealFailed, "rekey"))
            }
            Err(OpenError::Vault(VaultError::Keys(KeysError::NoSuchProvider))) => {
                Err(Refused::new(Refusal::ProviderUnavailable, "rekey"))
            }
            Err(OpenError::Vault(error)) => Err(error.into()),
        }
    }
}
