// What can be done with a bot, from cards and from its page, with the question each needs: reducing risk is one step,
// raising it is two.

import { bots } from '../../lib/api/endpoints';
import { asProblem, isCanceled, type Problem } from '../../lib/api/problem';
import type { Bot, StopBody } from '../../lib/api/types';
import { count } from '../../lib/text/words';
import { confirm } from '../../lib/ui/confirm.svelte';
import { toast } from '../../lib/ui/toast.svelte';
import { go } from '../../router.svelte';
import { flatten } from './flatten.svelte';

const RUNNING = ['deploying', 'online', 'paused', 'offline'];

class BotActions {
  busy = $state<string | null>(null);
  problem = $state.raw<{ bot: string; what: string; problem: Problem } | null>(null);
  /** The bot whose stop waits for the choice about its positions. */
  stopping = $state.raw<Bot | null>(null);

  async run(bot: Bot, what: string, action: () => Promise<unknown>): Promise<boolean> {
    this.busy = bot.id;
    this.problem = null;
    try {
      await action();
      bots.refresh(bot.id);
      return true;
    } catch (error) {
      const problem = asProblem(error);
      if (!isCanceled(problem)) this.problem = { bot: bot.id, what, problem };
      return false;
    } finally {
      this.busy = null;
    }
  }

  async pause(bot: Bot): Promise<void> {
    const open = bot.positions.length;
    if (open > 0) {
      const sure = await confirm({
        title: `Pause ${bot.label}?`,
        body: [`It keeps managing its ${count(open, 'open position')} and opens nothing new.`],
        confirm: 'Pause bot',
      });
      if (!sure) return;
    }
    if (await this.run(bot, 'Pausing', () => bots.pause(bot.id))) {
      toast(`${bot.label} is being paused.`, () => void this.resume(bot));
    }
  }

  async resume(bot: Bot): Promise<void> {
    if (await this.run(bot, 'Resuming', () => bots.resume(bot.id))) {
      toast(`${bot.label} may enter again from the next closed candle.`);
    }
  }

  async stop(bot: Bot): Promise<void> {
    if (bot.positions.length > 0) {
      this.stopping = bot;
      return;
    }
    const sure = await confirm({
      title: `Stop ${bot.label}?`,
      body: [
        'Its process ends and everything on its instance is removed. Its settings and history stay.',
        'It has no open position.',
      ],
      confirm: 'Stop bot',
    });
    if (sure) await this.sendStop(bot);
  }

  async sendStop(bot: Bot, answer: StopBody = {}): Promise<boolean> {
    const done = await this.run(bot, 'Stopping', () => bots.stop(bot.id, answer));
    if (done) toast(`${bot.label} is being stopped.`);
    // The server may know of a position that this page does not.
    else if (this.problem?.problem.code === 'POSITIONS_CHOICE_REQUIRED') {
      this.problem = null;
      this.stopping = bot;
    }
    return done;
  }

  async redeploy(bot: Bot): Promise<void> {
    if (await this.run(bot, 'Deploying', () => bots.redeploy(bot.id)))
      toast(`${bot.label} is being deployed.`);
  }

  async remove(bot: Bot): Promise<void> {
    const sure = await confirm({
      title: `Delete ${bot.label}?`,
      body: ['Its configuration is removed and its key becomes free. Its trades stay in the history.'],
      confirm: 'Delete bot',
      tone: 'danger',
      type: bot.label,
    });
    if (!sure) return;
    if (await this.run(bot, 'Deleting', () => bots.remove(bot))) {
      toast(`${bot.label} deleted.`);
      await go('/bots');
    }
  }

  menu(bot: Bot): { text: string; run: () => void; blocked?: string | null; danger?: boolean }[] {
    const running = RUNNING.includes(bot.status);
    const ended = bot.status === 'stopped' || bot.status === 'failed';
    return [
      ...(bot.wish === 'paused' || bot.status === 'paused'
        ? [{ text: 'Resume', run: () => void this.resume(bot), blocked: running ? null : 'It does not run' }]
        : [{ text: 'Pause', run: () => void this.pause(bot), blocked: running ? null : 'It does not run' }]),
      {
        text: 'Flatten…',
        run: () => flatten.ask([bot]),
        blocked: bot.positions.length > 0 || running ? null : 'No open position',
      },
      { text: 'Settings', run: () => void go(`/bots/${bot.id}/settings`) },
      ...(ended
        ? [{ text: 'Deploy again', run: () => void this.redeploy(bot) }]
        : [
            {
              text: 'Stop…',
              run: () => void this.stop(bot),
              blocked: bot.status === 'stopping' ? 'It is stopping' : null,
            },
          ]),
      {
        text: 'Delete',
        run: () => void this.remove(bot),
        danger: true,
        blocked: ended ? null : 'Stop it first',
      },
    ];
  }
}

export const botActions = new BotActions();
