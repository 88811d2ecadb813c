// The vectors of testdata/envelopes, which the Rust half reproduces too, and what wiping and refusing promise.

// @vitest-environment node
import { describe, expect, it } from 'vitest';
import hintCases from '../../../../testdata/envelopes/hints.json';
import inspectCases from '../../../../testdata/envelopes/inspect.json';
import sealFile from '../../../../testdata/envelopes/seal.json';
import { decodeUtf8, encodeUtf8, fromBase64Url, fromHex, toBase64Url } from './bytes';
import { contextBytes, type SealContext } from './context';
import { hint, inspectInput, keeperFingerprint, sealCredential, type SealRequest } from './seal';

type SealCase = (typeof sealFile.cases)[number];
const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

function contextOf(entry: SealCase): SealContext {
  const { install, workspace, key, version } = entry;
  return {
    install,
    workspace,
    key,
    version,
    exchange: entry.exchange as SealContext['exchange'],
    environment: entry.environment as SealContext['environment'],
    contract: entry.contract as SealContext['contract'],
  };
}

function requestOf(entry: SealCase): SealRequest {
  const credential = { apiKey: utf8(entry.api_key), apiSecret: utf8(entry.api_secret) };
  return {
    keeper: { publicKey: entry.keeper_public, pinned: entry.keeper_fingerprint },
    context: contextOf(entry),
    credential: entry.passphrase === null ? credential : { ...credential, passphrase: utf8(entry.passphrase) },
    fingerprintKey: toBase64Url(fromHex(entry.fingerprint_key_hex, 32)),
  };
}

const first = sealFile.cases[0] as SealCase;

describe('sealing', () => {
  it.each(sealFile.cases.map((entry) => [entry.name, entry] as const))('%s: same bytes', async (_name, entry) => {
    expect(toBase64Url(contextBytes(contextOf(entry)))).toBe(entry.context);
    const sealed = await sealCredential(requestOf(entry), fromHex(entry.entropy_hex, 76));
    expect(sealed).toEqual({
      envelope: entry.envelope,
      sealedDataKey: entry.sealed_data_key,
      hint: entry.hint,
      fingerprint: entry.fingerprint,
    });
    expect(await keeperFingerprint(entry.keeper_public)).toBe(entry.keeper_fingerprint);
  });

  it('never makes the same envelope twice', async () => {
    const one = await sealCredential(requestOf(first));
    const two = await sealCredential(requestOf(first));
    expect(one.envelope).not.toBe(two.envelope);
    expect(one.sealedDataKey).not.toBe(two.sealedDataKey);
    expect(one.fingerprint).toBe(two.fingerprint);
  });

  it('wipes what it was given, also when it refuses', async () => {
    const good = requestOf(first);
    await sealCredential(good);
    const refused = { ...requestOf(first), keeper: { publicKey: first.keeper_public, pinned: 'other' } };
    await expect(sealCredential(refused)).rejects.toMatchObject({ code: 'BAD_KEEPER' });
    for (const { credential } of [good, refused]) {
      expect(credential.apiKey.every((byte) => byte === 0)).toBe(true);
      expect(credential.apiSecret.every((byte) => byte === 0)).toBe(true);
    }
  });

  it('refuses public keys of low order', async () => {
    for (const lowByte of [0, 1]) {
      const bytes = new Uint8Array(32);
      bytes[0] = lowByte;
      const request = { ...requestOf(first), keeper: { publicKey: toBase64Url(bytes) } };
      await expect(sealCredential(request)).rejects.toMatchObject({ code: 'BAD_KEEPER' });
    }
  });

  it('refuses what is empty, too long or no id', async () => {
    const change = (edit: (request: SealRequest) => void) => {
      const request = requestOf(first);
      edit(request);
      return sealCredential(request);
    };
    await expect(change((r) => (r.credential.apiSecret = utf8('')))).rejects.toMatchObject({ code: 'EMPTY' });
    await expect(change((r) => (r.credential.apiSecret = utf8('s'.repeat(2041))))).rejects.toMatchObject({
      code: 'TOO_LONG',
    });
    await expect(change((r) => (r.context.key = 'ABC'))).rejects.toMatchObject({ code: 'BAD_ID' });
    await expect(change((r) => (r.context.version = 0))).rejects.toMatchObject({ code: 'BAD_ID' });
    await expect(change((r) => (r.fingerprintKey = 'AAAA'))).rejects.toMatchObject({ code: 'BAD_BLOB' });
  });
});

describe('bytes', () => {
  it('accepts one text per value', () => {
    expect(() => fromBase64Url('AB', 1)).toThrow('BAD_BLOB');
    expect(() => fromBase64Url('AA==', 1)).toThrow('BAD_BLOB');
    expect(fromBase64Url('AA', 1)).toEqual(new Uint8Array(1));
  });

  it('reads and writes UTF-8 as the platform does', () => {
    const sample = 'aü€😀\u0000\uffff';
    expect(text(encodeUtf8(decodeUtf8(utf8(sample))))).toBe(sample);
    for (const bad of [[0x80], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
      expect(() => decodeUtf8(new Uint8Array(bad))).toThrow('NOT_TEXT');
    }
  });
});

describe('what is shown and judged', () => {
  it.each(hintCases.map((entry) => [entry.api_key, entry.hint]))('hint of %s', (key, expected) => {
    expect(hint(utf8(key ?? ''))).toBe(expected);
  });

  it.each(inspectCases.map((entry, index) => [index, entry] as const))('inspection %i', (_index, entry) => {
    const { api_key, api_secret, passphrase, label } = entry.input;
    const typed = { apiKey: utf8(api_key), apiSecret: utf8(api_secret) };
    const found = inspectInput({
      ...typed,
      ...(passphrase === null ? {} : { passphrase: utf8(passphrase) }),
      ...(label === null ? {} : { label }),
    });
    const shape = (field: { value: Uint8Array; removed: number }) => ({
      value: text(field.value),
      removed: field.removed,
    });
    expect(shape(found.apiKey)).toEqual(entry.api_key);
    expect(shape(found.apiSecret)).toEqual(entry.api_secret);
    expect(found.passphrase === undefined ? null : shape(found.passphrase)).toEqual(entry.passphrase);
    expect(found.suspicions).toEqual(entry.suspicions);
    expect(typed.apiSecret.every((byte) => byte === 0)).toBe(true);
  });
});
