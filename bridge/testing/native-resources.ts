import { sharedEvp } from '../io/native/evp.ts';
import { NativeSlots } from '../io/native/native-slots.ts';
import { TEST_DATAPATH } from './datapath.ts';

/** Keys held by OpenSSL and slots known to native code, in this process: what has been closed must have given them back. Zeros on the portable datapath. */
export function nativeResources(): { readonly contexts: number; readonly slots: number } {
  if (TEST_DATAPATH.name !== 'fast') return { contexts: 0, slots: 0 };
  return { contexts: sharedEvp().contextsInUse, slots: NativeSlots['open'].length };
}
