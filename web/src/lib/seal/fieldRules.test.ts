import { describe, expect, it } from 'vitest';
import type { KeyFields } from '../api/types';
import { clean, doubt, keyDoubt, misplaced, unpack, unusualShape } from './fieldRules';
import { SecretBox } from './secretBox';

const context = { byHand: true, apiKey: 'KEY1', label: 'Main', passphrase: false };

describe('sealed field rules', () => {
  it('removes what copying adds and counts it', () => {
    expect(clean(' \u200bab\u200dc\r\n ')).toEqual({ value: 'abc', removed: 6 });
    expect(clean('abc')).toEqual({ value: 'abc', removed: 0 });
  });
  it('keeps the lines of a private key', () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----';
    expect(clean(`${pem}\n`).value).toBe(pem);
  });
  it('doubts what nobody typed or pasted, addresses and repeats', () => {
    expect(doubt('secret', { ...context, byHand: false })).toBe('filled');
    expect(doubt('me@example.org', context)).toBe('email');
    expect(doubt('KEY1', context)).toBe('equals_key');
    expect(doubt('Main', context)).toBe('equals_label');
    expect(doubt('secret', context)).toBeNull();
  });
  it('allows a lone @ in a passphrase but no address', () => {
    expect(doubt('p@ss', { ...context, passphrase: true })).toBeNull();
    expect(doubt('p@ss.word', { ...context, passphrase: true })).toBe('email');
  });
});

const okx: KeyFields = {
  api_key: { name: 'API key', lengths: [36], alphabet: 'hex_dashes' },
  api_secret: { name: 'Secret key', lengths: [32], alphabet: 'hex' },
  passphrase: { name: 'Passphrase', lengths: [], alphabet: 'any' },
};
const binance: KeyFields = {
  api_key: { name: 'API Key', lengths: [64], alphabet: 'letters_digits' },
  api_secret: { name: 'Secret Key', lengths: [64], alphabet: 'letters_digits' },
  passphrase: null,
};
const uuid = '01234567-89ab-cdef-0123-456789abcdef';
const hex = 'ABCDEF0123456789ABCDEF0123456789';

describe('shapes of an exchange', () => {
  it('warns about an unusual length or alphabet', () => {
    expect(unusualShape(okx.api_secret, hex)).toBeNull();
    expect(unusualShape(okx.api_secret, hex.slice(1))).toContain('31 characters');
    expect(unusualShape(okx.api_secret, `${hex.slice(1)}x`)).toContain('characters that');
    expect(unusualShape({ name: 'Passphrase', lengths: [], alphabet: 'any' }, 'any thing!')).toBeNull();
    expect(unusualShape(okx.api_secret, '-----BEGIN PRIVATE KEY-----\nMC4C')).toBeNull();
  });
  it('sees a key in the place of the secret, and the reverse, where they differ', () => {
    expect(misplaced(okx, 'api_key', uuid)).toBeNull();
    expect(misplaced(okx, 'api_secret', hex)).toBeNull();
    expect(misplaced(okx, 'api_key', hex)).toContain('looks like the API secret');
    expect(misplaced(okx, 'api_secret', uuid)).toContain('looks like the API key');
    expect(misplaced(binance, 'api_secret', 'a'.repeat(64))).toBeNull();
  });
  it('sees a passphrase that is none', () => {
    expect(misplaced(okx, 'passphrase', 'My-Passphrase1')).toBeNull();
    expect(misplaced(okx, 'passphrase', hex)).toContain('looks like the API secret');
    expect(misplaced(okx, 'passphrase', 'two words')).toContain('blank inside');
  });
  it('takes the packed form apart where there is a passphrase', () => {
    expect(unpack(okx, `${hex}:My:Passphrase1`)).toEqual({ secret: hex, passphrase: 'My:Passphrase1' });
    expect(unpack(okx, hex)).toBeNull();
    expect(unpack(okx, `${hex}:`)).toBeNull();
    expect(unpack(okx, `no secret:${hex}`)).toBeNull();
    expect(unpack(binance, `${'a'.repeat(64)}:word`)).toBeNull();
  });
  it('doubts an API key that is an address or two words', () => {
    expect(keyDoubt('me@example.org')).toBe('email');
    expect(keyDoubt('two words')).toBe('blank');
    expect(keyDoubt(uuid)).toBeNull();
  });
});

describe('secret box', () => {
  it('hands its bytes over once', () => {
    const box = new SecretBox();
    box.put('s3cret');
    expect(JSON.stringify({ box })).not.toContain('s3cret');
    expect(String(box)).not.toContain('s3cret');
    expect(new TextDecoder().decode(box.take())).toBe('s3cret');
    expect(box.empty).toBe(true);
    expect(box.take()).toHaveLength(0);
  });
  it('is empty after wiping', () => {
    const box = new SecretBox();
    box.put('s3cret');
    box.wipe();
    expect(box.take()).toHaveLength(0);
  });
});
