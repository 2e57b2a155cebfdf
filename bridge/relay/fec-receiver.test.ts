import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../protocol/errors.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { SYMBOL_BYTES_MAX, writeSymbol } from '../../protocol/octo/fec.ts';
import {
  FRAME_FEC,
  FRAME_MEDIA,
  FRAME_OVERHEAD_BYTES,
  FrameHeader,
  HEADER_BYTES,
  TAG_BYTES,
  writeHeader,
} from '../../protocol/octo/header.ts';
import { cutSessionKeys, EXPORTER_BYTES } from '../../protocol/octo/keys.ts';
import { SLOT_BYTES } from '../arena.ts';
import { FecGroup } from './fec-group.ts';
import { FecReceiver } from './fec-receiver.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkSession } from './link-session.ts';
import { CLASS_VIDEO } from './media-class.ts';
import { seededRandom } from './simulated-pair.ts';

const NOW_MS = 1000;

/** Frames under the keys of one session, and a receiver that they may or may not reach. */
class Scene {
  readonly counters = createLinkCounters();
  readonly receiver = new FecReceiver(this.counters);
  readonly session: LinkSession;
  /** Payloads that came out, by the number they begin with. */
  readonly repaired: Buffer[] = [];
  readonly #peer: LinkSession;
  readonly #header = new FrameHeader();

  constructor() {
    const material = Buffer.alloc(EXPORTER_BYTES, 5);
    this.session = new LinkSession(0, cutSessionKeys(material, 'client'), this.counters, PORTABLE_FRAME_CIPHERS);
    this.#peer = new LinkSession(0, cutSessionKeys(material, 'server'), this.counters, PORTABLE_FRAME_CIPHERS);
  }

  get next(): number {
    return this.#peer.nextSequence;
  }

  /** The next frame; sealed. */
  seal(type: number, payload: Uint8Array): Buffer {
    const frame = Buffer.alloc(SLOT_BYTES);
    writeHeader(frame, 0, type, 3, 1, 77, 88, 99);
    frame.set(payload, HEADER_BYTES);
    const length = this.#peer.seal(0, frame, 0, HEADER_BYTES + payload.length, true, CLASS_VIDEO);
    return frame.subarray(0, length);
  }

  /** As the link does it: false for a frame that was rebuilt before. Throws DecodeError. */
  receive(datagram: Buffer, nowMs = NOW_MS): boolean {
    const bytes = Buffer.from(datagram);
    const header = this.#header;
    header.decode(bytes, 0, bytes.length);
    const sequence = this.session.open(bytes, 0, bytes.length, header.sequence);
    assert.ok(sequence >= 0);
    if (this.session.isRebuilt(sequence)) {
      this.session.recovery.handleUnexpected(sequence);
      return false;
    }
    this.session.recovery.handleArrival(nowMs, sequence);
    const length = bytes.length - FRAME_OVERHEAD_BYTES;
    if (header.type === FRAME_FEC) {
      this.receiver.handleFec(nowMs, this.session, true, header, bytes, HEADER_BYTES, length);
    } else {
      this.receiver.keep(nowMs, this.session, header, bytes, HEADER_BYTES, length);
      this.receiver.handleKept(nowMs, this.session, header);
    }
    this.take();
    return true;
  }

  take(): void {
    const { receiver } = this;
    while (receiver.pollRepaired()) {
      const { header, bytes, offset, length } = receiver;
      const { type, source, layer, conferenceId, endpointId, sendTime } = header;
      assert.deepEqual([type, source, layer, conferenceId, endpointId, sendTime], [FRAME_MEDIA, 3, 1, 77, 88, 99]);
      this.repaired.push(Buffer.from(bytes.subarray(offset, offset + length)));
    }
  }

  /** The receiver learns that there is FEC: what comes before is not kept. */
  begin(): void {
    const [frames, parity] = this.group([Buffer.of(1)], 1);
    for (const datagram of [...frames, ...parity]) this.receive(datagram);
  }

  /** Datagrams of a group: its frames, then its parity. `gap`: frames that are not of it between two of them. */
  group(payloads: readonly Buffer[], rows: number, gap = 0): [frames: Buffer[], parity: Buffer[]] {
    const group = new FecGroup();
    const words = new Uint32Array(SYMBOL_BYTES_MAX / 4);
    const frames: Buffer[] = [];
    for (const payload of payloads) {
      const plain = Buffer.alloc(HEADER_BYTES + payload.length);
      writeHeader(plain, 0, FRAME_MEDIA, 3, 1, 77, 88, 99);
      payload.copy(plain, HEADER_BYTES);
      const symbolBytes = writeSymbol(new Uint8Array(words.buffer), 0, plain, 0, payload.length);
      assert.ok(group.takes(this.next));
      group.add(0, this.next, words, symbolBytes, rows);
      frames.push(this.seal(FRAME_MEDIA, payload));
      for (let other = 0; other < gap; other++) this.receive(this.seal(FRAME_MEDIA, Buffer.of(0, 0, 0, 0, 1)));
    }
    const parity = Array.from({ length: rows }, (_, row) => this.seal(FRAME_FEC, this.payloadOf(group, row)));
    return [frames, parity];
  }

