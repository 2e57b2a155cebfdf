/**
 * Loopback addresses of this soak alone. No client has the address of another, before or after: what a bridge still sends to one that has gone without a word
 * must not come to the next one with its port. 127.n.0.1 is the bridges', n from the process.
 */
const PREFIX = `127.${20 + (process.pid % 200)}`;
const CLIENTS_MAX = 250 * 250;

let clients = 0;

export const BRIDGE_ADDRESS = `${PREFIX}.0.1`;

/** One that no client had for a long time. */
export function nextClientAddress(): string {
  const number = clients++ % CLIENTS_MAX;
  return `${PREFIX}.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`;
}
