import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changeSettings, DEFAULT_SETTINGS, type PathSettings, SettingsError } from './path-settings.ts';

function problemsOf(change: unknown): readonly string[] {
  try {
    changeSettings(DEFAULT_SETTINGS, change as Partial<PathSettings>);
    return [];
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.problems;
  }
}

test('by default nothing is impaired', () => {
  const { delayMs, jitterMs, lossShare, randomLossShare, reorderShare, duplicateShare, rateBps, isCut } =
    DEFAULT_SETTINGS;
  assert.deepEqual(
    [delayMs, jitterMs, lossShare, randomLossShare, reorderShare, duplicateShare, rateBps],
    Array(7).fill(0),
  );
  assert.equal(isCut, false);
});

test('a change leaves the rest as it was, and its base too', () => {
  const base = changeSettings(DEFAULT_SETTINGS, { delayMs: 5 });
  assert.deepEqual(changeSettings(base, { lossShare: 0.1, delayMs: undefined }), { ...base, lossShare: 0.1 });
  assert.equal(base.lossShare, 0);
  assert.ok(Object.isFrozen(base));
});

test('every problem is told: what it was, what is allowed', () => {
  assert.deepEqual(problemsOf({ lossShare: 2, delayMs: '5', isCut: 1, queueBytes: 0.5 }), [
    'lossShare is 2; allowed: a number from 0 to 1 (share of datagrams, 1 is all)',
    'delayMs is "5"; allowed: a number from 0 to 60000 (ms)',
    'isCut is 1; allowed: true or false',
    'queueBytes is 0.5; allowed: a whole number from 0 to 1000000000 (bytes; 0: only queueMs bounds it)',
  ]);
  assert.match(
    problemsOf({ delay: 5 })[0],
    /^delay is not a known setting; did you mean delayMs\?; allowed: delayMs, /,
  );
});

test('settings that do not go together are refused', () => {
  assert.match(
    problemsOf({ lossShare: 0.9, burstLength: 5 })[0],
    /lossShare is 0.9; with a burstLength of 5 .* 0 to 0.833/,
  );
  assert.match(problemsOf({ burstLength: 0.5 })[0], /burstLength is 0.5; allowed: 0, or 1 and more/);
  assert.match(problemsOf({ rateBps: 10 })[0], /rateBps is 10; allowed: 0 \(unlimited\), or 1000 and more/);
  assert.deepEqual(problemsOf({ lossShare: 1 }), []);
});

test('anything at all is accepted or refused in words', () => {
  const key = fc.oneof(fc.constantFrom(...Object.keys(DEFAULT_SETTINGS), '__proto__', 'toString'), fc.string());
  fc.assert(
    fc.property(fc.dictionary(key, fc.anything({ withBigInt: false })), change => {
      for (const problem of problemsOf(change)) assert.match(problem, /allowed: /s);
    }),
  );
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -0.1, null, 10n, Symbol('x'), () => 1]) {
    assert.equal(problemsOf({ delayMs: value }).length, 1);
  }
});
