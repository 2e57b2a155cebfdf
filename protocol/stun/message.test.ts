import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import * as stun from './constants.ts';
import { encodeStun, hasTransactionId, type StunFields } from './encode.ts';
import { StunMessage } from './message.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const PASSWORD = 'VOkJxbRl1RmTxUk/WvJxBt';
const TRANSACTION = hex('b7e7a701 bc34d686 fa87dfae');

// RFC 5769 section 2.1
const SAMPLE_REQUEST = hex(
  `
  0001 0058  2112a442 b7e7a701 bc34d686 fa87dfae
  8022 0010  5354554e 20746573 7420636c 69656e74   SOFTWARE
  0024 0004  6e0001ff                              PRIORITY
  8029 0008  932ff9b1 51263b36                     ICE-CONTROLLED
  0006 0009  6576746a 3a683676 59202020            USERNAME, padded with spaces
  0008 0014  9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  8028 0004  e57a3bcf`.replace(/ {2,}[A-Z][A-Z-]+.*$/gm, ''),
);

// RFC 5769 section 2.2
const SAMPLE_RESPONSE_V4 = hex(`
  0101 003c  2112a442 b7e7a701 bc34d686 fa87dfae
  8022 000b  74657374 20766563 746f7220
  0020 0008  0001a147 e112a643
  0008 0014  2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
  8028 0004  c07d4c96`);

// RFC 5769 section 2.3
const SAMPLE_RESPONSE_V6 = hex(`
  0101 0048  2112a442 b7e7a701 bc34d686 fa87dfae
  8022 000b  74657374 20766563 746f7220
  0020 0014  0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
  0008 0014  a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
  8028 0004  c8fb0b4c`);

function decode(bytes: Uint8Array): StunMessage {
  const message = new StunMessage();
  message.decode(bytes, 0, bytes.length);
  return message;
}

test('the sample request of RFC 5769 is read, and its integrity holds for its password alone', () => {
  const message = decode(SAMPLE_REQUEST);
  assert.equal(message.type, stun.BINDING_REQUEST);
  assert.equal(message.username, 'evtj:h6vY');
  assert.equal(message.priority, 0x6e0001ff);
  assert.equal(message.role, 'controlled');
  assert.equal(message.tieBreaker, 0x932ff9b151263b36n);
  assert.equal(message.useCandidate, false);
  assert.equal(message.hasFingerprint, true);
  assert.equal(message.hasIntegrity(PASSWORD), true);
  assert.equal(message.hasIntegrity(`${PASSWORD}x`), false);
  assert.deepEqual(message.unknownAttributes, []);
  assert.equal(hasTransactionId(message.bytes, 0, TRANSACTION), true);
});

test('the sample responses of RFC 5769 give the mapped address', () => {
  const v4 = decode(SAMPLE_RESPONSE_V4);
  assert.deepEqual(v4.xorMappedAddress, { address: '192.0.2.1', port: 32853 });
  assert.equal(v4.hasIntegrity(PASSWORD), true);
  const v6 = decode(SAMPLE_RESPONSE_V6);
  assert.deepEqual(v6.xorMappedAddress, { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 });
  assert.equal(v6.hasIntegrity(PASSWORD), true);
});

test('the encoder writes what RFC 5769 has, but for its odd padding', () => {
  const bytes = new Uint8Array(256);
  const length = encodeStun(bytes, 0, {
    type: stun.BINDING_SUCCESS,
    transactionId: TRANSACTION,
    xorMappedAddress: { address: '192.0.2.1', port: 32853 },
    key: PASSWORD,
  });
  assert.deepEqual(Buffer.from(bytes.subarray(20, 32)), SAMPLE_RESPONSE_V4.subarray(36, 48));
  const message = decode(bytes.subarray(0, length));
  assert.equal(message.hasIntegrity(PASSWORD), true);
  assert.equal(message.hasFingerprint, true);
});

test('what stands behind MESSAGE-INTEGRITY is not believed', () => {
  const bytes = new Uint8Array(256);
  const length = encodeStun(bytes, 0, {
    type: stun.BINDING_REQUEST,
    transactionId: TRANSACTION,
    key: PASSWORD,
    fingerprint: false,
  });
  bytes.set([0x00, 0x25, 0, 0], length);
  bytes[3] += 4;
  const message = decode(bytes.subarray(0, length + 4));
  assert.equal(message.useCandidate, false);
  assert.equal(message.hasIntegrity(PASSWORD), true);
});

test('a required attribute that is not understood is listed, an optional one is not', () => {
  const required = hex(`0001 0008 2112a442 ${TRANSACTION.toString('hex')} 7ffe 0001 01000000`);
  assert.deepEqual(decode(required).unknownAttributes, [0x7ffe]);
  const optional = hex(`0001 0008 2112a442 ${TRANSACTION.toString('hex')} c057 0004 00000001`);
  assert.deepEqual(decode(optional).unknownAttributes, []);
});

