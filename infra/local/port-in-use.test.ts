import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { namePort, PortInUseError } from './port-in-use.ts';

test('a busy TCP port is named with its service and the option that moves it', async () => {
  const first = createServer().listen(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address() as { port: number };
  const second = createServer();
  const start = () => once(second.listen(port, '127.0.0.1'), 'listening');
  await assert.rejects(namePort('focus', { '': port }, start), (error: Error) => {
    assert.ok(error instanceof PortInUseError);
    assert.equal(error.message, `port ${port} is in use: focus needs it; --port-base N moves all ports`);
    return true;
  });
  first.close();
});

test('of several ports the busy one is named by its purpose, also when the error was wrapped', async () => {
  const first = createSocket('udp4').bind(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address();
  const start = async () => {
    const second = createSocket('udp4').bind(port, '127.0.0.1');
    await once(second, 'listening').catch(cause => {
      second.close();
      throw new Error('cannot start', { cause });
    });
  };
  await assert.rejects(namePort('bridge eu-1', { control: 1, media: port }, start), {
    message: `port ${port} is in use: bridge eu-1 needs it for media; --port-base N moves all ports`,
  });
  first.close();
});

test('any other failure passes as it is', async () => {
  const failure = new Error('no certificate');
  await assert.rejects(
    namePort('focus', {}, () => Promise.reject(failure)),
    failure,
  );
});
