/** Where unpredictable numbers come from. Cores take it as an argument; tests seed it. */
export interface Random {
  /** 0 to 2^32-1, every value as likely. */
  uint32(): number;
}

const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const SID_CHARACTERS = 12;

/** A SID as LiveKit's server makes them: prefix and 12 letters and digits that cannot be mistaken for each other. */
export function newSid(prefix: string, random: Random): string {
  let sid = prefix;
  for (let i = 0; i < SID_CHARACTERS; i++) sid += ALPHABET[random.uint32() % ALPHABET.length];
  return sid;
}

/** An SSRC that is not 0 and not in `taken` (RFC 3550 section 8.1: collisions are ours to avoid, RFC 8834 section 4.8). */
export function newSsrc(taken: ReadonlySet<number>, random: Random): number {
  for (;;) {
    const ssrc = random.uint32();
    if (ssrc !== 0 && !taken.has(ssrc)) return ssrc;
  }
}
