/**
 * Withheld layers (frame type 13): of what the other bridge wants in one conference, all that this one does not send it now though it has it. State in parts,
 * as in state-part.ts; entries of eight bytes, only for sources of which something is withheld:
 *
 * |                          endpoint ID                          |
 * |     source    | withheld mask |   sent mask   |    reason     |   bit n of a mask: layer n
 */
import { DecodeError } from '../errors.ts';
import { type EndpointId, LAYERS_MAX, type SourceId } from '../ids.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { StateFormat } from './state-part.ts';

/** The path takes less than everything that is wanted. */
export const WITHHELD_FOR_BUDGET = 1;

const MASK_MAX = (1 << LAYERS_MAX) - 1;

/** One source of which something is withheld. The masks have no bit in common. */
export interface Withheld {
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  /** Wanted, and not sent; never 0. */
  readonly withheldMask: number;
  /** Sent, in their place or because they are wanted too; 0 when nothing is. */
  readonly sentMask: number;
  /** 1: budget. Others may come: a receiver treats all alike. */
  readonly reason: number;
}

export const WITHHELD = new StateFormat<Withheld>('octo-withheld', {
  bytes: 8,
  read(bytes, offset) {
    const endpointId = readUint32(bytes, offset) as EndpointId;
    const withheldMask = bytes[offset + 5];
    const sentMask = bytes[offset + 6];
    const isSane = withheldMask !== 0 && withheldMask <= MASK_MAX && sentMask <= MASK_MAX;
    if (endpointId === 0 || !isSane || (withheldMask & sentMask) !== 0) throw new DecodeError('octo-withheld-entry');
    return { endpointId, sourceId: bytes[offset + 4] as SourceId, withheldMask, sentMask, reason: bytes[offset + 7] };
  },
  write(bytes, offset, { endpointId, sourceId, withheldMask, sentMask, reason }) {
    writeUint32(bytes, offset, endpointId);
    bytes[offset + 4] = sourceId;
    bytes[offset + 5] = withheldMask;
    bytes[offset + 6] = sentMask;
    bytes[offset + 7] = reason;
  },
});

export function isSameWithheld(left: Withheld, right: Withheld): boolean {
  return (
    left.endpointId === right.endpointId &&
    left.sourceId === right.sourceId &&
    left.withheldMask === right.withheldMask &&
    left.sentMask === right.sentMask &&
    left.reason === right.reason
  );
}
