// Pure helpers on template documents: what a threshold can reach, defaults of new parts, where a problem belongs.
// Whether a document is valid is decided by the server alone.

import { add, compare } from '../../lib/money/decimal';
import type {
  Catalog,
  Combination,
  CombinationMode,
  ComponentEntry,
  ComponentSpec,
  DocumentProblem,
  ExitEntry,
  ExitSpec,
  ParameterEntry,
  ParameterValue,
  Role,
  TemplateDocument,
} from '../../lib/api/types';

export const MODES: Record<CombinationMode, [string, string]> = {
  min_score: [
    'Min score',
    'Long when the weighted sum of the signals reaches the threshold, short when it reaches its negative.',
  ],
  min_signals: ['Min signals', 'Enough signals agree, and more of them than oppose.'],
  weighted_average: [
    'Weighted average',
    'The weighted mean of the signals, from −1 to 1, reaches the threshold.',
  ],
  majority: ['Majority', 'More than half of all enabled signals agree.'],
  all: ['All', 'Every enabled signal agrees.'],
  any: ['Any', 'At least one signal agrees and none opposes.'],
};

export const ROLE_ORDER: readonly Role[] = ['signal', 'filter', 'entry_guard', 'risk_gate'];

const enabled = (part: { enabled?: 'yes' | 'no' }): boolean => part.enabled !== 'no';

/** What the threshold can reach at most with the enabled signals; null where the mode has no threshold. */
export function attainable(document: TemplateDocument): string | null {
  const signals = document.components.filter(
    (component) => component.role === 'signal' && enabled(component),
  );
  switch (document.combination.mode) {
    case 'min_score':
      return signals.reduce((sum, signal) => add(sum, String(signal.weight ?? '1')) ?? sum, '0');
    case 'min_signals':
      return String(signals.length);
    case 'weighted_average':
      return signals.length === 0 ? '0' : '1';
    default:
      return null;
  }
}

/** The threshold as text, whatever the mode calls it. */
export function thresholdOf(combination: Combination): string {
  const value = combination.mode === 'min_signals' ? combination.count : combination.threshold;
  return value === undefined ? '' : String(value);
}

/** Is the threshold above what can be reached? */
export function unreachable(document: TemplateDocument): boolean {
  const most = attainable(document);
  return most !== null && compare(thresholdOf(document.combination), most) === 1;
}

/** A combination of another mode with a threshold that makes sense. */
export function withMode(mode: CombinationMode, document: TemplateDocument): Combination {
  const draft = { ...document, combination: { mode } as Combination };
  const most = attainable(draft);
  if (mode === 'min_signals') return { mode, count: Math.max(1, Math.ceil(Number(most) / 2)) };
  if (mode === 'min_score') return { mode, threshold: compare(most ?? '0', '1') === 1 ? '1' : (most ?? '1') };
  if (mode === 'weighted_average') return { mode, threshold: '0.5' };
  return { mode };
}

/** The same combination with a new threshold. */
export function withThreshold(combination: Combination, text: string): Combination {
  if (combination.mode === 'min_signals') {
    return { mode: combination.mode, ...(/^\d+$/.test(text.trim()) ? { count: Number(text) } : {}) };
  }
  return { mode: combination.mode, threshold: text.trim() };
}

/** The value in force for a parameter: what is written, else the default; null where there is none. */
export function valueOf(entry: ParameterEntry, written: ParameterValue | undefined): ParameterValue | null {
  if (written !== undefined) return written;
  return entry.type === 'ladder' ? [] : entry.default;
}

/** Has the parameter an effect in this role and with these other choices? */
export function applies(
  entry: ParameterEntry,
  part: { role?: Role; parameters?: Record<string, ParameterValue> },
  all: readonly ParameterEntry[],
): boolean {
  if (part.role && entry.roles.length > 0 && !entry.roles.includes(part.role)) return false;
  const condition = entry.applies_if;
  if (!condition) return true;
  const deciding = all.find((other) => other.name === condition.parameter);
  const value = deciding
    ? valueOf(deciding, part.parameters?.[condition.parameter])
    : part.parameters?.[condition.parameter];
  return value === condition.choice;
}

