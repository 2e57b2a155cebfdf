import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../protocol/errors.ts';
import { createCertificate } from './certificate.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';
import { HandshakeInbox, type HandshakeMessage } from './dtls-inbox.ts';
import {
  decodeHandshake,
  decodeRecords,
  encodeHandshake,
  encodeRecord,
  HANDSHAKE,
  type HandshakeFragment,
} from './dtls-records.ts';

/** Everything that is ready, taken. */
function drain(inbox: HandshakeInbox): HandshakeMessage[] {
  const messages: HandshakeMessage[] = [];
  for (let message = inbox.peek(); message !== undefined; message = inbox.peek()) {
    messages.push(message);
    inbox.advance();
  }
  return messages;
}

const flight = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 6 });

test('messages come out whole and in order, however their pieces overlap, repeat and overtake', () => {
  const scenario = flight.chain(bodies => {
    const pieces = bodies.flatMap((body, messageSequence) => cut(body, messageSequence));
    return fc.tuple(fc.constant(bodies), fc.shuffledSubarray([...pieces, ...pieces], { minLength: pieces.length * 2 }));
  });
  fc.assert(
    fc.property(scenario, ([bodies, pieces]) => {
      const inbox = new HandshakeInbox();
      const out = pieces.flatMap(piece => {
        inbox.add(piece);
        return drain(inbox);
      });
      assert.deepEqual(
        out.map(({ body }) => [...body]),
        bodies.map(body => [...body]),
      );
    }),
  );
});

/** Overlapping fragments of at most 25 bytes. */
function cut(body: Uint8Array, messageSequence: number): HandshakeFragment[] {
  const pieces: HandshakeFragment[] = [];
  for (let offset = 0; offset === 0 || offset < body.length; offset += 20) {
    const part = Buffer.from(body.subarray(offset, offset + 25));
    pieces.push({ type: 7, length: body.length, messageSequence, offset, body: part });
  }
  return pieces;
}

test('what is far ahead, or already delivered, is not kept', () => {
  const inbox = new HandshakeInbox();
  const message = (messageSequence: number): HandshakeFragment => ({
    type: 1,
    length: 1,
    messageSequence,
    offset: 0,
    body: Buffer.of(messageSequence),
  });
  inbox.add(message(8));
  for (let sequence = 0; sequence < 8; sequence++) inbox.add(message(sequence));
  assert.equal(drain(inbox).length, 8);
  inbox.add(message(3));
  assert.equal(inbox.peek(), undefined);
});

test('a rejected message makes room for another with its number', () => {
  const inbox = new HandshakeInbox();
  const fragment = { type: 1, length: 1, messageSequence: 0, offset: 0 };
  inbox.add({ ...fragment, body: Buffer.of(1) });
  inbox.reject();
  inbox.add({ ...fragment, body: Buffer.of(2) });
  assert.equal(inbox.peek()?.body[0], 2);
});

test('records and handshakes that were written are read back', () => {
  fc.assert(
    fc.property(fc.nat(255), fc.nat(65_535), fc.uint8Array({ maxLength: 200 }), (type, messageSequence, body) => {
      const [record, ...more] = decodeRecords(plainHandshake(type, messageSequence, body));
      assert.equal(more.length, 0);
      const [message] = decodeHandshake(record.fragment);
      assert.deepEqual(message, { type, length: body.length, messageSequence, offset: 0, body: Buffer.from(body) });
    }),
  );
});

function plainHandshake(type: number, messageSequence: number, body: Uint8Array): Buffer {
  return encodeRecord(HANDSHAKE, 0, encodeHandshake(type, messageSequence, body));
}

/** Datagrams that look like DTLS: some well-formed, some with a few bytes changed, some cut. */
const damaged = fc
  .tuple(
    fc.constantFrom(1, 2, 3, 11, 12, 13, 14, 15, 16, 20),
    fc.nat(6),
    fc.uint8Array({ maxLength: 120 }),
    fc.array(fc.tuple(fc.nat(160), fc.nat(255)), { maxLength: 4 }),
    fc.nat(200),
  )
  .map(([type, sequence, body, changes, length]) => {
    const bytes = plainHandshake(type, sequence, body);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, Math.max(14, length));
  });

test('hostile bytes raise nothing but DecodeError in the decoders', () => {
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), bytes => {
      try {
        for (const record of decodeRecords(Buffer.from(bytes))) decodeHandshake(record.fragment);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
    { numRuns: 500 },
  );
});

test('hostile flights raise nothing at all in an endpoint, and connect nobody', async () => {
  const certificate = await createCertificate();
  for (const role of ['server', 'client'] as const) {
    fc.assert(
      fc.property(fc.array(damaged, { maxLength: 8 }), datagrams => {
        const endpoint = new DtlsEndpoint({
          role,
          certificate,
          fingerprints: [certificate.fingerprint],
          srtpProfiles: [7],
          sink: {
            send: () => {},
            onConnected: assert.fail,
            onData: () => assert.fail(),
            onFailed: () => {},
            onClosed: assert.fail,
          },
        });
        endpoint.start();
        for (const datagram of datagrams) endpoint.handleDatagram(Buffer.from(datagram));
        endpoint.close();
      }),
      { numRuns: 60 },
    );
  }
});
