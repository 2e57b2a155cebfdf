import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readPaths } from './paths.ts';

test('round trips are read by identity, what is not measured stays open', () => {
  const rttMs = { own: 12.4, link: 80, theirs: null, total: null };
  const answer = { summary: { participants: 2 }, participants: [{ identity: 'ada', region: 'eu', rttMs }] };
  assert.deepEqual([...readPaths(answer)], [['ada', rttMs]]);
});

test('an answer of any other shape gives no round trips and no error', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (answer, rttMs) => {
      readPaths(answer);
      readPaths({ participants: [answer, { identity: 'a', rttMs }] });
    }),
  );
});
