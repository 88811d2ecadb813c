//! The context: which credential of which workspace, for which venue, an envelope belongs to.
//!
//! Its 58 canonical bytes are the associated data of every layer (envelope, sealed data key, wrapped data key, lease),
//! so a blob moved to another row, tenant, version or venue does not open. Order and widths are fixed for ever within
//! a format version; see `docs/formats/envelope.md`.

use keyhold_domain::{ContractType, Environment, Exchange, InstallId, KeyId, WorkspaceId};

use crate::blob::{BlobError, text_form};

/// Length of the canonical form in bytes.
pub const CONTEXT_BYTES: usize = 58;
/// Format version, byte 0 of the context.
const FORMAT_VERSION: u8 = 1;
/// Suite 1: X25519 + HKDF-SHA256 + AES-256-GCM throughout. Byte 1 of the context.
const SUITE: u8 = 1;

/// What an envelope is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// This installation.
    pub install: InstallId,
    /// The workspace that owns the key.
    pub workspace: WorkspaceId,
    /// The key's record.
    pub key: KeyId,
    /// Version of the record, from 1; a replaced credential is the next version.
    pub version: u32,
    /// The exchange.
    pub exchange: Exchange,
    /// Live, testnet or simulated.
    pub environment: Environment,
    /// Linear or inverse.
    pub contract: ContractType,
}

/// Bytes are not a context of this format version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a context of a known format version")]
pub struct ContextError;

impl From<ContextError> for BlobError {
    fn from(_error: ContextError) -> Self {
        Self::Format
    }
}

impl Context {
    /// The canonical bytes.
    pub fn as_bytes(&self) -> [u8; CONTEXT_BYTES] {
        let mut bytes = [0u8; CONTEXT_BYTES];
        bytes[0] = FORMAT_VERSION;
        bytes[1] = SUITE;
        bytes[2..18].copy_from_slice(&self.install.to_bytes());
        bytes[18..34].copy_from_slice(&self.workspace.to_bytes());
        bytes[34..50].copy_from_slice(&self.key.to_bytes());
        bytes[50..54].copy_from_slice(&self.version.to_be_bytes());
        bytes[54..56].copy_from_slice(&self.exchange.code().to_be_bytes());
        bytes[56] = self.environment.code();
        bytes[57] = self.contract.code();
        bytes
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`BlobError::Length`] for another length, [`BlobError::Format`] for an unknown version, suite or code, or
    /// version number 0.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        let bytes: [u8; CONTEXT_BYTES] = bytes.try_into().map_err(|_wrong_length| BlobError::Length)?;
        if bytes[0] != FORMAT_VERSION || bytes[1] != SUITE {
            return Err(BlobError::Format);
        }
        let version = u32::from_be_bytes(slice(&bytes, 50));
        if version == 0 {
            return Err(BlobError::Format);
        }
        Ok(Self {
            install: InstallId::from_bytes(slice(&bytes, 2)),
            workspace: WorkspaceId::from_bytes(slice(&bytes, 18)),
            key: KeyId::from_bytes(slice(&bytes, 34)),
            version,
            exchange: exchange_from(u16::from_be_bytes(slice(&bytes, 54)))?,
            environment: environment_from(bytes[56])?,
            contract: contract_from(bytes[57])?,
        })
    }
}

text_form!(Context, CONTEXT_BYTES);

/// `N` bytes from `start`; the callers' offsets lie inside the fixed length.
fn slice<const N: usize>(bytes: &[u8; CONTEXT_BYTES], start: usize) -> [u8; N] {
    let mut part = [0u8; N];
    part.copy_from_slice(&bytes[start..start + N]);
    part
}

fn exchange_from(code: u16) -> Result<Exchange, ContextError> {
    match code {
        1 => Ok(Exchange::Bybit),
        2 => Ok(Exchange::Binance),
        3 => Ok(Exchange::KrakenFutures),
        4 => Ok(Exchange::Okx),
        5 => Ok(Exchange::Bitmex),
        _ => Err(ContextError),
    }
}

fn environment_from(code: u8) -> Result<Environment, ContextError> {
    match code {
        1 => Ok(Environment::Live),
        2 => Ok(Environment::Testnet),
        3 => Ok(Environment::Simulated),
        _ => Err(ContextError),
    }
}

fn contract_from(code: u8) -> Result<ContractType, ContextError> {
    match code {
        1 => Ok(ContractType::Linear),
        2 => Ok(ContractType::Inverse),
        _ => Err(ContextError),
    }
}
