/** The frames between focuses: bytes, parts, limits, and whatever else may come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../protocol/errors.ts';
import {
  encodeFrame,
  FROM_ANSWERER,
  FROM_OPENER,
  type Frame,
  type FrameKind,
  FrameReader,
  MESSAGE_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
} from './frames.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
const refusal = (reason: string) => ({ name: 'DecodeError', reason });

test('a frame is its kind, its id and its payload', () => {
  const [message] = encodeFrame({ kind: 'up', id: 0x01020304, payload: bytes(9, 8) });
  assert.deepEqual([...message!], [0x13, 1, 2, 3, 4, 9, 8]);
  const [empty] = encodeFrame({ kind: 'opened', id: 7, payload: bytes() });
  assert.deepEqual([...empty!], [0x11, 0, 0, 0, 7]);
});

test('every frame comes out as it went in, also when long ones of several ids are mixed', () => {
  const frame = fc.record({
    kind: fc.constantFrom<FrameKind>('open', 'up', 'call', 'end', 'ping'),
    id: fc.integer({ min: 0, max: 0xffff_ffff }),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 0, max: 4 * MESSAGE_BYTES_MAX }).map(length => new Uint8Array(length).fill(length & 0xff)),
    ),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(frame, { selector: ({ id }) => id, maxLength: 5 }),
      fc.infiniteStream(fc.nat()),
      (frames, picks) => {
        const queues = frames.map(encodeFrame);
        const reader = new FrameReader(FROM_OPENER);
        const out = new Map<number, Frame>();
        while (queues.some(queue => queue.length > 0)) {
          const waiting = queues.filter(queue => queue.length > 0);
          const message = waiting[picks.next().value! % waiting.length]!.shift()!;
          assert.ok(message.byteLength <= MESSAGE_BYTES_MAX);
          const read = reader.read(message);
          if (read !== undefined) out.set(read.id, read);
        }
        assert.equal(out.size, frames.length);
        for (const { kind, id, payload } of frames) {
          assert.equal(out.get(id)!.kind, kind);
          assert.ok(Buffer.from(payload).equals(Buffer.from(out.get(id)!.payload)));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('whatever bytes come, they are a frame or a DecodeError', () => {
  const reader = new FrameReader(FROM_ANSWERER);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), message => {
      try {
        const frame = reader.read(message);
        assert.ok(frame === undefined || FROM_ANSWERER.has(frame.kind));
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('what is too short, too long, unknown, or of the other end is refused', () => {
  const reader = new FrameReader(FROM_OPENER);
  assert.throws(() => reader.read(bytes(0x13, 0, 0, 0)), refusal('peer-frame-short'));
  assert.throws(() => reader.read(new Uint8Array(MESSAGE_BYTES_MAX + 1)), refusal('peer-frame-long'));
  assert.throws(() => reader.read(bytes(0x7f, 0, 0, 0, 1)), refusal('peer-frame-kind'));
  assert.throws(() => reader.read(bytes(0x14, 0, 0, 0, 1)), refusal('peer-frame-kind'));
  assert.doesNotThrow(() => new FrameReader(FROM_ANSWERER).read(bytes(0x14, 0, 0, 0, 1)));
});

test('parts of one id are of one kind, and each but the last has bytes', () => {
  const reader = new FrameReader(FROM_OPENER);
  assert.equal(reader.read(bytes(0x93, 0, 0, 0, 1, 5)), undefined);
  assert.throws(() => reader.read(bytes(0x20, 0, 0, 0, 1)), refusal('peer-frame-parts'));
  assert.throws(() => new FrameReader(FROM_OPENER).read(bytes(0x93, 0, 0, 0, 1)), refusal('peer-frame-parts'));
});

test('a payload that never ends is refused at its limit, and so are many together', () => {
  const part = new Uint8Array(MESSAGE_BYTES_MAX);
  part[0] = 0x93;
  const parts = Math.ceil(PAYLOAD_BYTES_MAX / (MESSAGE_BYTES_MAX - 5));
  const reader = new FrameReader(FROM_OPENER);
  for (let index = 0; index < parts - 1; index++) assert.equal(reader.read(part), undefined);
  assert.throws(() => reader.read(part), refusal('peer-payload-long'));

  const many = new FrameReader(FROM_OPENER);
  assert.throws(() => {
    for (let index = 0; index <= 2 * parts; index++) {
      const message = Buffer.from(part);
      message.writeUInt32BE(1 + (index % 4), 1);
      many.read(message);
    }
  }, refusal('peer-payloads-unfinished'));
  assert.throws(() => encodeFrame({ kind: 'up', id: 1, payload: new Uint8Array(PAYLOAD_BYTES_MAX + 1) }), RangeError);
});
