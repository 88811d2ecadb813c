// Who is signed in, and the fresh proof of identity that some changes need. Starts and stops the event stream.

import { address, read, remove, send } from '../api/address';
import { cache } from '../api/cache.svelte';
import { connectSession } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import type { Me, Reverified, Setup } from '../api/types';
import { live } from '../live/live.svelte';
import { createPasskey, usePasskey } from './passkey';

type State = 'loading' | 'unclaimed' | 'signed_out' | 'signed_in' | 'unreachable';

interface Pending {
  action: string;
  settle: (proved: boolean) => void;
}

class Session {
  state = $state<State>('loading');
  me = $state.raw<Me | null>(null);
  setup = $state.raw<Setup | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** The change that waits for a fresh proof; the dialog shows it. */
  pending = $state.raw<Pending | null>(null);

  /** Finds out where we stand; called at start and after a failure. */
  async load(): Promise<void> {
    connectSession(
      (action) => this.prove(action),
      () => this.#ended(),
    );
    try {
      this.setup = await read(address('/setup'));
      if (this.setup.state === 'unclaimed') {
        this.state = 'unclaimed';
        return;
      }
      this.#enter(await read(address('/me')));
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status === 401) this.state = 'signed_out';
      else {
        this.problem = problem;
        this.state = 'unreachable';
      }
    }
  }

  /** After a sign-in, a claim or a registration. */
  #enter(me: Me): void {
    this.me = me;
    this.problem = null;
    this.state = 'signed_in';
    if (this.setup?.state === 'unclaimed') this.setup = { ...this.setup, state: 'claimed' };
    live.start(() => this.#ended());
  }

  /** The session is over, by us or by the server. */
  #ended(): void {
    if (this.state !== 'signed_in') return;
    live.stop();
    cache.clear();
    this.me = null;
    this.pending?.settle(false);
    this.pending = null;
    this.state = 'signed_out';
  }

  async claimWithPassword(code: string, email: string, password: string): Promise<void> {
    this.#enter(await send('post', '/claim', {}, { code, email, password }));
  }

  async claimWithPasskey(code: string, email: string, name: string): Promise<void> {
    const begun = await send('post', '/claim/passkey/begin', {}, { code, email });
    const credential = await createPasskey(begun.options);
    this.#enter(
      await send('post', '/claim/passkey/finish', {}, { ceremony: begun.ceremony, credential, name }),
    );
  }

  async register(email: string, password: string): Promise<void> {
    this.#enter(await send('post', '/register', {}, { email, password }));
  }

  async signInWithPassword(email: string, password: string): Promise<void> {
    this.#enter(await send('post', '/session', {}, { email, password }));
  }

  async signInWithPasskey(
    how: { mediation?: CredentialMediationRequirement; signal?: AbortSignal } = {},
  ): Promise<void> {
    const begun = await send('post', '/session/passkey/begin', {}, {});
    const credential = await usePasskey(begun.options, how);
    this.#enter(await send('post', '/session/passkey/finish', {}, { ceremony: begun.ceremony, credential }));
  }

  async signOut(): Promise<void> {
    await remove('/session', {});
    this.#ended();
  }

  /** Closes the account for good; afterwards nobody is signed in here. */
  async close(email: string): Promise<void> {
    await send('post', '/me/close', {}, { email }, { action: 'Close the account' });
    this.#ended();
    // After the last account the installation can be claimed again.
    await this.load();
  }

  async refreshMe(): Promise<void> {
    this.me = await read(address('/me'));
  }

  /** Opens the dialog over whatever is open; resolves when the proof was given or refused. */
  prove(action: string): Promise<boolean> {
    this.pending?.settle(false);
    return new Promise((resolve) => {
      this.pending = {
        action,
        settle: (proved) => {
          this.pending = null;
          resolve(proved);
        },
      };
    });
  }

  async proveWithPassword(password: string): Promise<void> {
    this.#proved(await send('post', '/session/reverify', {}, { password }));
  }

  async proveWithPasskey(): Promise<void> {
    const begun = await send('post', '/session/reverify/passkey/begin', {}, {});
    const credential = await usePasskey(begun.options);
    this.#proved(
      await send(
        'post',
        '/session/reverify/passkey/finish',
        {},
        {
          ceremony: begun.ceremony,
          credential,
        },
      ),
    );
  }

  #proved(answer: Reverified): void {
    if (this.me) {
      const session = { ...this.me.session, reverified_until: answer.reverified_until };
      this.me = { ...this.me, session };
    }
    this.pending?.settle(true);
  }
}

export const session = new Session();
