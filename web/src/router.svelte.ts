// History and links. Small on purpose: patterns are in match.ts, pages in routes.ts, filters in the query.

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  /** Counts navigations, so that the page can move the focus even to the same address. */
  visits = $state(0);
  /** Asked before leaving a page with unsaved work; false stays. */
  guard: (() => boolean | Promise<boolean>) | null = null;

  readonly query = $derived(new URLSearchParams(this.search));

  /** Goes to an address of this app. */
  async go(to: string, how: 'push' | 'replace' = 'push'): Promise<void> {
    const target = new URL(to, location.origin);
    if (target.pathname !== this.path && this.guard && !(await this.guard())) return;
    if (target.pathname !== this.path) this.guard = null;
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', target);
    this.#read();
  }

  /** Changes parameters of the query in place; null removes one. The focus stays where it is. */
  setQuery(changes: Record<string, string | null>): void {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    history.replaceState(null, '', `${location.pathname}${text ? `?${text}` : ''}`);
    this.search = location.search;
  }

  /** Follows links and the back button. */
  start(): void {
    window.addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link || !isOurs(link, event)) return;
      event.preventDefault();
      void this.go(link.href);
    });
  }

  #read(): void {
    if (location.pathname !== this.path) this.visits += 1;
    this.path = location.pathname;
    this.search = location.search;
  }
}

function isOurs(link: HTMLAnchorElement, event: MouseEvent): boolean {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const url = new URL(link.href, location.href);
  const here = url.origin === location.origin && !url.pathname.startsWith('/api/');
  const anchor = url.pathname === location.pathname && url.hash !== '';
  return (
    plain && here && !anchor && !link.target && !link.hasAttribute('download') && !event.defaultPrevented
  );
}

export const router = new Router();
export const go = (to: string, how?: 'push' | 'replace'): Promise<void> => router.go(to, how);
