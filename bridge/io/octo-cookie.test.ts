import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeClientHello } from './dtls-hello.ts';
import { cookieOf, helloKind, randomOf } from './octo-cookie.ts';

const SECRET = Buffer.alloc(32, 1);
const COOKIE = cookieOf(SECRET, 'AA:BB');
const RANDOM = Buffer.alloc(32, 9);

/** A ClientHello in one record, not encrypted. */
function helloWith(cookie: Uint8Array): Buffer {
  const body = encodeClientHello(RANDOM, cookie, []);
  const header = Buffer.alloc(25);
  header.set([22, 0xfe, 0xfd]);
  header.writeUInt16BE(12 + body.length, 11);
  header[13] = 1;
  header.writeUIntBE(body.length, 14, 3);
  header.writeUIntBE(body.length, 22, 3);
  return Buffer.concat([header, body]);
}

test('a hello is the first, or brings our cookie back, or is of no use', () => {
  assert.equal(helloKind(helloWith(Buffer.alloc(0)), COOKIE), 'first');
  assert.equal(helloKind(helloWith(COOKIE), COOKIE), 'proven');
  assert.equal(helloKind(helloWith(cookieOf(SECRET, 'AA:BC')), COOKIE), 'other', "another peer's");
  assert.equal(helloKind(helloWith(cookieOf(Buffer.alloc(32, 2), 'AA:BB')), COOKIE), 'other', "another process's");
  assert.equal(helloKind(helloWith(COOKIE.subarray(0, 19)), COOKIE), 'other');
  assert.deepEqual(randomOf(helloWith(COOKIE)), RANDOM);
});

test('a hello in fragments, or encrypted, or cut off, proves nothing', () => {
  const hello = helloWith(COOKIE);
  for (const index of [0, 4, 13, 21, 24]) {
    const changed = Buffer.from(hello);
    changed[index] ^= 1;
    assert.equal(helloKind(changed, COOKIE), 'other', `byte ${index}`);
  }
  for (let length = 0; length < 61 + COOKIE.length; length++) {
    assert.notEqual(helloKind(hello.subarray(0, length), COOKIE), 'proven', `${length} bytes`);
  }
});

test('no bytes but the cookie itself prove anything, and none make it throw', () => {
  const hello = helloWith(COOKIE);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 100 }), (bytes, from) => {
      const changed = Buffer.from(hello);
      changed.set(bytes.subarray(0, Math.max(0, changed.length - from)), Math.min(from, changed.length));
      const isKept = changed.subarray(60, 61 + COOKIE.length).equals(hello.subarray(60, 61 + COOKIE.length));
      if (!isKept) assert.notEqual(helloKind(changed, COOKIE), 'proven');
      helloKind(bytes, COOKIE);
    }),
  );
});
