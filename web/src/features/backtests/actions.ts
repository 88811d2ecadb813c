// What can be done to a run, with the questions asked before it.

import { backtests } from '../../lib/api/endpoints';
import type { Backtest } from '../../lib/api/types';
import { confirm } from '../../lib/ui/confirm.svelte';
import { toast } from '../../lib/ui/toast.svelte';
import { go } from '../../router.svelte';
import { templateName } from './states';

/** Stops a run that waits or runs; asks first, because what it did so far is lost. Gives whether it was asked to stop. */
export async function cancelRun(run: Pick<Backtest, 'id' | 'state'>): Promise<boolean> {
  if (run.state === 'running') {
    const sure = await confirm({
      title: 'Cancel this backtest?',
      body: ['It stops at once. What it has computed so far is not kept; it can be run again.'],
      confirm: 'Cancel backtest',
      tone: 'danger',
    });
    if (!sure) return false;
  }
  await backtests.cancel(run.id);
  return true;
}

/** Removes an ended run with its result. Gives whether it is gone. */
export async function removeRun(run: Pick<Backtest, 'id' | 'template'>): Promise<boolean> {
  const sure = await confirm({
    title: 'Delete this backtest?',
    body: [`The result of ${templateName(run)} is removed. It can be run again.`],
    confirm: 'Delete backtest',
    tone: 'danger',
  });
  if (!sure) return false;
  await backtests.remove(run.id);
  toast('Backtest deleted.');
  return true;
}

/** The same, then leaves the page of the run. */
export async function removeAndLeave(run: Pick<Backtest, 'id' | 'template'>): Promise<void> {
  if (await removeRun(run)) await go('/backtests');
}
