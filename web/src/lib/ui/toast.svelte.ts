// Short messages about something that was done. Failures are shown where they happened, not here.

export interface Toast {
  id: number;
  text: string;
  undo?: () => void;
}

const SHOWN_MS = 8_000;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #next = 1;

  /** Shows a message for eight seconds, with a way back if there is one. */
  show(text: string, undo?: () => void): void {
    const toast: Toast = { id: this.#next, text, ...(undo ? { undo } : {}) };
    this.#next += 1;
    this.list = [...this.list.slice(-3), toast];
    setTimeout(() => this.drop(toast.id), SHOWN_MS);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
export const toast = (text: string, undo?: () => void): void => toasts.show(text, undo);
