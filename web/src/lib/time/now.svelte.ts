// The one ticking clock of the page: ages and countdowns read it, so that they move together, once a second.

let value = $state(Date.now());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The present, updated once a second while a component that called `useNow` is shown. */
export function now(): number {
  return value;
}

/** Keeps the clock running while the calling component is shown. */
export function useNow(): void {
  $effect(() => {
    users += 1;
    timer ??= setInterval(() => (value = Date.now()), 1_000);
    return () => {
      users -= 1;
      if (users === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    };
  });
}
