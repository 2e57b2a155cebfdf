import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { describePort } from './datagram-port.contract.ts';
import { PortablePort } from './portable-port.ts';

describePort('portable', options => PortablePort.open(options));

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
