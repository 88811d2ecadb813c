// The browser's side of passkey ceremonies: options in, answers out, failures in words. Keeps nothing.

import { Problem } from '../api/problem';

export type PasskeySupport = 'yes' | 'no_api' | 'insecure' | 'ip_address';

/** Can passkeys work at this address? */
export function passkeySupport(): PasskeySupport {
  if (!globalThis.isSecureContext) return 'insecure';
  if (!('PublicKeyCredential' in globalThis) || !('parseCreationOptionsFromJSON' in PublicKeyCredential))
    return 'no_api';
  if (/^[\d.]+$|^\[/.test(location.hostname)) return 'ip_address';
  return 'yes';
}

/** Why passkeys are not offered here, with the step that changes it. */
export function passkeyReason(support: PasskeySupport): string | null {
  switch (support) {
    case 'yes':
      return null;
    case 'insecure':
      return 'Passkeys need HTTPS. Open this server through its https address.';
    case 'no_api':
      return 'This browser does not offer passkeys. A current Chrome, Edge, Firefox or Safari does.';
    case 'ip_address':
      return 'Passkeys are tied to a host name and do not work on an IP address. Use the server’s name, or http://localhost on this machine.';
  }
}

/** What WebAuthn defines and our server only passes on; it may be wrapped as WebAuthn libraries do. */
function publicKeyOf(options: unknown): unknown {
  return typeof options === 'object' && options !== null && 'publicKey' in options
    ? options.publicKey
    : options;
}

function failure(error: unknown): Problem {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'AbortError') return new Problem({ status: 0, code: 'CANCELED', title: 'Canceled' });
  if (name === 'InvalidStateError') {
    return new Problem({
      status: 0,
      code: 'PASSKEY_EXISTS',
      title: 'This device already holds a passkey for this account.',
    });
  }
  if (name === 'SecurityError') {
    return new Problem({
      status: 0,
      code: 'PASSKEY_HOST',
      title: 'Passkeys do not work at this address.',
      detail: 'The address in the browser is not the one this server was set up with.',
    });
  }
  return new Problem({
    status: 0,
    code: 'PASSKEY_NOT_GIVEN',
    title:
      'No passkey was given: the request was closed, timed out, or this device has no passkey for this account.',
  });
}

/** Makes a passkey. Throws a Problem. */
export async function createPasskey(options: unknown): Promise<unknown> {
  try {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      publicKeyOf(options) as PublicKeyCredentialCreationOptionsJSON,
    );
    const made = await navigator.credentials.create({ publicKey });
    if (!(made instanceof PublicKeyCredential)) throw new DOMException('none', 'NotAllowedError');
    return made.toJSON();
  } catch (error) {
    throw failure(error);
  }
}

/** Uses a passkey. `conditional` offers it in the e-mail field's autofill instead of a dialog. Throws a Problem. */
export async function usePasskey(
  options: unknown,
  how: { mediation?: CredentialMediationRequirement; signal?: AbortSignal } = {},
): Promise<unknown> {
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
      publicKeyOf(options) as PublicKeyCredentialRequestOptionsJSON,
    );
    const given = await navigator.credentials.get({ publicKey, ...how });
    if (!(given instanceof PublicKeyCredential)) throw new DOMException('none', 'NotAllowedError');
    return given.toJSON();
  } catch (error) {
    throw failure(error);
  }
}

/** Can the e-mail field offer passkeys by itself? */
export async function conditionalSupport(): Promise<boolean> {
  if (passkeySupport() !== 'yes') return false;
  return (await PublicKeyCredential.isConditionalMediationAvailable?.()) ?? false;
}

/** A name for a new passkey that its owner will recognize. */
export function deviceName(userAgent: string): string {
  const system =
    /iPhone|iPad/.exec(userAgent)?.[0] ??
    (userAgent.includes('Android')
      ? 'Android'
      : userAgent.includes('Mac OS')
        ? 'Mac'
        : userAgent.includes('Windows')
          ? 'Windows'
          : userAgent.includes('Linux')
            ? 'Linux'
            : 'device');
  return `${browserName(userAgent)} on ${system}`;
}

/** "Firefox", "Chrome" and the like, from a user agent text. */
export function browserName(userAgent: string): string {
  if (userAgent.includes('Firefox/')) return 'Firefox';
  if (userAgent.includes('Edg/')) return 'Edge';
  if (userAgent.includes('OPR/')) return 'Opera';
  if (/Chrome\/|Chromium\//.test(userAgent)) return 'Chrome';
  if (userAgent.includes('Safari/')) return 'Safari';
  return 'Browser';
}
