import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressList } from './address-list.ts';
import { clientAddress, plainAddress } from './client-address.ts';

const proxies = addressList(['10.0.0.0/8', '::1']);
const of = (peer: string, forwardedFor?: string) =>
  clientAddress(peer, forwardedFor, address => proxies.includes(address));

test('a stranger is who it is, whatever it says it forwards', () => {
  assert.equal(of('203.0.113.9', '198.51.100.1'), '203.0.113.9');
});

test('behind our proxies the client is the rightmost address that is not one of them', () => {
  assert.equal(of('10.0.0.1', '198.51.100.1'), '198.51.100.1');
  assert.equal(of('10.0.0.1', '1.1.1.1, 198.51.100.1, 10.0.0.2'), '198.51.100.1');
  assert.equal(of('::1', '2001:db8::7'), '2001:db8::7');
});

test('a chain of proxies only ends at the leftmost', () => {
  assert.equal(of('10.0.0.1', '10.0.0.3, 10.0.0.2'), '10.0.0.3');
});

test('an entry that is no address ends the walk at the proxy that vouched for it', () => {
  assert.equal(of('10.0.0.1', '198.51.100.1, unknown'), '10.0.0.1');
});

test('a chain longer than 32 is looked at from its near end only', () => {
  const chain = ['198.51.100.1', ...Array.from({ length: 32 }, () => '10.0.0.2')].join(',');
  assert.equal(of('10.0.0.1', chain), '10.0.0.2');
});

test('an address is found in what proxies write around it', () => {
  const written = [
    ['::ffff:192.0.2.1', '192.0.2.1'],
    [' 192.0.2.1:4711 ', '192.0.2.1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['2001:db8::1', '2001:db8::1'],
  ] as const;
  for (const [text, address] of written) assert.equal(plainAddress(text), address);
});

test('a list contains its addresses and ranges of both families, and no text that is none', () => {
  const list = addressList(['192.0.2.0/24', '198.51.100.7', '2001:db8::/32']);
  for (const address of ['192.0.2.255', '198.51.100.7', '2001:db8:ffff::1']) assert.ok(list.includes(address), address);
  for (const address of ['192.0.3.0', '198.51.100.8', '2001:db9::', '', 'localhost'])
    assert.ok(!list.includes(address), address);
});

test('an entry that is no address or range is named', () => {
  for (const entry of ['10.0.0.0/33', '10.0.0/8', 'localhost', '::/129', '10.0.0.0/8/9', '10.0.0.0/']) {
    assert.throws(() => addressList([entry]), new RegExp(`^Error: ${entry} is not`));
  }
});
