// A template being edited: the document, what the server says about it while it is typed, and its form as JSON text.
// Whether it may be left, and where to go after saving, is decided by the page.

import { templates } from '../../lib/api/endpoints';
import { asProblem, isCanceled, type Problem } from '../../lib/api/problem';
import type { DocumentProblem, Template, TemplateDocument } from '../../lib/api/types';
import { toast } from '../../lib/ui/toast.svelte';
import { parseDocument } from './document';

const CHECK_AFTER_MS = 250;

export class Draft {
  document = $state.raw<TemplateDocument | null>(null);
  /** Differs from what is stored. */
  dirty = $state(false);
  problems = $state.raw<readonly DocumentProblem[]>([]);
  explanation = $state.raw('');
  checkProblem = $state.raw<Problem | null>(null);
  saveProblem = $state.raw<Problem | null>(null);
  saving = $state(false);
  json = $state('');
  jsonError = $state<string | undefined>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | null = null;

  /** Begins with a stored template. */
  open(template: Template): void {
    this.#show(structuredClone(template.document));
    this.problems = template.problems;
    this.explanation = template.explanation;
  }

  /** Begins with a document that is stored nowhere. */
  begin(document: TemplateDocument): void {
    this.#show(document);
    void this.check(document);
  }

  #show(document: TemplateDocument): void {
    this.document = document;
    this.json = JSON.stringify(document, null, 2);
  }

  readonly change = (next: TemplateDocument): void => {
    this.#show(next);
    this.dirty = true;
    this.jsonError = undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.check(next), CHECK_AFTER_MS);
  };

  /** Changes the document and offers the way back. */
  readonly removed = (next: TemplateDocument, what: string): void => {
    const before = this.document;
    this.change(next);
    toast(`${what} removed.`, () => {
      if (before) this.change(before);
    });
  };

  applyJson(): void {
    const read = parseDocument(this.json);
    if ('error' in read) this.jsonError = read.error;
    else this.change(read.document);
  }

  /** Asks the server what it thinks; an older answer never overwrites a newer one. */
  async check(document: TemplateDocument): Promise<void> {
    this.#running?.abort();
    this.#running = new AbortController();
    try {
      const answer = await templates.check(document, this.#running.signal);
      this.problems = answer.problems;
      this.explanation = answer.explanation;
      this.checkProblem = null;
    } catch (error) {
      const failed = asProblem(error);
      if (!isCanceled(failed)) this.checkProblem = failed;
    }
  }

  /** Stores a new template, or a new version of one. Null when it was not stored; the problems then say why. */
  async save(id: string): Promise<Template | null> {
    if (!this.document || this.saving) return null;
    this.saving = true;
    this.saveProblem = null;
    try {
      const saved =
        id === '' ? await templates.create(this.document) : await templates.save(id, this.document);
      this.dirty = false;
      this.problems = saved.problems;
      return saved;
    } catch (error) {
      const failed = asProblem(error);
      if (!isCanceled(failed)) {
        this.saveProblem = failed;
        if (failed.parts.length) this.problems = failed.parts;
      }
      return null;
    } finally {
      this.saving = false;
    }
  }

  /** Nobody waits for answers any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
  }
}
