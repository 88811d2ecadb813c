import { describe, expect, it } from 'vitest';
import { Problem } from '../../lib/api/problem';
import type { KeyIntent } from '../../lib/api/types';
import { toBase64Url } from '../../lib/seal/bytes';
import { keeperFingerprint } from '../../lib/seal/seal';
import { sealForIntent } from './sealing';

const place = { exchange: 'bybit', environment: 'testnet', contract_type: 'linear' } as const;
const id = (digit: string): string => digit.repeat(32);

async function intent(): Promise<KeyIntent> {
  const pair = (await crypto.subtle.generateKey({ name: 'X25519' }, true, ['deriveBits'])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const public_key = toBase64Url(raw);
  return {
    key_id: id('1'),
    record_version: 1,
    install_id: id('2'),
    workspace_id: id('3'),
    keeper: { key_id: 'k', public_key, fingerprint: await keeperFingerprint(public_key) },
    fingerprint_key: toBase64Url(new Uint8Array(32).fill(7)),
    egress_addresses: [],
    expires_at: 0,
  };
}

const pasted = { label: 'Main', apiKey: 'AbCdEfGhIjKlMnOpQr', apiSecret: 'S'.repeat(36), passphrase: null };

async function refusal(call: Promise<unknown>): Promise<Problem> {
  const error: unknown = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error('expected a Problem');
  return error;
}

describe('sealing for an intent', () => {
  it('sends nothing readable and wipes the secret', async () => {
    const secret = new TextEncoder().encode(pasted.apiSecret);
    const upload = await sealForIntent(await intent(), place, { ...pasted, apiSecret: secret });
    expect(upload.hint).toBe('AbCd…OpQr');
    expect(JSON.stringify(upload)).not.toContain('SSSS');
    expect(JSON.stringify(upload)).not.toContain(pasted.apiKey);
    expect(secret.every((byte) => byte === 0)).toBe(true);
  });
  it('names the field that looks filled in', async () => {
    const problem = await refusal(
      sealForIntent(await intent(), place, { ...pasted, apiSecret: 'me@example.org' }),
    );
    expect(problem.code).toBe('KEY_INPUT_SUSPECT');
    expect(problem.pointer).toBe('/api_secret');
    expect(problem.title).not.toContain('me@');
  });
  it('refuses a keeper whose fingerprint does not fit', async () => {
    const wrong = await intent();
    wrong.keeper.fingerprint = '0000-0000-0000-0000-0000-0000-0000-0000';
    const problem = await refusal(sealForIntent(wrong, place, pasted));
    expect(problem.code).toBe('SEAL_BAD_KEEPER');
  });
});
