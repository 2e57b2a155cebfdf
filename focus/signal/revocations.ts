/** Tokens that the server API took back: those of one identity for one room from before a time. RemoveParticipant's `revoke_token_ts`. */

/** More are forgotten, the oldest first: a token that would need to be remembered for longer should not live so long. */
export const REVOCATIONS_MAX = 10_000;

export class Revocations {
  /** Room and identity to seconds since the epoch; the oldest revocation first. */
  readonly #before = new Map<string, number>();

  /** From now on tokens not valid before `seconds` (their `nbf`) or later are refused. */
  revoke(room: string, identity: string, seconds: number): void {
    const key = keyOf(room, identity);
    const before = Math.max(seconds, this.#before.get(key) ?? 0);
    this.#before.delete(key);
    this.#before.set(key, before);
    if (this.#before.size > REVOCATIONS_MAX) this.#before.delete(this.#before.keys().next().value!);
  }

  /** `notBefore` is the token's `nbf`; one without it is older than any. */
  isRevoked(room: string, identity: string, notBefore: number | undefined): boolean {
    const before = this.#before.get(keyOf(room, identity));
    return before !== undefined && (notBefore ?? 0) < before;
  }
}

function keyOf(room: string, identity: string): string {
  return JSON.stringify([room, identity]);
}
