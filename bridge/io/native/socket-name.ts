/**
 * `struct sockaddr_in` and `sockaddr_in6` of Linux as 32-bit words, in memory shared with the kernel:
 *
 * word 0: | family (16, native order) | port (16, network order) |
 * IPv4:   word 1: address                              (16 bytes long, the rest zero)
 * IPv6:   word 1: flow information | words 2 to 5: address | word 6: scope id      (28 bytes)
 */
import { isIP, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Room for either. */
export const NAME_BYTES = 32;
export const NAME_WORDS = NAME_BYTES / 4;

export interface SocketName {
  /** As node:dgram writes it; link-local IPv6 with `%` and the interface. */
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
}

const AF_INET = 2;
const AF_INET6 = 10;

export function nameBytes(family: 'IPv4' | 'IPv6'): number {
  return family === 'IPv4' ? 16 : 28;
}

/** Length of the name at `words[at]`, by its family: of no use to the kernel if it is of neither. */
export function nameBytesAt(words: Uint32Array, at: number): number {
  return (words[at] & 0xffff) === AF_INET6 ? 28 : 16;
}

/** Writes NAME_BYTES at `words[at]`. Throws RangeError for what is no address of that family, or no port, and writes nothing then. */
export function writeName(words: Uint32Array, at: number, { address, port, family }: SocketName): void {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) throw new RangeError(`port ${port}; allowed: 0 to 65535`);
  const version = isIP(address);
  if (family === 'IPv4' && version !== 4) throw new RangeError(`"${address}" is no IPv4 address`);
  if (version === 0) throw new RangeError(`"${address}" is no IP address`);
  const [host, zone] = (family === 'IPv6' && version === 4 ? `::ffff:${address}` : address).split('%');
  const scope = zone === undefined ? 0 : scopeOf(zone);
  const bytes = nameAt(words, at);
  bytes.fill(0);
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  if (family === 'IPv4') {
    setFamily(words, at, AF_INET);
    bytes.set(address.split('.').map(Number), 4);
    return;
  }
  setFamily(words, at, AF_INET6);
  bytes.set(ipv6Bytes(host), 8);
  words[at + 6] = scope;
}

/** The name at `words[at]`. Makes strings: not for the packet path. */
export function readName(words: Uint32Array, at: number): SocketName {
  const bytes = nameAt(words, at);
  const port = (bytes[2] << 8) | bytes[3];
  if ((words[at] & 0xffff) !== AF_INET6) return { address: bytes.subarray(4, 8).join('.'), port, family: 'IPv4' };
  const groups: string[] = [];
  for (let index = 8; index < 24; index += 2) groups.push(((bytes[index] << 8) | bytes[index + 1]).toString(16));
  const { address } = new SocketAddress({ address: groups.join(':'), family: 'ipv6' });
  const isLinkLocal = bytes[8] === 0xfe && (bytes[9] & 0xc0) === 0x80;
  const scope = words[at + 6];
  return { address: isLinkLocal && scope !== 0 ? `${address}%${zoneOf(scope)}` : address, port, family: 'IPv6' };
}

/** The bytes of the name at `words[at]`, which has to be inside. */
function nameAt(words: Uint32Array, at: number): Uint8Array {
  if ((at | 0) !== at || at < 0 || at + NAME_WORDS > words.length)
    throw new RangeError(`a name at word ${at} of ${words.length}`);
  return new Uint8Array(words.buffer, words.byteOffset + at * 4, NAME_BYTES);
}

/** Family and port share a word; the port has been written. */
function setFamily(words: Uint32Array, at: number, family: number): void {
  words[at] = (words[at] & 0xffff0000) | family;
}

function ipv6Bytes(address: string): number[] {
  const [head, tail] = address.split('::');
  const before = groupBytes(head);
  const after = tail === undefined ? [] : groupBytes(tail);
  return [...before, ...new Array<number>(16 - before.length - after.length).fill(0), ...after];
}

function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap(group => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function scopeOf(zone: string): number {
  const interfaces = networkInterfaces();
  const addresses = Object.hasOwn(interfaces, zone) ? interfaces[zone] : [];
  const scope = addresses?.find(({ family }) => family === 'IPv6')?.scopeid;
  if (scope !== undefined) return scope;
  if (!/^\d{1,10}$/.test(zone) || Number(zone) > 0xffff_ffff) throw new RangeError(`there is no interface "${zone}"`);
  return Number(zone);
}

function zoneOf(scope: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some(({ family, scopeid }) => family === 'IPv6' && scopeid === scope)) return name;
  }
  return String(scope);
}
