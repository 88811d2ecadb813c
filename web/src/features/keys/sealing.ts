// From what was pasted to what may be sent: inspects, seals to the keeper named in the intent, and reports failures
// as Problems with a next step. The bytes of the secret are wiped whatever happens.

import { Problem } from '../../lib/api/problem';
import type { KeyIntent, KeyPlace, SealedUpload } from '../../lib/api/types';
import {
  inspectInput,
  sealCredential,
  SealError,
  type Inspection,
  type SealContext,
  type Suspicion,
} from '../../lib/seal/seal';
import { codeText } from '../../lib/text/codes';

export interface Pasted {
  label: string;
  apiKey: string;
  apiSecret: string | Uint8Array;
  passphrase: string | Uint8Array | null;
}

const bytesOf = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string' ? new TextEncoder().encode(value) : value;

/** Seals for one intent. Throws a Problem. */
export async function sealForIntent(
  intent: KeyIntent,
  place: KeyPlace,
  pasted: Pasted,
): Promise<SealedUpload> {
  const inspected = inspectInput({
    apiKey: bytesOf(pasted.apiKey),
    apiSecret: bytesOf(pasted.apiSecret),
    label: pasted.label,
    ...(pasted.passphrase === null ? {} : { passphrase: bytesOf(pasted.passphrase) }),
  });
  const first = inspected.suspicions[0];
  if (first) {
    discard(inspected);
    throw suspect(first);
  }
  try {
    const sealed = await sealCredential({
      keeper: { publicKey: intent.keeper.public_key, pinned: intent.keeper.fingerprint },
      context: contextOf(intent, place),
      credential: {
        apiKey: inspected.apiKey.value,
        apiSecret: inspected.apiSecret.value,
        ...(inspected.passphrase ? { passphrase: inspected.passphrase.value } : {}),
      },
      fingerprintKey: intent.fingerprint_key,
    });
    return {
      label: pasted.label,
      envelope: sealed.envelope,
      sealed_data_key: sealed.sealedDataKey,
      hint: sealed.hint,
      fingerprint: sealed.fingerprint,
    };
  } catch (error) {
    throw failure(error);
  }
}

function contextOf(intent: KeyIntent, place: KeyPlace): SealContext {
  return {
    install: intent.install_id,
    workspace: intent.workspace_id,
    key: intent.key_id,
    version: intent.record_version,
    exchange: place.exchange,
    environment: place.environment,
    contract: place.contract_type,
  };
}

function discard(inspected: Inspection): void {
  inspected.apiKey.value.fill(0);
  inspected.apiSecret.value.fill(0);
  inspected.passphrase?.value.fill(0);
}

const FIELD_NAMES: Record<Suspicion['field'], string> = {
  api_key: 'API key',
  api_secret: 'API secret',
  passphrase: 'Passphrase',
};

const REASONS: Record<Suspicion['suspicion'], string> = {
  empty: 'is empty',
  inner_blank: 'has a blank inside, so something else was pasted with it',
  email: 'looks like an e-mail address',
  secret_equals_key: 'is the same as the API key',
  equals_label: 'is the same as the label',
  too_long: 'is longer than any exchange makes it',
};

/** What is wrong with an input, naming its field. */
export function suspect(suspicion: Suspicion): Problem {
  const sentence = `${FIELD_NAMES[suspicion.field]} ${REASONS[suspicion.suspicion]}.`;
  return new Problem({
    status: 0,
    code: suspicion.suspicion === 'empty' ? 'FIELD_EMPTY' : 'KEY_INPUT_SUSPECT',
    title: sentence,
    detail: sentence,
    pointer: `/${suspicion.field}`,
    nextStep: suspicion.suspicion === 'empty' ? null : codeText('KEY_INPUT_SUSPECT'),
  });
}

function failure(error: unknown): Problem {
  const code = error instanceof SealError ? error.code : 'UNKNOWN';
  const texts: Record<string, string> = {
    NO_WEBCRYPTO: 'This page cannot seal: it was not opened over HTTPS or http://localhost.',
    BAD_KEEPER:
      'The keeper’s key does not match its fingerprint. Nothing was sent. Tell the operator of this server.',
    TOO_LONG: 'Key and secret together are longer than 2,000 characters.',
    EMPTY: 'Key or secret is empty.',
  };
  return new Problem({
    status: 0,
    code: `SEAL_${code}`,
    title: texts[code] ?? 'The secret could not be sealed. Nothing was sent.',
  });
}
