import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { address, read, remove, send, type Address } from './address';
import type { Bot, BotCommand, Page, Trade } from './types';

afterEach(() => vi.unstubAllGlobals());

/** Answers every request with the same JSON and keeps what was asked. */
function answering(body: unknown, status = 200) {
  const fetch = vi.fn((_path: string, _init: RequestInit) =>
    Promise.resolve(status === 204 ? new Response(null, { status }) : Response.json(body, { status })),
  );
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

describe('addresses', () => {
  it('put ids into the path and the rest into the query', () => {
    expect(address('/bots')).toBe('/bots');
    expect(address('/bots/{id}/decisions', { id: 'a/b', limit: 50, before: null, symbol: '' })).toBe(
      '/bots/a%2Fb/decisions?limit=50',
    );
  });
  it('know what is read there', async () => {
    expectTypeOf(address('/bots')).toEqualTypeOf<Address<Bot[]>>();
    answering({ items: [], next: null });
    const page = await read(address('/trades'));
    expectTypeOf(page.items).toEqualTypeOf<Page<Trade>['items']>();
    expect(page.next).toBeNull();
  });
  it('refuse what the server does not describe', () => {
    // @ts-expect-error no such path
    address('/bot');
    // @ts-expect-error the id is missing
    address('/bots/{id}');
    // @ts-expect-error no such question
    address('/trades', { market: 'BTCUSDT' });
    // @ts-expect-error a path that is only changed
    address('/claim');
  });
});

describe('calls', () => {
  it('send what the description names, as JSON', async () => {
    const fetch = answering({ id: 'c', status: 'pending' });
    const command = await send('post', '/bots/{id}/stop', { id: 'b1' }, { positions: 'leave' });
    expectTypeOf(command).toEqualTypeOf<BotCommand>();
    const [path, init] = fetch.mock.calls[0] ?? [];
    expect([path, init?.method, init?.body]).toEqual([
      '/api/v1/bots/b1/stop',
      'POST',
      '{"positions":"leave"}',
    ]);
  });
  it('refuse bodies that do not fit', () => {
    const never = (): unknown => [
      // @ts-expect-error no such choice
      send('post', '/bots/{id}/stop', { id: 'b1' }, { positions: 'keep' }),
      // @ts-expect-error the label is missing
      send('post', '/bots', {}, { region: 'local' }),
      // @ts-expect-error a bot is not replaced
      send('put', '/bots/{id}', { id: 'b1' }, {}),
    ];
    expect(never).toBeTypeOf('function');
  });
  it('remove with the content type that the server insists on', async () => {
    const fetch = answering(null, 204);
    await remove('/keys/{id}', { id: 'k' });
    const [path, init] = fetch.mock.calls[0] ?? [];
    expect([path, init?.method]).toEqual(['/api/v1/keys/k', 'DELETE']);
    expect(init?.headers).toMatchObject({ 'content-type': 'application/json' });
  });
});
