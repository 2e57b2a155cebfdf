import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOverride, readOverride } from './policy.ts';

test('a room says its own policy in its metadata, beside whatever else is there', () => {
  const metadata = JSON.stringify({ topic: 'x', causeway: { placement: { kind: 'single', sort_by: 'cpu' } } });
  assert.deepEqual(readOverride(metadata), { ok: true, override: { kind: 'single', sort_by: 'cpu' } });
});

test('metadata that is not about placement is nobody’s business', () => {
  for (const metadata of [
    '',
    'plain "causeway" text',
    '{"a":1}',
    '{"causeway":{}}',
    '{"causeway":5}',
    '["causeway"]',
  ]) {
    assert.deepEqual(readOverride(metadata), { ok: true, override: null }, metadata);
  }
});

test('what is wrong is said, and what is allowed', () => {
  const problem = (placement: unknown) => {
    const read = readOverride(JSON.stringify({ causeway: { placement } }));
    return read.ok ? undefined : read.problem;
  };
  assert.equal(
    problem({ kind: 'nearest' }),
    `causeway.placement.kind in the room's metadata is "nearest"; allowed: region, single, least-loaded, last-used, split, latency, http`,
  );
  assert.equal(
    problem({ sortBy: 'cpu' }),
    `causeway.placement in the room's metadata has "sortBy"; allowed: kind, sort_by, algorithm`,
  );
  assert.equal(problem('single'), `causeway.placement in the room's metadata is not an object`);
  assert.match(problem({ kind: ['region'] })!, /is \["region"\]/);
});

test('the API is told what is wrong with its part of a policy, and what is allowed', () => {
  const problem = (body: unknown) => {
    const checked = checkOverride(body);
    return checked.ok ? undefined : checked.problem;
  };
  assert.deepEqual(checkOverride({ kind: 'latency', sort_by: 'cpu' }), {
    ok: true,
    override: { kind: 'latency', sort_by: 'cpu' },
  });
  assert.equal(
    problem('single'),
    'the body is not an object; allowed: an object with one or more of kind, sort_by, algorithm',
  );
  assert.match(problem({})!, /says nothing; allowed/);
  assert.match(problem({ kind: 'near' })!, /^kind is "near"; allowed: region, single/);
  assert.equal(problem({ kinds: 'near' }), 'the body has "kinds"; allowed: kind, sort_by, algorithm');
});