  payloadOf(group: FecGroup, row: number): Buffer {
    const bytes = Buffer.alloc(SLOT_BYTES);
    return bytes.subarray(0, group.writeParity(row, row === 0 ? 0 : 1, bytes, 0));
  }
}

/** Payloads of all lengths, each with its number. */
function payloadsOf(random: () => number, count: number): Buffer[] {
  return Array.from({ length: count }, (_, number) => {
    const payload = Buffer.from(
      Array.from({ length: 4 + Math.floor(random() * 60) }, () => Math.floor(random() * 256)),
    );
    payload.writeUInt32BE(number);
    return payload;
  });
}

function shuffle<T>(items: T[], random: () => number): T[] {
  for (let index = items.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [items[index], items[other]] = [items[other], items[index]];
  }
  return items;
}

test('whatever is lost and in whatever order the rest comes, a group is whole exactly when enough of it came', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 9 }),
      (seed, count, rows, gap) => {
        const random = seededRandom(seed);
        const scene = new Scene();
        scene.begin();
        const payloads = payloadsOf(random, count);
        const [frames, parity] = scene.group(payloads, rows, gap);
        const lost = new Set(payloads.keys().filter(() => random() < 0.3));
        const sent = [...frames.filter((_, index) => !lost.has(index)), ...parity.filter(() => random() < 0.7)];
        const rowsSent = sent.length - (count - lost.size);
        // Holes show by what comes later.
        scene.receive(scene.seal(FRAME_MEDIA, Buffer.of(0, 0, 0, 0, 2)));
        const arrived = new Set<number>();
        for (const datagram of shuffle(sent, random)) {
          const index = frames.indexOf(datagram);
          if (scene.receive(datagram) && index >= 0) arrived.add(index);
        }
        const numbers = scene.repaired.map(payload => payload.readUInt32BE());
        for (const [index, number] of numbers.entries()) {
          assert.ok(scene.repaired[index].equals(payloads[number]), `${number} came back changed`);
          assert.ok(!arrived.has(number), `${number} twice`);
        }
        assert.equal(new Set(numbers).size, numbers.length);
        if (rowsSent >= lost.size) assert.equal(numbers.length + arrived.size, count, 'whole');
        else for (const index of lost) assert.ok(!numbers.includes(index), `${index} out of nothing`);
        assert.equal(scene.counters.fecRecovered, numbers.length);
      },
    ),
    { numRuns: 150 },
  );
});

test('junk in authentic FEC frames is a DecodeError or repairs nothing that was not missing, and what follows is repaired', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(fc.tuple(fc.nat(80), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      (seed, changes, noise) => {
        const random = seededRandom(seed);
        const scene = new Scene();
        scene.begin();
        const payloads = payloadsOf(random, 5);
        const [frames] = scene.group(payloads, 0);
        const group = new FecGroup();
        const words = new Uint32Array(SYMBOL_BYTES_MAX / 4).map(() => random() * 2 ** 32);
        group.add(0, scene.next - 5, words, 64, 2);
        const changed = scene.payloadOf(group, 1);
        for (const [at, value] of changes) changed[at % changed.length] = value;
        for (const index of [0, 2, 3]) scene.receive(frames[index]);
        for (const payload of [changed, Buffer.from(noise), scene.payloadOf(group, 0)]) {
          try {
            scene.session.recovery.handleArrival(NOW_MS, scene.next);
            const datagram = scene.seal(FRAME_FEC, payload);
            const header = new FrameHeader();
            header.decode(datagram, 0, datagram.length);
            const bytes = Buffer.from(datagram);
            assert.ok(scene.session.open(bytes, 0, bytes.length, header.sequence) >= 0);
            const length = bytes.length - HEADER_BYTES - TAG_BYTES;
            scene.receiver.handleFec(NOW_MS, scene.session, true, header, bytes, HEADER_BYTES, length);
            let repaired = 0;
            while (scene.receiver.pollRepaired()) repaired++;
            assert.ok(repaired <= 2, 'two are missing');
          } catch (error) {
            assert.ok(error instanceof DecodeError, String(error));
          }
        }
        const after = payloadsOf(random, 3);
        const [good, parity] = scene.group(after, 1);
        for (const datagram of [good[0], good[2], ...parity]) scene.receive(datagram);
        assert.ok(scene.repaired.some(payload => payload.equals(after[1])));
      },
    ),
    { numRuns: 150 },
  );
});

