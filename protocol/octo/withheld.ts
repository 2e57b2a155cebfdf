/**
 * Withheld layers (frame type 13): of what the other bridge wants in one conference, all that this one does not send it now though it has it. State in parts,
 * as in state-part.ts; entries of seven bytes, only for sources of which something is withheld:
 *
 * |                          endpoint ID                          |
 * |     source    | withheld mask |    reason     |   bit n of the mask: layer n
 */
import { DecodeError } from '../errors.ts';
import { type EndpointId, LAYERS_MAX, type SourceId } from '../ids.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { StateFormat } from './state-part.ts';

/** The path takes less than everything that is wanted. */
export const WITHHELD_FOR_BUDGET = 1;

const MASK_MAX = (1 << LAYERS_MAX) - 1;

/** One source of which something is withheld. */
export interface Withheld {
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  /** Wanted, and not sent; never 0. */
  readonly withheldMask: number;
  /** 1: budget. Others may come: a receiver treats all alike. */
  readonly reason: number;
}

export const WITHHELD = new StateFormat<Withheld>('octo-withheld', {
  bytes: 7,
  read(bytes, offset) {
    const endpointId = readUint32(bytes, offset) as EndpointId;
    const withheldMask = bytes[offset + 5];
    if (endpointId === 0 || withheldMask === 0 || withheldMask > MASK_MAX) throw new DecodeError('octo-withheld-entry');
    return { endpointId, sourceId: bytes[offset + 4] as SourceId, withheldMask, reason: bytes[offset + 6] };
  },
  write(bytes, offset, { endpointId, sourceId, withheldMask, reason }) {
    writeUint32(bytes, offset, endpointId);
    bytes[offset + 4] = sourceId;
    bytes[offset + 5] = withheldMask;
    bytes[offset + 6] = reason;
  },
});

export function isSameWithheld(left: Withheld, right: Withheld): boolean {
  return (
    left.endpointId === right.endpointId &&
    left.sourceId === right.sourceId &&
    left.withheldMask === right.withheldMask &&
    left.reason === right.reason
  );
}
