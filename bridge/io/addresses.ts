/** The addresses that clients are told to send to: configured ones, those of the interfaces, or the one that the Internet sees. */
import { isIPv4, isIPv6 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { askStunServers } from './stun-query.ts';

export interface Candidate {
  readonly address: string;
  readonly port: number;
  /** `srflx` is the outside of a NAT. */
  readonly kind: 'host' | 'srflx';
}

export interface CandidateOptions {
  /** The media port; a NAT in between must keep it (1:1 NAT), as cloud providers' do. */
  readonly port: number;
  /** What the media port is bound to; `0.0.0.0` and `::` mean all interfaces. */
  readonly bindAddress: string;
  /** Configured addresses: they are the answer, in their order. */
  readonly nodeIps: readonly string[];
  readonly useExternalIp: boolean;
  /** `host:port`, or a host alone (port 3478). The first to answer counts. */
  readonly stunServers: readonly string[];
  /** Announces loopback too: clients are on this machine. */
  readonly includeLoopback: boolean;
  readonly log?: { warn(details: object, message: string): void };
  /** For tests: what node:os says. */
  readonly interfaces?: NodeJS.Dict<NetworkInterfaceInfo[]>;
}

/** Candidates, the best first: never empty, no address twice. Takes as long as a STUN server takes to answer, 3 s at most. */
export async function findCandidates(options: CandidateOptions): Promise<Candidate[]> {
  const { port, nodeIps, stunServers } = options;
  const host = (address: string): Candidate => ({ address, port, kind: 'host' });
  if (nodeIps.length > 0) return [...new Set(nodeIps)].map(host);

  const local = localAddresses(options);
  if (!options.useExternalIp) return local.map(host);
  const external = await askStunServers(stunServers, options.bindAddress);
  if (external === undefined) {
    options.log?.warn({ stunServers }, 'no STUN server answered: only local addresses are announced');
    return local.map(host);
  }
  const inside = local.filter(address => address !== external).map(host);
  return [{ address: external, port, kind: local.includes(external) ? 'host' : 'srflx' }, ...inside];
}

/** The addresses that a socket on `bindAddress` receives at: IPv4 first, loopback last, or only when there is nothing else. */
function localAddresses(options: CandidateOptions): string[] {
  const { bindAddress, includeLoopback } = options;
  if (bindAddress !== '0.0.0.0' && bindAddress !== '::') return [bindAddress];
  const all = Object.values(options.interfaces ?? networkInterfaces()).flatMap(addresses => addresses ?? []);
  const outside = all.filter(({ internal }) => !internal).map(({ address }) => address);
  const ipv4 = outside.filter(isIPv4);
  // A link-local address is no use without its zone, which only this machine knows. An IPv4 socket hears no IPv6.
  const ipv6 = outside.filter(address => bindAddress === '::' && isIPv6(address) && !/^fe[89ab]/i.test(address));
  const found = [...ipv4, ...ipv6];
  if (includeLoopback || found.length === 0) found.push('127.0.0.1');
  return [...new Set(found)];
}
