import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  SRTP_EXHAUSTED,
  SRTP_MALFORMED,
  SRTP_NO_KEYS,
  SRTP_REPLAYED,
  SRTP_SSRC_LIMIT,
  SRTP_UNAUTHENTIC,
  SRTP_UNENCRYPTED,
  srtpReason,
} from './outcome.ts';
import { createSrtpSession, masterSaltBytes, SRTP_PROFILES, type SrtpProfile } from './profiles.ts';
import type { SrtpSession } from './session.ts';
import { INCOMING_SSRCS_MAX, OUTGOING_SSRCS_MAX } from './stream-table.ts';

const OFFSET = 5;

function pair(profile: SrtpProfile): { alice: SrtpSession; bob: SrtpSession } {
  const salt = masterSaltBytes(profile);
  const a = { key: Buffer.alloc(16, 0xa1), salt: Buffer.alloc(salt, 0xa2) };
  const b = { key: Buffer.alloc(16, 0xb1), salt: Buffer.alloc(salt, 0xb2) };
  const keys = (local: typeof a, remote: typeof a) => ({
    localKey: local.key,
    localSalt: local.salt,
    remoteKey: remote.key,
    remoteSalt: remote.salt,
  });
  return { alice: createSrtpSession(profile, keys(a, b)), bob: createSrtpSession(profile, keys(b, a)) };
}

function rtp(sequence: number, ssrc = 0x11223344, payload = Buffer.from('some payload')): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = 96;
  header.writeUInt16BE(sequence & 0xffff, 2);
  header.writeUInt32BE(ssrc, 8);
  return Buffer.concat([header, payload]);
}

/** RTP with two CSRCs and a header extension, which stay in the clear. */
function rtpWithExtension(sequence: number): Buffer {
  const packet = rtp(sequence);
  packet[0] = 0x92;
  const sources = Buffer.from('0000000100000002', 'hex');
  const extension = Buffer.from('bede000110aa0000', 'hex');
  return Buffer.concat([packet.subarray(0, 12), sources, extension, packet.subarray(12)]);
}

function report(ssrc = 0x55667788): Buffer {
  const bytes = Buffer.alloc(28, 7);
  bytes.set([0x80, 200, 0, 6]);
  bytes.writeUInt32BE(ssrc, 4);
  return bytes;
}

type Operation = 'protectRtp' | 'protectRtpAgain' | 'unprotectRtp' | 'protectRtcp' | 'unprotectRtcp';

/** Runs an operation in a field as an arena has it; gives the packet, or the negative code. */
function run(session: SrtpSession, operation: Operation, packet: Uint8Array): Buffer | number {
  const field = Buffer.alloc(2048, 0xee);
  field.set(packet, OFFSET);
  const length = session[operation](field, OFFSET, packet.length);
  assert.equal(field[OFFSET - 1], 0xee, 'nothing is written before the packet');
  if (length < 0) {
    assert.deepEqual(
      field.subarray(OFFSET, OFFSET + packet.length),
      Buffer.from(packet),
      'a refused packet stays as it was',
    );
    return length;
  }
  assert.ok(field.subarray(OFFSET + Math.max(length, packet.length)).every(byte => byte === 0xee));
  return Buffer.from(field.subarray(OFFSET, OFFSET + length));
}

function sealed(session: SrtpSession, operation: Operation, packet: Uint8Array): Buffer {
  const result = run(session, operation, packet);
  assert.ok(typeof result !== 'number', `refused with ${result}`);
  return result;
}

