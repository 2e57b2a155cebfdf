import assert from 'node:assert/strict';
import { type CipherGCM, createCipheriv, createHmac } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SLOT_BYTES } from '../../arena.ts';
import { CLEAR_BYTES_MAX, type ContextKind, Evp, GCM_TAG_BYTES, SHA1_BYTES, sharedEvp } from './evp.ts';
import { loadForeign } from './foreign.ts';
import { NOT_HERE } from './native.platform.ts';
import { NativeSlots } from './native-slots.ts';

const KINDS: readonly ContextKind[] = ['gcm-seal', 'gcm-open', 'ctr', 'hmac-sha1'];
const BAD_NUMBERS = [-1, 0.5, Number.NaN, Infinity, 2 ** 31, 2 ** 32, '0', undefined, null, {}] as unknown as number[];

/** Bytes that look random and are the same every time. */
function sample(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0, state = seed * 2_654_435_761 + 1; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function keyOf(kind: ContextKind, seed = 1): Buffer {
  return sample(kind === 'hmac-sha1' ? SHA1_BYTES : 16, seed);
}

function gcm(
  key: Uint8Array,
  nonce: Uint8Array,
  clear: Uint8Array,
  plain: Uint8Array,
): { cipherText: Buffer; tag: Buffer } {
  const cipher: CipherGCM = createCipheriv('aes-128-gcm', key, nonce);
  cipher.setAAD(clear);
  const cipherText = Buffer.concat([cipher.update(plain), cipher.final()]);
  return { cipherText, tag: cipher.getAuthTag() };
}

/** Where bytes may lie: at a ready pointer, elsewhere in a slot, across two slots, in memory of JavaScript's own. */
const PLACES = [
  ['at a ready pointer', 'slots', 12],
  ['at no multiple of four', 'slots', SLOT_BYTES + 13],
  ['far into a slot', 'slots', 200],
  ['outside of native memory', 'plain', 7],
] as const;

describe('evp', { skip: NOT_HERE }, () => {
  const evp = NOT_HERE ? (undefined as never) : new Evp();

  for (const [place, where, from] of PLACES) {
    test(`every kind does what node:crypto does, ${place}, for every length`, context => {
      const slots = new NativeSlots(3);
      context.after(() => slots.close());
      const bytes = where === 'slots' ? slots.bytes : Buffer.alloc(3 * SLOT_BYTES);
      const [seal, open, ctr, hmac] = KINDS.map(kind => evp.openContext(kind, keyOf(kind)));
      for (let length = 0; length <= SLOT_BYTES; length += length < 70 ? 1 : 13)
        checkLength(bytes, from, length, { seal, open, ctr, hmac });
      checkLength(bytes, from, SLOT_BYTES, { seal, open, ctr, hmac });
      for (const number of [seal, open, ctr, hmac]) evp.closeContext(number);
    });
  }

  function checkLength(
    bytes: Buffer,
    from: number,
    length: number,
    contexts: Record<'seal' | 'open' | 'ctr' | 'hmac', number>,
  ): void {
    const plain = sample(length, length);
    const clear = sample(length % (CLEAR_BYTES_MAX + 1), 5);
    const nonce = sample(16, length + 1);
    const end = from + length;
    bytes.fill(0xaa);
    bytes.set(plain, from);
    evp.nonce.set(nonce);
    evp.clear.set(clear);

    const expected = gcm(keyOf('gcm-seal'), nonce.subarray(0, 12), clear, plain);
    evp.seal(contexts.seal, bytes, from, end, clear.length);
    assertBytes(bytes, from, expected.cipherText, `sealed ${length}`);
    assert.deepEqual(evp.tag.subarray(0, GCM_TAG_BYTES), expected.tag, `tag of ${length}`);
    assert.equal(evp.open(contexts.open, bytes, from, end, clear.length), true, `opened ${length}`);
    assertBytes(bytes, from, plain, `opened ${length}`);

    const counter = createCipheriv('aes-128-ctr', keyOf('ctr'), nonce).update(plain);
    evp.crypt(contexts.ctr, bytes, from, end);
    assertBytes(bytes, from, counter, `crypted ${length}`);
    evp.crypt(contexts.ctr, bytes, from, end);
    assertBytes(bytes, from, plain, `crypted back ${length}`);

    evp.trailer.set([1, 2, 3, length & 0xff]);
    for (const withTrailer of [false, true]) {
      const mac = createHmac('sha1', keyOf('hmac-sha1')).update(plain);
      if (withTrailer) mac.update(evp.trailer);
      evp.authenticate(contexts.hmac, bytes, from, end, withTrailer);
      assert.deepEqual(evp.tag, mac.digest(), `authenticated ${length}`);
    }
    assertBytes(bytes, from, plain, `authenticated ${length}`);
  }

  for (const [place, where, from] of PLACES) {
    test(`a packet forged in any part is refused and stays as it was, ${place}`, context => {
      const slots = new NativeSlots(3);
      context.after(() => slots.close());
      const bytes = where === 'slots' ? slots.bytes : Buffer.alloc(3 * SLOT_BYTES);
      const [seal, open] = [
        evp.openContext('gcm-seal', keyOf('gcm-seal')),
        evp.openContext('gcm-open', keyOf('gcm-open')),
      ];
      const end = from + 100;
      bytes.set(sample(100, 3), from);
      evp.clear.set(sample(20, 4));
      evp.seal(seal, bytes, from, end, 20);
      const sealed = Buffer.from(bytes);
      const parts = [
        evp.tag.subarray(0, GCM_TAG_BYTES),
        evp.clear.subarray(0, 20),
        evp.nonce.subarray(0, 12),
        bytes.subarray(from, end),
      ];
      for (const part of parts) {
        for (let bit = 0; bit < part.length * 8; bit += 7) {
          part[bit >> 3] ^= 1 << (bit & 7);
          assert.equal(evp.open(open, bytes, from, end, 20), false);
          part[bit >> 3] ^= 1 << (bit & 7);
          assert.ok(bytes.equals(sealed));
        }
      }
      assert.equal(evp.open(open, bytes, from, end - 1, 20), false, 'shortened');
      assert.equal(evp.open(open, bytes, from, end, 19), false, 'less in the clear');
      assert.equal(evp.open(open, bytes, from, end, 20), true, 'and the packet itself still opens');
      evp.closeContext(seal);
      evp.closeContext(open);
    });
  }

  test('a context is of one kind only, and of none once it is closed', () => {
    const bytes = Buffer.alloc(64);
    const uses: Record<ContextKind, (number: number) => unknown> = {
      'gcm-seal': number => evp.seal(number, bytes, 0, 16, 0),
      'gcm-open': number => evp.open(number, bytes, 0, 16, 0),
      ctr: number => evp.crypt(number, bytes, 0, 16),
      'hmac-sha1': number => evp.authenticate(number, bytes, 0, 16, false),
    };
    for (const kind of KINDS) {
      const number = evp.openContext(kind, keyOf(kind));
      for (const used of KINDS) {
        if (used === kind) uses[used](number);
        else
          assert.throws(() => uses[used](number), {
            name: 'RangeError',
            message: `context ${number} is not open for this`,
          });
      }
      evp.closeContext(number);
      for (const used of KINDS) assert.throws(() => uses[used](number), RangeError);
      assert.throws(() => evp.closeContext(number), RangeError);
      for (const bad of BAD_NUMBERS) {
        assert.throws(() => uses[kind](bad), RangeError, String(bad));
        assert.throws(() => evp.closeContext(bad), RangeError, String(bad));
      }
    }
  });

  test('nothing is open in an empty table, whatever is asked for', () => {
    const own = new Evp();
    for (const bad of [...BAD_NUMBERS, 0, 1, 8]) {
      assert.throws(() => own.closeContext(bad), RangeError, String(bad));
      assert.throws(() => own.crypt(bad, Buffer.alloc(16), 0, 16), RangeError, String(bad));
    }
    assert.equal(own.contextsInUse, 0);
  });

  test('the number of a closed context is refused also when its place and kind are another’s', () => {
    const closed = new Set<number>();
    for (let round = 0; round < 100; round++) {
      const number = evp.openContext('ctr', keyOf('ctr', round));
      assert.ok(!closed.has(number));
      for (const stale of closed) {
        assert.throws(() => evp.crypt(stale, Buffer.alloc(16), 0, 16), RangeError);
        assert.throws(() => evp.closeContext(stale), RangeError);
      }
      evp.closeContext(number);
      closed.add(number);
    }
    assert.equal(evp.contextsInUse, 0);
  });

  test('a place that has been used very often is still one place', () => {
    const own = new Evp();
    const kept = own.openContext('ctr', keyOf('ctr', 1));
    for (let round = 0; round < 5000; round++) own.closeContext(own.openContext('gcm-seal', keyOf('gcm-seal', round)));
    const next = own.openContext('ctr', keyOf('ctr', 2));
    assert.equal(own.contextsInUse, 2);
    own.nonce.fill(0);
    for (const [seed, number] of [
      [1, kept],
      [2, next],
    ]) {
      const bytes = Buffer.alloc(16);
      own.crypt(number, bytes, 0, 16);
      assert.deepEqual(
        bytes,
        createCipheriv('aes-128-ctr', keyOf('ctr', seed), Buffer.alloc(16)).update(Buffer.alloc(16)),
      );
      own.closeContext(number);
    }
  });

  test('a context taken from the pool has its own key and nothing of the last one', () => {
    const one = Buffer.alloc(48);
    for (let round = 0; round < 600; round++) {
      const numbers = KINDS.map(kind => evp.openContext(kind, keyOf(kind, round)));
      const [seal, , ctr] = numbers;
      const nonce = sample(16, round);
      evp.nonce.set(nonce);
      evp.seal(seal, one.fill(0), 0, 48, 0);
      assert.deepEqual(
        one,
        gcm(keyOf('gcm-seal', round), nonce.subarray(0, 12), Buffer.alloc(0), Buffer.alloc(48)).cipherText,
      );
      evp.crypt(ctr, one.fill(0), 0, 48);
      assert.deepEqual(one, createCipheriv('aes-128-ctr', keyOf('ctr', round), nonce).update(Buffer.alloc(48)));
      for (const number of numbers) evp.closeContext(number);
    }
    assert.equal(evp.contextsInUse, 0);
  });

  test('the table grows under contexts that are in use, and the count returns to none', () => {
    const own = new Evp();
    const bytes = Buffer.alloc(16);
    const numbers = Array.from({ length: 1000 }, (_, index) => own.openContext('ctr', keyOf('ctr', index)));
    assert.equal(own.contextsInUse, 1000);
    own.nonce.fill(0);
    for (const [index, number] of numbers.entries()) {
      own.crypt(number, bytes.fill(0), 0, 16);
      assert.deepEqual(
        bytes,
        createCipheriv('aes-128-ctr', keyOf('ctr', index), Buffer.alloc(16)).update(Buffer.alloc(16)),
      );
    }
    for (const number of numbers) own.closeContext(number);
    assert.equal(own.contextsInUse, 0);
    own.trim();
    own.closeContext(own.openContext('gcm-seal', keyOf('gcm-seal')));
    own.trim();
  });

  test('native contexts are made once, freed once, and pooled in between', () => {
    const { foreign, living } = counted();
    const own = new Evp(foreign);
    const cycle = (count: number) => {
      const numbers = Array.from({ length: count }, (_, index) =>
        own.openContext(KINDS[index % 4], keyOf(KINDS[index % 4])),
      );
      for (const number of numbers) own.closeContext(number);
    };
    cycle(4);
    assert.equal(living.size, 4, 'in the pool');
    cycle(4);
    assert.equal(living.size, 4, 'from the pool');
    cycle(4000);
    assert.equal(living.size, 512, 'the pool is bounded: 256 of each');
    own.trim();
    assert.equal(living.size, 0);
  });

  test('no key is left in our memory, or in OpenSSL’s when its context is closed', () => {
    const own = new Evp();
    const mask = sample(16, 77);
    const masked = sample(16, 78);
    const key = Buffer.from(masked.map((byte, index) => byte ^ mask[index]));
    const isThere = () => heapHolds(masked, mask);
    const numbers = (['gcm-seal', 'gcm-open', 'ctr'] as const).map(kind => own.openContext(kind, key));
    assert.equal(Buffer.from(own.nonce.buffer).indexOf(key), -1, 'in the scratch memory');
    key.fill(0);
    assert.equal(isThere(), true, 'OpenSSL has it while it is in use');
    for (const number of numbers) own.closeContext(number);
    assert.equal(isThere(), false);
  });

  test('a forged packet leaves no error behind for node:crypto to find', () => {
    const open = evp.openContext('gcm-open', keyOf('gcm-open'));
    const bytes = Buffer.alloc(32);
    for (let time = 0; time < 20; time++) assert.equal(evp.open(open, bytes, 0, 32, 0), false);
    evp.closeContext(open);
    assert.throws(() => createCipheriv('aes-128-gcm', Buffer.alloc(15), Buffer.alloc(12)), {
      code: 'ERR_CRYPTO_INVALID_KEYLEN',
    });
    assert.equal(createHmac('sha1', 'k').update('x').digest().length, SHA1_BYTES);
  });

  test('bytes outside, too many, and places that are no numbers are refused and nothing is written', context => {
    const slots = new NativeSlots(2);
    context.after(() => slots.close());
    const contexts = KINDS.map(kind => evp.openContext(kind, keyOf(kind)));
    const [seal, open, ctr, hmac] = contexts;
    for (const bytes of [slots.bytes, Buffer.alloc(2 * SLOT_BYTES)]) {
      bytes.fill(0xaa);
      const ranges = BAD_NUMBERS.flatMap(bad => [
        [bad, 16],
        [0, bad],
      ]);
      ranges.push(
        [8, 7],
        [0, SLOT_BYTES + 1],
        [2 * SLOT_BYTES - 8, 2 * SLOT_BYTES + 1],
        [2 * SLOT_BYTES + 1, 2 * SLOT_BYTES + 1],
      );
      for (const [from, end] of ranges) {
        for (const use of [
          () => evp.seal(seal, bytes, from, end, 0),
          () => evp.open(open, bytes, from, end, 0),
          () => evp.crypt(ctr, bytes, from, end),
          () => evp.authenticate(hmac, bytes, from, end, false),
        ]) {
          assert.throws(use, RangeError, `${from} to ${end}`);
        }
      }
      for (const bad of [...BAD_NUMBERS, CLEAR_BYTES_MAX + 1]) {
        assert.throws(() => evp.seal(seal, bytes, 0, 16, bad), RangeError, `${bad} in the clear`);
        assert.throws(() => evp.open(open, bytes, 0, 16, bad), RangeError, `${bad} in the clear`);
      }
      assert.ok(bytes.every(byte => byte === 0xaa));
    }
    for (const number of contexts) evp.closeContext(number);
  });

  test('a key of another length and a kind of another name are refused', () => {
    for (const kind of KINDS)
      assert.throws(() => evp.openContext(kind, new Uint8Array(17)), /a .* key of 17 bytes; allowed: /);
    for (const bad of ['gcm', '', 'toString', undefined])
      assert.throws(() => evp.openContext(bad as ContextKind, new Uint8Array(16)), RangeError);
    assert.equal(evp.contextsInUse, 0);
  });

  test('what OpenSSL refuses is an error, and the context that was tried is freed', () => {
    const { foreign, living } = counted();
    const own = new Evp({ ...foreign, EVP_EncryptInit_ex: () => 0, HMAC_Init_ex: () => 0 });
    assert.throws(() => own.openContext('ctr', keyOf('ctr')), /OpenSSL refused a ctr context/);
    assert.throws(() => own.openContext('hmac-sha1', keyOf('hmac-sha1')), /OpenSSL refused a hmac-sha1 context/);
    assert.deepEqual([own.contextsInUse, living.size], [0, 0]);
    const failing = new Evp({ ...foreign, EVP_EncryptFinal_ex: () => 0, HMAC_Final: () => 0 });
    const numbers = [
      failing.openContext('gcm-seal', keyOf('gcm-seal')),
      failing.openContext('hmac-sha1', keyOf('hmac-sha1')),
    ];
    assert.throws(() => failing.seal(numbers[0], Buffer.alloc(8), 0, 8, 0), /OpenSSL failed to encrypt/);
    assert.throws(
      () => failing.authenticate(numbers[1], Buffer.alloc(8), 0, 8, false),
      /OpenSSL failed to authenticate/,
    );
    for (const number of numbers) failing.closeContext(number);
    failing.trim();
  });

  test('a process has one', () => {
    assert.equal(sharedEvp(), sharedEvp());
  });
});

/** The real functions, with a list of the contexts that have been made and not freed. A second free of one fails. */
function counted() {
  const foreign = loadForeign();
  const living = new Set<bigint>();
  const made = (pointer: bigint) => {
    living.add(pointer);
    return pointer;
  };
  const freed = (pointer: bigint) => assert.ok(living.delete(pointer), 'freed twice');
  return {
    living,
    foreign: {
      ...foreign,
      EVP_CIPHER_CTX_new: () => made(foreign.EVP_CIPHER_CTX_new()),
      HMAC_CTX_new: () => made(foreign.HMAC_CTX_new()),
      EVP_CIPHER_CTX_free: (pointer: bigint) => {
        freed(pointer);
        return foreign.EVP_CIPHER_CTX_free(pointer);
      },
      HMAC_CTX_free: (pointer: bigint) => {
        freed(pointer);
        return foreign.HMAC_CTX_free(pointer);
      },
    },
  };
}

/** Whether malloc's heap has these bytes; they are given masked, so that the question is not the answer. */
function heapHolds(masked: Uint8Array, mask: Uint8Array): boolean {
  const heap = /^([0-9a-f]+)-([0-9a-f]+) .*\[heap\]$/m.exec(readFileSync('/proc/self/maps', 'latin1'));
  assert.ok(heap !== null, 'there is a heap');
  const [start, end] = [Number.parseInt(heap[1], 16), Number.parseInt(heap[2], 16)];
  const memory = openSync('/proc/self/mem', 'r');
  // Larger than what malloc takes from its heap, so that what was read is not found there.
  const chunk = Buffer.allocUnsafeSlow(4 << 20);
  let isFound = false;
  for (let at = start; at < end && !isFound; at += chunk.length - 16) {
    const read = readSync(memory, chunk, 0, Math.min(chunk.length, end - at), at);
    isFound = holds(chunk, read, masked, mask);
  }
  closeSync(memory);
  chunk.fill(0);
  return isFound;
}

function holds(bytes: Buffer, length: number, masked: Uint8Array, mask: Uint8Array): boolean {
  const first = masked[0] ^ mask[0];
  for (let at = bytes.indexOf(first); at >= 0 && at + 16 <= length; at = bytes.indexOf(first, at + 1)) {
    let same = 1;
    while (same < 16 && bytes[at + same] === (masked[same] ^ mask[same])) same++;
    if (same === 16) return true;
  }
  return false;
}

function assertBytes(bytes: Buffer, from: number, expected: Uint8Array, what: string): void {
  assert.ok(bytes.subarray(from, from + expected.length).equals(expected), what);
  const end = from + expected.length;
  assert.ok(
    bytes.subarray(0, from).every(byte => byte === 0xaa) && bytes.subarray(end).every(byte => byte === 0xaa),
    `${what}: bytes around were written to`,
  );
}
