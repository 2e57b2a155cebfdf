import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SOCKET_BUFFER_BYTES, warnOfSmallBuffers } from './socket-buffers.ts';

test('small socket buffers are told in one line, which names what to set; large ones are not', () => {
  const lines: string[] = [];
  const log = { warn: (_details: object, message: string) => void lines.push(message) };
  const small = 425_984;
  warnOfSmallBuffers(SOCKET_BUFFER_BYTES, SOCKET_BUFFER_BYTES, log);
  warnOfSmallBuffers(small, SOCKET_BUFFER_BYTES, log);
  warnOfSmallBuffers(SOCKET_BUFFER_BYTES, small, log);
  warnOfSmallBuffers(small, small, log);
  const line = (settings: string) => `small socket buffers lose packets in bursts: sysctl -w ${settings}`;
  assert.deepEqual(lines, [
    line('net.core.rmem_max=4194304'),
    line('net.core.wmem_max=4194304'),
    line('net.core.rmem_max=4194304 net.core.wmem_max=4194304'),
  ]);
});
