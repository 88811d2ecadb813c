// Every way a call can fail, as one type: the server's problem documents, a network that is away, a canceled call.
// Which words a person reads for a code is decided in lib/text/codes.ts.

import * as v from 'valibot';
import { codeText } from '../text/codes';

const documentSchema = v.object({
  title: v.optional(v.string(), ''),
  status: v.optional(v.number()),
  code: v.optional(v.string(), 'UNKNOWN'),
  detail: v.optional(v.nullable(v.string())),
  pointer: v.optional(v.nullable(v.string())),
  next_step: v.optional(v.nullable(v.string())),
  request_id: v.optional(v.nullable(v.string())),
  problems: v.optional(
    v.nullable(
      v.array(
        v.object({
          path: v.optional(v.string(), ''),
          code: v.optional(v.string(), ''),
          message: v.optional(v.string(), ''),
          remedy: v.optional(v.nullable(v.string()), ''),
        }),
      ),
    ),
  ),
});

export interface ProblemPart {
  path: string;
  code: string;
  message: string;
  remedy: string;
}

/** A failed call. `status` 0 means that no answer came. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string | null;
  readonly nextStep: string | null;
  readonly pointer: string | null;
  readonly requestId: string | null;
  readonly parts: readonly ProblemPart[];
  readonly retryAfterSeconds: number | null;

  constructor(fields: {
    status: number;
    code: string;
    title: string;
    detail?: string | null | undefined;
    nextStep?: string | null | undefined;
    pointer?: string | null | undefined;
    requestId?: string | null | undefined;
    parts?: readonly ProblemPart[] | undefined;
    retryAfterSeconds?: number | null | undefined;
  }) {
    super(`${fields.code}: ${fields.title}`);
    this.status = fields.status;
    this.code = fields.code;
    this.title = fields.title;
    this.detail = fields.detail ?? null;
    this.nextStep = fields.nextStep ?? null;
    this.pointer = fields.pointer ?? null;
    this.requestId = fields.requestId ?? null;
    this.parts = fields.parts ?? [];
    this.retryAfterSeconds = fields.retryAfterSeconds ?? null;
  }

  /** One sentence for a person: our text for the code, else the server's detail, else its title. */
  get sentence(): string {
    return codeText(this.code) ?? this.detail ?? this.title;
  }
}

/** The call was given up by the person or the page. Not shown anywhere. */
export function isCanceled(error: unknown): boolean {
  return error instanceof Problem && error.code === 'CANCELED';
}

export const canceled = (): Problem => new Problem({ status: 0, code: 'CANCELED', title: 'Canceled' });

/** No answer came. */
export function networkProblem(): Problem {
  const offline = typeof navigator !== 'undefined' && navigator.onLine === false;
  return new Problem({
    status: 0,
    code: offline ? 'OFFLINE' : 'UNREACHABLE',
    title: offline ? 'You are offline' : 'The server does not answer',
  });
}

/** Reads a failed answer, whatever it holds: a problem document, a proxy's page, nothing. */
export async function problemFrom(response: Response): Promise<Problem> {
  const retry = Number(response.headers.get('retry-after'));
  const retryAfterSeconds = Number.isFinite(retry) && retry > 0 ? retry : null;
  const requestId = response.headers.get('x-request-id');
  const body: unknown = await response.json().catch(() => null);
  const read = v.safeParse(documentSchema, body);
  if (!read.success) {
    return new Problem({
      status: response.status,
      code: `HTTP_${response.status}`,
      title: response.statusText || `The server answered ${response.status}`,
      requestId,
      retryAfterSeconds,
    });
  }
  const document = read.output;
  return new Problem({
    status: response.status,
    code: document.code,
    title: document.title || `The server answered ${response.status}`,
    detail: document.detail,
    nextStep: document.next_step,
    pointer: document.pointer,
    requestId: document.request_id ?? requestId,
    parts: (document.problems ?? []).map((part) => ({ ...part, remedy: part.remedy ?? '' })),
    retryAfterSeconds,
  });
}

/** Anything thrown, as a Problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === 'AbortError') return canceled();
  return new Problem({
    status: 0,
    code: 'CLIENT_ERROR',
    title: 'This page made a mistake',
    detail: error instanceof Error ? error.message : null,
  });
}

/** The last part of a JSON pointer or field path: "/user/email" and "email" both give "email". */
export function fieldOf(path: string): string {
  return path.split(/[/.]/).filter(Boolean).at(-1) ?? '';
}

/** Error texts by field name, for a form: from the pointer and from the list of problems. */
export function fieldErrors(problem: Problem): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const part of problem.parts) {
    const field = fieldOf(part.path);
    if (!field) continue;
    const text = [part.message, part.remedy].filter(Boolean).join(' ');
    errors[field] = errors[field] ? `${errors[field]} ${text}` : text;
  }
  if (problem.pointer) {
    const field = fieldOf(problem.pointer);
    if (field && !errors[field]) errors[field] = problem.detail ?? problem.sentence;
  }
  return errors;
}