const refused: [string, string, string][] = [
  ['shorter than a header', '0001 0000 2112a442', 'stun-short'],
  ['another cookie', '0001 0000 2112a443 000000000000000000000000', 'stun-cookie'],
  ['top bits set', '8001 0000 2112a442 000000000000000000000000', 'stun-type'],
  ['length that leaves bytes over', '0001 0000 2112a442 000000000000000000000000 00000000', 'stun-length'],
  ['length beyond the datagram', '0001 0008 2112a442 000000000000000000000000', 'stun-length'],
  ['attribute beyond the message', '0001 0004 2112a442 000000000000000000000000 00060008', 'stun-attribute'],
  ['USE-CANDIDATE with a value', '0001 0008 2112a442 000000000000000000000000 0025 0004 00000000', 'stun-attribute'],
  ['wrong fingerprint', '0001 0008 2112a442 000000000000000000000000 8028 0004 00000000', 'stun-fingerprint'],
  ['error code 200', '0111 0008 2112a442 000000000000000000000000 0009 0004 00000200', 'stun-error-code'],
];
for (const [what, bytes, reason] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(() => decode(hex(bytes)), new DecodeError(reason));
  });
}

const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 100 });
const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map(parts => parts.join('.'));
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const fields: fc.Arbitrary<StunFields> = fc.record(
  {
    type: fc.constantFrom(stun.BINDING_REQUEST, stun.BINDING_SUCCESS, stun.BINDING_ERROR),
    transactionId: fc.uint8Array({ minLength: 12, maxLength: 12 }),
    username: text,
    software: text,
    priority: fc.nat(0xffffffff),
    useCandidate: fc.constant(true),
    controlling: fc.bigInt(0n, 0xffffffffffffffffn),
    xorMappedAddress: fc.record({ address: ipv4, port: fc.nat(65535) }, { noNullPrototype: true }),
    errorCode: fc.integer({ min: 300, max: 699 }),
    errorReason: text,
    unknownAttributes: fc.array(fc.nat(0x7fff), { maxLength: 16 }),
    key: text,
    fingerprint: fc.boolean(),
  },
  { requiredKeys: ['type', 'transactionId'], noNullPrototype: true },
);

test('whatever is encoded is read back the same, at any offset', () => {
  fc.assert(
    fc.property(fields, fc.nat(40), (written, offset) => {
      const bytes = new Uint8Array(1500).fill(0xa5);
      const length = encodeStun(bytes, offset, written);
      const message = new StunMessage();
      message.decode(bytes, offset, length);
      assert.equal(message.type, written.type);
      assert.equal(message.username, written.username);
      assert.equal(message.priority, written.priority ?? -1);
      assert.equal(message.useCandidate, written.useCandidate === true);
      assert.equal(message.tieBreaker, written.controlling ?? 0n);
      assert.deepEqual(message.xorMappedAddress, written.xorMappedAddress);
      assert.equal(message.errorCode, written.errorCode ?? 0);
      assert.equal(message.hasFingerprint, written.fingerprint !== false);
      if (written.key !== undefined) {
        assert.equal(message.hasIntegrity(written.key), true);
        assert.equal(message.hasIntegrity(`${written.key}.`), false);
      }
      assert.equal(bytes[offset + length], 0xa5, 'nothing is written behind the message');
    }),
  );
});

test('IPv6 addresses survive the way through text, compressed or not', () => {
  fc.assert(
    fc.property(ipv6, fc.nat(65535), fc.nat(15), (address, port, zeros) => {
      const raw = Uint8Array.from(address).fill(0, 2, 2 + (zeros % 14));
      const bytes = new Uint8Array(64);
      const value = Buffer.concat([Buffer.from([0, 2, (port ^ 0x2112) >> 8, (port ^ 0x2112) & 0xff]), raw]);
      const key = Buffer.concat([hex('2112a442'), TRANSACTION]);
      for (let index = 0; index < 16; index++) value[4 + index] ^= key[index];
      const message = Buffer.concat([hex('0101 0018'), key, hex('0020 0014'), value]);
      const mapped = decode(message).xorMappedAddress;
      assert.equal(mapped?.port, port);
      const length = encodeStun(bytes, 0, {
        type: stun.BINDING_SUCCESS,
        transactionId: TRANSACTION,
        xorMappedAddress: mapped,
        fingerprint: false,
      });
      assert.deepEqual(Buffer.from(bytes.subarray(0, length)), message);
    }),
  );
});

test('hostile bytes raise nothing but DecodeError, and bytes outside the message do not matter', () => {
  const mutated = fc
    .tuple(fields, fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 6 }), fc.nat(400))
    .map(([written, changes, cut]) => {
      const bytes = new Uint8Array(1500);
      const length = Math.min(encodeStun(bytes, 0, written), Math.max(cut, 1));
      for (const [at, value] of changes) bytes[at % length] = value;
      return bytes.slice(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), bytes => {
      assert.deepEqual(outcome(bytes, 0x00), outcome(bytes, 0xff));
    }),
    { numRuns: 300 },
  );
});

/** What a decode inside a field of `filler` bytes gives: it must not depend on the filler. */
function outcome(bytes: Uint8Array, filler: number): unknown {
  const field = new Uint8Array(bytes.length + 64).fill(filler);
  field.set(bytes, 32);
  const message = new StunMessage();
  try {
    message.decode(field, 32, bytes.length);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return error.reason;
  }
  const { bytes: _bytes, ...rest } = message;
  return { ...rest, integrity: message.hasIntegrity('password') };
}
