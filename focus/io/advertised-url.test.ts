import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertisedUrl } from './advertised-url.ts';

const address = (family: 'IPv4' | 'IPv6', value: string, internal = false) =>
  ({ family, address: value, internal }) as never;
const machine = {
  lo: [address('IPv4', '127.0.0.1', true)],
  eth0: [address('IPv6', 'fe80::1'), address('IPv6', '2001:db8::5'), address('IPv4', '192.0.2.5')],
};
const url = (advertise_url: string, bind: string[], interfaces: object = machine) =>
  advertisedUrl(
    { peers: { advertise_url, call_timeout_ms: 1, drain_timeout_ms: 1, drain_notice_ms: 0 }, bind_addresses: bind },
    'http://127.0.0.1:7880',
    interfaces as never,
  );

test('the configured URL goes first, then the bound address, then the first that other machines can know', () => {
  assert.equal(url('http://focus-1:7880', ['0.0.0.0']), 'http://focus-1:7880');
  assert.equal(url('', ['10.0.0.1', '127.0.0.1']), 'http://10.0.0.1:7880');
  assert.equal(url('', ['::1']), 'http://[::1]:7880');
  assert.equal(url('', ['0.0.0.0']), 'http://192.0.2.5:7880');
  assert.equal(url('', ['::'], { eth0: machine.eth0.slice(0, 2) }), 'http://[2001:db8::5]:7880');
  assert.equal(url('', ['0.0.0.0'], {}), 'http://127.0.0.1:7880');
});
