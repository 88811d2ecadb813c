// The context an envelope is bound to: 58 canonical bytes, the same as crates/seal/src/context.rs.

import { type Bytes, fromHex, SealError } from './bytes';

export const exchangeCodes = { bybit: 1, binance: 2, kraken_futures: 3, okx: 4, bitmex: 5 } as const;
export const environmentCodes = { live: 1, testnet: 2, simulated: 3 } as const;
export const contractCodes = { linear: 1, inverse: 2 } as const;

export interface SealContext {
  /** Ids are 32 lower-case hexadecimal digits. */
  install: string;
  workspace: string;
  key: string;
  /** Version of the record, from 1. */
  version: number;
  exchange: keyof typeof exchangeCodes;
  environment: keyof typeof environmentCodes;
  contract: keyof typeof contractCodes;
}

export function contextBytes(context: SealContext): Bytes {
  if (!Number.isInteger(context.version) || context.version < 1 || context.version > 0xffffffff) {
    throw new SealError('BAD_ID');
  }
  const bytes = new Uint8Array(58);
  bytes[0] = 1;
  bytes[1] = 1;
  bytes.set(fromHex(context.install, 16), 2);
  bytes.set(fromHex(context.workspace, 16), 18);
  bytes.set(fromHex(context.key, 16), 34);
  const view = new DataView(bytes.buffer);
  view.setUint32(50, context.version);
  view.setUint16(54, exchangeCodes[context.exchange]);
  view.setUint8(56, environmentCodes[context.environment]);
  view.setUint8(57, contractCodes[context.contract]);
  return bytes;
}
