/** What every {@link SrtpSession} must do, whatever its ciphers are made of: run by the tests of each. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { SRTP_MALFORMED, SRTP_REPLAYED, SRTP_SSRC_LIMIT, SRTP_UNAUTHENTIC, SRTP_UNENCRYPTED } from './outcome.ts';
import {
  type createSrtpSession,
  masterSaltBytes,
  SRTP_AES128_CM_HMAC_SHA1_80,
  SRTP_PROFILES,
  type SrtpProfile,
} from './profiles.ts';
import type { SrtpSession } from './session.ts';
import { INCOMING_SSRCS_MAX, OUTGOING_SSRCS_MAX } from './stream-table.ts';

/** Room for a packet: at least ROOM bytes from `offset` on, and one before. */
export interface Field {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

const ROOM = 2000;

/** `field` is where packets lie: the same for every packet, or another each time. */
export function describeSrtpSession(
  name: string,
  create: typeof createSrtpSession,
  field: () => Field = () => ({ bytes: Buffer.alloc(ROOM + 48), offset: 5 }),
): void {
  describe(`SRTP session, ${name}`, () => {
    const world = new World(create, field);
    afterEach(() => world.close());
    for (const profile of SRTP_PROFILES) describeProfile(world, profile);

    test('packets are those of libsrtp, for the master key of RFC 3711 appendix B.3', () => {
      const key = Buffer.from('e1f97a0d3e018be0d64fa32c06de4139', 'hex');
      const salt = Buffer.from('0ec675ad498afeebb6960b3aabe6', 'hex');
      const keys = { localKey: key, localSalt: salt, remoteKey: key, remoteSalt: salt };
      const session = world.open(SRTP_AES128_CM_HMAC_SHA1_80, keys);
      const body = 'ab'.repeat(16);
      const packet = Buffer.from(`800f1234decafbadcafebabe${body}`, 'hex');
      const secret = '800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb';
      assert.equal(world.sealed(session, 'protectRtp', packet).toString('hex'), secret);
      assert.deepEqual(world.run(session, 'unprotectRtp', Buffer.from(secret, 'hex')), packet);
      const feedback = Buffer.from(`81c8000bcafebabe${body}`, 'hex');
      // Its counter begins at 1, ours at 0.
      world.sealed(session, 'protectRtcp', report());
      const secretFeedback = '81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798';
      assert.equal(world.sealed(session, 'protectRtcp', feedback).toString('hex'), secretFeedback);
      assert.deepEqual(world.run(session, 'unprotectRtcp', Buffer.from(secretFeedback, 'hex')), feedback);
    });

    test('more outgoing SSRCs than there is state for are refused, the known ones go on', () => {
      const { alice } = world.pair(SRTP_PROFILES[0]);
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
  });
}

function describeProfile(world: World, profile: SrtpProfile): void {
  describe(`profile ${profile}`, () => {
    test('a packet comes back as it was, and its payload was hidden', () => {
      const { alice, bob } = world.pair(profile);
      for (const packet of [rtp(1), rtpWithExtension(2), rtp(3, 1, Buffer.alloc(0))]) {
        const secret = world.sealed(alice, 'protectRtp', packet);
        assert.equal(secret.includes('some payload'), false);
        assert.deepEqual(world.run(bob, 'unprotectRtp', secret), packet);
      }
      const secret = world.sealed(alice, 'protectRtcp', report());
      assert.notDeepEqual(secret.subarray(8, 28), report().subarray(8));
      assert.deepEqual(world.run(bob, 'unprotectRtcp', secret), report());
    });

    test('a retransmission leaves as the packet did the first time, a new packet under its own index', () => {
      const { alice, bob } = world.pair(profile);
      const first = world.sealed(alice, 'protectRtp', rtp(1));
      world.sealed(alice, 'protectRtp', rtp(2));
      assert.equal(world.run(alice, 'protectRtp', rtp(1)), SRTP_REPLAYED);
      assert.deepEqual(world.sealed(alice, 'protectRtpAgain', rtp(1)), first);
      assert.deepEqual(world.run(bob, 'unprotectRtp', first), rtp(1));
      assert.deepEqual(world.run(bob, 'unprotectRtp', world.sealed(alice, 'protectRtpAgain', rtp(3))), rtp(3));
      assert.equal(world.run(alice, 'protectRtp', rtp(3)), SRTP_REPLAYED, 'it counts as sent');
    });

    test('a packet is believed once', () => {
      const { alice, bob } = world.pair(profile);
      const media = world.sealed(alice, 'protectRtp', rtp(7));
      const feedback = world.sealed(alice, 'protectRtcp', report());
      world.run(bob, 'unprotectRtp', media);
      world.run(bob, 'unprotectRtcp', feedback);
      assert.equal(world.run(bob, 'unprotectRtp', media), SRTP_REPLAYED);
      assert.equal(world.run(bob, 'unprotectRtcp', feedback), SRTP_REPLAYED);
    });

    test('an index is protected once: a second time would reuse its nonce', () => {
      const { alice } = world.pair(profile);
      world.sealed(alice, 'protectRtp', rtp(7));
      world.sealed(alice, 'protectRtp', rtp(9));
      world.sealed(alice, 'protectRtp', rtp(8));
      assert.equal(world.run(alice, 'protectRtp', rtp(8)), SRTP_REPLAYED);
    });

    test('one direction does not open the other', () => {
      const { alice } = world.pair(profile);
      assert.equal(world.run(alice, 'unprotectRtp', world.sealed(alice, 'protectRtp', rtp(1))), SRTP_UNAUTHENTIC);
      assert.equal(world.run(alice, 'unprotectRtcp', world.sealed(alice, 'protectRtcp', report())), SRTP_UNAUTHENTIC);
    });

    test('the rollover counter follows the sender through wraps, losses and reordering', () => {
      const { alice, bob } = world.pair(profile);
      // Steps of 250 in fours: the third is lost, the rest come last first. Four times around.
      for (let sequence = 30_000; sequence < 30_000 + 4 * 0x10000; sequence += 1000) {
        const four = [0, 250, 500, 750].map(step => world.sealed(alice, 'protectRtp', rtp(sequence + step)));
        for (const index of [3, 1, 0]) {
          assert.deepEqual(world.run(bob, 'unprotectRtp', four[index]), rtp(sequence + index * 250), `at ${sequence}`);
        }
      }
    });

    test('a packet older than the window is refused, wherever the wrap is', () => {
      const { alice, bob } = world.pair(profile);
      world.run(bob, 'unprotectRtp', world.sealed(alice, 'protectRtp', rtp(64_500)));
      const old = world.sealed(alice, 'protectRtp', rtp(65_000));
      world.run(bob, 'unprotectRtp', world.sealed(alice, 'protectRtp', rtp(65_000 + 2000)));
      assert.equal(world.run(bob, 'unprotectRtp', old), SRTP_REPLAYED);
    });

    test('an RTCP packet that is not encrypted is refused, even a well-signed one', () => {
      const { alice, bob } = world.pair(profile);
      const secret = world.sealed(alice, 'protectRtcp', report());
      const indexAt = secret.length - (secret.length - 28 === 14 ? 14 : 4);
      secret[indexAt] &= 0x7f;
      assert.equal(world.run(bob, 'unprotectRtcp', secret), SRTP_UNENCRYPTED);
    });

    test('every flipped bit is refused and leaves the session as it was', () => {
      fc.assert(
        fc.property(fc.nat(255), fc.integer({ min: 0, max: 7 }), fc.boolean(), (position, bit, isMedia) => {
          const { alice, bob } = world.pair(profile);
          const packet = isMedia ? rtpWithExtension(50) : report();
          const secret = world.sealed(alice, isMedia ? 'protectRtp' : 'protectRtcp', packet);
          const open = isMedia ? 'unprotectRtp' : 'unprotectRtcp';
          const forged = Buffer.from(secret);
          forged[position % forged.length] ^= 1 << bit;
          assert.equal(typeof world.run(bob, open, forged), 'number');
          assert.deepEqual(world.run(bob, open, secret), packet, 'the genuine one is still welcome');
        }),
        { numRuns: 300 },
      );
    });

    test('truncated and random bytes are refused without a throw', () => {
      const { alice, bob } = world.pair(profile);
      const media = world.sealed(alice, 'protectRtp', rtpWithExtension(50));
      const feedback = world.sealed(alice, 'protectRtcp', report());
      for (let length = 0; length < media.length; length++) {
        assert.equal(typeof world.run(bob, 'unprotectRtp', media.subarray(0, length)), 'number');
      }
      for (let length = 0; length < feedback.length; length++) {
        assert.equal(typeof world.run(bob, 'unprotectRtcp', feedback.subarray(0, length)), 'number');
      }
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 120 }), bytes => {
          assert.equal(typeof world.run(bob, 'unprotectRtp', bytes), 'number');
          assert.equal(typeof world.run(bob, 'unprotectRtcp', bytes), 'number');
          bytes[0] = 0x90;
          assert.equal(typeof world.run(bob, 'unprotectRtp', bytes), 'number');
        }),
      );
    });

    test('what is not RTP is not protected', () => {
      const { alice } = world.pair(profile);
      assert.equal(world.run(alice, 'protectRtp', rtp(1).subarray(0, 11)), SRTP_MALFORMED);
      assert.equal(world.run(alice, 'protectRtcp', report().subarray(0, 7)), SRTP_MALFORMED);
      const overlong = rtpWithExtension(1);
      overlong[23] = 200;
      assert.equal(world.run(alice, 'protectRtp', overlong), SRTP_MALFORMED);
    });

    test('a flood of SSRCs evicts the idlest stream, and the busy one keeps its state', () => {
      const { alice, bob } = world.pair(profile);
      const first = world.sealed(alice, 'protectRtp', rtp(1, 1));
      world.run(bob, 'unprotectRtp', first);
      for (let ssrc = 2; ssrc < INCOMING_SSRCS_MAX + 10; ssrc++) {
        world.run(bob, 'unprotectRtp', world.sealed(alice, 'protectRtp', rtp(1, ssrc)));
        if (ssrc === INCOMING_SSRCS_MAX) world.run(bob, 'unprotectRtp', world.sealed(alice, 'protectRtp', rtp(2, 1)));
      }
      assert.equal(world.run(bob, 'unprotectRtp', first), SRTP_REPLAYED);
    });

    test('a header with a long extension stays in the clear and is authenticated', () => {
      const { alice, bob } = world.pair(profile);
      const extension = Buffer.alloc(4 + 240 * 4, 0x10);
      extension.writeUInt32BE(0xbede_00f0);
      const packet = Buffer.concat([rtp(1).subarray(0, 12), extension, Buffer.from('some payload')]);
      packet[0] = 0x90;
      const secret = world.sealed(alice, 'protectRtp', packet);
      assert.deepEqual(secret.subarray(0, 12 + extension.length), packet.subarray(0, 12 + extension.length));
      const forged = Buffer.from(secret);
      forged[900] ^= 1;
      assert.equal(world.run(bob, 'unprotectRtp', forged), SRTP_UNAUTHENTIC);
      assert.deepEqual(world.run(bob, 'unprotectRtp', secret), packet);
    });

    test('packets of every length up to that of a large datagram come back', () => {
      const { alice, bob } = world.pair(profile);
      for (let length = 0; length <= 1500; length += length < 80 ? 1 : 71) {
        const packet = rtp(length, 1, Buffer.alloc(length, 'x'));
        assert.deepEqual(world.run(bob, 'unprotectRtp', world.sealed(alice, 'protectRtp', packet)), packet);
        const feedback = Buffer.concat([report(), Buffer.alloc(length, 9)]);
        assert.deepEqual(world.run(bob, 'unprotectRtcp', world.sealed(alice, 'protectRtcp', feedback)), feedback);
      }
    });

    test('sessions at work at the same time do not mix their keys', () => {
      const [one, other] = [world.pair(profile), world.pair(profile, 0x40)];
      for (let sequence = 0; sequence < 20; sequence++) {
        const secret = world.sealed(one.alice, 'protectRtp', rtp(sequence));
        const otherSecret = world.sealed(other.alice, 'protectRtp', rtp(sequence));
        assert.equal(world.run(other.bob, 'unprotectRtp', secret), SRTP_UNAUTHENTIC);
        assert.deepEqual(world.run(one.bob, 'unprotectRtp', secret), rtp(sequence));
        assert.deepEqual(world.run(other.bob, 'unprotectRtp', otherSecret), rtp(sequence));
      }
    });

    test('a closed session refuses to work, and others go on', () => {
      const { alice, bob } = world.pair(profile);
      const secret = world.sealed(alice, 'protectRtp', rtp(1));
      const later = world.sealed(alice, 'protectRtp', rtp(2));
      const feedback = world.sealed(alice, 'protectRtcp', report());
      alice.close();
      alice.close();
      const refuses = (session: SrtpSession, operation: Operation, packet: Buffer) => {
        const { bytes, offset } = world.field();
        bytes.set(packet, offset);
        assert.throws(() => {
          if (session[operation](bytes, offset, packet.length) < 0)
            throw new Error('not with keys that have been wiped');
        }, /wiped/);
        assert.deepEqual(Buffer.from(bytes.subarray(offset, offset + packet.length)), packet);
      };
      refuses(alice, 'protectRtp', rtp(3));
      refuses(alice, 'protectRtpAgain', rtp(1));
      refuses(alice, 'protectRtcp', report());
      assert.deepEqual(world.run(bob, 'unprotectRtp', secret), rtp(1));
      bob.close();
      refuses(bob, 'unprotectRtp', later);
      refuses(bob, 'unprotectRtcp', feedback);
    });

    test('keys of a wrong length are refused', () => {
      const good = { localKey: Buffer.alloc(16), remoteKey: Buffer.alloc(16) };
      const salts = {
        localSalt: Buffer.alloc(masterSaltBytes(profile)),
        remoteSalt: Buffer.alloc(masterSaltBytes(profile)),
      };
      for (const bad of [{ localKey: Buffer.alloc(15) }, { remoteKey: Buffer.alloc(17) }])
        assert.throws(() => world.create(profile, { ...good, ...salts, ...bad }), RangeError);
    });
  });
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

