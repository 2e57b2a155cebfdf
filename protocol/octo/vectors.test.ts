import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GcmOpener, GcmSealer } from './aead.ts';
import { FecPayload } from './fec.ts';
import { FrameHeader, HEADER_BYTES, TAG_BYTES, writeHeader, writeSequence } from './header.ts';
import { cutSessionKeys } from './keys.ts';
import { decodeLossy, decodeReliable } from './message.ts';
import { decodeMessageAck, isAcked } from './message-ack.ts';
import { countNackBlocks, readNackFirst, readNackMask } from './nack.ts';
import { decodePing, decodePong } from './ping.ts';
import { decodeStateAck } from './state-part.ts';
import { WANTS } from './wants.ts';
import { WITHHELD } from './withheld.ts';

interface Vector {
  readonly name: string;
  readonly type: number;
  readonly source: number;
  readonly layer: number;
  readonly conferenceId: number;
  readonly endpointId: number;
  readonly sendTime: number;
  readonly sequence: number;
  readonly header: string;
  readonly fields: Record<string, unknown>;
  readonly payload: string;
  readonly datagram: string;
}

const vectors: { exporter: string; sendKey: string; sendSalt: string; label: number; frames: Vector[] } = JSON.parse(
  readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'),
);
const client = cutSessionKeys(Buffer.from(vectors.exporter, 'hex'), 'client');
const server = cutSessionKeys(Buffer.from(vectors.exporter, 'hex'), 'server');

test('the exporter output is cut into mirrored keys for the two sides', () => {
  assert.equal(Buffer.from(client.sendKey).toString('hex'), vectors.sendKey);
  assert.equal(Buffer.from(client.sendSalt).toString('hex'), vectors.sendSalt);
  assert.deepEqual(server.receiveKey, client.sendKey);
  assert.deepEqual(server.receiveSalt, client.sendSalt);
  assert.deepEqual(server.sendKey, client.receiveKey);
  assert.deepEqual(server.sendSalt, client.receiveSalt);
  assert.equal(client.label, vectors.label);
  assert.throws(() => cutSessionKeys(Buffer.alloc(56), 'client'), RangeError);
});

for (const vector of vectors.frames) {
  test(`vector ${vector.name}`, () => {
    const payload = Buffer.from(vector.payload, 'hex');
    const frame = Buffer.alloc(HEADER_BYTES + payload.length + TAG_BYTES);
    const { type, source, layer, conferenceId, endpointId, sendTime, sequence } = vector;
    writeHeader(frame, 0, type, source, layer, conferenceId, endpointId, sendTime);
    writeSequence(frame, 0, client.label, sequence);
    payload.copy(frame, HEADER_BYTES);
    assert.equal(frame.toString('hex', 0, HEADER_BYTES), vector.header);

    new GcmSealer(client.sendKey, client.sendSalt).seal(frame, 0, HEADER_BYTES + payload.length, sequence);
    assert.equal(frame.toString('hex'), vector.datagram);

    assert.equal(new GcmOpener(server.receiveKey, server.receiveSalt).open(frame, 0, frame.length, sequence), true);
    assert.equal(frame.toString('hex', HEADER_BYTES, HEADER_BYTES + payload.length), vector.payload);
    const header = new FrameHeader();
    header.decode(frame, 0, frame.length);
    assert.deepEqual(
      { ...header },
      { type, hops: 1, label: 2, source, layer, sequence: sequence % 2 ** 32, conferenceId, endpointId, sendTime },
    );
    assert.deepEqual(fieldsOf(vector.type, payload), vector.fields);
  });
}

/** What our decoders make of a payload, in the form of the vectors file. */
function fieldsOf(type: number, payload: Buffer): unknown {
  switch (type) {
    case 1: {
      const { bytes, ...fields } = decodeReliable(payload, 0, payload.length);
      return { ...fields, bytes: Buffer.from(bytes).toString('hex') };
    }
    case 2: {
      const { bytes, ...fields } = decodeLossy(payload, 0, payload.length);
      return { ...fields, bytes: Buffer.from(bytes).toString('hex') };
    }
    case 3: {
      const { bitmap, ...fields } = decodeMessageAck(payload, 0, payload.length);
      return { ...fields, bitmap: Buffer.from(bitmap).toString('hex') };
    }
    case 4:
      return WANTS.decodePart(payload, 0, payload.length);
    case 5:
    case 14:
      return decodeStateAck(payload, 0, payload.length);
    case 13:
      return WITHHELD.decodePart(payload, 0, payload.length);
    case 7:
      return { missing: missingIn(payload) };
    case 8:
      return decodePing(payload, 0, payload.length);
    case 9:
      return decodePong(payload, 0, payload.length);
    case 11: {
      const fec = new FecPayload();
      fec.decode(payload, 0, payload.length);
      const { first, row, previous, symbolOffset, symbolBytes } = fec;
      const symbol = payload.toString('hex', symbolOffset, symbolOffset + symbolBytes);
      return { first, row, previous, distances: [...fec.distances.subarray(0, fec.count)], symbol };
    }
    default:
      return {};
  }
}

function missingIn(payload: Buffer): number[] {
  const missing: number[] = [];
  for (let block = 0; block < countNackBlocks(payload.length); block++) {
    const first = readNackFirst(payload, 0, block);
    missing.push(first);
    for (let bit = 0; bit < 32; bit++) {
      if ((readNackMask(payload, 0, block) & (1 << bit)) !== 0) missing.push(first + 1 + bit);
    }
  }
  return missing;
}

test('an acknowledgement says which numbers have arrived', () => {
  const ack = decodeMessageAck(Buffer.from('11223344000000050001000060', 'hex'), 0, 13);
  const arrived = Array.from({ length: 16 }, (_, number) => number).filter(number => isAcked(ack, number));
  assert.deepEqual(arrived, [0, 1, 2, 3, 4, 7, 8]);
});
