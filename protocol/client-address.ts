/** Whose request it is when proxies stand in front: the rightmost address of the chain that is not one of our own proxies. */
import { isIP } from 'node:net';

/** One entry more than this and the rest of an X-Forwarded-For is not looked at: nobody has so many proxies of their own. */
const HOPS_MAX = 32;

/**
 * The client's address. `peer` is the other end of the connection; `forwardedFor` the X-Forwarded-For header as received. The chain is read
 * from the right, since each proxy appends whom it saw: everything left of the first address that is not trusted may be made up.
 * An entry that is no address ends the walk at the proxy that vouched for it.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | undefined,
  isTrusted: (address: string) => boolean,
): string {
  let client = plainAddress(peer);
  if (forwardedFor === undefined) return client;
  const chain = forwardedFor.split(',').slice(-HOPS_MAX);
  for (let index = chain.length - 1; index >= 0 && isTrusted(client); index--) {
    const hop = plainAddress(chain[index]!);
    if (isIP(hop) === 0) return client;
    client = hop;
  }
  return client;
}

/** An address without what proxies add to it: spaces, a port, brackets, the ::ffff: of an IPv4 address on an IPv6 socket, a zone. */
export function plainAddress(text: string): string {
  let address = text.trim();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(address);
  if (bracketed !== null) address = bracketed[1]!;
  else if (/^\d+\.\d+\.\d+\.\d+:\d+$/.test(address)) address = address.slice(0, address.lastIndexOf(':'));
  const zone = address.indexOf('%');
  if (zone !== -1) address = address.slice(0, zone);
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
