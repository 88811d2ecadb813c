// One door to the server. Sends JSON to our own origin, turns every failure into a Problem, asks for a fresh proof of
// identity when the server wants one and repeats the call. Knows no resource; those are in
// endpoints.ts, which calls through address.ts, where paths and bodies are checked against the server's description.

import { asProblem, canceled, networkProblem, Problem, problemFrom } from './problem';

export const PREFIX = '/api/v1';

export interface CallOptions {
  signal?: AbortSignal;
  /** The action in words, shown when the server wants a fresh proof of identity: "Add API key Bybit main". */
  action?: string;
  /** `fail` lets a call that would need a fresh proof fail instead of asking for it. */
  reverify?: 'ask' | 'fail';
}

type Reverify = (action: string) => Promise<boolean>;

const hooks: { reverify: Reverify | null; signedOut: (() => void) | null } = {
  reverify: null,
  signedOut: null,
};

/** Who asks for a fresh proof, and who is told that the session ended. Set once by the session module. */
export function connectSession(reverify: Reverify, signedOut: () => void): void {
  hooks.reverify = reverify;
  hooks.signedOut = signedOut;
}

async function send(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, credentials: 'same-origin', headers: { accept: 'application/json' } };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.headers = { accept: 'application/json', 'content-type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(`${PREFIX}${path}`, init);
  } catch (error) {
    if (signal?.aborted) throw canceled();
    if (error instanceof TypeError) throw networkProblem();
    throw asProblem(error);
  }
}

/** Calls the server; gives the answer's JSON, or undefined for 204. Throws a Problem. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  options: CallOptions = {},
): Promise<T> {
  let response = await send(method, path, body, options.signal);
  if (response.ok) return answer<T>(response);
  let problem = await problemFrom(response);
  if (problem.code === 'REAUTH_REQUIRED' && hooks.reverify && options.reverify !== 'fail') {
    if (!(await hooks.reverify(options.action ?? 'Go on with this change'))) throw canceled();
    response = await send(method, path, body, options.signal);
    if (response.ok) return answer<T>(response);
    problem = await problemFrom(response);
  }
  if (problem.status === 401 && !isSignIn(path)) hooks.signedOut?.();
  throw problem;
}

async function answer<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const body: unknown = await response.json().catch(() => {
    throw new Problem({ status: response.status, code: 'BAD_ANSWER', title: 'The answer was no JSON' });
  });
  return body as T;
}

/** A path with its query; empty values are left out, so that equal questions have equal addresses. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** Calls whose 401 means "wrong credentials", not "session over". */
function isSignIn(path: string): boolean {
  return path === '/me' || path === '/session' || path.startsWith('/session/') || path.startsWith('/claim');
}
