import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { describePort } from './datagram-port.contract.ts';
import { PortablePort } from './portable-port.ts';

describePort('portable', options => PortablePort.open(options));

test('IPv6 works, where the machine has it', async context => {
  const probe = createSocket('udp6');
  const hasIpv6 = await new Promise<boolean>(resolve => {
    probe.once('error', () => resolve(false));
    probe.bind(0, '::1', () => resolve(true));
  });
  probe.close();
  if (!hasIpv6) return;
  const { promise, resolve } = Promise.withResolvers<string>();
  const port = await PortablePort.open<string>({
    address: '::1',
    port: 0,
    handler: (_bytes, _offset, _length, peer) => resolve(`${peer.family} ${peer.address}`),
  });
  context.after(() => port.close());
  const client = createSocket('udp6');
  context.after(() => client.close());
  client.send('x', port.port, '::1');
  assert.equal(await promise, 'IPv6 ::1');
  const answer = once(client, 'message');
  const slot = port.reserve();
  port.commit(slot, port.outgoing.write('y', slot), port.adopt('::1', client.address().port, 'client'));
  assert.equal(String((await answer)[0]), 'y');
});

test('socket buffers smaller than asked for are told once', async () => {
  const probe = createSocket('udp4');
  await new Promise<void>(resolve => probe.bind(0, '127.0.0.1', resolve));
  probe.setRecvBufferSize(4 * 1024 * 1024);
  probe.setSendBufferSize(4 * 1024 * 1024);
  const isSmall = Math.min(probe.getRecvBufferSize(), probe.getSendBufferSize()) < 4 * 1024 * 1024;
  probe.close();
  const warnings: string[] = [];
  const log = { warn: (_details: object, message: string) => void warnings.push(message) };
  const port = await PortablePort.open({ address: '127.0.0.1', port: 0, handler: () => {}, log });
  await port.close();
  assert.equal(warnings.length, isSmall ? 1 : 0);
});
