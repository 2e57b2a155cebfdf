import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { NOT_HERE } from './native/native.platform.ts';
import { NAME_WORDS, writeName } from './native/socket-name.ts';
import { hashName, LENT_NAMES, type NamedPeer, PeerNames } from './peer-names.ts';

type Family = 'IPv4' | 'IPv6';

/** A name as a receive batch has it: behind another one. */
function received(family: Family, address: string, port: number): { words: Uint32Array; at: number } {
  const words = new Uint32Array(2 * NAME_WORDS).fill(0xeeee_eeee);
  writeName(words, NAME_WORDS, { family, address, port });
  return { words, at: NAME_WORDS };
}

function find(names: PeerNames<string>, family: Family, address: string, port: number): NamedPeer<string> {
  const { words, at } = received(family, address, port);
  return names.find(words, at);
}

/** Few of each, so that they meet again; some differ in one bit. */
const ADDRESSES: Record<Family, readonly string[]> = {
  IPv4: ['127.0.0.1', '127.0.0.2', '10.0.0.1', '255.255.255.255'],
  IPv6: ['::1', '::', '2001:db8::1', '2001:db8::1:1', '::ffff:10.0.0.1', 'fe80::1%4000000001', 'fe80::1%4000000002'],
};
const PORTS = [1, 2, 256, 40_000, 40_001, 65_535];

for (const family of ['IPv4', 'IPv6'] as const) {
  suite(`peer names, ${family}`, { skip: NOT_HERE }, () => {
    test('find, adopt and release do what a Map by address and port does', () => {
      const step = fc.record({
        kind: fc.constantFrom('find', 'adopt', 'adopt', 'release', 'release again'),
        address: fc.constantFrom(...ADDRESSES[family]),
        port: fc.constantFrom(...PORTS),
        owner: fc.string(),
      });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 100 }), steps => {
          const names = new PeerNames<string>(family);
          const model = new Map<string, NamedPeer<string>>();
          const released: NamedPeer<string>[] = [];
          for (const { kind, address, port, owner } of steps) {
            const key = `${address} ${port}`;
            const known = model.get(key);
            if (kind === 'adopt') {
              const peer = names.adopt(address, port, owner);
              assert.deepEqual([peer.address, peer.port, peer.family, peer.owner], [address, port, family, owner]);
              if (known !== undefined) assert.equal(peer, known);
              model.set(key, peer);
            } else if (kind === 'release' && known !== undefined) {
              assert.equal(names.release(known), true);
              assert.deepEqual([known.address, known.port, known.owner], [address, port, undefined]);
              released.push(known);
              model.delete(key);
            } else if (kind === 'release again') {
              for (const peer of released) assert.equal(names.release(peer), false);
            }
            const found = find(names, family, address, port);
            assert.equal(found, model.get(key) ?? names.stranger);
            assert.deepEqual([found.address, found.port, found.family], [address, port, family]);
            assert.equal(names.size, model.size);
            assert.equal(new Set([...model.values()].map(peer => peer.index)).size, model.size);
          }
        }),
      );
    });

    test('thousands of peers are all found while the table grows, and after half of them have left', () => {
      const names = new PeerNames<string>(family);
      const address = (index: number) => (family === 'IPv4' ? `10.0.${index >> 8}.${index & 255}` : `fd00::${index}`);
      const peers = Array.from({ length: 1500 }, (_, index) => names.adopt(address(index), 50_000, `${index}`));
      for (const [index, peer] of peers.entries()) assert.equal(find(names, family, address(index), 50_000), peer);
      for (const peer of peers.filter((_, index) => index % 2 === 0)) names.release(peer);
      for (const [index, peer] of peers.entries())
        assert.equal(find(names, family, address(index), 50_000), index % 2 === 0 ? names.stranger : peer);
      assert.equal(names.size, 750);
      const places = new Set(peers.map(peer => peer.index));
      const next = names.adopt(address(2000), 50_000, 'next');
      assert.ok(next.index <= 1500 + LENT_NAMES && !places.has(next.index), 'a place that was left is used again');
      assert.deepEqual(names.read(next.index), { address: address(2000), port: 50_000, family });
    });

    test('the name lent to a stranger stays when the cursor moves on, and the table grows', () => {
      const names = new PeerNames<string>(family);
      const [first, second] = ADDRESSES[family];
      find(names, family, first, 1111);
      names.lend(1);
      const cursor = find(names, family, second, 2222);
      names.lend(LENT_NAMES);
      assert.deepEqual([cursor.address, cursor.port], [second, 2222]);
      for (let port = 1; port < 1000; port++) names.adopt(first, 2000 + port, '');
      assert.deepEqual(names.read(1), { address: first, port: 1111, family });
      assert.deepEqual(names.read(LENT_NAMES), { address: second, port: 2222, family });
      assert.deepEqual([cursor.address, cursor.port, names.stranger.owner], [second, 2222, undefined]);
    });

    test('clients behind one address, and one port on many addresses, are spread over the table', () => {
      const buckets = (name: (index: number) => readonly [string, number]) => {
        const used = Array.from({ length: 1024 }, (_, index) => {
          const { words, at } = received(family, ...name(index));
          return hashName(words, at) & 4095;
        });
        return new Set(used).size;
      };
      const address = (index: number) => (family === 'IPv4' ? `10.0.${index >> 8}.${index & 255}` : `fd00::${index}`);
      // 1024 random numbers of 4096 are about 906 different ones.
      for (const count of [buckets(index => [address(0), 40_000 + index]), buckets(index => [address(index), 5000])])
        assert.ok(count > 800, `${count} of 1024`);
    });
  });
}

test('a peer of another table is not released', { skip: NOT_HERE }, () => {
  const [one, other] = [new PeerNames<string>('IPv4'), new PeerNames<string>('IPv4')];
  const peer = one.adopt('10.0.0.1', 1, 'anna');
  other.adopt('10.0.0.1', 1, 'bert');
  assert.equal(other.release(peer), false);
  assert.equal(other.release(other.stranger), false);
  assert.equal(peer.owner, 'anna');
});
