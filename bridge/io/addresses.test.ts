import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { NetworkInterfaceInfo } from 'node:os';
import { mock, type TestContext, test } from 'node:test';
import { BINDING_ERROR, BINDING_SUCCESS } from '../../protocol/stun/constants.ts';
import { encodeStun, type StunFields } from '../../protocol/stun/encode.ts';
import { StunMessage } from '../../protocol/stun/message.ts';
import { type CandidateOptions, findCandidates } from './addresses.ts';

const MACHINE = {
  lo: [face('127.0.0.1', true), face('::1', true)],
  eth0: [face('fe80::1', false), face('2001:db8::1', false), face('10.0.0.7', false)],
  eth1: [face('192.168.1.7', false)],
};

function face(address: string, internal: boolean): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '', internal, cidr: null };
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
}

const PLAIN: CandidateOptions = {
  port: 10_000,
  bindAddress: '0.0.0.0',
  nodeIps: [],
  useExternalIp: false,
  stunServers: [],
  includeLoopback: false,
  interfaces: MACHINE,
};

async function addresses(options: Partial<CandidateOptions>): Promise<string[]> {
  const found = await findCandidates({ ...PLAIN, ...options });
  assert.ok(found.every(({ port }) => port === 10_000));
  return found.map(({ address }) => address);
}

test('configured addresses are the answer, in their order, each once', async () => {
  assert.deepEqual(await addresses({ nodeIps: ['203.0.113.9', '10.0.0.7', '203.0.113.9'] }), [
    '203.0.113.9',
    '10.0.0.7',
  ]);
});

test('without, the interfaces’ IPv4 addresses are announced, loopback only when asked for or alone', async () => {
  assert.deepEqual(await addresses({}), ['10.0.0.7', '192.168.1.7']);
  assert.deepEqual(await addresses({ includeLoopback: true }), ['10.0.0.7', '192.168.1.7', '127.0.0.1']);
  assert.deepEqual(await addresses({ interfaces: { lo: MACHINE.lo } }), ['127.0.0.1']);
});

test('a socket for IPv6 is announced with its IPv6 addresses too, link-local ones left out', async () => {
  assert.deepEqual(await addresses({ bindAddress: '::' }), ['10.0.0.7', '192.168.1.7', '2001:db8::1']);
});

test('a socket bound to one address is announced with that one', async () => {
  assert.deepEqual(await addresses({ bindAddress: '192.168.1.7' }), ['192.168.1.7']);
});

/** A STUN server on loopback that gives `answer` (nothing when undefined) to each request; returns `host:port`. */
async function serve(
  context: TestContext,
  answer: (request: number) => Partial<StunFields> | undefined,
): Promise<{ readonly name: string; readonly socket: Socket }> {
  const socket = createSocket('udp4');
  let requests = 0;
  socket.on('message', (bytes, { address, port }) => {
    const request = new StunMessage();
    request.decode(bytes, 0, bytes.length);
    const fields = answer(requests++);
    if (fields === undefined) return;
    const out = Buffer.alloc(1280);
    const length = encodeStun(out, 0, { type: BINDING_SUCCESS, transactionId: bytes.subarray(8, 20), ...fields });
    socket.send(out, 0, length, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  context.after(() => socket.close());
  return { name: `127.0.0.1:${socket.address().port}`, socket };
}

const SEEN = { xorMappedAddress: { address: '198.51.100.20', port: 4242 } };

test('the address that a STUN server sees comes first, with our own port, and the inside after it', async context => {
  const { name } = await serve(context, () => SEEN);
  const found = await findCandidates({ ...PLAIN, useExternalIp: true, stunServers: [name] });
  assert.deepEqual(found[0], { address: '198.51.100.20', port: 10_000, kind: 'srflx' });
  assert.deepEqual(found.slice(1), [
    { address: '10.0.0.7', port: 10_000, kind: 'host' },
    { address: '192.168.1.7', port: 10_000, kind: 'host' },
  ]);
});

test('an address that is our own is no NAT’s', async context => {
  const { name } = await serve(context, () => ({ xorMappedAddress: { address: '192.168.1.7', port: 1 } }));
  const found = await findCandidates({ ...PLAIN, useExternalIp: true, stunServers: [name] });
  assert.deepEqual(found, [
    { address: '192.168.1.7', port: 10_000, kind: 'host' },
    { address: '10.0.0.7', port: 10_000, kind: 'host' },
  ]);
});

test('one server that answers is enough, and answers that are not to our question do not count', async context => {
  const forger = await serve(context, () => ({
    transactionId: new Uint8Array(12),
    xorMappedAddress: { address: '203.0.113.66', port: 1 },
  }));
  const refuser = await serve(context, () => ({ type: BINDING_ERROR, errorCode: 500 }));
  const good = await serve(context, () => SEEN);
  const [first] = await findCandidates({
    ...PLAIN,
    useExternalIp: true,
    stunServers: [forger.name, refuser.name, good.name],
  });
  assert.equal(first.address, '198.51.100.20');
});

test('a lost request is repeated', async context => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  const { name, socket } = await serve(context, request => (request === 0 ? undefined : SEEN));
  const asking = findCandidates({ ...PLAIN, useExternalIp: true, stunServers: [name] });
  await once(socket, 'message');
  mock.timers.tick(250);
  assert.equal((await asking)[0].address, '198.51.100.20');
});

test('when no server answers the local addresses are announced, with a warning', async context => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  const { name, socket } = await serve(context, () => undefined);
  const warnings: string[] = [];
  const log = { warn: (_details: object, message: string) => void warnings.push(message) };
  const asking = findCandidates({ ...PLAIN, useExternalIp: true, stunServers: [name], log });
  await once(socket, 'message');
  for (let waitedMs = 0; waitedMs <= 3000; waitedMs += 250) mock.timers.tick(250);
  assert.deepEqual(
    (await asking).map(({ address }) => address),
    ['10.0.0.7', '192.168.1.7'],
  );
  assert.equal(warnings.length, 1);
});
