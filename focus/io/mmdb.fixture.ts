/** Writes the smallest MaxMind-format database: one IPv4 range with a location. For tests. Format: MaxMind DB File Format Specification 2.0. */

/** The file's bytes; `prefix` is the first octet of the range, all of whose addresses are at `latitude`, `longitude`. */
export function cityDatabase(prefix: number, latitude: number, longitude: number): Buffer {
  const nodeCount = 8;
  const notFound = nodeCount;
  // A record above nodeCount points into the data section, which starts 16 bytes after the tree.
  const found = nodeCount + 16;
  const tree = Buffer.alloc(nodeCount * 6);
  for (let depth = 0; depth < nodeCount; depth++) {
    const bit = (prefix >> (7 - depth)) & 1;
    const next = depth === nodeCount - 1 ? found : depth + 1;
    tree.writeUIntBE(bit === 0 ? next : notFound, depth * 6, 3);
    tree.writeUIntBE(bit === 1 ? next : notFound, depth * 6 + 3, 3);
  }
  const data = map({ location: map({ latitude: double(latitude), longitude: double(longitude) }) });
  const metadata = map({
    node_count: uint32(nodeCount),
    record_size: uint16(24),
    ip_version: uint16(4),
    database_type: text('Test-City'),
    languages: Buffer.from([0x00, 0x04]),
    binary_format_major_version: uint16(2),
    binary_format_minor_version: uint16(0),
    build_epoch: uint32(1_700_000_000),
    description: map({}),
  });
  return Buffer.concat([tree, Buffer.alloc(16), data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), metadata]);
}

function map(entries: Readonly<Record<string, Buffer>>): Buffer {
  const pairs = Object.entries(entries).flatMap(([key, value]) => [text(key), value]);
  return Buffer.concat([Buffer.from([0xe0 | (pairs.length / 2)]), ...pairs]);
}

/** Control byte with the size, or 29 and the size beyond that in the next byte. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const control = bytes.length < 29 ? [0x40 | bytes.length] : [0x40 | 29, bytes.length - 29];
  return Buffer.concat([Buffer.from(control), bytes]);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0x68;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function uint16(value: number): Buffer {
  return Buffer.from([0xa2, value >> 8, value & 0xff]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = 0xc4;
  bytes.writeUInt32BE(value, 1);
  return bytes;
}