for (const profile of SRTP_PROFILES) {
  describe(`profile ${profile}`, () => {
    test('a packet comes back as it was, and its payload was hidden', () => {
      const { alice, bob } = pair(profile);
      for (const packet of [rtp(1), rtpWithExtension(2), rtp(3, 1, Buffer.alloc(0))]) {
        const secret = sealed(alice, 'protectRtp', packet);
        assert.equal(secret.includes('some payload'), false);
        assert.deepEqual(run(bob, 'unprotectRtp', secret), packet);
      }
      const secret = sealed(alice, 'protectRtcp', report());
      assert.notDeepEqual(secret.subarray(8, 28), report().subarray(8));
      assert.deepEqual(run(bob, 'unprotectRtcp', secret), report());
    });

    test('a retransmission leaves as the packet did the first time, a new packet under its own index', () => {
      const { alice, bob } = pair(profile);
      const first = sealed(alice, 'protectRtp', rtp(1));
      sealed(alice, 'protectRtp', rtp(2));
      assert.equal(run(alice, 'protectRtp', rtp(1)), SRTP_REPLAYED);
      assert.deepEqual(sealed(alice, 'protectRtpAgain', rtp(1)), first);
      assert.deepEqual(run(bob, 'unprotectRtp', first), rtp(1));
      assert.deepEqual(run(bob, 'unprotectRtp', sealed(alice, 'protectRtpAgain', rtp(3))), rtp(3));
      assert.equal(run(alice, 'protectRtp', rtp(3)), SRTP_REPLAYED, 'it counts as sent');
    });

    test('a packet is believed once', () => {
      const { alice, bob } = pair(profile);
      const media = sealed(alice, 'protectRtp', rtp(7));
      const feedback = sealed(alice, 'protectRtcp', report());
      run(bob, 'unprotectRtp', media);
      run(bob, 'unprotectRtcp', feedback);
      assert.equal(run(bob, 'unprotectRtp', media), SRTP_REPLAYED);
      assert.equal(run(bob, 'unprotectRtcp', feedback), SRTP_REPLAYED);
    });

    test('an index is protected once: a second time would reuse its nonce', () => {
      const { alice } = pair(profile);
      sealed(alice, 'protectRtp', rtp(7));
      sealed(alice, 'protectRtp', rtp(9));
      sealed(alice, 'protectRtp', rtp(8));
      assert.equal(run(alice, 'protectRtp', rtp(8)), SRTP_REPLAYED);
    });

    test('one direction does not open the other', () => {
      const { alice } = pair(profile);
      assert.equal(run(alice, 'unprotectRtp', sealed(alice, 'protectRtp', rtp(1))), SRTP_UNAUTHENTIC);
      assert.equal(run(alice, 'unprotectRtcp', sealed(alice, 'protectRtcp', report())), SRTP_UNAUTHENTIC);
    });

    test('the rollover counter follows the sender through wraps, losses and reordering', () => {
      const { alice, bob } = pair(profile);
      // Steps of 250 in fours: the third is lost, the rest come last first. Four times around.
      for (let sequence = 30_000; sequence < 30_000 + 4 * 0x10000; sequence += 1000) {
        const four = [0, 250, 500, 750].map(step => sealed(alice, 'protectRtp', rtp(sequence + step)));
        for (const index of [3, 1, 0]) {
          assert.deepEqual(run(bob, 'unprotectRtp', four[index]), rtp(sequence + index * 250), `at ${sequence}`);
        }
      }
    });

    test('a packet older than the window is refused, wherever the wrap is', () => {
      const { alice, bob } = pair(profile);
      run(bob, 'unprotectRtp', sealed(alice, 'protectRtp', rtp(64_500)));
      const old = sealed(alice, 'protectRtp', rtp(65_000));
      run(bob, 'unprotectRtp', sealed(alice, 'protectRtp', rtp(65_000 + 2000)));
      assert.equal(run(bob, 'unprotectRtp', old), SRTP_REPLAYED);
    });

    test('an RTCP packet that is not encrypted is refused, even a well-signed one', () => {
      const { alice, bob } = pair(profile);
      const secret = sealed(alice, 'protectRtcp', report());
      const indexAt = secret.length - (secret.length - 28 === 14 ? 14 : 4);
      secret[indexAt] &= 0x7f;
      assert.equal(run(bob, 'unprotectRtcp', secret), SRTP_UNENCRYPTED);
    });

    test('every flipped bit is refused and leaves the session as it was', () => {
      fc.assert(
        fc.property(fc.nat(255), fc.integer({ min: 0, max: 7 }), fc.boolean(), (position, bit, isMedia) => {
          const { alice, bob } = pair(profile);
          const packet = isMedia ? rtpWithExtension(50) : report();
          const secret = sealed(alice, isMedia ? 'protectRtp' : 'protectRtcp', packet);
          const open = isMedia ? 'unprotectRtp' : 'unprotectRtcp';
          const forged = Buffer.from(secret);
          forged[position % forged.length] ^= 1 << bit;
          assert.equal(typeof run(bob, open, forged), 'number');
          assert.deepEqual(run(bob, open, secret), packet, 'the genuine one is still welcome');
        }),
        { numRuns: 300 },
      );
    });

    test('truncated and random bytes are refused without a throw', () => {
      const { alice, bob } = pair(profile);
      const media = sealed(alice, 'protectRtp', rtpWithExtension(50));
      const feedback = sealed(alice, 'protectRtcp', report());
      for (let length = 0; length < media.length; length++) {
        assert.equal(typeof run(bob, 'unprotectRtp', media.subarray(0, length)), 'number');
      }
      for (let length = 0; length < feedback.length; length++) {
        assert.equal(typeof run(bob, 'unprotectRtcp', feedback.subarray(0, length)), 'number');
      }
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 120 }), bytes => {
          assert.equal(typeof run(bob, 'unprotectRtp', bytes), 'number');
          assert.equal(typeof run(bob, 'unprotectRtcp', bytes), 'number');
          bytes[0] = 0x90;
          assert.equal(typeof run(bob, 'unprotectRtp', bytes), 'number');
        }),
      );
    });

    test('what is not RTP is not protected', () => {
      const { alice } = pair(profile);
      assert.equal(run(alice, 'protectRtp', rtp(1).subarray(0, 11)), SRTP_MALFORMED);
      assert.equal(run(alice, 'protectRtcp', report().subarray(0, 7)), SRTP_MALFORMED);
      const overlong = rtpWithExtension(1);
      overlong[23] = 200;
      assert.equal(run(alice, 'protectRtp', overlong), SRTP_MALFORMED);
    });

    test('a flood of SSRCs evicts the idlest stream, and the busy one keeps its state', () => {
      const { alice, bob } = pair(profile);
      const first = sealed(alice, 'protectRtp', rtp(1, 1));
      run(bob, 'unprotectRtp', first);
      for (let ssrc = 2; ssrc < INCOMING_SSRCS_MAX + 10; ssrc++) {
        run(bob, 'unprotectRtp', sealed(alice, 'protectRtp', rtp(1, ssrc)));
        if (ssrc === INCOMING_SSRCS_MAX) run(bob, 'unprotectRtp', sealed(alice, 'protectRtp', rtp(2, 1)));
      }
      assert.equal(run(bob, 'unprotectRtp', first), SRTP_REPLAYED);
    });
  });
}

test('more outgoing SSRCs than there is state for are refused, the known ones go on', () => {
  const { alice } = pair(SRTP_PROFILES[0]);
  const field = Buffer.alloc(64);
  for (let ssrc = 1; ssrc <= OUTGOING_SSRCS_MAX; ssrc++) {
    field.set(rtp(1, ssrc));
    assert.ok(alice.protectRtp(field, 0, 24) > 0);
  }
  field.set(rtp(1, OUTGOING_SSRCS_MAX + 1));
  assert.equal(alice.protectRtp(field, 0, 24), SRTP_SSRC_LIMIT);
  field.set(rtp(2, 1));
  assert.ok(alice.protectRtp(field, 0, 24) > 0);
});

test('every code has a label of its own', () => {
  const codes = [
    SRTP_MALFORMED,
    SRTP_REPLAYED,
    SRTP_UNAUTHENTIC,
    SRTP_UNENCRYPTED,
    SRTP_SSRC_LIMIT,
    SRTP_EXHAUSTED,
    SRTP_NO_KEYS,
  ];
  assert.equal(new Set(codes.map(srtpReason)).size, codes.length);
  assert.equal(codes.map(srtpReason).includes(srtpReason(-99)), false);
});
