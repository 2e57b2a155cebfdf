import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ALGORITHMS, POLICY_KINDS, type Policy, SORT_KEYS } from './policy.ts';
import { RULE_SETS } from './rule-sets.ts';
import { choose, SETTINGS, type Sketch } from './sketch.fixture.ts';

function chosen(
  policy: Partial<Policy>,
  sketches: readonly Sketch[],
  region = 'eu',
  draw = 0,
): [string | null, string] {
  const { bridgeId, rule } = choose(region, sketches, { ...SETTINGS, ...policy }, draw);
  return [bridgeId, rule];
}

/** Where `count` people of rooms of their own go, one after the other between two reports. */
function fill(policy: Partial<Policy>, sketches: readonly Sketch[], count: number): Map<string, number> {
  const placed = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    const now = sketches.map(each => ({ ...each, placed: placed.get(each.id) ?? 0 }));
    const id = chosen(policy, now, 'eu', index)[0]!;
    placed.set(id, (placed.get(id) ?? 0) + 1);
  }
  return placed;
}

describe('every rule set', () => {
  const full: Sketch = { id: 'full', region: 'ap', stress: 2, inConference: 500 };

  test('takes an overloaded bridge far away rather than nobody, whatever is sorted by and how', () => {
    for (const kind of POLICY_KINDS) {
      for (const sort_by of SORT_KEYS) {
        for (const algorithm of ALGORITHMS) {
          assert.equal(chosen({ kind, sort_by, algorithm }, [full])[0], 'full', `${kind} ${sort_by} ${algorithm}`);
        }
      }
    }
  });

  test('leaves bridges alone that are silent, and those that drain while another is there', () => {
    const sketches: Sketch[] = [
      { id: 'silent', region: 'eu', ageMs: 6_000, inConference: 3 },
      { id: 'draining', region: 'eu', draining: true, inConference: 3 },
      { id: 'far', region: 'ap', stress: 0.9 },
    ];
    for (const kind of POLICY_KINDS) assert.equal(chosen({ kind }, sketches)[0], 'far', kind);
  });

  test('names each of its rules once', () => {
    for (const rules of Object.values(RULE_SETS))
      assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
  });
});

describe('single', () => {
  test('goes to the bridge of the conference however far and full it is', () => {
    const sketches: Sketch[] = [
      { id: 'near', region: 'eu' },
      { id: 'its', region: 'ap', stress: 1.5, inConference: 200 },
    ];
    assert.deepEqual(chosen({ kind: 'single' }, sketches), ['its', 'on-its-bridge']);
  });

  test('a new conference goes to the least loaded of the region of whoever opens it', () => {
    const sketches: Sketch[] = [
      { id: 'a', region: 'eu', stress: 0.2 },
      { id: 'b', region: 'eu', stress: 0.1 },
      { id: 'far', region: 'ap' },
    ];
    assert.deepEqual(chosen({ kind: 'single' }, sketches), ['b', 'in-region']);
  });
});

test('least-loaded goes anywhere, and asks neither for the region nor for the conference', () => {
  const sketches: Sketch[] = [
    { id: 'its', region: 'eu', stress: 0.2, inConference: 3 },
    { id: 'idle', region: 'ap', stress: 0.1 },
  ];
  assert.deepEqual(chosen({ kind: 'least-loaded' }, sketches), ['idle', 'least-loaded-with-room']);
});

describe('last-used', () => {
  test('fills one bridge up to the mark before it takes the next', () => {
    const bridges: Sketch[] = ['a', 'b', 'c'].map(id => ({ id, region: 'eu' }));
    assert.deepEqual(
      [...fill({ kind: 'last-used' }, bridges, 100)],
      [
        ['a', 80],
        ['b', 20],
      ],
    );
  });

  test('leaves an idle bridge idle while a busy one has room', () => {
    const sketches: Sketch[] = [
      { id: 'idle', region: 'eu' },
      { id: 'busy', region: 'eu', stress: 0.7 },
      { id: 'over', region: 'eu', stress: 0.81 },
    ];
    assert.deepEqual(chosen({ kind: 'last-used' }, sketches), ['busy', 'fullest-in-region']);
  });
});

