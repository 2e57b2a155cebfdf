import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { createSrtpSession, masterSaltBytes, SRTP_PROFILES } from '../../../protocol/srtp/profiles.ts';
import { describeSrtpSession } from '../../../protocol/srtp/session.contract.ts';
import { describePacketCiphers } from '../../../protocol/srtp/vectors.contract.ts';
import { SLOT_BYTES } from '../../arena.ts';
import { sharedEvp } from './evp.ts';
import { NOT_HERE } from './native.platform.ts';
import { NativeSlots } from './native-slots.ts';
import { createNativeSrtpSession, NativeAesCmCipher, NativeGcmCipher } from './srtp.ts';

suite('native SRTP', { skip: NOT_HERE }, () => {
  if (NOT_HERE !== false) return;
  const contextsBefore = sharedEvp().contextsInUse;
  const slots = new NativeSlots(3);
  after(() => {
    slots.close();
    assert.equal(sharedEvp().contextsInUse, contextsBefore, 'closed sessions leave no context');
  });

  describeSrtpSession('native, outside of slots', createNativeSrtpSession);
  describeSrtpSession('native, in a slot', createNativeSrtpSession, () => ({
    bytes: slots.bytes,
    offset: SLOT_BYTES,
  }));
  describeSrtpSession('native, at an odd place of a slot', createNativeSrtpSession, () => ({
    bytes: slots.bytes,
    offset: SLOT_BYTES + 3,
  }));
  describePacketCiphers('native', {
    gcm: (keys, direction) => new NativeGcmCipher(keys, direction),
    aesCm: keys => new NativeAesCmCipher(keys),
  });

  for (const profile of SRTP_PROFILES) {
    const keys = {
      localKey: Buffer.alloc(16, 1),
      localSalt: Buffer.alloc(masterSaltBytes(profile), 2),
      remoteKey: Buffer.alloc(16, 3),
      remoteSalt: Buffer.alloc(masterSaltBytes(profile), 4),
    };
    const mirrored = {
      localKey: keys.remoteKey,
      localSalt: keys.remoteSalt,
      remoteKey: keys.localKey,
      remoteSalt: keys.localSalt,
    };

    test(`profile ${profile}: a native session and a portable one understand each other`, () => {
      const [native, portable] = [createNativeSrtpSession(profile, keys), createSrtpSession(profile, mirrored)];
      const packet = Buffer.alloc(1200, 7);
      packet.set([0x80, 96, 0, 1]);
      const feedback = Buffer.from(packet);
      feedback[1] = 200;
      for (const [from, to] of [
        [native, portable],
        [portable, native],
      ]) {
        const bytes = Buffer.alloc(SLOT_BYTES);
        packet.copy(bytes);
        assert.equal(to.unprotectRtp(bytes, 0, from.protectRtp(bytes, 0, 1200)), 1200);
        assert.deepEqual(bytes.subarray(0, 1200), packet);
        feedback.copy(bytes);
        assert.equal(to.unprotectRtcp(bytes, 0, from.protectRtcp(bytes, 0, 1200)), 1200);
        assert.deepEqual(bytes.subarray(0, 1200), feedback);
      }
      native.close();
      portable.close();
    });

    test(`profile ${profile}: a closed session frees its contexts once, and one that cannot be made leaves none`, () => {
      const evp = sharedEvp();
      const before = evp.contextsInUse;
      const session = createNativeSrtpSession(profile, keys);
      const other = createNativeSrtpSession(profile, keys);
      const each = (evp.contextsInUse - before) / 2;
      assert.ok(each > 0);
      session.close();
      session.close();
      assert.equal(evp.contextsInUse, before + each, 'those of the other session stay');
      other.close();
      assert.throws(() => createNativeSrtpSession(profile, { ...keys, remoteKey: Buffer.alloc(15) }));
      assert.equal(evp.contextsInUse, before);
    });
  }
});
