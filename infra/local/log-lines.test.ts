import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLineLog } from './log-lines.ts';

function linesOf(write: (log: ReturnType<typeof createLineLog>) => void): string[] {
  const lines: string[] = [];
  write(createLineLog('warn', line => lines.push(line)));
  return lines;
}

test('a record is one line: time, level, service, message, fields', () => {
  const [line] = linesOf(log =>
    log.child({ service: 'bridge eu-1' }).warn({ endpoint: '0000002a', ageMs: 31 }, 'endpoint is silent'),
  );
  assert.match(line!, /^\d\d:\d\d:\d\d\.\d{3} warn bridge eu-1: endpoint is silent endpoint=0000002a ageMs=31\n$/);
});

test('text from outside cannot start a line of its own', () => {
  const [line] = linesOf(log => log.warn({ identity: 'a\n12:00:00 error forged' }, 'joined'));
  assert.equal(line!.split('\n').length, 2);
});

test('an error shows its message, and what is below the level is left out', () => {
  const lines = linesOf(log => {
    log.info('nothing');
    log.error({ err: new Error('no route') }, 'failed');
  });
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /failed error="no route"\n$/);
});
