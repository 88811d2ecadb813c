// HPKE (RFC 9180) in base mode, sealing one message, from WebCrypto alone:
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. There is no opening here.

import { ascii, type Bytes, concat, SealError, wipe } from './bytes';

const VERSION = ascii('HPKE-v1');
const KEM_SUITE = concat(ascii('KEM'), new Uint8Array([0x00, 0x20]));
const SUITE = concat(ascii('HPKE'), new Uint8Array([0x00, 0x20, 0x00, 0x01, 0x00, 0x02]));
/** DER of a PKCS#8 X25519 private key (RFC 8410), up to the 32 key bytes. */
const PKCS8 = new Uint8Array([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20]);
const EMPTY: Bytes = new Uint8Array(0);

export async function hmacSha256(key: Bytes, message: Bytes): Promise<Bytes> {
  // WebCrypto refuses an empty HMAC key; 32 zeros are the same key, since HMAC pads with zeros.
  const raw = key.length === 0 ? new Uint8Array(32) : key;
  const imported = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, message));
}

/** HKDF-Expand (RFC 5869) for at most 32 bytes: one block. */
async function expand(prk: Bytes, info: Bytes, length: number): Promise<Bytes> {
  const block = await hmacSha256(prk, concat(info, new Uint8Array([1])));
  const out = block.slice(0, length);
  wipe(block);
  return out;
}

/** HKDF-SHA256 without salt, 32 bytes. */
export async function hkdf32(ikm: Bytes, info: Bytes): Promise<Bytes> {
  const prk = await hmacSha256(EMPTY, ikm);
  const out = await expand(prk, info, 32);
  wipe(prk);
  return out;
}

async function labeledExtract(suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Promise<Bytes> {
  const labeled = concat(VERSION, suite, ascii(label), ikm);
  const prk = await hmacSha256(salt, labeled);
  wipe(labeled);
  return prk;
}

function labeledExpand(suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Promise<Bytes> {
  const labeled = concat(new Uint8Array([length >> 8, length & 0xff]), VERSION, suite, ascii(label), info);
  return expand(prk, labeled, length);
}

async function x25519(scalar: Bytes, point: Bytes): Promise<Bytes> {
  const der = concat(PKCS8, scalar);
  try {
    const privateKey = await crypto.subtle.importKey('pkcs8', der, { name: 'X25519' }, false, ['deriveBits']);
    const publicKey = await crypto.subtle.importKey('raw', point, { name: 'X25519' }, false, []);
    const shared = await crypto.subtle.deriveBits({ name: 'X25519', public: publicKey }, privateKey, 256);
    return new Uint8Array(shared);
  } finally {
    wipe(der);
  }
}

/** The ephemeral key pair from 32 bytes of key material (RFC 9180, 7.1.3), and the secret shared with `recipient`. */
async function encapsulate(recipient: Bytes, material: Bytes): Promise<{ enc: Bytes; shared: Bytes }> {
  const prk = await labeledExtract(KEM_SUITE, EMPTY, 'dkp_prk', material);
  const scalar = await labeledExpand(KEM_SUITE, prk, 'sk', EMPTY, 32);
  const basePoint = new Uint8Array(32);
  basePoint[0] = 9;
  const enc = await x25519(scalar, basePoint);
  // WebCrypto fails for a public key of low order, and so must we (RFC 9180, 7.1.4).
  const dh = await x25519(scalar, recipient).catch(() => {
    throw new SealError('BAD_KEEPER');
  });
  if (dh.every((byte) => byte === 0)) throw new SealError('BAD_KEEPER');
  const extracted = await labeledExtract(KEM_SUITE, EMPTY, 'eae_prk', dh);
  const shared = await labeledExpand(KEM_SUITE, extracted, 'shared_secret', concat(enc, recipient), 32);
  wipe(prk, scalar, dh, extracted);
  return { enc, shared };
}

export async function aesGcmSeal(key: Bytes, nonce: Bytes, aad: Bytes, plain: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt']);
  const parameters = { name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: 128 };
  return new Uint8Array(await crypto.subtle.encrypt(parameters, imported, plain));
}

/** Seals `plain` to `recipient`: encapsulated key, ciphertext and tag. `material` is 32 random bytes. */
export async function hpkeSeal(
  recipient: Bytes,
  info: Bytes,
  aad: Bytes,
  plain: Bytes,
  material: Bytes,
): Promise<Bytes> {
  const { enc, shared } = await encapsulate(recipient, material);
  const pskIdHash = await labeledExtract(SUITE, EMPTY, 'psk_id_hash', EMPTY);
  const infoHash = await labeledExtract(SUITE, EMPTY, 'info_hash', info);
  const schedule = concat(new Uint8Array([0]), pskIdHash, infoHash);
  const secret = await labeledExtract(SUITE, shared, 'secret', EMPTY);
  const key = await labeledExpand(SUITE, secret, 'key', schedule, 32);
  const nonce = await labeledExpand(SUITE, secret, 'base_nonce', schedule, 12);
  const ciphertext = await aesGcmSeal(key, nonce, aad, plain);
  wipe(shared, secret, key, nonce);
  return concat(enc, ciphertext);
}
