import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { readBridgeConfig } from '../../config.ts';
import { type ForkedProcess, joinPool } from './pool-channel.ts';

function forkedProcess() {
  const sent: unknown[] = [];
  const emitter = new EventEmitter();
  const send = (message: unknown, _handle: unknown, _options: unknown, done: () => void) => {
    sent.push(message);
    done();
  };
  return { emitter, sent, process: Object.assign(emitter, { send }) as unknown as ForkedProcess };
}

const ASSIGNMENT = { config: readBridgeConfig({ yaml: 'development: true', env: {} }), restarts: 2 };

test('the first message is the assignment, and what the bridge says goes back', async () => {
  const { emitter, sent, process } = forkedProcess();
  const joining = joinPool(process);
  emitter.emit('message', ASSIGNMENT);
  const channel = await joining;
  assert.deepEqual(channel!.assignment, ASSIGNMENT);
  channel!.sayUp();
  await channel!.sayFailed('port 1 is in use');
  assert.deepEqual(sent, [{ kind: 'up' }, { kind: 'failed', problem: 'port 1 is in use' }]);
});

test('the end of the pool is noticed, before the assignment and after it', async () => {
  const early = forkedProcess();
  const joining = joinPool(early.process);
  early.emitter.emit('disconnect');
  assert.equal(await joining, undefined);

  const late = forkedProcess();
  const joined = joinPool(late.process);
  late.emitter.emit('message', ASSIGNMENT);
  const { closed } = (await joined)!;
  late.emitter.emit('disconnect');
  await closed;
});

test('a process that no pool has started is told which option does', async () => {
  await assert.rejects(joinPool({ once: () => process }), /--pool-member .* --bridges auto\|N starts/);
});
