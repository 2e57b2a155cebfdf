/** Who is alive, who inherits, where rooms live: what focuses decide about each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConferenceId } from '../../protocol/ids.ts';
import { heirOf } from './heir.ts';
import { KnownHomes } from './known-homes.ts';
import { PING_INTERVAL_MS, Pulse, SILENCE_MS_MAX } from './pulse.ts';

const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 1, maxLength: 8 });
const conference = fc.integer({ min: 1, max: 0xffff_ffff }).map(id => id as ConferenceId);

test('the heir is the same in whatever order focuses are known', () => {
  fc.assert(
    fc.property(conference, names, (id, focuses) => {
      const heir = heirOf(id, focuses);
      assert.ok(focuses.includes(heir!));
      assert.equal(heirOf(id, focuses.toReversed()), heir);
      assert.equal(heirOf(id, focuses.toSorted()), heir);
    }),
  );
  assert.equal(heirOf(1 as ConferenceId, []), undefined);
});

test('when a focus goes, only its conferences get another heir', () => {
  fc.assert(
    fc.property(conference, names, (id, focuses) => {
      const heir = heirOf(id, focuses);
      for (const gone of focuses.filter(one => one !== heir)) {
        assert.equal(
          heirOf(
            id,
            focuses.filter(one => one !== gone),
          ),
          heir,
        );
      }
    }),
  );
});

test('conferences are spread over their heirs', () => {
  const counts = new Map<string, number>();
  for (let id = 1; id <= 3000; id++) {
    const heir = heirOf(id as ConferenceId, ['one', 'two', 'three'])!;
    counts.set(heir, (counts.get(heir) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 150, String(count));
});

test('a focus is gone after three silent seconds, and not before', () => {
  const pulse = new Pulse(0);
  for (let nowMs = PING_INTERVAL_MS; nowMs < SILENCE_MS_MAX; nowMs += PING_INTERVAL_MS) {
    assert.equal(pulse.handleTick(nowMs), false);
  }
  assert.equal(pulse.handleTick(SILENCE_MS_MAX), true);
});

test('whatever is heard starts the silence anew, and a pong tells the round trip', () => {
  const pulse = new Pulse(0);
  assert.equal(pulse.rttMs, undefined);
  for (let nowMs = 1000; nowMs <= 20_000; nowMs += 1000) {
    assert.equal(pulse.handleTick(nowMs), false);
    pulse.handlePong(nowMs + 30, nowMs);
  }
  assert.equal(pulse.rttMs, 30);
});

test('a process that was held up itself does not take that for the silence of others', () => {
  const pulse = new Pulse(0);
  assert.equal(pulse.handleTick(1000), false);
  assert.equal(pulse.handleTick(9000), false);
  assert.equal(pulse.handleTick(10_000), false);
  assert.equal(pulse.handleTick(11_000), true);
});

test('a home is known as long as a session is relayed there', () => {
  const homes = new KnownHomes();
  const first = homes.hold('talk', 'one');
  const second = homes.hold('talk', 'one');
  first();
  assert.equal(homes.find('talk'), 'one');
  second();
  assert.equal(homes.find('talk'), undefined);
  assert.equal(homes.size, 0);
});

test('sessions of a former home that end late do not take the new home away', () => {
  const homes = new KnownHomes();
  const old = homes.hold('talk', 'one');
  homes.forget('talk', 'one');
  homes.hold('talk', 'two');
  old();
  homes.forget('talk', 'one');
  assert.equal(homes.find('talk'), 'two');
});
