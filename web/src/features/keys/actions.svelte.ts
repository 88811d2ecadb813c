// What can be done with a key, from the table and from its page, with the question each needs.

import { keys } from '../../lib/api/endpoints';
import { asProblem, isCanceled, type Problem } from '../../lib/api/problem';
import type { Key } from '../../lib/api/types';
import { confirm } from '../../lib/ui/confirm.svelte';
import { toast } from '../../lib/ui/toast.svelte';
import { go } from '../../router.svelte';

export class KeyActions {
  /** The key something is being done with. */
  busy = $state<string | null>(null);
  problem = $state.raw<Problem | null>(null);
  what = $state('');
  renaming = $state.raw<Key | null>(null);

  async #run(key: Key, what: string, action: () => Promise<unknown>): Promise<boolean> {
    this.busy = key.id;
    this.problem = null;
    this.what = what;
    try {
      await action();
      return true;
    } catch (error) {
      const problem = asProblem(error);
      if (!isCanceled(problem)) this.problem = problem;
      return false;
    } finally {
      this.busy = null;
    }
  }

  async test(key: Key): Promise<void> {
    await this.#run(key, `Testing ${key.label}`, async () => {
      const tested = await keys.test(key.id);
      toast(
        tested.verification.state === 'ok'
          ? `${key.label} passed its test.`
          : `${key.label} did not pass its test.`,
      );
    });
  }

  async setActive(key: Key, active: boolean): Promise<void> {
    if (!active && key.assigned_bot) {
      const sure = await confirm({
        title: `Switch off ${key.label}?`,
        body: [
          `${key.assigned_bot.label} will open nothing new.`,
          'Positions that are open keep their exit rules and are still managed.',
        ],
        confirm: 'Switch off key',
      });
      if (!sure) return;
    }
    await this.#run(key, active ? `Activating ${key.label}` : `Switching off ${key.label}`, async () => {
      await keys.activate(key.id, active);
      toast(active ? `${key.label} is active.` : `${key.label} is off.`);
    });
  }

  /** Why a key cannot be switched now; null when it can. */
  blocked(key: Key): string | null {
    if (key.active) return null;
    if (key.leaked_at !== null) return 'It was reported as leaked';
    return key.verification.state === 'ok' ? null : 'Test the key first';
  }

  /** An emergency: one question, the answer takes effect at once. */
  async leaked(key: Key): Promise<void> {
    const sure = await confirm({
      title: `Has ${key.label} leaked?`,
      body: [
        'It is switched off at once and never on again.',
        key.assigned_bot
          ? `${key.assigned_bot.label} enters nothing more, and goes on closing what it has. The key is destroyed here as soon as you take it away from that bot.`
          : 'No bot uses it, so it is destroyed here at once.',
        'Only the exchange can stop somebody else from using it: delete it there now.',
      ],
      confirm: 'It leaked',
      tone: 'danger',
      urgent: true,
    });
    if (!sure) return;
    let page: string | null = null;
    let left = true;
    const done = await this.#run(key, `Reporting ${key.label} as leaked`, async () => {
      const answer = await keys.leaked(key);
      page = answer.exchange_page;
      left = answer.key !== null;
    });
    if (!done) return;
    if (page) globalThis.open(page, '_blank', 'noopener');
    toast(left ? `${key.label} is off.` : `${key.label} is destroyed. Delete it at the exchange as well.`);
    await go(left && key.assigned_bot ? `/bots/${key.assigned_bot.id}` : '/keys');
  }

  async remove(key: Key): Promise<void> {
    const sure = await confirm({
      title: `Delete ${key.label}?`,
      body: [
        'The sealed record is destroyed at once, here and for every backup. Nobody can bring it back.',
        'The key still exists at the exchange. Delete it there as well.',
      ],
      confirm: 'Delete key',
      tone: 'danger',
    });
    if (!sure) return;
    const done = await this.#run(key, `Deleting ${key.label}`, () => keys.remove(key));
    if (done) {
      toast(`${key.label} deleted. Delete it at the exchange as well.`);
      await go('/keys');
    }
  }

  /** The row's menu; what cannot be done now says why. */
  menu(key: Key): { text: string; run: () => void; blocked?: string | null; danger?: boolean }[] {
    const busy = this.busy === key.id ? 'Something is still running' : null;
    return [
      { text: 'Test now', run: () => void this.test(key), blocked: busy },
      { text: 'Choose markets', run: () => void go(`/keys/${key.id}`) },
      { text: 'Rename', run: () => (this.renaming = key) },
      {
        text: 'This key leaked',
        run: () => void this.leaked(key),
        danger: true,
        blocked: key.leaked_at === null ? busy : 'It was reported already',
      },
      {
        text: 'Delete',
        run: () => void this.remove(key),
        danger: true,
        blocked: key.assigned_bot
          ? `Used by ${key.assigned_bot.label}. Unassign it on the bot’s settings first.`
          : busy,
      },
    ];
  }
}
