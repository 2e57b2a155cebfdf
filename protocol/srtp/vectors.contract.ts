/** The published test vectors for packet ciphers, whatever they are made of. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { afterEach, describe, test } from 'node:test';
import type { AesCmKeys } from './aes-cm-cipher.ts';
import type { GcmKeys } from './gcm-cipher.ts';
import type { PacketCipher } from './packet-cipher.ts';

export interface PacketCiphers {
  /** One that seals, or one that opens. */
  gcm(keys: GcmKeys, direction: 'seal' | 'open'): PacketCipher;
  aesCm(keys: AesCmKeys): PacketCipher;
}

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** A packet at an odd place in a larger field, as in an arena. */
function place(packet: Uint8Array): Buffer {
  const field = Buffer.alloc(packet.length + 64, 0xee);
  field.set(packet, 7);
  return field;
}

const KEY = hex('2B7E151628AED2A6ABF7158809CF4F3C');
const SALT = hex('F0F1F2F3F4F5F6F7F8F9FAFBFCFD');

const AES_CM_KEYS: AesCmKeys = {
  rtpKey: KEY,
  rtpSalt: SALT,
  rtpAuthKey: Buffer.alloc(20, 1),
  rtcpKey: KEY,
  rtcpSalt: SALT,
  rtcpAuthKey: Buffer.alloc(20, 2),
};

const GCM_KEYS: GcmKeys = {
  rtpKey: hex('000102030405060708090a0b0c0d0e0f'),
  rtcpKey: hex('000102030405060708090a0b0c0d0e0f'),
  rtpSalt: hex('51756964 2070726f 2071756f'),
  rtcpSalt: hex('51756964 2070726f 2071756f'),
};

// RFC 7714 section 16.1.1
const RTP_PLAIN = hex(`
  8040f17b 8041f8d3 5501a0b2
  47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573`);
const RTP_SEALED = hex(`
  8040f17b 8041f8d3 5501a0b2
  f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
  899d7f27 beb16a91 52cf765e e4390cce`);

// RFC 7714 section 17.1
const RTCP_PLAIN = hex(`
  81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef`);
const RTCP_SEALED = hex(`
  81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
  c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`);

/** `name` says what the ciphers are made of. Each is closed after its test. */
export function describePacketCiphers(name: string, ciphers: PacketCiphers): void {
  describe(`packet ciphers, ${name}`, () => {
    const opened: PacketCipher[] = [];
    afterEach(() => {
      for (const cipher of opened.splice(0)) cipher.close();
    });
    const gcm = (direction: 'seal' | 'open') => {
      const cipher = ciphers.gcm(GCM_KEYS, direction);
      opened.push(cipher);
      return cipher;
    };
    const aesCm = () => {
      const cipher = ciphers.aesCm(AES_CM_KEYS);
      opened.push(cipher);
      return cipher;
    };

    test('the counter-mode keystream is that of RFC 3711 appendix B.2', () => {
      const cipher = aesCm();
      // SSRC 0 and index 0 over zeros: what comes out behind the header is the keystream.
      const bytes = Buffer.concat([hex('800000000000000000000000'), Buffer.alloc(48), Buffer.alloc(10)]);
      assert.equal(cipher.sealRtp(bytes, 0, 12, 60, 0, 0), 70);
      assert.deepEqual(
        bytes.subarray(12, 60),
        hex('E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0'),
      );
    });

    test('the rollover counter is part of the counter and of what is authenticated', () => {
      const cipher = aesCm();
      const packet = Buffer.concat([hex('8060ffff 00000000 deadbeef'), Buffer.alloc(16), Buffer.alloc(10)]);
      const index = 3 * 0x10000 + 0xffff;
      cipher.sealRtp(packet, 0, 12, 28, 0xdeadbeef, index);
      const counter = Buffer.concat([SALT, Buffer.alloc(2)]);
      const mask = hex('00000000 deadbeef 00000003 ffff 0000');
      for (let at = 0; at < 16; at++) counter[at] ^= mask[at];
      assert.deepEqual(packet.subarray(12, 28), createCipheriv('aes-128-ctr', KEY, counter).update(Buffer.alloc(16)));
      assert.equal(cipher.openRtp(packet, 0, 12, 38, 0xdeadbeef, index - 0x10000), -1, 'another ROC');
      assert.equal(cipher.openRtp(packet, 0, 12, 38, 0xdeadbeef, index), 28);
    });

    test('an RTP packet is sealed and opened as in RFC 7714 section 16.1', () => {
      const [sealer, opener] = [gcm('seal'), gcm('open')];
      const field = place(RTP_PLAIN);
      const length = sealer.sealRtp(field, 7, 12, RTP_PLAIN.length, 0x5501a0b2, 0xf17b);
      assert.deepEqual(field.subarray(7, 7 + length), RTP_SEALED);
      assert.equal(field[6], 0xee);
      assert.equal(field[7 + length], 0xee);
      assert.equal(opener.openRtp(field, 7, 12, length, 0x5501a0b2, 0xf17b + 0x10000), -1, 'another ROC');
      assert.equal(opener.openRtp(field, 7, 12, length, 0x5501a0b2, 0xf17b), RTP_PLAIN.length);
      assert.deepEqual(field.subarray(7, 7 + RTP_PLAIN.length), RTP_PLAIN);
    });

    test('an RTCP packet is sealed and opened as in RFC 7714 section 17.1', () => {
      const [sealer, opener] = [gcm('seal'), gcm('open')];
      const field = place(RTCP_PLAIN);
      const length = sealer.sealRtcp(field, 7, RTCP_PLAIN.length, 0x4d617273, 0x5d4);
      assert.deepEqual(field.subarray(7, 7 + length), RTCP_SEALED);
      assert.equal(opener.openRtcp(field, 7, length, 0x4d617273, 0x5d4), RTCP_PLAIN.length);
      assert.deepEqual(field.subarray(7, 7 + RTCP_PLAIN.length), RTCP_PLAIN);
    });

    test('an index of 48 bits is used whole', () => {
      const [sealer, opener] = [gcm('seal'), gcm('open')];
      const cm = aesCm();
      for (const [seal, open, tagBytes] of [
        [sealer, opener, 16],
        [cm, cm, 10],
      ] as const) {
        const texts = new Set<string>();
        for (const index of [0, 2 ** 31, 2 ** 32, 2 ** 47, 2 ** 48 - 1]) {
          const field = place(RTP_PLAIN);
          const length = RTP_PLAIN.length + tagBytes;
          assert.equal(seal.sealRtp(field, 7, 12, RTP_PLAIN.length, 1, index), length);
          texts.add(field.toString('hex', 7 + 12, 7 + RTP_PLAIN.length));
          assert.equal(open.openRtp(field, 7, 12, length, 1, index), RTP_PLAIN.length);
        }
        assert.equal(texts.size, 5);
      }
    });
  });
}