export function newComponent(entry: ComponentEntry): ComponentSpec {
  return {
    kind: entry.kind,
    role: entry.roles[0]?.role ?? 'signal',
    parameters: {},
    weight: '1',
    enabled: 'yes',
  };
}

export function newExit(entry: ExitEntry): ExitSpec {
  return { kind: entry.kind, parameters: {}, enabled: 'yes' };
}

/** A first document that is close to valid: one signal, one hard stop, where the catalog has them. */
export function newDocument(catalog: Catalog): TemplateDocument {
  const signal =
    catalog.components.find((entry) => entry.kind === 'ema_cross') ??
    catalog.components.find((entry) => entry.roles.some((role) => role.role === 'signal'));
  const stop = catalog.exits.find((entry) => entry.kind === 'hard_stop') ?? catalog.exits[0];
  return {
    format: 1,
    name: 'New template',
    description: '',
    timeframe: catalog.timeframes.includes('1h') ? '1h' : (catalog.timeframes[0] ?? '1h'),
    combination: { mode: 'min_score', threshold: '1' },
    direction: 'both',
    components: signal ? [{ ...newComponent(signal), role: 'signal' }] : [],
    exits: stop ? [newExit(stop)] : [],
    sessions: [],
    at_session_end: 'keep',
    missing_hard_stop: 'refuse',
  };
}

/** A list with one element moved by a step; unchanged at the ends. */
export function moved<T>(list: readonly T[], index: number, step: 1 | -1): T[] {
  const other = index + step;
  const item = list[index];
  const swapped = list[other];
  if (item === undefined || swapped === undefined) return [...list];
  return list.with(index, swapped).with(other, item);
}

/** Problems at or below a path such as "components[2]". */
export function problemsAt(problems: readonly DocumentProblem[], path: string): DocumentProblem[] {
  return problems.filter(
    (problem) =>
      problem.path === path || problem.path.startsWith(`${path}.`) || problem.path.startsWith(`${path}[`),
  );
}

/** A component in a few words: its title and the values that differ from the default come first. */
export function summary(
  entry: { parameters: ParameterEntry[] } | undefined,
  part: ComponentSpec | ExitSpec,
): string {
  if (!entry) return '';
  return entry.parameters
    .filter((parameter) => applies(parameter, part, entry.parameters))
    .slice(0, 4)
    .map((parameter) => {
      const value = valueOf(parameter, part.parameters?.[parameter.name]);
      if (value === null || (Array.isArray(value) && value.length === 0)) return null;
      const text = Array.isArray(value)
        ? value.map((item) => (typeof item === 'string' ? item : `${item.pct} % (${item.share})`)).join(', ')
        : String(value);
      return `${parameter.title} ${text}`;
    })
    .filter((text) => text !== null)
    .join(', ');
}

/** Text of a unit behind a number field. */
export function unitText(unit: string): string {
  const texts: Record<string, string> = {
    candles: 'candles',
    percent: '%',
    basis_points: 'bp',
    minutes: 'min',
    hours: 'h',
    multiple: '×',
    points: 'points',
    price: 'quote',
    deviations: 'σ',
    none: '',
  };
  return texts[unit] ?? unit;
}

/** Reads a document typed as JSON; the error is a sentence. */
export function parseDocument(text: string): { document: TemplateDocument } | { error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { error: `This is not JSON: ${error instanceof Error ? error.message : 'unreadable'}.` };
  }
  const object = value as Partial<TemplateDocument> | null;
  if (typeof object !== 'object' || object === null || Array.isArray(object))
    return { error: 'An object is expected.' };
  if (!Array.isArray(object.components)) return { error: 'The list “components” is missing.' };
  if (!Array.isArray(object.exits)) return { error: 'The list “exits” is missing.' };
  if (typeof object.combination?.mode !== 'string')
    return { error: 'The object “combination” with its “mode” is missing.' };
  return { document: object as TemplateDocument };
}
