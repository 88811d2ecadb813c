import { describe, expect, it } from 'vitest';
import { matchRoute, type RouteDefinition } from './match';

const load = (): Promise<never> => Promise.reject(new Error('not loaded'));
const routes: RouteDefinition[] = ['/', '/keys', '/keys/new', '/keys/:id', '/bots/:id/:tab?'].map((path) => ({
  path,
  load,
}));
const at = (path: string): [string | undefined, Record<string, string> | undefined] => {
  const match = matchRoute(routes, path);
  return [match?.definition.path, match?.params];
};

describe('router', () => {
  it('prefers the earlier, literal pattern', () => {
    expect(at('/keys/new')).toEqual(['/keys/new', {}]);
    expect(at('/keys/abc')).toEqual(['/keys/:id', { id: 'abc' }]);
  });
  it('takes optional parts, trailing slashes and encoded parameters', () => {
    expect(at('/bots/b1')).toEqual(['/bots/:id/:tab?', { id: 'b1' }]);
    expect(at('/bots/b1/orders/')).toEqual(['/bots/:id/:tab?', { id: 'b1', tab: 'orders' }]);
    expect(at('/keys/a%2Fb')).toEqual(['/keys/:id', { id: 'a/b' }]);
    expect(at('/keys/%zz')).toEqual(['/keys/:id', { id: '%zz' }]);
  });
  it('knows the root and what it does not know', () => {
    expect(at('/')).toEqual(['/', {}]);
    expect(matchRoute(routes, '/nowhere')).toBeNull();
    expect(matchRoute(routes, '/bots/a/b/c')).toBeNull();
  });
});
