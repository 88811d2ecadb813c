// Addresses and calls as the server describes them: the path exists, its ids and its query are the ones it takes, a body
// fits, and what comes back has the type that the server declares. All of it follows from schema.d.ts, so that a change
// of the server that a page does not know is an error of the compiler. Sends through client.ts.

import { call, withQuery, type CallOptions } from './client';
import type { paths } from './schema';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Described<Path> = `/api/v1${Path & string}` & keyof paths;
type Operation<M extends Method, Path> =
  paths[Described<Path>] extends Record<M, infer Found> ? Found : never;

/** Paths without their prefix that have a method. */
export type PathOf<M extends Method> = {
  [Path in keyof paths]: paths[Path] extends Record<M, { responses: unknown }>
    ? Path extends `/api/v1${infer Short}`
      ? Short
      : never
    : never;
}[keyof paths];

interface Json<Body> {
  content: { 'application/json': Body };
}
type Succeeds<Body> = { 200: Json<Body> } | { 201: Json<Body> };

/** What a call answers; undefined where the server sends nothing. */
export type Answer<M extends Method, Path> =
  Operation<M, Path> extends { responses: infer Responses }
    ? Responses extends Succeeds<infer Body>
      ? Body
      : undefined
    : never;

type BodyOf<M extends Method, Path> =
  Operation<M, Path> extends { requestBody: Json<infer Body> } ? Body : Record<string, never>;
type OrNothing<T> = [T] extends [never] ? unknown : T;
type QueryOf<Path> =
  Operation<'get', Path> extends { parameters: { query?: infer Query } }
    ? OrNothing<NonNullable<Query>>
    : unknown;
type IdsOf<Path> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Record<Name, string> & IdsOf<Rest>
  : unknown;
/** Ids and query together; nothing where the path takes neither. */
type Given<Path> = IdsOf<Path> & QueryOf<Path>;
type Arguments<T> = Partial<T> extends T ? [given?: T] : [given: T];

declare const reads: unique symbol;
/** An address below the prefix with what is read there. At run time it is only text. */
export type Address<T> = string & { readonly [reads]?: T };

type Values = Record<string, string | number | null | undefined>;

/** Puts ids into their places; what has no place goes into the query. */
function fill(path: string, given: Values): string {
  const rest = { ...given };
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const id = rest[name];
    Reflect.deleteProperty(rest, name);
    return encodeURIComponent(String(id));
  });
  return withQuery(filled, rest);
}

/** An address to read. Equal questions give equal addresses: empty values are left out. */
export function address<Path extends PathOf<'get'>>(
  path: Path,
  ...given: Arguments<Given<Path>>
): Address<Answer<'get', Path>> {
  return fill(path, (given[0] ?? {}) as Values);
}

/** Reads once, past the cache. Throws a Problem. */
export const read = <T>(from: Address<T>, options?: CallOptions): Promise<T> =>
  call<T>('GET', from, undefined, options);

/** Changes something; `ids` fill the places of the path. Throws a Problem. */
export function send<M extends 'post' | 'put' | 'patch', Path extends PathOf<M>>(
  method: M,
  path: Path,
  ids: IdsOf<Path>,
  body: BodyOf<M, Path>,
  options?: CallOptions,
): Promise<Answer<M, Path>> {
  return call(method.toUpperCase(), fill(path, ids as Values), body, options);
}

/** Removes something. Unsafe methods carry the JSON content type even without a body; the server insists on it. */
export async function remove<Path extends PathOf<'delete'>>(
  path: Path,
  ids: IdsOf<Path>,
  options?: CallOptions,
): Promise<void> {
  await call('DELETE', fill(path, ids as Values), {}, options);
}
