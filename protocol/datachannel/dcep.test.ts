import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { type ChannelOpen, decodeDcep, encodeDcepAck, encodeDcepOpen } from './dcep.ts';

test('the opening of a lossy channel is read as browsers write it', () => {
  const bytes = Buffer.from(`038100000000000000060000${Buffer.from('_lossy').toString('hex')}`, 'hex');
  const open: ChannelOpen = {
    label: '_lossy',
    protocol: '',
    isOrdered: false,
    reliability: { kind: 'retransmits', max: 0 },
  };
  assert.deepEqual(decodeDcep(bytes), open);
  assert.deepEqual(encodeDcepOpen(open), bytes);
});

test('an acknowledgement is one byte', () => {
  assert.deepEqual(encodeDcepAck(), Buffer.of(2));
  assert.equal(decodeDcep(Buffer.of(2)), 'ack');
});

const opening: fc.Arbitrary<ChannelOpen> = fc.record(
  {
    label: fc.string({ maxLength: 60 }),
    protocol: fc.string({ maxLength: 60 }),
    isOrdered: fc.boolean(),
    reliability: fc.oneof(
      fc.constant({ kind: 'reliable' } as const),
      fc.record({ kind: fc.constant('retransmits' as const), max: fc.nat(0xffffffff) }, { noNullPrototype: true }),
      fc.record({ kind: fc.constant('lifetime' as const), maxMs: fc.nat(0xffffffff) }, { noNullPrototype: true }),
    ),
  },
  { noNullPrototype: true },
);

test('every opening survives the way through bytes', () => {
  fc.assert(
    fc.property(opening, open => {
      assert.deepEqual(decodeDcep(encodeDcepOpen(open)), open);
    }),
  );
});

test('hostile bytes raise nothing but DecodeError', () => {
  const damaged = fc.tuple(opening, fc.nat(30), fc.nat(255), fc.nat(200)).map(([open, at, value, cut]) => {
    const bytes = encodeDcepOpen(open);
    bytes[at % bytes.length] = value;
    return bytes.subarray(0, cut);
  });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 40 })), bytes => {
      try {
        decodeDcep(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});
