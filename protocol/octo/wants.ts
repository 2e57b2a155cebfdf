/**
 * Wants (frame type 4): all that one bridge wants from the other in one conference (the one in the frame header). State in parts, as in state-part.ts;
 * entries of eight bytes, per source how many watch each layer:
 *
 * |                          endpoint ID                          |
 * |     source    |   viewers 0   |   viewers 1   |   viewers 2   |
 */
import { DecodeError } from '../errors.ts';
import { type EndpointId, LAYERS_MAX, type SourceId } from '../ids.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { StateFormat } from './state-part.ts';

/** As a number of viewers: this many or more. */
export const VIEWERS_MAX = 255;

/** One source: by layer, how many at the sender's bridge need it, 0 to {@link VIEWERS_MAX}. 0: it is not wanted. */
export interface Want {
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  readonly viewers: readonly number[];
}

export const WANTS = new StateFormat<Want>('octo-wants', {
  bytes: 5 + LAYERS_MAX,
  read(bytes, offset) {
    const endpointId = readUint32(bytes, offset) as EndpointId;
    const sourceId = bytes[offset + 4] as SourceId;
    const viewers = [bytes[offset + 5], bytes[offset + 6], bytes[offset + 7]];
    const want: Want = { endpointId, sourceId, viewers };
    if (endpointId === 0 || layerMaskOf(want) === 0) throw new DecodeError('octo-wants-entry');
    return want;
  },
  write(bytes, offset, { endpointId, sourceId, viewers }) {
    writeUint32(bytes, offset, endpointId);
    bytes[offset + 4] = sourceId;
    for (let layer = 0; layer < LAYERS_MAX; layer++) bytes[offset + 5 + layer] = Math.min(VIEWERS_MAX, viewers[layer]);
  },
});

/** Bit n: layer n is wanted. */
export function layerMaskOf({ viewers }: Want): number {
  let mask = 0;
  for (let layer = 0; layer < LAYERS_MAX; layer++) if (viewers[layer] > 0) mask |= 1 << layer;
  return mask;
}

/** True when both say the same of the same source. */
export function isSameWant(left: Want, right: Want): boolean {
  return isOfOneSource(left, right) && left.viewers.every((viewers, layer) => viewers === right.viewers[layer]);
}

/** True when both name the same source and the same layers of it, whoever watches. */
export function isSameMask(left: Want, right: Want): boolean {
  return isOfOneSource(left, right) && layerMaskOf(left) === layerMaskOf(right);
}

function isOfOneSource(left: Want, right: Want): boolean {
  return left.endpointId === right.endpointId && left.sourceId === right.sourceId;
}
