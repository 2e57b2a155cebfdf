import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NAME_BYTES, NAME_WORDS, nameBytesAt, readName, type SocketName, writeName } from './socket-name.ts';

const CANARY = 0xdead_beef;

/** The bytes of a name that was written among others, which are as they were. */
function written(name: SocketName): Uint8Array {
  const words = new Uint32Array(3 * NAME_WORDS).fill(CANARY);
  writeName(words, NAME_WORDS, name);
  const around = [...words.subarray(0, NAME_WORDS), ...words.subarray(2 * NAME_WORDS)];
  assert.ok(
    around.every(word => word === CANARY),
    'words around the name were written to',
  );
  return new Uint8Array(words.slice(NAME_WORDS, 2 * NAME_WORDS).buffer);
}

function roundTrip(name: SocketName): SocketName {
  return readName(new Uint32Array(written(name).buffer), 0);
}

describe('socket names', () => {
  const tables = [
    ['IPv4', '192.0.2.7', 4660, '0200 1234 c0000207 0000000000000000'],
    ['IPv4', '127.0.0.1', 0, '0200 0000 7f000001 0000000000000000'],
    ['IPv6', '2001:db8::7', 4660, '0a00 1234 00000000 20010db8000000000000000000000007 00000000'],
    ['IPv6', '::ffff:192.0.2.7', 1, '0a00 0001 00000000 00000000000000000000ffffc0000207 00000000'],
    ['IPv6', '192.0.2.7', 1, '0a00 0001 00000000 00000000000000000000ffffc0000207 00000000'],
    ['IPv6', '::', 65535, '0a00 ffff 00000000 00000000000000000000000000000000 00000000'],
    ['IPv6', 'fe80::1%3', 1, '0a00 0001 00000000 fe800000000000000000000000000001 03000000'],
  ] as const;
  for (const [family, address, port, expected] of tables) {
    test(`${family} ${address} port ${port} is what the kernel reads`, () => {
      const bytes = written({ address, port, family });
      assert.equal(Buffer.from(bytes).toString('hex'), expected.replaceAll(' ', '').padEnd(NAME_BYTES * 2, '0'));
      assert.equal(nameBytesAt(new Uint32Array(bytes.buffer), 0), family === 'IPv4' ? 16 : 28);
    });
  }

  test('every IPv4 name is read as it was written', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(0xffff), (address, port) => {
        assert.deepEqual(roundTrip({ address, port, family: 'IPv4' }), { address, port, family: 'IPv4' });
      }),
    );
  });

  test('every IPv6 name is read as Node writes that address', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.nat(0xffff), (address, port) => {
        const expected = new SocketAddress({ address, family: 'ipv6' }).address;
        assert.deepEqual(roundTrip({ address, port, family: 'IPv6' }), { address: expected, port, family: 'IPv6' });
      }),
      { numRuns: 500 },
    );
  });

  test('a link-local name keeps its interface, by name if there is one', () => {
    assert.equal(roundTrip({ address: 'fe80::1%4000000000', port: 1, family: 'IPv6' }).address, 'fe80::1%4000000000');
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      const scope = addresses?.find(({ family }) => family === 'IPv6')?.scopeid ?? 0;
      if (scope > 0)
        assert.equal(roundTrip({ address: `fe80::1%${name}`, port: 1, family: 'IPv6' }).address, `fe80::1%${name}`);
    }
  });

  test('what is no name is refused by what is wrong with it, and nothing is written', () => {
    const bad: [Partial<SocketName>, RegExp][] = [
      [{ port: -1 }, /port -1; allowed: 0 to 65535/],
      [{ port: 65536 }, /port 65536/],
      [{ port: 1.5 }, /port 1.5/],
      [{ port: Number.NaN }, /port NaN/],
      [{ address: 'localhost' }, /"localhost" is no IPv4 address/],
      [{ address: '::1' }, /"::1" is no IPv4 address/],
      [{ address: '1.2.3.256' }, /no IPv4 address/],
      [{ address: '', family: 'IPv6' }, /"" is no IP address/],
      [{ address: 'fe80::1%nowhere0', family: 'IPv6' }, /there is no interface "nowhere0"/],
      [{ address: 'fe80::1%constructor', family: 'IPv6' }, /there is no interface "constructor"/],
      [{ address: 'fe80::1%4294967296', family: 'IPv6' }, /there is no interface/],
    ];
    for (const [change, message] of bad) {
      const words = new Uint32Array(NAME_WORDS).fill(CANARY);
      assert.throws(() => writeName(words, 0, { address: '127.0.0.1', port: 1, family: 'IPv4', ...change }), {
        name: 'RangeError',
        message,
      });
      assert.ok(words.every(word => word === CANARY));
    }
  });

  test('a name outside of the words is refused, also where their buffer goes on', () => {
    const words = new Uint32Array(4 * NAME_WORDS).subarray(NAME_WORDS, 2 * NAME_WORDS);
    for (const at of [-1, 1, NAME_WORDS, 0.25, Number.NaN, '0' as unknown as number]) {
      assert.throws(
        () => writeName(words, at, { address: '127.0.0.1', port: 1, family: 'IPv4' }),
        RangeError,
        String(at),
      );
      assert.throws(() => readName(words, at), RangeError, String(at));
    }
  });
});
