/** Where other focuses reach this one. */
import { networkInterfaces } from 'node:os';
import type { FocusConfig } from '../config.ts';

/** `peers.advertise_url`, or what follows from the addresses it listens on. `listeningUrl` has the port. */
export function advertisedUrl(
  { peers, bind_addresses: addresses }: Pick<FocusConfig, 'peers' | 'bind_addresses'>,
  listeningUrl: string,
  interfaces = networkInterfaces(),
): string {
  if (peers.advertise_url !== '') return peers.advertise_url;
  const { port } = new URL(listeningUrl);
  const bound = addresses[0];
  const address = bound === undefined || ANY.has(bound) ? ownAddress(interfaces) : bound;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** The first that other machines can know; loopback where there is none. */
function ownAddress(interfaces: ReturnType<typeof networkInterfaces>): string {
  const all = Object.values(interfaces).flatMap(addresses => addresses ?? []);
  const outside = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80'));
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}
