import { describe, expect, it } from 'vitest';
import type { ParameterEntry, TemplateDocument } from '../../lib/api/types';
import {
  applies,
  attainable,
  blocks,
  moved,
  parseDocument,
  problemsAt,
  problemText,
  summary,
  unreachable,
  withDay,
  withMode,
  withThreshold,
} from './document';

const document: TemplateDocument = {
  format: 1,
  name: 'T',
  timeframe: '1h',
  combination: { mode: 'min_score', threshold: '3.6' },
  components: [
    { kind: 'ema_cross', role: 'signal', weight: '1.1' },
    { kind: 'supertrend', role: 'signal', weight: '2.2' },
    { kind: 'macd', role: 'signal', weight: '5', enabled: 'no' },
    { kind: 'adx_dmi', role: 'filter' },
  ],
  exits: [{ kind: 'hard_stop' }],
};

describe('template documents', () => {
  it('adds weights exactly and ignores what is disabled or no signal', () => {
    expect(attainable(document)).toBe('3.3');
    expect(unreachable(document)).toBe(true);
    expect(unreachable({ ...document, combination: { mode: 'min_score', threshold: '3.3' } })).toBe(false);
    expect(attainable({ ...document, combination: { mode: 'min_signals', count: 2 } })).toBe('2');
    expect(attainable({ ...document, combination: { mode: 'majority' } })).toBeNull();
  });
  it('changes modes without leaving fields of the old one', () => {
    expect(withMode('min_signals', document)).toEqual({ mode: 'min_signals', count: 1 });
    expect(withMode('any', document)).toEqual({ mode: 'any' });
    expect(withThreshold({ mode: 'min_signals', count: 1 }, '2')).toEqual({ mode: 'min_signals', count: 2 });
    expect(withThreshold({ mode: 'min_score', threshold: '1' }, ' 2.5 ')).toEqual({
      mode: 'min_score',
      threshold: '2.5',
    });
    // What is no count is sent as one that the server explains, not left out.
    expect(withThreshold({ mode: 'min_signals', count: 1 }, 'x')).toEqual({ mode: 'min_signals', count: 0 });
    expect(withThreshold({ mode: 'all' }, '2')).toEqual({ mode: 'all' });
  });
  it('finds problems by field without mixing up 1 and 10', () => {
    const problem = (path: string) => ({ path, code: 'X', message: '', remedy: '' });
    const all = ['components[1].weight', 'components[10]', 'components[1]', 'combination.threshold'].map(
      problem,
    );
    expect(problemsAt(all, 'components[1]').map((item) => item.path)).toEqual([
      'components[1].weight',
      'components[1]',
    ]);
    expect(problemsAt(all, 'combination')).toHaveLength(1);
  });
  it('joins what is wrong at a field into one text', () => {
    const problem = { path: 'name', code: 'X', message: 'Too long.', remedy: 'Shorten it.' };
    expect(problemText([problem, problem], 'name')).toBe('Too long. Shorten it. Too long. Shorten it.');
    expect(problemText([problem], 'timeframe')).toBeUndefined();
  });
  it('writes every day as none', () => {
    const session = { name: 'S', start: '08:00', end: '16:00', weekdays: [] };
    const six = withDay(session, 'sun', false);
    expect(six.weekdays).toEqual(['mon', 'tue', 'wed', 'thu', 'fri', 'sat']);
    expect(withDay(six, 'sun', true)).toEqual(session);
  });
  it('reads lines with a dash as lists', () => {
    expect(blocks('Signals:\n- one\n- two\nExits:\n- three\n')).toEqual([
      'Signals:',
      ['one', 'two'],
      'Exits:',
      ['three'],
    ]);
    expect(blocks('')).toEqual([]);
  });
  it('moves rows and stops at the ends', () => {
    expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
    expect(moved(['a', 'b'], 0, -1)).toEqual(['a', 'b']);
  });
  it('knows when a parameter has an effect', () => {
    const mode = {
      name: 'mode',
      title: 'Mode',
      help: '',
      roles: [],
      applies_if: null,
      type: 'choice',
      choices: ['pct', 'atr'],
      default: 'pct',
    } as ParameterEntry;
    const period = {
      name: 'period',
      title: 'Period',
      help: '',
      roles: ['filter'],
      applies_if: { parameter: 'mode', choice: 'atr' },
      type: 'integer',
      unit: 'candles',
      default: 14,
      min: 1,
      max: 99,
      step: 1,
    } as ParameterEntry;
    expect(applies(period, { role: 'filter', parameters: { mode: 'atr' } }, [mode, period])).toBe(true);
    expect(applies(period, { role: 'filter', parameters: {} }, [mode, period])).toBe(false);
    expect(applies(period, { role: 'signal', parameters: { mode: 'atr' } }, [mode, period])).toBe(false);
    expect(
      summary({ parameters: [mode, period] }, { kind: 'x', role: 'filter', parameters: { mode: 'atr' } }),
    ).toBe('Mode atr, Period 14');
  });
  it('reads JSON with a sentence for what is wrong', () => {
    expect(parseDocument('{')).toHaveProperty('error');
    expect(parseDocument('[]')).toEqual({ error: 'An object is expected.' });
    expect(parseDocument('{"components":[],"exits":[]}')).toEqual({
      error: 'The object “combination” with its “mode” is missing.',
    });
    expect(parseDocument(JSON.stringify(document))).toEqual({ document });
  });
});
