import { readFocusConfig } from '../../focus/config.ts';
import type { PlacementSettings } from '../../focus/placement/choose-bridge.ts';

/** `placement.*` as a focus has it without any configuration. */
export function placementDefaults(): PlacementSettings {
  return readFocusConfig({ env: {}, flags: { development: true } }).placement;
}
