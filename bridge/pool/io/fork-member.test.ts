import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { readBridgeConfig } from '../../config.ts';
import { forkMember, type MemberProcess } from './fork-member.ts';

const CONFIG = readBridgeConfig({ yaml: 'development: true', env: {} });

/** A module that stands in for a bridge's. */
function moduleOf(t: TestContext, source: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-member-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'member.mjs');
  writeFileSync(path, source);
  return path;
}

interface Story {
  readonly member: MemberProcess;
  readonly up: Promise<void>;
  readonly end: Promise<string>;
}

function startMember(path: string): Story {
  const up = Promise.withResolvers<void>();
  const end = Promise.withResolvers<string>();
  const events = { up: up.resolve, ended: end.resolve };
  const member = forkMember(path)({ config: CONFIG, restarts: 3 }, events);
  return { member, up: up.promise, end: end.promise };
}

describe('a forked process', () => {
  // What is forked has the options of this process, and is no test runner.
  const { execArgv, execPath } = process;
  before(() => {
    process.execArgv = [];
  });
  after(() => {
    process.execArgv = execArgv;
  });

  test('a process is given its assignment, and its last words are the reason of its end', async t => {
    const path = moduleOf(
      t,
      `process.once('message', ({ config, restarts }) => {
      const problem = [config.bridge_id, restarts, ...process.argv.slice(2)].join(' ');
      process.send({ kind: 'failed', problem }, () => process.exit(1));
    });`,
    );
    assert.equal(await startMember(path).end, 'bridge-1 3 --pool-member');
  });

  test('one that says nothing is told of by its exit code, or by the signal that ended it', async t => {
    assert.equal(await startMember(moduleOf(t, 'process.exit(7)')).end, 'exit code 7');
    const path = moduleOf(t, `process.on('message', () => process.send({ kind: 'up' }));`);
    const killed = startMember(path);
    await killed.up;
    killed.member.kill();
    assert.equal(await killed.end, 'signal SIGKILL');
    const asked = startMember(path);
    await asked.up;
    asked.member.askToStop();
    assert.equal(await asked.end, 'signal SIGTERM');
  });

  test('one that the system cannot start ends with the reason, once', async t => {
    t.after(() => {
      process.execPath = execPath;
    });
    process.execPath = join(tmpdir(), 'no-such-node');
    const { member, end } = startMember('member.mjs');
    assert.match(await end, /spawn .*no-such-node ENOENT/);
    assert.equal(member.pid, undefined);
  });
});
