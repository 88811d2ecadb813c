// Why something cannot be chosen. The server decides; this only says it before the click.

import type { Key } from '../../lib/api/types';

/** Why a key cannot be assigned to the bot with this id (null for a new bot), or null when it can. */
export function keyObstacle(key: Key, botId: string | null): string | null {
  if (key.assigned_bot && key.assigned_bot.id !== botId) return `used by ${key.assigned_bot.label}`;
  if (key.verification.state !== 'ok') return 'not verified';
  if (!key.active) return 'off';
  return null;
}