/** The sessions of a test, and where their packets lie. */
class World {
  readonly create: typeof createSrtpSession;
  readonly field: () => Field;
  readonly #sessions: SrtpSession[] = [];

  constructor(create: typeof createSrtpSession, field: () => Field) {
    this.create = create;
    this.field = field;
  }

  /** A session that is closed when the test ends. */
  open(...options: Parameters<typeof createSrtpSession>): SrtpSession {
    const session = this.create(...options);
    this.#sessions.push(session);
    return session;
  }

  /** Two ends; another `seed` gives other keys. */
  pair(profile: SrtpProfile, seed = 0xa1): { alice: SrtpSession; bob: SrtpSession } {
    const end = (fill: number) => ({
      key: Buffer.alloc(16, fill),
      salt: Buffer.alloc(masterSaltBytes(profile), fill + 1),
    });
    const session = (local: ReturnType<typeof end>, remote: ReturnType<typeof end>) =>
      this.open(profile, {
        localKey: local.key,
        localSalt: local.salt,
        remoteKey: remote.key,
        remoteSalt: remote.salt,
      });
    const [a, b] = [end(seed), end(seed + 16)];
    return { alice: session(a, b), bob: session(b, a) };
  }

  /** Runs an operation in a field as an arena has it; gives the packet, or the negative code. */
  run(session: SrtpSession, operation: Operation, packet: Uint8Array): Buffer | number {
    const { bytes, offset } = this.field();
    const field = Buffer.from(bytes.buffer, bytes.byteOffset + offset - 1, ROOM + 1).fill(0xee);
    field.set(packet, 1);
    const length = session[operation](bytes, offset, packet.length);
    assert.equal(field[0], 0xee, 'nothing is written before the packet');
    if (length < 0) {
      assert.deepEqual(field.subarray(1, 1 + packet.length), Buffer.from(packet), 'a refused packet stays as it was');
      return length;
    }
    assert.ok(field.subarray(1 + Math.max(length, packet.length)).every(byte => byte === 0xee));
    return Buffer.from(field.subarray(1, 1 + length));
  }

  sealed(session: SrtpSession, operation: Operation, packet: Uint8Array): Buffer {
    const result = this.run(session, operation, packet);
    assert.ok(typeof result !== 'number', `refused with ${result}`);
    return result;
  }

  close(): void {
    for (const session of this.#sessions.splice(0)) session.close();
  }
}