test('parity frames of one group that contradict each other are refused, and repair nothing', () => {
  const scene = new Scene();
  scene.begin();
  const payloads = payloadsOf(seededRandom(1), 6);
  const words = new Uint32Array(SYMBOL_BYTES_MAX / 4);
  const [first, second] = [new FecGroup(), new FecGroup()];
  const start = scene.next;
  for (const distance of [0, 1, 2]) first.add(0, start + distance, words, 40, 2);
  for (const distance of [0, 1, 3]) second.add(0, start + distance, words, 40, 2);
  const frames = payloads.map(payload => scene.seal(FRAME_MEDIA, payload));
  scene.receive(frames[5]);
  scene.receive(scene.seal(FRAME_FEC, scene.payloadOf(first, 0)));
  const contradiction = scene.seal(FRAME_FEC, scene.payloadOf(second, 1));
  assert.throws(() => scene.receive(contradiction), new DecodeError('octo-fec-contradiction'));
  assert.equal(scene.repaired.length, 0);
});

test('a group cannot be of frames that are not sent yet', () => {
  const scene = new Scene();
  scene.begin();
  const group = new FecGroup();
  group.add(0, scene.next, new Uint32Array(SYMBOL_BYTES_MAX / 4), 40, 1);
  const early = scene.seal(FRAME_FEC, scene.payloadOf(group, 0));
  assert.throws(() => scene.receive(early), new DecodeError('octo-fec-order'));
});

test('while a group waits for its parity its holes are not asked for; when the parity is short, only the difference is', () => {
  const scene = new Scene();
  scene.begin();
  const { recovery } = scene.session;
  const payloads = payloadsOf(seededRandom(2), 6);
  const [frames, parity] = scene.group(payloads, 2);
  for (const index of [0, 5]) scene.receive(frames[index]);
  const due = new Float64Array(16);
  assert.equal(recovery.poll(NOW_MS + 15, due), 0);
  for (const datagram of parity) scene.receive(datagram, NOW_MS + 15);
  const asked = recovery.poll(NOW_MS + 60, due);
  assert.equal(asked, 2, 'four are missing, two rows are there');
  for (const index of [1, 2]) scene.receive(frames[index], NOW_MS + 200);
  assert.deepEqual(
    scene.repaired.map(payload => payload.readUInt32BE()),
    [3, 4],
  );
  assert.equal(recovery.poll(NOW_MS + 400, due), 0);
});

test('ten seconds after the last FEC frame nothing is kept any more, and NACKs do not wait', () => {
  const scene = new Scene();
  scene.begin();
  assert.equal(scene.receiver.isOn, true);
  assert.ok(scene.session.recovery.rebuildMs > 0);
  scene.receiver.handleTimeout(NOW_MS + 9_999);
  assert.equal(scene.receiver.isOn, true);
  scene.receiver.handleTimeout(NOW_MS + 10_000);
  assert.equal(scene.receiver.isOn, false);
  assert.equal(scene.session.recovery.rebuildMs, 0);
  scene.receive(scene.seal(FRAME_MEDIA, Buffer.from('0000000011', 'hex')));
  scene.begin();
  assert.equal(scene.receiver.isOn, true);
});

test('the sixteen newest unfinished groups are kept, and none for longer than half a second', () => {
  const scene = new Scene();
  scene.begin();
  const groups = Array.from({ length: 17 }, () => scene.group(payloadsOf(seededRandom(3), 3), 1));
  for (const [index, [frames, parity]] of groups.entries()) {
    scene.receive(frames[2], NOW_MS + index);
    scene.receive(parity[0], NOW_MS + index);
  }
  scene.receive(groups[0][0][0], NOW_MS + 20);
  assert.equal(scene.repaired.length, 0, 'the oldest made room');
  scene.receive(groups[1][0][0], NOW_MS + 20);
  assert.equal(scene.repaired.length, 1);
  scene.receiver.handleTimeout(NOW_MS + 516);
  scene.receive(groups[16][0][0], NOW_MS + 517);
  assert.equal(scene.repaired.length, 1);
  assert.equal(scene.counters.fecUseless, 17, 'one of a group with nothing missing, sixteen that were forgotten');
});

test('a frame of a group that had been overwritten makes the ring grow, and the next one is repaired', () => {
  const scene = new Scene();
  scene.begin();
  for (const isFirst of [true, false]) {
    const payloads = payloadsOf(seededRandom(4), 2);
    const [frames, parity] = scene.group(payloads, 0);
    assert.equal(parity.length, 0);
    const group = new FecGroup();
    const words = new Uint32Array(SYMBOL_BYTES_MAX / 4);
    const first = scene.next - 2;
    for (const [index, payload] of payloads.entries()) {
      const plain = Buffer.alloc(HEADER_BYTES + payload.length);
      writeHeader(plain, 0, FRAME_MEDIA, 3, 1, 77, 88, 99);
      payload.copy(plain, HEADER_BYTES);
      group.add(0, first + index, words, writeSymbol(new Uint8Array(words.buffer), 0, plain, 0, payload.length), 1);
    }
    scene.receive(frames[0]);
    for (let other = 0; other < 600; other++) scene.receive(scene.seal(FRAME_MEDIA, Buffer.alloc(8, 1)));
    scene.receive(scene.seal(FRAME_FEC, scene.payloadOf(group, 0)));
    assert.equal(scene.repaired.length, isFirst ? 0 : 1);
    scene.receiver.handleTimeout(NOW_MS);
  }
});
