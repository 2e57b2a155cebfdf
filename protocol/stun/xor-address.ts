/**
 * XOR-MAPPED-ADDRESS (RFC 8489 section 14.2): an address XORed with the magic cookie and transaction ID, so that no NAT rewrites it.
 *
 * |0 0 0 0 0 0 0 0|  family 1 | 2  |  port XOR cookie's high half |
 * |    address (32 or 128 bits) XOR cookie and transaction ID     |
 */
import { DecodeError } from '../errors.ts';
import { readUint16, writeUint16 } from '../rtp/packet.ts';

export interface TransportAddress {
  /** IPv4 dotted, or IPv6 in RFC 5952 form. An IPv4-mapped IPv6 address is written as IPv4. */
  readonly address: string;
  readonly port: number;
}

const COOKIE_HIGH = 0x2112;

/** Reads the attribute's value. `cookieOffset` is where cookie and transaction ID (16 bytes) stand in `bytes`. Throws DecodeError. */
export function decodeXorAddress(
  bytes: Uint8Array,
  offset: number,
  length: number,
  cookieOffset: number,
): TransportAddress {
  if (length !== 8 && length !== 20) throw new DecodeError('stun-address');
  const addressBytes = length - 4;
  if (bytes[offset + 1] !== (addressBytes === 4 ? 1 : 2)) throw new DecodeError('stun-address');
  const plain = new Uint8Array(addressBytes);
  for (let index = 0; index < addressBytes; index++)
    plain[index] = bytes[offset + 4 + index] ^ bytes[cookieOffset + index];
  return { address: formatAddress(plain), port: readUint16(bytes, offset + 2) ^ COOKIE_HIGH };
}

/** Writes the attribute's value and returns its length: 8 or 20. `address` is as node:dgram gives it. */
export function encodeXorAddress(
  bytes: Uint8Array,
  offset: number,
  mapped: TransportAddress,
  cookieOffset: number,
): number {
  const plain = parseAddress(mapped.address);
  bytes[offset] = 0;
  bytes[offset + 1] = plain.length === 4 ? 1 : 2;
  writeUint16(bytes, offset + 2, mapped.port ^ COOKIE_HIGH);
  for (let index = 0; index < plain.length; index++)
    bytes[offset + 4 + index] = plain[index] ^ bytes[cookieOffset + index];
  return 4 + plain.length;
}

/** 4 or 16 bytes of an address in text; a zone (`%eth0`) is ignored. The text comes from the system, so it is well-formed. */
function parseAddress(text: string): Uint8Array {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text);
  const plain = mapped === null ? text : mapped[1];
  if (!plain.includes(':')) return Uint8Array.from(plain.split('.'), Number);
  const [head, tail] = plain.replace(/%.*$/, '').split('::');
  const left = groups(head);
  const right = groups(tail ?? '');
  const middle = new Array<number>(8 - left.length - right.length).fill(0);
  return Uint8Array.from([...left, ...middle, ...right].flatMap(group => [group >> 8, group & 0xff]));
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap(part => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a, b, c, d] = part.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, index) => readUint16(bytes, index * 2));
  let start = 0;
  let longest = 0;
  for (let from = 0; from < 8; from++) {
    let run = 0;
    while (from + run < 8 && words[from + run] === 0) run++;
    if (run > longest) {
      longest = run;
      start = from;
    }
  }
  const text = (part: number[]) => part.map(word => word.toString(16)).join(':');
  if (longest < 2) return text(words);
  return `${text(words.slice(0, start))}::${text(words.slice(start + longest))}`;
}
