import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import { AesCmCipher } from './aes-cm-cipher.ts';
import { GcmCipher } from './gcm-cipher.ts';
import * as label from './key-derivation.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** A packet at an odd place in a larger field, as in an arena. */
function place(packet: Uint8Array): Buffer {
  const field = Buffer.alloc(packet.length + 64, 0xee);
  field.set(packet, 7);
  return field;
}

test('key derivation gives the keys of RFC 3711 appendix B.3', () => {
  const key = hex('E1F97A0D3E018BE0D64FA32C06DE4139');
  const salt = hex('0EC675AD498AFEEBB6960B3AABE6');
  const derived = (which: number, length: number) => label.deriveKey(key, salt, which, length);
  assert.deepEqual(derived(label.LABEL_RTP_ENCRYPTION, 16), hex('C61E7A93744F39EE10734AFE3FF7A087'));
  assert.deepEqual(derived(label.LABEL_RTP_SALT, 14), hex('30CBBC08863D8C85D49DB34A9AE1'));
  assert.deepEqual(
    derived(label.LABEL_RTP_AUTHENTICATION, 94),
    hex(`CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
         E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
         6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2`),
  );
});

test('the counter-mode keystream is that of RFC 3711 appendix B.2', () => {
  const cipher = new AesCmCipher({
    rtpKey: hex('2B7E151628AED2A6ABF7158809CF4F3C'),
    rtpSalt: hex('F0F1F2F3F4F5F6F7F8F9FAFBFCFD'),
    rtpAuthKey: Buffer.alloc(20),
    rtcpKey: Buffer.alloc(16),
    rtcpSalt: Buffer.alloc(14),
    rtcpAuthKey: Buffer.alloc(20),
  });
  // SSRC 0 and index 0 over zeros: what comes out behind the header is the keystream.
  const packet = Buffer.concat([hex('800000000000000000000000'), Buffer.alloc(0x10000 * 16)]);
  const bytes = Buffer.concat([packet, Buffer.alloc(10)]);
  assert.equal(cipher.sealRtp(bytes, 0, 12, packet.length, 0, 0), packet.length + 10);
  const block = (index: number) => bytes.subarray(12 + index * 16, 28 + index * 16);
  assert.deepEqual(block(0), hex('E03EAD0935C95E80E166B16DD92B4EB4'));
  assert.deepEqual(block(1), hex('D23513162B02D0F72A43A2FE4A5F97AB'));
  assert.deepEqual(block(2), hex('41E95B3BB0A2E8DD477901E4FCA894C0'));
  assert.deepEqual(block(0xfeff), hex('EC8CDF7398607CB0F2D21675EA9EA1E4'));
  assert.deepEqual(block(0xff00), hex('362B7C3C6773516318A077D7FC5073AE'));
  assert.deepEqual(block(0xff01), hex('6A2CC3787889374FBEB4C81B17BA6C44'));
});

const gcm = new GcmCipher({
  rtpKey: hex('000102030405060708090a0b0c0d0e0f'),
  rtcpKey: hex('000102030405060708090a0b0c0d0e0f'),
  rtpSalt: hex('51756964 2070726f 2071756f'),
  rtcpSalt: hex('51756964 2070726f 2071756f'),
});

// RFC 7714 section 16.1.1
const RTP_PLAIN = hex(`
  8040f17b 8041f8d3 5501a0b2
  47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573`);
const RTP_SEALED = hex(`
  8040f17b 8041f8d3 5501a0b2
  f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
  899d7f27 beb16a91 52cf765e e4390cce`);

test('an RTP packet is sealed and opened as in RFC 7714 section 16.1', () => {
  const field = place(RTP_PLAIN);
  const length = gcm.sealRtp(field, 7, 12, RTP_PLAIN.length, 0x5501a0b2, 0xf17b);
  assert.deepEqual(field.subarray(7, 7 + length), RTP_SEALED);
  assert.equal(field[6], 0xee);
  assert.equal(field[7 + length], 0xee);
  assert.equal(gcm.openRtp(field, 7, 12, length, 0x5501a0b2, 0xf17b), RTP_PLAIN.length);
  assert.deepEqual(field.subarray(7, 7 + RTP_PLAIN.length), RTP_PLAIN);
});

// RFC 7714 section 17.1
const RTCP_PLAIN = hex(`
  81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef`);
const RTCP_SEALED = hex(`
  81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
  c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`);

test('an RTCP packet is sealed and opened as in RFC 7714 section 17.1', () => {
  const field = place(RTCP_PLAIN);
  const length = gcm.sealRtcp(field, 7, RTCP_PLAIN.length, 0x4d617273, 0x5d4);
  assert.deepEqual(field.subarray(7, 7 + length), RTCP_SEALED);
  assert.equal(gcm.openRtcp(field, 7, length, 0x4d617273, 0x5d4), RTCP_PLAIN.length);
  assert.deepEqual(field.subarray(7, 7 + RTCP_PLAIN.length), RTCP_PLAIN);
});

test('the rollover counter is part of the counter and of what is authenticated', () => {
  const key = hex('2B7E151628AED2A6ABF7158809CF4F3C');
  const salt = hex('F0F1F2F3F4F5F6F7F8F9FAFBFCFD');
  const cipher = new AesCmCipher({
    rtpKey: key,
    rtpSalt: salt,
    rtpAuthKey: Buffer.alloc(20, 1),
    rtcpKey: key,
    rtcpSalt: salt,
    rtcpAuthKey: Buffer.alloc(20, 2),
  });
  const packet = Buffer.concat([hex('8060ffff 00000000 deadbeef'), Buffer.alloc(16), Buffer.alloc(10)]);
  const index = 3 * 0x10000 + 0xffff;
  cipher.sealRtp(packet, 0, 12, 28, 0xdeadbeef, index);
  const counter = Buffer.concat([salt, Buffer.alloc(2)]);
  const mask = hex('00000000 deadbeef 00000003 ffff 0000');
  for (let at = 0; at < 16; at++) counter[at] ^= mask[at];
  assert.deepEqual(packet.subarray(12, 28), createCipheriv('aes-128-ctr', key, counter).update(Buffer.alloc(16)));
  assert.equal(cipher.openRtp(packet, 0, 12, 38, 0xdeadbeef, index - 0x10000), -1, 'another ROC');
  assert.equal(cipher.openRtp(packet, 0, 12, 38, 0xdeadbeef, index), 28);
});
