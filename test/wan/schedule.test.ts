import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changeSettings, DEFAULT_SETTINGS, SettingsError } from './path-settings.ts';
import { applyChange, readSchedule } from './schedule.ts';

function problemsOf(yaml: string, pathCount = 2): readonly string[] {
  try {
    readSchedule(yaml, pathCount, 'wan.yaml');
    return [];
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    return error.problems;
  }
}

test('entries come in order of time, with what changes and where', () => {
  const schedule = readSchedule(
    `
- { at: 20s, heal: true }
- { at: 10s, cut: true, path: 2, direction: back }
- { at: 30s, rate: 1/3, loss: 2% }
`,
    2,
  );
  assert.deepEqual(schedule, [
    { atMs: 10_000, path: 1, directions: ['back'], change: { isCut: true }, rateFactor: undefined, text: 'cut' },
    {
      atMs: 20_000,
      path: undefined,
      directions: ['forth', 'back'],
      change: { isCut: false },
      rateFactor: undefined,
      text: 'heal',
    },
    {
      atMs: 30_000,
      path: undefined,
      directions: ['forth', 'back'],
      change: { lossShare: 0.02 },
      rateFactor: 1 / 3,
      text: 'rate 1/3, loss 2%',
    },
  ]);
});

test('JSON will do', () => {
  assert.equal(readSchedule('[{"at": 500, "delay": "20ms"}]', 1)[0].change.delayMs, 20);
});

test('a fraction is of the rate that the path began with, however often it is asked for', () => {
  const [third] = readSchedule('[{at: 0, rate: 1/3}]', 1);
  const initial = changeSettings(DEFAULT_SETTINGS, { rateBps: 3_000_000 });
  const once = applyChange(initial, initial, third);
  assert.equal(once.rateBps, 1_000_000);
  assert.equal(applyChange(initial, once, third).rateBps, 1_000_000);
  assert.throws(() => applyChange(DEFAULT_SETTINGS, DEFAULT_SETTINGS, third), /of an unlimited rate/);
});

test('a change leaves the other settings as they are', () => {
  const [entry] = readSchedule('[{at: 0, loss: 10%}]', 1);
  const current = changeSettings(DEFAULT_SETTINGS, { delayMs: 50, burstLength: 4 });
  assert.deepEqual(applyChange(DEFAULT_SETTINGS, current, entry), { ...current, lossShare: 0.1 });
});

test('each wrong entry is told with its number', () => {
  const table: readonly [string, RegExp][] = [
    ['[{at: 1s, cut: true}, {cut: true}]', /^wan.yaml, entry 2: at is missing; allowed: a time/],
    ['[{at: 9000h, cut: true}]', /entry 1: at is "9000h"/],
    ['[{at: 1s}]', /entry 1: changes nothing/],
    ['[{at: 1s, cut: true, heal: true}]', /cut and heal are wrong/],
    ['[{at: 1s, cut: false}]', /cut and heal are wrong/],
    ['[{at: 1s, path: 3, cut: true}]', /path is "3"; allowed: a whole number from 1 to 2/],
    ['[{at: 1s, direction: up, cut: true}]', /direction is "up"; allowed: forth, back, both/],
    ['[{at: 1s, loss: 200%}]', /lossShare is 2; allowed: a number from 0 to 1/],
    ['[{at: 1s, rate: 1/0}]', /rate is 1\/0; allowed: a fraction/],
    ['[{at: 1s, los: 2%}]', /los is no key; allowed: at, path/],
    ['[{at: 1s, loss: [2]}]', /loss is a list; allowed: a text or a number/],
    ['[&a [*a]]', /entry 1: is a list; allowed: a mapping/],
    ['cut', /is no list; allowed: a list/],
    ['[{', /^wan.yaml is not valid YAML: /],
  ];
  for (const [yaml, problem] of table) assert.match(problemsOf(yaml)[0] ?? 'accepted', problem, yaml);
  assert.equal(problemsOf('[1, 2]').length, 2);
});

test('any text at all is a schedule or refused in words', () => {
  const entry = fc.dictionary(
    fc.oneof(fc.constantFrom('at', 'cut', 'heal', 'rate', 'path', 'loss', '__proto__'), fc.string()),
    fc.oneof(fc.constantFrom('1s', '1/3', '2%', true, 1), fc.jsonValue()),
  );
  const text = fc.oneof(
    fc.array(entry).map(entries => JSON.stringify(entries)),
    fc.string(),
  );
  fc.assert(
    fc.property(text, yaml => {
      for (const problem of problemsOf(yaml)) assert.match(problem, /^wan.yaml/);
    }),
  );
});
