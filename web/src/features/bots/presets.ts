// Sizes and limits offered when a bot is deployed. The numbers are data; their meaning is the engine's.

import type { BotSettings } from '../../lib/api/types';
import { carefulSettings } from '../setup/paper';

export type Preset = 'careful' | 'normal';

export const presetText: Record<Preset, [string, string]> = {
  careful: [
    'Careful',
    '10 % of the equity per position, no leverage, at most 2 positions, stops for the day after losing 2 %.',
  ],
  normal: [
    'Normal',
    '25 % of the equity per position, leverage 2, at most 4 positions, stops for the day after losing 4 %.',
  ],
};

/** The settings document of a preset. */
export function presetSettings(preset: Preset): BotSettings {
  const careful = carefulSettings();
  if (preset === 'careful') return careful;
  return {
    ...careful,
    sizing: { mode: 'percent_equity', pct: '25' },
    leverage: '2',
    limits: {
      ...careful.limits,
      max_positions_total: 4,
      daily_loss: { most: { pct: '4' }, counting: 'realized_and_unrealized', when_hit: 'block' },
      max_drawdown_pct: '20',
    },
  };
}
