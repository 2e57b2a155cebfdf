/** What protects Octo frames must do this, whatever it is made of: run by the tests of each. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, describe, test } from 'node:test';
import fc from 'fast-check';
import type { FrameCiphers, FrameOpener, FrameSealer } from './aead.ts';
import { HEADER_BYTES, TAG_BYTES } from './header.ts';
import { cutSessionKeys } from './keys.ts';

interface Vector {
  readonly name: string;
  readonly sequence: number;
  readonly header: string;
  readonly payload: string;
  readonly datagram: string;
}

const vectors: { exporter: string; frames: Vector[] } = JSON.parse(
  readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'),
);

const KEY = Buffer.alloc(16, 1);
const SALT = Buffer.alloc(12, 2);
/** Payload of the frames that have no meaning. */
const BODY = HEADER_BYTES + 30;

function frame(): Buffer {
  return Buffer.alloc(BODY + TAG_BYTES, 9);
}

/** `place` gives room for a frame: the bytes, and where it begins. */
export function describeFrameCiphers(
  name: string,
  ciphers: FrameCiphers,
  place: () => { bytes: Uint8Array; offset: number } = () => ({ bytes: Buffer.alloc(2048), offset: 0 }),
): void {
  describe(`frame ciphers, ${name}`, () => {
    const opened: (FrameSealer | FrameOpener)[] = [];
    afterEach(() => {
      for (const cipher of opened.splice(0)) cipher.close();
    });
    const sealer = (key: Uint8Array = KEY, salt: Uint8Array = SALT) => {
      const made = ciphers.sealer(key, salt);
      opened.push(made);
      return made;
    };
    const opener = (key: Uint8Array = KEY, salt: Uint8Array = SALT) => {
      const made = ciphers.opener(key, salt);
      opened.push(made);
      return made;
    };

    for (const vector of vectors.frames) {
      test(`vector ${vector.name}`, () => {
        const client = cutSessionKeys(Buffer.from(vectors.exporter, 'hex'), 'client');
        const server = cutSessionKeys(Buffer.from(vectors.exporter, 'hex'), 'server');
        const plain = Buffer.from(vector.header + vector.payload, 'hex');
        const { bytes, offset } = place();
        bytes.set(plain, offset);
        sealer(client.sendKey, client.sendSalt).seal(bytes, offset, plain.length, vector.sequence);
        const length = plain.length + TAG_BYTES;
        assert.equal(Buffer.from(bytes.subarray(offset, offset + length)).toString('hex'), vector.datagram);
        const isOpen = opener(server.receiveKey, server.receiveSalt).open(bytes, offset, length, vector.sequence);
        assert.equal(isOpen, true);
        assert.deepEqual(Buffer.from(bytes.subarray(offset, offset + plain.length)), plain);
      });
    }

    test('a frame that was changed anywhere, or is opened under another number, is refused and left as it is', () => {
      const sealed = frame();
      sealer().seal(sealed, 0, BODY, 77);
      const { bytes, offset } = place();
      const by = opener();
      const isRefused = (changed: Buffer, sequence: number) => {
        bytes.set(changed, offset);
        assert.equal(by.open(bytes, offset, changed.length, sequence), false);
        assert.deepEqual(Buffer.from(bytes.subarray(offset, offset + changed.length)), changed);
      };
      for (let at = 0; at < sealed.length; at++) {
        const changed = Buffer.from(sealed);
        changed[at] ^= 0x10;
        isRefused(changed, 77);
      }
      isRefused(sealed, 78);
      isRefused(sealed, 77 + 2 ** 32);
      for (let length = 0; length < sealed.length; length++) isRefused(sealed.subarray(0, length), 77);
      bytes.set(sealed, offset);
      assert.equal(by.open(bytes, offset, sealed.length, 77), true);
    });

    test('nonces differ for all sequence numbers of 48 bits', () => {
      const by = sealer();
      const sequence = fc.integer({ min: 0, max: 2 ** 48 - 1 });
      fc.assert(
        fc.property(fc.uniqueArray(sequence, { minLength: 2, maxLength: 2 }), numbers => {
          const [left, right] = numbers.map(number => {
            const bytes = frame();
            by.seal(bytes, 0, BODY, number);
            return bytes.toString('hex');
          });
          assert.notEqual(left, right);
        }),
      );
    });

    test('what is closed does nothing any more, not even under the key of who came after it', () => {
      const [closedSealer, closedOpener] = [sealer(), opener()];
      const sealed = frame();
      closedSealer.seal(sealed, 0, BODY, 77);
      for (const cipher of [closedSealer, closedOpener]) {
        cipher.close();
        cipher.close();
      }
      // Whatever the closed ones had is now in use here.
      const [nextSealer, nextOpener] = [sealer(), opener()];
      closedSealer.close();
      closedOpener.close();
      const plain = frame();
      assert.throws(() => closedSealer.seal(plain, 0, BODY, 78), /wiped/);
      assert.deepEqual(plain, frame());
      assert.throws(() => closedOpener.open(sealed, 0, sealed.length, 77), /wiped/);
      const again = frame();
      nextSealer.seal(again, 0, BODY, 77);
      assert.deepEqual(again, sealed);
      assert.equal(nextOpener.open(again, 0, again.length, 77), true);
    });

    test('keys of a wrong length are refused', () => {
      assert.throws(() => {
        const made = ciphers.sealer(Buffer.alloc(15), SALT);
        made.seal(frame(), 0, BODY, 1);
      }, RangeError);
      assert.throws(() => {
        const made = ciphers.opener(Buffer.alloc(17), SALT);
        made.open(frame(), 0, BODY + TAG_BYTES, 1);
      }, RangeError);
    });
  });
}
