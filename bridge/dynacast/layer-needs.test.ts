import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NEVER } from '../timers/timer-wheel.ts';
import { FRESH_MS, LayerNeeds, PAUSE_MS, RESTART_MS_MAX } from './layer-needs.ts';

const LOW = 1;
const MEDIUM = 2;
const HIGH = 4;
const ALL = LOW | MEDIUM | HIGH;

/** Needs of three layers at a clock of their own. Publishers obey at once unless `flowing` says otherwise. */
class Bench {
  nowMs = 0;
  readonly needs = new LayerNeeds(3);
  watched = 0;
  isMuted = false;

  /** As the schedule does it: now, and then whenever it is due. */
  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    this.update();
    while (this.needs.dueMs <= endMs) {
      this.nowMs = this.needs.dueMs;
      this.update();
    }
    this.nowMs = endMs;
  }

  update(flowing = this.needs.mask): boolean {
    return this.needs.update(this.nowMs, this.watched, this.isMuted, flowing);
  }

  watch(mask: number): void {
    this.watched = mask;
    this.update();
  }

  /** Past the time of a new source, and watched as said for long. */
  static settled(watched: number): Bench {
    const bench = new Bench();
    bench.watched = watched;
    bench.run(FRESH_MS + PAUSE_MS);
    return bench;
  }
}

describe('what a publisher is to send', () => {
  test('a new source is sent whole until its first subscribers had time to come, then not at all', () => {
    const bench = new Bench();
    assert.equal(bench.update(), true, 'it is told, so that whoever listens knows');
    bench.run(FRESH_MS - 1);
    assert.equal(bench.needs.mask, ALL);
    bench.run(1);
    assert.equal(bench.needs.mask, 0);
    assert.equal(bench.needs.why(2), 'unwatched');
    assert.equal(bench.needs.dueMs, NEVER, 'nothing is left to wait for');
  });

  test('a layer is paused when nobody has watched it for the whole delay, and not before', () => {
    const bench = Bench.settled(ALL);
    bench.watch(LOW);
    assert.equal(bench.needs.why(2), 'lingering');
    bench.run(PAUSE_MS - 1);
    assert.equal(bench.needs.mask, ALL);
    bench.run(1);
    assert.equal(bench.needs.mask, LOW);
  });

  test('a look away that is shorter than the delay changes nothing, however often', () => {
    const bench = Bench.settled(HIGH);
    const before = bench.needs.updates;
    for (let look = 0; look < 20; look++) {
      bench.watch(0);
      bench.run(PAUSE_MS - 1);
      bench.watch(HIGH);
      bench.run(10);
    }
    assert.equal(bench.needs.updates, before);
  });

  test('a layer is needed again at once', () => {
    const bench = Bench.settled(LOW);
    assert.equal(bench.needs.mask, LOW);
    bench.watched = LOW | HIGH;
    assert.equal(bench.update(), true);
    assert.equal(bench.needs.mask, LOW | HIGH);
  });

  test('the lowest layer is sent while any is watched: it is what everybody falls back to', () => {
    const bench = Bench.settled(HIGH);
    assert.equal(bench.needs.mask, HIGH | LOW);
    assert.equal(bench.needs.why(0), 'fallback');
    bench.watch(0);
    bench.run(PAUSE_MS);
    assert.equal(bench.needs.mask, 0);
  });

  test('while the source is muted nothing is paused: it sends nothing, and is to be there when it speaks', () => {
    const bench = Bench.settled(ALL);
    bench.isMuted = true;
    bench.watch(0);
    bench.run(60_000);
    assert.equal(bench.needs.mask, ALL);
    bench.isMuted = false;
    bench.run(PAUSE_MS - 1);
    assert.equal(bench.needs.mask, ALL, 'the delay begins with the end of the mute');
    bench.run(1);
    assert.equal(bench.needs.mask, 0);
  });

  test('whoever asks for more than there is watches the best there is', () => {
    for (const layers of [1, 2]) {
      const needs = new LayerNeeds(layers);
      needs.update(0, HIGH, false, 0);
      needs.update(FRESH_MS, HIGH, false, 0);
      assert.equal(needs.mask, (1 << layers) - 1);
      assert.equal(needs.why(layers - 1), 'watched');
    }
  });
});

