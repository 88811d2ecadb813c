// The friction ladder in code: ask before risk grows, never before it shrinks. Shown by ConfirmHost.

export interface Question {
  title: string;
  /** What happens, sentence by sentence. */
  body: readonly string[];
  /** Verb and object: "Delete key". */
  confirm: string;
  tone?: 'plain' | 'danger';
  /** An emergency: the focus starts on the act, which only takes risk away. */
  urgent?: boolean;
  /** Level 2: this text must be typed. */
  type?: string;
}

interface Open extends Question {
  settle: (yes: boolean) => void;
}

class Confirmations {
  open = $state.raw<Open | null>(null);

  /** Asks; resolves with the answer. Closing means no. */
  ask(question: Question): Promise<boolean> {
    this.open?.settle(false);
    return new Promise((resolve) => {
      this.open = {
        ...question,
        settle: (yes) => {
          this.open = null;
          resolve(yes);
        },
      };
    });
  }
}

export const confirmations = new Confirmations();
export const confirm = (question: Question): Promise<boolean> => confirmations.ask(question);
