// Holds one secret between pasting and sealing, as bytes that can be wiped. It prints nothing and serializes to nothing.

export class SecretBox {
  #bytes: Uint8Array<ArrayBuffer> | null = null;

  /** Replaces the content; the old one is wiped. */
  put(text: string): void {
    this.wipe();
    this.#bytes = new TextEncoder().encode(text);
  }

  get empty(): boolean {
    return this.#bytes === null;
  }

  /** Hands the bytes over, for sealing, and is empty afterwards. Whoever takes them wipes them. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes ?? new Uint8Array(0);
    this.#bytes = null;
    return bytes;
  }

  /** Overwrites the bytes. */
  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }
}
