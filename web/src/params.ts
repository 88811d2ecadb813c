// The parameters of the address shown now, for pages.

import { matchRoute } from './match';
import { router } from './router.svelte';
import { routes } from './routes';

/** A parameter of the address, or an empty text. */
export function param(name: string): string {
  return matchRoute(routes, router.path)?.params[name] ?? '';
}
