// Flatten is an emergency: one dialog with a preview, the focus on the action, no proof of identity. Holds what the
// dialog shows; FlattenDialog draws it.

import { bots } from '../../lib/api/endpoints';
import { asProblem } from '../../lib/api/problem';
import type { Bot } from '../../lib/api/types';

export type FlattenState = 'waiting' | 'sending' | 'sent' | 'refused';

export interface FlattenLine {
  bot: Bot;
  state: FlattenState;
  text: string;
}

class Flatten {
  lines = $state<FlattenLine[]>([]);
  open = $state(false);

  /** Opens the dialog for these bots. */
  ask(which: readonly Bot[]): void {
    this.lines = which.map((bot) => ({ bot, state: 'waiting', text: '' }));
    this.open = true;
  }

  close(): void {
    this.open = false;
    this.lines = [];
  }

  /** Sends the command to every bot that has not taken it yet; one refusal never stops the others. */
  async run(): Promise<void> {
    await Promise.all(this.lines.map((_, index) => this.#one(index)));
  }

  async #one(index: number): Promise<void> {
    const line = this.lines[index];
    if (!line || line.state === 'sending' || line.state === 'sent') return;
    line.state = 'sending';
    try {
      await bots.flatten(line.bot.id);
      line.state = 'sent';
      bots.refresh(line.bot.id);
    } catch (error) {
      line.state = 'refused';
      line.text = asProblem(error).sentence;
    }
  }
}

export const flatten = new Flatten();
