// The range of a run: presets measured back from the newest candle, and days typed in UTC. Ends are exclusive instants.

export interface Range {
  /** Milliseconds UTC, included. */
  from: number;
  /** Milliseconds UTC, excluded. */
  until: number;
}

export const PRESETS = [
  { id: '30', title: 'Last 30 days', days: 30 },
  { id: '90', title: 'Last 90 days', days: 90 },
  { id: '365', title: 'Last year', days: 365 },
  { id: 'all', title: 'All there is', days: null },
] as const;
export type PresetId = (typeof PRESETS)[number]['id'];

const DAY_MS = 86_400_000;

/** The range of a preset within what there is; never before its first candle. */
export function presetRange(id: PresetId, there: Range): Range {
  const days = PRESETS.find((preset) => preset.id === id)?.days ?? null;
  if (days === null) return { ...there };
  return { from: Math.max(there.from, there.until - days * DAY_MS), until: there.until };
}

/** The beginning of a day typed as "2024-01-31", in UTC; null when it is none. */
export function dayStart(text: string): number | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text.trim());
  if (!parts) return null;
  const at = Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return dayText(at) === text.trim() ? at : null;
}

/** "2024-01-31" of an instant, in UTC. */
export function dayText(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** The last day that a range touches. */
export function lastDay({ until }: Range): string {
  return dayText(until - 1);
}

/** What was typed: both days included. Null with the wrong field when it is no range. */
export function typedRange(first: string, last: string): Range | { wrong: 'from' | 'until'; text: string } {
  const from = dayStart(first);
  const end = dayStart(last);
  if (from === null) return { wrong: 'from', text: 'A day such as 2024-01-31.' };
  if (end === null) return { wrong: 'until', text: 'A day such as 2024-12-31.' };
  if (end < from) return { wrong: 'until', text: 'The last day lies before the first.' };
  return { from, until: end + DAY_MS };
}

/** Missing time inside a range, clipped to it, longest first. */
export function gapsWithin(range: Range, gaps: readonly Range[]): Range[] {
  return gaps
    .map((gap) => ({ from: Math.max(gap.from, range.from), until: Math.min(gap.until, range.until) }))
    .filter((gap) => gap.until > gap.from)
    .toSorted((a, b) => b.until - b.from - (a.until - a.from));
}

export interface Stretch {
  kind: 'there' | 'missing';
  /** Parts of the whole, 0 to 1. */
  start: number;
  width: number;
}

/** A whole range as stretches of candles and of gaps, for a bar. */
export function stretches(whole: Range, there: Range | null, gaps: readonly Range[]): Stretch[] {
  const length = whole.until - whole.from;
  if (length <= 0) return [];
  const part = ({ from, until }: Range, kind: Stretch['kind']): Stretch | null => {
    const start = Math.max(0, (from - whole.from) / length);
    const end = Math.min(1, (until - whole.from) / length);
    return end > start ? { kind, start, width: end - start } : null;
  };
  return [
    part(whole, 'missing'),
    there && part(there, 'there'),
    ...gaps.map((gap) => part(gap, 'missing')),
  ].filter((stretch) => stretch !== null);
}
