/**
 * LiveKit's DataPacket as a bridge handles it: the sender's name is stamped by the bridge that received it (a client's own claim is never
 * believed), and the destinations are read from it. The rest of the packet is nobody's business but its receivers'.
 */
import { DataPacket, DataPacket_Kind } from '@livekit/protocol';
import { DecodeError } from '../errors.ts';

/** Largest DataPacket a bridge takes, in bytes: what LiveKit's SDKs send at most (15 kB chunks, 64 KiB whole) with room for the stamp. */
export const DATA_PACKET_BYTES_MAX = 72 * 1024;

/** With the stamp: two names of up to 1024 characters, twice, and the destinations once more where they are given in the older place. */
export const STAMPED_PACKET_BYTES_MAX = 2 * DATA_PACKET_BYTES_MAX + 16 * 1024;

/** Who sends, as opaque text. */
export interface Sender {
  readonly identity: string;
  readonly sid: string;
}

export interface StampedPacket {
  readonly bytes: Uint8Array;
  /** Identities it is meant for; empty: everybody else in the conference. */
  readonly destinations: readonly string[];
  /** LiveKit's number of a reliable packet, 0 when it has none. */
  readonly sequence: number;
}

/**
 * Decodes what a client sent, replaces the sender by `sender`, and encodes it again. Undefined for packets that are for the server or that only a server
 * sends (metrics, speaker updates). Throws DecodeError when it is not a DataPacket or too large.
 */
export function stampDataPacket(bytes: Uint8Array, isReliable: boolean, sender: Sender): StampedPacket | undefined {
  const packet = decode(bytes, DATA_PACKET_BYTES_MAX);
  packet.kind = isReliable ? DataPacket_Kind.RELIABLE : DataPacket_Kind.LOSSY;
  packet.participantIdentity = sender.identity;
  packet.participantSid = sender.sid;
  switch (packet.value.case) {
    case undefined:
    case 'speaker':
    case 'metrics':
      return undefined;
    case 'user': {
      const user = packet.value.value;
      user.participantIdentity = sender.identity;
      user.participantSid = sender.sid;
      if (packet.destinationIdentities.length > 0) user.destinationIdentities = packet.destinationIdentities;
      else packet.destinationIdentities = user.destinationIdentities;
    }
  }
  return { bytes: packet.toBinary(), destinations: packet.destinationIdentities, sequence: packet.sequence };
}

/** What a bridge has stamped on a packet: who sent it, its number (0 when it has none), and whom it is for. Throws DecodeError. */
export function readStamp(bytes: Uint8Array): {
  readonly sid: string;
  readonly sequence: number;
  readonly destinations: readonly string[];
} {
  const {
    participantSid: sid,
    sequence,
    destinationIdentities: destinations,
  } = decode(bytes, STAMPED_PACKET_BYTES_MAX);
  return { sid, sequence, destinations };
}

function decode(bytes: Uint8Array, bytesMax: number): DataPacket {
  if (bytes.length > bytesMax) throw new DecodeError('data-packet-size');
  try {
    return DataPacket.fromBinary(bytes);
  } catch {
    throw new DecodeError('data-packet');
  }
}
