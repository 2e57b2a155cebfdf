import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../protocol/errors.ts';
import {
  decodeClientHello,
  decodeCookie,
  decodeServerHello,
  ECDSA_SHA256,
  encodeClientHello,
  encodeCookie,
  encodeServerHello,
} from './dtls-hello.ts';
import { NAMED_GROUPS } from './dtls-key-agreement.ts';

const RANDOM = Buffer.alloc(32, 7);

/** A hello with what browsers put into theirs: groups and suites that we do not know, reserved values (RFC 8701), no profile of ours first. */
const BROWSER = Buffer.from(
  [
    'fefd', // DTLS 1.2
    '07'.repeat(32), // random
    '00', // no session
    '02abcd', // cookie
    '00080a0ac02bc02f00ff', // suites: reserved, ECDHE-ECDSA, ECDHE-RSA, SCSV
    '0100', // no compression
    '0035', // extensions:
    '3a3a0000', //   reserved
    '00170000', //   extended master secret
    '000a000a00083a3a11ec001d0017', //   groups: reserved, ML-KEM, X25519, P-256
    '000b00020100', //   point formats
    '000d0008000608040403050b', //   signature schemes
    '000e0009000600080007000100', //   SRTP: AES-256-GCM, AES-128-GCM, AES-CM
  ].join(''),
  'hex',
);

test('a browser’s hello is read, and what is not known in it is passed over', () => {
  assert.deepEqual(decodeClientHello(BROWSER), {
    random: RANDOM,
    cookie: Buffer.from('abcd', 'hex'),
    cipherSuites: [0x0a0a, 0xc02b, 0xc02f, 0x00ff],
    groups: [0x3a3a, 0x11ec, 29, 23],
    signatureSchemes: [0x0804, ECDSA_SHA256, 0x050b],
    srtpProfiles: [8, 7, 1],
    hasExtendedMasterSecret: true,
    hasPointFormats: true,
    hasRenegotiationInfo: true,
  });
});

test('the answer has no extension that was not asked for', () => {
  const asked = decodeClientHello(BROWSER);
  const bare = {
    ...asked,
    hasExtendedMasterSecret: false,
    hasPointFormats: false,
    hasRenegotiationInfo: false,
  };
  assert.deepEqual(decodeServerHello(encodeServerHello(RANDOM, asked, 7)), {
    random: RANDOM,
    cipherSuite: 0xc02b,
    srtpProfile: 7,
    hasExtendedMasterSecret: true,
  });
  const answer = encodeServerHello(RANDOM, bare, undefined);
  assert.equal(answer.length, 2 + 32 + 1 + 2 + 1);
  assert.equal(decodeServerHello(answer).hasExtendedMasterSecret, false);
});

test('our own hello is read back', () => {
  const hello = decodeClientHello(encodeClientHello(RANDOM, Buffer.of(1, 2, 3), [7, 1]));
  assert.deepEqual([hello.random, hello.cookie, hello.srtpProfiles], [RANDOM, Buffer.of(1, 2, 3), [7, 1]]);
  assert.deepEqual(hello.groups, NAMED_GROUPS);
  assert.deepEqual(decodeClientHello(encodeClientHello(RANDOM, Buffer.alloc(0), [])).srtpProfiles, []);
  assert.deepEqual(decodeCookie(encodeCookie(Buffer.of(4, 5))), Buffer.of(4, 5));
});

test('a client of before DTLS 1.2, a hello with an extension twice, and one that is cut off are refused', () => {
  const old = Buffer.from(BROWSER);
  old.writeUInt16BE(0xfeff, 0);
  assert.throws(() => decodeClientHello(old), new DecodeError('dtls-version'));
  const twice = Buffer.from(BROWSER);
  const [reserved, groups] = [twice.indexOf('3a3a0000', 'hex'), twice.indexOf('00170000', 'hex')];
  twice.copy(twice, reserved, groups, groups + 4);
  assert.throws(() => decodeClientHello(twice), new DecodeError('dtls-handshake'));
  // A hello without extensions is whole, so the cut right before them is none.
  const withoutExtensions = BROWSER.indexOf('0035', 'hex');
  for (let length = 0; length < BROWSER.length; length++) {
    if (length === withoutExtensions) continue;
    assert.throws(() => decodeClientHello(BROWSER.subarray(0, length)), DecodeError, `${length}`);
  }
});

test('hostile hellos raise nothing but DecodeError', () => {
  const changed = fc
    .array(fc.tuple(fc.nat(BROWSER.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
    .map(changes => {
      const bytes = Buffer.from(BROWSER);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 120 }).map(Buffer.from)), bytes => {
      for (const decode of [decodeClientHello, decodeServerHello, decodeCookie]) {
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof DecodeError);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
