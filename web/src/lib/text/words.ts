// One word per thing: the labels for the server's enums.

import type { BotStatus, Environment, KeyCheckStep, Phase, Role, Side } from '../api/types';

export const environmentWord: Record<Environment, string> = {
  live: 'LIVE',
  testnet: 'TESTNET',
  simulated: 'PAPER',
};

export const environmentName: Record<Environment, string> = {
  live: 'Live',
  testnet: 'Testnet',
  simulated: 'Paper',
};

export const statusWord: Record<BotStatus, string> = {
  deploying: 'Deploying',
  online: 'Online',
  paused: 'Paused',
  offline: 'Offline',
  failed: 'Failed',
  stopping: 'Stopping',
  stopped: 'Stopped',
};

export const phaseWord: Record<Phase, string> = {
  idle: 'Connected, nothing to trade yet',
  connecting: 'Connecting to the exchange',
  reconciling: 'Comparing its books with the exchange',
  warming_up: 'Loading history',
  online: 'Trading',
  exits_only: 'Managing open positions only',
  stopping: 'Winding down',
};

export const stepWord: Record<KeyCheckStep, string> = {
  reachable: 'Exchange reachable',
  clock: 'Clocks agree',
  key_known: 'Key known',
  signature: 'Signature accepted',
  passphrase: 'Passphrase accepted',
  address: 'Address allowed',
  expiry: 'Not expired',
  permissions: 'Permissions',
  account: 'Account fits',
  balance: 'Balance readable',
};

export const roleWord: Record<Role, string> = {
  signal: 'Signal',
  filter: 'Filter',
  entry_guard: 'Entry guard',
  risk_gate: 'Risk gate',
};

export const positionWord = (side: Side): string => (side === 'buy' ? 'Long' : 'Short');

/** "min_score" to "Min score". */
export function humanize(name: string): string {
  const words = name.replaceAll('_', ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "1 trade", "2 trades". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
