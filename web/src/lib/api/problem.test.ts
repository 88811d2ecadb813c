import { describe, expect, it } from 'vitest';
import { asProblem, fieldErrors, isCanceled, Problem, problemFrom } from './problem';

const answer = (body: unknown, init: ResponseInit = {}): Response =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status: 409, ...init });

describe('problem documents', () => {
  it('reads every field', async () => {
    const problem = await problemFrom(
      answer({
        title: 'Assigned',
        status: 409,
        code: 'KEY_ASSIGNED',
        detail: 'BTC Trend uses this key.',
        next_step: 'Unassign it first.',
        request_id: 'r-1',
        pointer: '/key_id',
      }),
    );
    expect(problem.code).toBe('KEY_ASSIGNED');
    expect(problem.nextStep).toBe('Unassign it first.');
    expect(problem.requestId).toBe('r-1');
    expect(fieldErrors(problem)).toEqual({ key_id: 'BTC Trend uses this key.' });
  });
  it('survives a proxy page and an empty body', async () => {
    const page = await problemFrom(
      answer('<html>Bad gateway</html>', { status: 502, statusText: 'Bad Gateway' }),
    );
    expect(page.code).toBe('HTTP_502');
    expect(page.title).toBe('Bad Gateway');
    const empty = await problemFrom(answer('', { status: 500 }));
    expect(empty.title).toBe('The server answered 500');
  });
  it('keeps the waiting time of a rate limit', async () => {
    const problem = await problemFrom(
      answer({ code: 'RATE_LIMITED', title: 'Slow down' }, { status: 429, headers: { 'retry-after': '12' } }),
    );
    expect(problem.retryAfterSeconds).toBe(12);
  });
  it('joins several problems of one field', async () => {
    const problem = await problemFrom(
      answer({
        title: 'Weak',
        code: 'PASSWORD_WEAK',
        problems: [
          { path: '/password', code: 'SHORT', message: 'At least 15 characters.', remedy: null },
          { path: 'password', code: 'COMMON', message: 'Too common.', remedy: 'Use four words.' },
        ],
      }),
    );
    expect(fieldErrors(problem)).toEqual({ password: 'At least 15 characters. Too common. Use four words.' });
  });
  it('uses our words for a known code and the server’s for an unknown one', () => {
    expect(new Problem({ status: 409, code: 'KEY_DUPLICATE', title: 'x' }).sentence).toContain('already');
    expect(new Problem({ status: 409, code: 'NEW_CODE', title: 'Server title' }).sentence).toBe(
      'Server title',
    );
  });
  it('tells canceled calls apart', () => {
    expect(isCanceled(asProblem(new DOMException('x', 'AbortError')))).toBe(true);
    expect(isCanceled(asProblem(new TypeError('x')))).toBe(false);
  });
});
