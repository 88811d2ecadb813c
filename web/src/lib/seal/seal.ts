// Seals an exchange credential in the browser, so that only one bot can open it. Format: docs/formats/envelope.md;
// the same in Rust: crates/seal. Only WebCrypto is used, so no third party's script comes near a secret.

import { ascii, type Bytes, concat, fromBase64Url, SealError, toBase64Url, wipe } from './bytes';
import { contextBytes, environmentCodes, exchangeCodes, type SealContext } from './context';
import { aesGcmSeal, hkdf32, hmacSha256, hpkeSeal } from './hpke';
import { hint } from './inspect';

export { SealError, type SealErrorCode } from './bytes';
export type { SealContext } from './context';
export { hint, inspectInput, type Inspection, type Suspicion } from './inspect';

export interface KeeperKey {
  /** X25519 public key, base64url. */
  publicKey: string;
  /** Fingerprint the person pinned or compared, `1a2b-3c4d-…`; sealing refuses any other key. */
  pinned?: string;
}

export interface Credential {
  /** UTF-8 bytes; all three are filled with zeros before the promise settles. */
  apiKey: Uint8Array;
  apiSecret: Uint8Array;
  passphrase?: Uint8Array;
}

export interface SealRequest {
  keeper: KeeperKey;
  context: SealContext;
  credential: Credential;
  /** The installation's fingerprint key, base64url of 32 bytes; known to every signed-in user. */
  fingerprintKey: string;
}

/** Everything is text and safe to send; only `hint` is meant to be shown. */
export interface SealedCredential {
  envelope: string;
  sealedDataKey: string;
  hint: string;
  fingerprint: string;
}

const HEADER_BYTES = 8;
const PADDED_SIZES = [512, 2048] as const;
/** Data key 32, nonce 12, ephemeral key material 32. */
const ENTROPY_BYTES = 76;

/** Whether this page can seal at all. Plain HTTP pages have no WebCrypto, except on localhost. */
export function canSeal(): boolean {
  return typeof crypto !== 'undefined' && 'subtle' in crypto && crypto.subtle !== undefined;
}

/**
 * Seals a credential to the keeper. The credential's bytes are wiped whatever happens.
 *
 * `entropy` is for test vectors only: 76 bytes that decide every random value.
 */
export async function sealCredential(request: SealRequest, entropy?: Uint8Array): Promise<SealedCredential> {
  const { apiKey, apiSecret, passphrase } = request.credential;
  const random = new Uint8Array(ENTROPY_BYTES);
  // Views, not copies, so that wiping `random` wipes them all.
  const [dataKey, nonce, material] = [random.subarray(0, 32), random.subarray(32, 44), random.subarray(44)];
  let plain: Bytes | undefined;
  try {
    if (!canSeal()) throw new SealError('NO_WEBCRYPTO');
    if (entropy) random.set(entropy.subarray(0, ENTROPY_BYTES));
    else crypto.getRandomValues(random);
    const context = contextBytes(request.context);
    const keeper = await checkedKeeper(request.keeper);
    const shown = hint(apiKey);
    const fingerprint = await apiKeyFingerprint(request, apiKey);
    plain = layOut(apiKey, apiSecret, passphrase);
    const envelope = await sealEnvelope(dataKey, nonce, context, plain);
    const info = concat(ascii('keyhold/seal/v1'), context.subarray(2, 18), keeper.id);
    const sealed = await hpkeSeal(keeper.publicKey, info, context, dataKey, material);
    return {
      envelope: toBase64Url(envelope),
      sealedDataKey: toBase64Url(concat(ascii('KHS1'), keeper.id, sealed)),
      hint: shown,
      fingerprint: toBase64Url(fingerprint),
    };
  } finally {
    wipe(apiKey, apiSecret, passphrase, random, plain);
  }
}

async function checkedKeeper(keeper: KeeperKey): Promise<{ publicKey: Bytes; id: Bytes }> {
  const publicKey = fromBase64Url(keeper.publicKey, 32);
  const digest = await crypto.subtle.digest('SHA-256', concat(ascii('keyhold/keeper-key/v1'), publicKey));
  const id = new Uint8Array(digest).slice(0, 16);
  if (keeper.pinned !== undefined && keeper.pinned !== fingerprintText(id)) throw new SealError('BAD_KEEPER');
  return { publicKey, id };
}

/** What people compare: eight groups of four hexadecimal digits. */
export async function keeperFingerprint(publicKey: string): Promise<string> {
  return fingerprintText((await checkedKeeper({ publicKey })).id);
}

function fingerprintText(id: Uint8Array): string {
  const digits = Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return (digits.match(/.{4}/g) ?? []).join('-');
}

/** The credential with its lengths, padded with zeros so that its length tells nothing. */
function layOut(apiKey: Uint8Array, apiSecret: Uint8Array, passphrase: Uint8Array | undefined): Bytes {
  if (apiKey.length === 0 || apiSecret.length === 0) throw new SealError('EMPTY');
  const phrase = passphrase ?? new Uint8Array(0);
  const used = HEADER_BYTES + apiKey.length + apiSecret.length + phrase.length;
  const size = PADDED_SIZES.find((candidate) => used <= candidate);
  if (size === undefined) throw new SealError('TOO_LONG');
  const plain = new Uint8Array(size);
  const view = new DataView(plain.buffer);
  plain[0] = 1;
  plain[1] = passphrase === undefined ? 0 : 1;
  let at = HEADER_BYTES;
  for (const [index, part] of [apiKey, apiSecret, phrase].entries()) {
    view.setUint16(2 + 2 * index, part.length);
    plain.set(part, at);
    at += part.length;
  }
  return plain;
}

async function sealEnvelope(dataKey: Bytes, nonce: Bytes, context: Bytes, plain: Bytes): Promise<Bytes> {
  const key = await hkdf32(dataKey, concat(ascii('keyhold/envelope-key/v1'), context));
  const commitment = await hkdf32(dataKey, concat(ascii('keyhold/envelope-commitment/v1'), context));
  const ciphertext = await aesGcmSeal(key, nonce, context, plain);
  wipe(key);
  return concat(ascii('KHE1'), context, commitment, nonce, ciphertext);
}

/** Recognizes an API key that is already stored here. Covers the public key id, never the secret. */
async function apiKeyFingerprint(request: SealRequest, apiKey: Uint8Array): Promise<Bytes> {
  const codes = new Uint8Array(3);
  const view = new DataView(codes.buffer);
  view.setUint16(0, exchangeCodes[request.context.exchange]);
  view.setUint8(2, environmentCodes[request.context.environment]);
  const key = fromBase64Url(request.fingerprintKey, 32);
  return hmacSha256(key, concat(ascii('keyhold/api-key/v1'), codes, apiKey));
}
