import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBridgeConfig } from './config.ts';
import { describeStartFailure, type SocketError } from './start-failure.ts';

const CONFIG = readBridgeConfig({
  yaml: [
    'development: true',
    'bridge_id: fra-1',
    'rtc: {udp_port: 443, bind_address: 10.0.0.1}',
    'octo: {port: 443, bind_address: 10.0.0.2}',
    'control: {port: 443, bind_address: 10.0.0.3}',
  ].join('\n'),
  env: {},
});

const MEDIA: SocketError = { message: 'as it came', syscall: 'bind', address: '10.0.0.1', port: 443 };
const OCTO: SocketError = { ...MEDIA, address: '10.0.0.2' };
const CONTROL: SocketError = { ...MEDIA, syscall: 'listen', address: '10.0.0.3' };

test('each refusal names the port or address, its purpose and the key, also where the three have one number', () => {
  const cases: readonly [SocketError, string][] = [
    [
      { ...OCTO, code: 'EADDRINUSE' },
      'port 443 is in use: bridge fra-1 needs it for links to other bridges; the key octo.port moves it',
    ],
    [
      { ...MEDIA, code: 'EACCES' },
      'port 443 is not allowed to this user: bridge fra-1 needs it for clients; the key rtc.udp_port moves it',
    ],
    [
      { ...CONTROL, code: 'EADDRNOTAVAIL' },
      "address 10.0.0.3 is none of this machine's: bridge fra-1 needs it for its control API; the key control.bind_address changes it",
    ],
    [
      { ...MEDIA, code: 'EINVAL' },
      'address 10.0.0.1 with port 443 is refused by the system (EINVAL): bridge fra-1 needs it for clients; the keys rtc.bind_address and rtc.udp_port change it',
    ],
  ];
  for (const [error, line] of cases) assert.equal(describeStartFailure(error, CONFIG), line);
});

test('an error that is about no port keeps its own words', () => {
  assert.equal(describeStartFailure({ message: 'out of luck' }, CONFIG), 'out of luck');
  assert.equal(describeStartFailure({ ...MEDIA, code: 'EMFILE' }, CONFIG), 'as it came');
  assert.equal(describeStartFailure({ ...MEDIA, port: 99, code: 'EADDRINUSE' }, CONFIG), 'as it came');
});
