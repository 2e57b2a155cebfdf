import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AesCmCipher } from './aes-cm-cipher.ts';
import { GcmCipher } from './gcm-cipher.ts';
import * as label from './key-derivation.ts';
import { describePacketCiphers } from './vectors.contract.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

describePacketCiphers('on node:crypto', { gcm: keys => new GcmCipher(keys), aesCm: keys => new AesCmCipher(keys) });

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

test('the counter-mode keystream is that of RFC 3711 appendix B.2 far beyond a packet too', () => {
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
