import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BENCHMARKS } from './registry.ts';
import { renderFigures } from './render-figures.ts';

test('nested figures become aligned lines', () => {
  const figures = { joins: 30, firstFrame: { p50: 312.468, p95: 0.123 }, cases: [{ name: 'VP8' }] };
  assert.equal(
    renderFigures(figures),
    'joins           30\nfirstFrame.p50  312.5\nfirstFrame.p95  0.12\ncases.0.name    VP8\n',
  );
});

test('benchmarks have names of their own', () => {
  const names = BENCHMARKS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of ['join', 'projection', 'forward', 'forward-guard']) assert.ok(names.includes(name), name);
});

test('what was not measured has no line', () => {
  assert.equal(renderFigures({ joins: 0, joinMs: undefined }), 'joins  0\n');
});
