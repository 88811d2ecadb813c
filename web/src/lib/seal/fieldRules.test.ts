import { describe, expect, it } from 'vitest';
import { clean, doubt, unusualShape } from './fieldRules';
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
  it('warns about unusual shapes of known exchanges only', () => {
    expect(unusualShape('bybit', 'key', 'a'.repeat(18))).toBeNull();
    expect(unusualShape('bybit', 'key', 'a'.repeat(17))).toContain('17 characters');
    expect(unusualShape('bybit', 'secret', `${'a'.repeat(35)}-`)).toContain('characters that');
    expect(unusualShape('somewhere', 'key', 'x')).toBeNull();
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
