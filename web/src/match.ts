// Which page an address means. Pure; history and links are in router.svelte.ts.

import type { Component } from 'svelte';

export interface RouteDefinition {
  /** "/bots/:id/:tab?" */
  path: string;
  load: () => Promise<{ default: Component }>;
  /** Shown without signing in. */
  open?: boolean;
}

export interface Match {
  definition: RouteDefinition;
  params: Record<string, string>;
}

/** The first definition whose pattern fits, with its parameters decoded. */
export function matchRoute(routes: readonly RouteDefinition[], path: string): Match | null {
  const parts = path.split('/').filter(Boolean);
  for (const definition of routes) {
    const wanted = definition.path.split('/').filter(Boolean);
    const needed = wanted.filter((part) => !part.endsWith('?')).length;
    if (parts.length < needed || parts.length > wanted.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, index) => {
      const given = parts[index];
      if (!part.startsWith(':')) return part === given;
      if (given !== undefined) params[part.slice(1).replace('?', '')] = decode(given);
      return true;
    });
    if (fits) return { definition, params };
  }
  return null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
