import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MS_MAX, SettingsError } from './path-settings.ts';
import { readSettingTexts, readTime } from './setting-texts.ts';

test('values are read with their units', () => {
  const table: readonly [string, string, object][] = [
    ['delay', '100', { delayMs: 100 }],
    ['delay', '1.5s', { delayMs: 1500 }],
    ['jitter', '10 ms', { jitterMs: 10 }],
    ['loss', '2%', { lossShare: 0.02 }],
    ['loss', '0.02', { lossShare: 0.02 }],
    ['loss', '0', { lossShare: 0 }],
    ['burst', '5', { burstLength: 5 }],
    ['duplicate', '0.1%', { duplicateShare: 0.001 }],
    ['rate', '2500k', { rateBps: 2_500_000 }],
    ['rate', '2.5M', { rateBps: 2_500_000 }],
    ['rate', '300000', { rateBps: 300_000 }],
    ['rate', 'unlimited', { rateBps: 0 }],
    ['queue', '200ms', { queueMs: 200, queueBytes: 0 }],
    ['queue', '30kB', { queueMs: MS_MAX, queueBytes: 30_000 }],
  ];
  for (const [name, text, change] of table)
    assert.deepEqual(readSettingTexts({ [name]: text }), change, `${name} ${text}`);
  assert.equal(readTime('2min'), 120_000);
});

test('a bare 1 or 2 is no share: it may be meant as per cent', () => {
  for (const text of ['1', '2', '1.5', '-0.1', '0.1.1', '']) {
    assert.throws(() => readSettingTexts({ loss: text }), /loss is ".*"; allowed: a share such as 2% or 0.02/, text);
  }
});

test('every problem is told, by the name that was written', () => {
  assert.throws(
    () => readSettingTexts({ dely: '1', rate: 'fast', queue: '1h' }, name => `--${name}`),
    (error: SettingsError) => {
      assert.match(error.problems[0], /^--dely is not a known setting; did you mean --delay\?; allowed: --delay, /);
      assert.match(error.problems[1], /^--rate is "fast"; allowed: bits per second such as 2500k/);
      assert.match(error.problems[2], /^--queue is "1h"; allowed: a time .* or bytes/);
      return error instanceof SettingsError && error.problems.length === 3;
    },
  );
});