describe('a layer that is watched and does not come', () => {
  test('has those below it sent in its place, and no longer than that', () => {
    const bench = Bench.settled(HIGH);
    assert.equal(bench.needs.mask, HIGH | LOW);
    bench.update(LOW);
    assert.equal(bench.needs.mask, ALL, 'the middle one may be what the publisher still can send');
    assert.equal(bench.needs.why(1), 'stand-in');
    bench.update(ALL);
    assert.equal(bench.needs.why(1), 'lingering');
    bench.run(PAUSE_MS);
    assert.equal(bench.needs.mask, HIGH | LOW);
  });

  test('has its time to begin first', () => {
    const bench = Bench.settled(LOW);
    bench.watched = HIGH;
    bench.update(LOW);
    assert.equal(bench.needs.mask, HIGH | LOW);
    assert.equal(bench.needs.dueMs, bench.nowMs + RESTART_MS_MAX, 'it is looked at again when that is over');
    bench.nowMs += RESTART_MS_MAX;
    bench.update(LOW);
    assert.equal(bench.needs.mask, ALL);
  });

  test('is not missed when nothing comes: a still screen, a camera that is off', () => {
    const bench = Bench.settled(HIGH);
    bench.update(0);
    bench.isMuted = true;
    bench.update(LOW);
    assert.equal(bench.needs.mask, HIGH | LOW);
  });
});

describe('a layer that begins again', () => {
  test('comes with a key frame, so none is asked for until it is late', () => {
    const bench = Bench.settled(LOW);
    assert.equal(bench.needs.keyFrameComesByMs(bench.nowMs, 2), NEVER, 'a paused layer has none to give');
    bench.watch(ALL);
    assert.equal(bench.needs.keyFrameComesByMs(bench.nowMs, 2), bench.nowMs + RESTART_MS_MAX);
    assert.equal(bench.needs.keyFrameComesByMs(bench.nowMs + RESTART_MS_MAX, 2), 0);
  });

  test('is counted with the time it took, once', () => {
    const bench = Bench.settled(LOW);
    bench.watch(LOW | HIGH);
    bench.nowMs += 300;
    bench.needs.handleKeyFrame(bench.nowMs, 2);
    bench.needs.handleKeyFrame(bench.nowMs + 50, 2);
    assert.deepEqual([bench.needs.restarts, bench.needs.restartMs], [1, 300]);
    assert.equal(bench.needs.keyFrameComesByMs(bench.nowMs, 2), 0, 'the next one has to be asked for');
  });

  test('is no restart when the publisher never stopped', () => {
    const bench = Bench.settled(LOW);
    bench.watched = ALL;
    bench.update(ALL);
    assert.equal(bench.needs.keyFrameComesByMs(bench.nowMs, 2), 0);
    bench.needs.handleKeyFrame(bench.nowMs + 10, 2);
    assert.equal(bench.needs.restarts, 0);
  });
});

test('whatever is watched when: all that is watched is sent, at once, and what nobody watched for the delay is not', () => {
  const steps = fc.array(fc.record({ watched: fc.nat(ALL), isMuted: fc.boolean(), waitMs: fc.nat(2 * PAUSE_MS) }), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(steps, history => {
      const bench = new Bench();
      const watchedMs = [0, 0, 0];
      let mutedMs = 0;
      for (const { watched, isMuted, waitMs } of history) {
        bench.isMuted = isMuted;
        bench.watch(watched);
        assert.equal(bench.needs.mask & watched, watched, 'something is watched and not sent');
        bench.run(waitMs);
        if (isMuted) mutedMs = bench.nowMs;
        for (let layer = 0; layer < 3; layer++) {
          const isNeeded = (watched & (1 << layer)) !== 0 || (layer === 0 && watched !== 0);
          if (isNeeded) watchedMs[layer] = bench.nowMs;
          const idleMs = bench.nowMs - Math.max(watchedMs[layer], mutedMs);
          if (isNeeded) assert.ok(bench.needs.isSent(layer));
          else if (!isMuted && bench.nowMs >= FRESH_MS && idleMs >= PAUSE_MS) {
            assert.ok(!bench.needs.isSent(layer), `layer ${layer} is still sent after ${idleMs} ms`);
          }
        }
      }
      bench.isMuted = false;
      bench.run(FRESH_MS + PAUSE_MS);
      const { watched } = bench;
      assert.equal(bench.needs.mask, watched === 0 ? 0 : watched | LOW);
    }),
    { numRuns: 500 },
  );
});
