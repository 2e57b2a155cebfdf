/** What the tests of a bridge in memory say and read: sources, projections, and the packets a client was sent. */
import { DataPacket, UserPacket } from '@livekit/protocol';
import type { ProjectionSpec, SourceSpec } from '../../protocol/control/spec.ts';
import { type EndpointId, formatId } from '../../protocol/ids.ts';
import { RtcpPacket } from '../../protocol/rtcp/packet.ts';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import type { FakeTransport } from './bridge-box.ts';

export const AUDIO: SourceSpec = {
  sourceId: 1,
  kind: 'audio',
  mid: '0',
  rids: [],
  ssrcs: [],
  rtxSsrcs: [],
  muted: false,
};
export const VIDEO: SourceSpec = {
  sourceId: 2,
  kind: 'video',
  mid: '1',
  rids: ['q', 'h', 'f'],
  ssrcs: [],
  rtxSsrcs: [],
  muted: false,
};

export function projection(origin: number, source: SourceSpec, fields: Partial<ProjectionSpec> = {}): ProjectionSpec {
  return {
    origin: formatId(origin as EndpointId),
    sourceId: source.sourceId,
    kind: source.kind,
    mid: '5',
    ssrc: 0x1000 + source.sourceId,
    rtxSsrc: source.kind === 'video' ? 0x2000 + source.sourceId : null,
    enabled: true,
    layerMax: source.kind === 'video' ? 2 : 0,
    temporalMax: 3,
    ...fields,
  };
}

export function rtpOf(datagram: Buffer): RtpPacket {
  const packet = new RtpPacket();
  packet.decode(datagram, 0, datagram.length);
  return packet;
}

export function payloadOf(datagram: Buffer): string {
  const packet = rtpOf(datagram);
  return datagram.subarray(packet.payloadOffset, packet.payloadOffset + packet.payloadLength).toString();
}

/** RTCP packets of one type in all that a client was sent. */
export function rtcpOf(transport: FakeTransport, type: number, count?: number): { mediaSsrc: number; ssrc: number }[] {
  const found: { mediaSsrc: number; ssrc: number }[] = [];
  const packet = new RtcpPacket();
  for (const compound of transport.rtcp) {
    packet.begin(compound, 0, compound.length);
    while (packet.next()) {
      if (packet.type !== type || (count !== undefined && packet.count !== count)) continue;
      found.push({ mediaSsrc: packet.mediaSsrc, ssrc: packet.ssrc });
    }
  }
  return found;
}

export function dataPacket(text: string, destinationIdentities: string[] = []): Uint8Array {
  const value = new UserPacket({ payload: new TextEncoder().encode(text) });
  return new DataPacket({ destinationIdentities, value: { case: 'user', value } }).toBinary();
}

export function textOf(bytes: Uint8Array): string {
  const { value } = DataPacket.fromBinary(bytes);
  return value.case === 'user' ? new TextDecoder().decode(value.value.payload) : '';
}
