import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParticipantInfo, Room } from '@livekit/protocol';
import { seededRandom } from '../conference/room.fixture.ts';
import { createFocusMetrics } from '../metrics.ts';
import { addressGroup } from './address-group.ts';
import { KeyedBuckets, NAMES_MAX } from './keyed-buckets.ts';
import { type Held, type LimitSettings, Limits } from './limits.ts';

const NONE: LimitSettings = {
  joinsPerSecond: 1000,
  joinsPerSecondPerAddress: 0,
  joinsPerSecondPerKey: 0,
  roomsPerKey: 0,
  participantsPerKey: 0,
};

const limitsOf = (settings: Partial<LimitSettings>) =>
  new Limits({ settings: { ...NONE, ...settings }, metrics: createFocusMetrics(), nowMs: 0 });

/** What a join is refused with; empty when it is not. */
function refusal(work: () => unknown): string {
  try {
    work();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const started = (sid: string, name: string) => ({ event: 'room_started' as const, room: new Room({ sid, name }) });
const finished = (sid: string) => ({ event: 'room_finished' as const, room: new Room({ sid }) });
const left = (sid: string) => ({
  event: 'participant_left' as const,
  room: new Room(),
  participant: new ParticipantInfo({ sid }),
});

test('one address gets its rate, after a burst, and what it wastes is not missing to others', () => {
  const limits = limitsOf({ joinsPerSecond: 10, joinsPerSecondPerAddress: 2 });
  const join = (address: string | undefined, nowMs = 0) =>
    refusal(() => limits.join(nowMs, { address, apiKey: 'key' }));
  for (let i = 0; i < 4; i++) assert.equal(join('192.0.2.1'), '');
  for (let i = 0; i < 50; i++) {
    assert.equal(join('192.0.2.1'), 'too many joins, try again: limit.joins_per_second_per_address is 2');
  }
  for (let i = 0; i < 6; i++) assert.equal(join(undefined), '', 'of an address that is not known');
  assert.equal(join('192.0.2.2'), 'too many joins, try again: signal.joins_per_second is 10');
  assert.equal(join('192.0.2.1', 500), '');
  assert.match(join('192.0.2.1', 500), /per_address/);
});

test('one key gets its rate, whatever addresses its clients have', () => {
  const limits = limitsOf({ joinsPerSecondPerKey: 1 });
  const join = (apiKey: string, address: string) => refusal(() => limits.join(0, { address, apiKey }));
  assert.deepEqual([join('a', '192.0.2.1'), join('a', '192.0.2.2'), join('b', '192.0.2.1')], ['', '', '']);
  assert.equal(join('a', '192.0.2.3'), 'too many joins, try again: limit.joins_per_second_per_key is 1');
});

test('an IPv6 /64 is one address, however it is written', () => {
  const same = ['2001:db8::1', '2001:DB8:0:0:ffff::', '2001:0db8:0000:0000:1:2:3:4', '2001:db8::ffff:192.0.2.1'];
  for (const address of same) assert.equal(addressGroup(address), '2001:db8:0:0::/64', address);
  assert.equal(addressGroup('::1'), '0:0:0:0::/64');
  assert.notEqual(addressGroup('2001:db8:0:1::1'), addressGroup('2001:db8::1'));
  assert.equal(addressGroup('192.0.2.1'), '192.0.2.1');
});

test('remembered names are bounded, and who comes often is not forgotten for who came once', () => {
  const buckets = new KeyedBuckets(0.001, 1);
  assert.ok(buckets.take(0, 'often'));
  for (let i = 0; i < NAMES_MAX; i++) {
    buckets.take(0, `once ${i}`);
    if (i % 1000 === 0) assert.equal(buckets.take(0, 'often'), false);
  }
  assert.equal(buckets.size, NAMES_MAX);
});

test('joins that are on their way count: many at once do not get past the limit', () => {
  const limits = limitsOf({ participantsPerKey: 3 });
  const held: Held[] = [];
  const hold = () => refusal(() => held.push(limits.holdPlace('key', 'talk', true)));
  assert.deepEqual([hold(), hold(), hold()], ['', '', '']);
  assert.equal(hold(), 'a limit of this server is reached: limit.participants_per_key is 3');
  held[0].release();
  assert.equal(hold(), '', 'one that did not get in gives its place back');
  held[1].release('PA_1');
  assert.notEqual(hold(), '', 'one that did keeps it');
  limits.handleNotice(left('PA_1'));
  assert.equal(hold(), '');
});

test('who comes back from another focus counts once, until it leaves', () => {
  const { usage } = limitsOf({});
  usage.returned('key', 'PA_1');
  usage.returned('key', 'PA_1');
  assert.deepEqual(usage.of('key'), { rooms: 0, participants: 1 });
  usage.handleNotice(left('PA_1'));
  assert.equal(usage.keys, 0);
});

test('a key has its rooms, and may join what is open or being opened beyond that', () => {
  const limits = limitsOf({ roomsPerKey: 1 });
  const opening = limits.holdPlace('key', 'talk', false);
  const beside = limits.holdPlace('key', 'talk', false);
  assert.equal(
    refusal(() => limits.holdRoom('key', 'other')),
    'a limit of this server is reached: limit.rooms_per_key is 1',
  );
  limits.handleNotice(started('RM_1', 'talk'));
  opening.release('PA_1');
  beside.release('PA_2');
  assert.deepEqual(limits.usage.of('key'), { rooms: 1, participants: 2 });
  assert.notEqual(
    refusal(() => limits.check('key', 'other', false)),
    '',
  );
  assert.equal(
    refusal(() => limits.check('key', 'talk', true)),
    '',
  );
  assert.equal(
    refusal(() => limits.check('another', 'other', false)),
    '',
  );
  limits.handleNotice(finished('RM_1'));
  assert.equal(
    refusal(() => limits.check('key', 'other', false)),
    '',
  );
});

test('whatever comes and goes, counts are those of who is there, and nothing stays of keys that are gone', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed);
    const limits = limitsOf({ roomsPerKey: 3, participantsPerKey: 8 });
    const pick = <T>(list: readonly T[]): T => list[random.uint32() % list.length];
    const open = new Map<string, { sid: string; apiKey: string }>();
    const inside = new Map<string, string>();
    const under: { held: Held; apiKey: string }[] = [];
    const check = () => {
      for (const key of ['a', 'b']) {
        const { rooms, participants } = limits.usage.of(key);
        const pending = under.filter(({ apiKey }) => apiKey === key).length;
        assert.equal(
          participants,
          [...inside.values()].filter(owner => owner === key).length + pending,
          `seed ${seed}`,
        );
        assert.ok(rooms <= 3 && participants <= 8, `seed ${seed}: over a limit`);
        if (under.length === 0) {
          assert.equal(rooms, [...open.values()].filter(({ apiKey }) => apiKey === key).length, `seed ${seed}`);
        }
      }
    };
    for (let step = 0; step < 300; step++) {
      const [apiKey, name] = [pick(['a', 'b']), pick(['r1', 'r2', 'r3', 'r4', 'r5', 'r6'])];
      const action = random.uint32() % 4;
      if (action === 0 || (action === 1 && under.length === 0)) {
        refusal(() => {
          const owner = limits.usage.isOpening(name) ? undefined : apiKey;
          under.push({ held: limits.holdPlace(apiKey, name, open.has(name)), apiKey });
          if (open.has(name) || owner === undefined) return;
          open.set(name, { sid: `RM_${step}`, apiKey });
          limits.handleNotice(started(`RM_${step}`, name));
        });
      } else if (action === 1) {
        const [{ held, apiKey: owner }] = under.splice(random.uint32() % under.length, 1);
        const sid = random.uint32() % 3 === 0 ? undefined : `PA_${step}`;
        held.release(sid);
        if (sid !== undefined) inside.set(sid, owner);
      } else if (action === 2 && inside.size > 0) {
        const sid = pick([...inside.keys()]);
        inside.delete(sid);
        limits.handleNotice(left(sid));
      } else if (under.length === 0 && open.has(name)) {
        limits.handleNotice(finished(open.get(name)!.sid));
        open.delete(name);
      }
      check();
    }
    for (const { held } of under.splice(0)) held.release();
    for (const sid of inside.keys()) limits.handleNotice(left(sid));
    for (const { sid } of open.values()) limits.handleNotice(finished(sid));
    assert.equal(limits.usage.keys, 0, `seed ${seed}`);
  }
});

test('a room that another focus serves from now on counts here no more, and neither does who is in it', () => {
  const limits = limitsOf({ roomsPerKey: 1, participantsPerKey: 2 });
  const held = limits.holdPlace('key', 'talk', false);
  limits.handleNotice(started('RM_1', 'talk'));
  held.release('PA_1');
  limits.holdPlace('key', 'talk', true).release('PA_2');
  assert.match(
    refusal(() => limits.check('key', 'other', false)),
    /rooms_per_key/,
  );
  limits.usage.forget('RM_1', ['PA_1', 'PA_2', 'PA_of_a_relay']);
  assert.deepEqual(limits.usage.of('key'), { rooms: 0, participants: 0 });
  assert.equal(limits.usage.keys, 0);
});