test('split goes where the conference has fewest, then where the load is least', () => {
  const sketches: Sketch[] = [
    { id: 'two', region: 'eu', inConference: 2 },
    { id: 'one', region: 'us-east', inConference: 1, stress: 0.5 },
    { id: 'one-too', region: 'ap', inConference: 1, stress: 0.1 },
  ];
  assert.deepEqual(chosen({ kind: 'split' }, sketches), ['one-too', 'fewest-of-conference']);
});

describe('what is sorted by', () => {
  const load = { cpu: 0.5, endpoints: 50, sources: 50, bitrateInBps: 5e7, bitrateOutBps: 5e7 };
  const cases: readonly [Policy['sort_by'], Sketch['load']][] = [
    ['cpu', { cpu: 0.1 }],
    ['endpoints', { endpoints: 10 }],
    ['tracks', { sources: 10 }],
    ['bytes', { bitrateOutBps: 1e7 }],
  ];

  test('is the only thing that counts among bridges with room', () => {
    for (const [sort_by, least] of cases) {
      const sketches: Sketch[] = [
        { id: 'a', region: 'eu', stress: 0.1, load },
        { id: 'b', region: 'eu', stress: 0.7, load: { ...load, ...least } },
      ];
      assert.equal(chosen({ sort_by }, sketches)[0], 'b', sort_by);
      assert.equal(chosen({ sort_by: 'stress' }, sketches)[0], 'a');
    }
  });

  test('spreads a burst between two reports, whatever it is', () => {
    const bridges: Sketch[] = ['a', 'b', 'c', 'd'].map(id => ({ id, region: 'eu', load }));
    for (const sort_by of SORT_KEYS.filter(key => key !== 'random')) {
      assert.deepEqual([...fill({ sort_by }, bridges, 40).values()], [10, 10, 10, 10], sort_by);
    }
  });

  test('random takes each about as often', () => {
    const bridges: Sketch[] = ['a', 'b', 'c', 'd'].map(id => ({ id, region: 'eu' }));
    const counts = [...fill({ sort_by: 'random' }, bridges, 280).values()];
    // 70 each, and a standard deviation of 7.2.
    assert.ok(counts.length === 4 && counts.every(count => Math.abs(count - 70) < 25), `${counts}`);
  });
});

describe('two-choice', () => {
  const bridges: Sketch[] = Array.from({ length: 20 }, (_, index) => ({
    id: `b${String(index).padStart(2, '0')}`,
    region: 'eu',
    stress: index / 100,
  }));

  test('never takes the most loaded, and not always the least', () => {
    const taken = new Set(
      Array.from({ length: 500 }, (_, draw) => chosen({ algorithm: 'two-choice' }, bridges, 'eu', draw)[0]),
    );
    assert.ok(taken.has('b00') && taken.size > 10 && !taken.has('b19'));
  });

  test('has the same answer for the same draw', () => {
    for (let draw = 0; draw < 50; draw++) {
      const once = chosen({ algorithm: 'two-choice' }, bridges, 'eu', draw);
      assert.deepEqual(chosen({ algorithm: 'two-choice' }, bridges, 'eu', draw), once);
    }
  });

  test('spreads 400 joins far better than chance, without looking at all', () => {
    const idle = bridges.map(each => ({ ...each, stress: 0 }));
    const counts = [...fill({ algorithm: 'two-choice' }, idle, 400).values()];
    assert.ok(counts.length === 20 && Math.max(...counts) <= 23, `${counts}`);
  });

  test('finds the one bridge with room among many without', () => {
    const sketches = bridges.map(each => ({ ...each, stress: each.id === 'b07' ? 0.5 : 0.9 }));
    for (let draw = 0; draw < 50; draw++) {
      assert.deepEqual(chosen({ algorithm: 'two-choice' }, sketches, 'eu', draw), ['b07', 'in-region']);
    }
  });
});
