import assert from 'node:assert/strict';
import { after, suite } from 'node:test';
import { describeFrameCiphers } from '../../../protocol/octo/frame-ciphers.contract.ts';
import { SLOT_BYTES } from '../../arena.ts';
import { fastDatapath } from '../datapath.ts';
import { sharedEvp } from './evp.ts';
import { NOT_HERE } from './native.platform.ts';
import { NativeSlots } from './native-slots.ts';

suite('native Octo frames', { skip: NOT_HERE }, () => {
  if (NOT_HERE !== false) return;
  const { frameCiphers } = fastDatapath('for a test');
  const slots = new NativeSlots(2);
  const contextsBefore = sharedEvp().contextsInUse;
  after(() => {
    slots.close();
    assert.equal(sharedEvp().contextsInUse, contextsBefore, 'closed ciphers leave no context');
  });
  describeFrameCiphers('native, outside of slots', frameCiphers);
  describeFrameCiphers('native, in a slot', frameCiphers, () => ({ bytes: slots.bytes, offset: SLOT_BYTES }));
});
