/** Local ICE credentials (RFC 8445 section 5.3). */

export interface IceCredentials {
  /** RFC asks for 24 bits of randomness; here 48, as the ufrag is the key of the look-up on the shared port. */
  readonly ufrag: string;
  /** RFC asks for 128 bits; here 144. */
  readonly password: string;
}

/** New credentials. `random` gives n bytes of a cryptographic generator. */
export function createCredentials(random: (bytes: number) => Buffer): IceCredentials {
  return { ufrag: iceChars(random(6)), password: iceChars(random(18)) };
}

/** Base64 without padding is exactly `ice-char`: letters, digits, + and /. */
function iceChars(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
