// The states of a job and how far it is, in words.

import type { Backtest, JobState } from '../../lib/api/types';
import { dayText } from './range';

/** Sign, word and tone of each state; the sign differs in shape, not only in color. */
export const stateWords: Record<JobState, [mark: string, word: string, tone: string]> = {
  queued: ['◌', 'Queued', 'muted'],
  running: ['◔', 'Running', 'muted'],
  completed: ['●', 'Completed', 'ok'],
  failed: ['⬣', 'Failed', 'danger'],
  canceled: ['■', 'Canceled', 'muted'],
};

interface Job {
  state: JobState;
  progress: { fraction: number; at: number | null } | null;
}

/** Has it ended? Ended jobs change no more. */
export const ended = (state: JobState): boolean => state !== 'queued' && state !== 'running';

/** How far a running job is in whole percent, never 100 before its end; null when it does not run or does not say. */
export function percentOf({ state, progress }: Job): number | null {
  if (state !== 'running' || !progress) return null;
  return Math.min(99, Math.max(0, Math.floor(progress.fraction * 100)));
}

/** "2025-11-03, 62 %": the simulated day it has reached and the share of the whole. */
export function progressText(job: Job): string {
  const percent = percentOf(job);
  const at = job.progress?.at ?? null;
  const parts = [at === null ? null : dayText(at), percent === null ? null : `${percent} %`];
  return parts.filter((part) => part !== null).join(', ');
}

/** "Next in the queue.", "Place 3 in the queue." */
export function queueText(position: number | null): string {
  if (position === null) return 'In the queue.';
  return position <= 1 ? 'Next in the queue.' : `Place ${position} in the queue.`;
}

/** The template and its version; a document that was never stored has none. */
export function templateName({ template }: Pick<Backtest, 'template'>): string {
  return template.version === null ? template.name : `${template.name} v${template.version}`;
}

/** "BTCUSDT" or "BTCUSDT and 2 more". */
export function marketNames(markets: Backtest['markets']): string {
  const first = markets[0]?.symbol ?? '';
  return markets.length > 1 ? `${first} and ${markets.length - 1} more` : first;
}

/** The tab's title: what matters first. */
export function tabTitle(run: Pick<Backtest, 'template'> & Job): string {
  if (run.state === 'running') return `${percentOf(run) ?? 0} % · Backtest`;
  if (run.state === 'queued') return 'Queued · Backtest';
  return `${run.template.name} · Backtests`;
}
