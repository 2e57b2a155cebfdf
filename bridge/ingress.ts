/**
 * What comes in, from the socket to the packet histories, read straight down (DESIGN.md section 5). A media packet ends here in normalised form and goes on
 * through `egress.ts`. Nothing here allocates per packet but what node:dgram and node:crypto do; binding a new SSRC does.
 */
import { DTLS, firstByteKind, isRtcp, RTP, STUN } from '../protocol/demux.ts';
import { DecodeError } from '../protocol/errors.ts';
import type { ConferenceId, EndpointId } from '../protocol/ids.ts';
import { NORMALISED_HEADER_BYTES_MAX, normalise } from '../protocol/rtp/normalise.ts';
import { RtpPacket, readUint16 } from '../protocol/rtp/packet.ts';
import { rewriteRedPayloadTypes } from '../protocol/rtp/red.ts';
import { PT_OPUS, PT_RED } from '../protocol/rtp/table.ts';
import { srtpReason } from '../protocol/srtp/outcome.ts';
import type { Conference } from './conference.ts';
import type { BridgeCounters } from './counters.ts';
import type { Egress } from './egress.ts';
import type { Endpoint } from './endpoint.ts';
import { copyBytes } from './forward/copy-bytes.ts';
import { HISTORY_PACKET_BYTES_MAX } from './forward/packet-history.ts';
import type { Peer } from './io/datagram-port.ts';
import { unwrapRtx } from './receive/rtx.ts';
import type { RtcpIngress } from './rtcp-ingress.ts';
import type { Layer, Source } from './source.ts';
import type { Stream } from './streams.ts';

/** Answers STUN on the media port and validates addresses. */
export type StunHandler = (nowMs: number, bytes: Buffer, offset: number, length: number, peer: Peer<Endpoint>) => void;

export interface IngressOptions {
  readonly egress: Egress;
  readonly rtcp: RtcpIngress;
  readonly handleStun: StunHandler;
  readonly conferences: ReadonlyMap<ConferenceId, Conference>;
  readonly counters: BridgeCounters;
  readonly nowMs: () => number;
}

export class Ingress {
  readonly #options: IngressOptions;
  readonly #counters: BridgeCounters;
  /** The packet as it came from the client. */
  readonly #rtp = new RtpPacket();

  constructor(options: IngressOptions) {
    this.#options = options;
    this.#counters = options.counters;
  }

  /** One datagram of the media port. Never throws: what is malformed is dropped and counted by reason. */
  handleDatagram(bytes: Buffer, offset: number, length: number, peer: Peer<Endpoint>): void {
    const nowMs = this.#options.nowMs();
    const kind = firstByteKind(bytes[offset]);
    try {
      if (kind === RTP) this.#handleSrtp(nowMs, bytes, offset, length, peer);
      else if (kind === STUN) this.#options.handleStun(nowMs, bytes, offset, length, peer);
      else if (kind === DTLS) {
        if (peer.owner === undefined) this.#counters.drop('dtls-stranger');
        else peer.owner.transport.handleDtls(nowMs, bytes, offset, length, peer);
      } else this.#counters.drop('unknown-protocol');
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#counters.drop(error.reason);
    }
  }

  #handleSrtp(nowMs: number, bytes: Buffer, offset: number, length: number, peer: Peer<Endpoint>): void {
    const endpoint = peer.owner;
    if (endpoint === undefined) return this.#counters.drop('srtp-stranger');
    if (length < 12) return this.#counters.drop('srtp-short');
    if (isRtcp(bytes, offset)) {
      const plain = endpoint.transport.unprotectRtcp(nowMs, bytes, offset, length);
      if (plain < 0) return this.#counters.drop(srtpReason(plain));
      this.#counters.rtcpIn++;
      this.endBurst();
      this.#options.rtcp.handleCompound(nowMs, endpoint, bytes, offset, plain);
      return;
    }
    const plain = endpoint.transport.unprotectRtp(nowMs, bytes, offset, length);
    if (plain < 0) return this.#counters.drop(srtpReason(plain));
    this.#counters.rtpIn++;
    this.#handleRtp(nowMs, endpoint, bytes, offset, plain);
  }

  #handleRtp(nowMs: number, endpoint: Endpoint, bytes: Buffer, offset: number, length: number): void {
    const rtp = this.#rtp;
    const table = endpoint.table;
    rtp.decode(bytes, offset, length);
    if (table.transportCc !== 0 && rtp.findExtension(table.transportCc) && rtp.elementLength >= 2) {
      endpoint.feedback.handlePacket(nowMs, readUint16(bytes, rtp.elementOffset));
      endpoint.feedbackSsrc = rtp.ssrc;
    }
    const stream = endpoint.streams.find(rtp.ssrc) ?? this.#bind(endpoint);
    if (stream === undefined) return this.#counters.drop('ssrc-unknown');
    if (stream.layer.source.isMuted) {
      if (!stream.isRtx) stream.receiver.skipPacket(nowMs, rtp.sequence, rtp.timestamp, rtp.length);
      return this.#counters.drop('source-muted');
    }
    if (stream.isRtx) this.#handleRtx(nowMs, endpoint, stream);
    else this.#handleMedia(nowMs, endpoint, stream, false);
  }

  #bind(endpoint: Endpoint): Stream | undefined {
    // The layer may begin anew, and forget what has not been forwarded yet.
    this.endBurst();
    return endpoint.streams.bind(this.#rtp, endpoint.table);
  }

  #handleRtx(nowMs: number, endpoint: Endpoint, rtx: Stream): void {
    const rtp = this.#rtp;
    const original = endpoint.streams.ofLayer(rtx.layer);
    if (original === undefined) return this.#counters.drop('rtx-early');
    // Without an original inside it is a probe: feedback has counted it, that is all it is for.
    if (!unwrapRtx(rtp, endpoint.table.repaired[rtp.payloadType], original.ssrc)) return;
    this.#handleMedia(nowMs, endpoint, original, true);
  }

  #handleMedia(nowMs: number, endpoint: Endpoint, stream: Stream, isRecovered: boolean): void {
    const rtp = this.#rtp;
    const layer = stream.layer;
    const payloadType = endpoint.table.toNormalised[rtp.payloadType];
    if (payloadType === 0xff) return this.#counters.drop('payload-type-unknown');
    const { receiver } = stream;
    const extended = isRecovered
      ? receiver.handleRecovered(nowMs, rtp.sequence, rtp.timestamp, rtp.length)
      : receiver.handlePacket(nowMs, rtp.sequence, rtp.timestamp, rtp.length);
    if (extended < 0) return this.#counters.drop(NOT_IN_ORDER[-extended]);
    if (rtp.payloadLength + NORMALISED_HEADER_BYTES_MAX > HISTORY_PACKET_BYTES_MAX)
      return this.#counters.drop('rtp-oversized');
    const slot = layer.history.offsetFor(extended);
    if (slot < 0) return this.#counters.drop('history-old');
    const { audioLevel, videoOrientation } = endpoint.table;
    const { bytes } = layer.history;
    const length = normalise(rtp, payloadType, audioLevel, videoOrientation, bytes, slot);
    if (payloadType === PT_RED && endpoint.table.opus !== PT_OPUS) {
      // The blocks inside name Opus by the client's number.
      rewriteRedPayloadTypes(bytes, slot + length - rtp.payloadLength, rtp.payloadLength, PT_OPUS);
    }
    this.#admit(nowMs, endpoint.conference, layer, extended, slot, length, false);
  }

  /** Forwards what has arrived and waits for more of its frame. After the last datagram of a turn, and before anything that changes who gets what. */
  endBurst(): void {
    this.#options.egress.endBurst();
  }

  /** One normalised packet of another bridge's source, as the link delivers it. Throws DecodeError. */
  handleRelayed(
    nowMs: number,
    conference: Conference,
    endpointId: EndpointId,
    sourceId: number,
    layerIndex: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const source = conference.source(endpointId, sourceId);
    if (source === undefined || source.isLocal) return this.#counters.drop('relayed-unknown');
    const layer = source.layers[layerIndex];
    if (layer === undefined) return this.#counters.drop('relayed-layer');
    if (isRtcp(bytes, offset)) return this.#options.rtcp.handleRelayedReport(nowMs, layer, bytes, offset, length);
    if (length > HISTORY_PACKET_BYTES_MAX) return this.#counters.drop('relayed-oversized');
    const rtp = this.#rtp;
    rtp.decode(bytes, offset, length);
    // Padding belongs to the link.
    bytes[offset] &= ~0x20;
    const ownLength = length - rtp.paddingLength;
    this.#counters.relayedIn++;
    // The layer may begin anew, and forget what has not been forwarded yet.
    if (rtp.ssrc !== layer.ssrc || layer.isInOldRun) this.endBurst();
    const sequence = layer.extend(rtp.ssrc, rtp.sequence);
    const slot = layer.history.offsetFor(sequence);
    if (slot < 0) return this.#counters.drop('history-old');
    copyBytes(bytes, offset, layer.history.bytes, slot, ownLength);
    this.#admit(nowMs, conference, layer, sequence, slot, ownLength, layer.isRepeat);
  }

  /** The packet lies in the history: describe it, count it, let everybody have it. */
  #admit(
    nowMs: number,
    conference: Conference,
    layer: Layer,
    sequence: number,
    slot: number,
    length: number,
    isRepeat: boolean,
  ): void {
    const source: Source = layer.source;
    const packet = this.#options.egress.place(conference.id, source);
    packet.read(layer.history.bytes, slot, length, layer.index, sequence, nowMs);
    packet.isRepeat = isRepeat;
    // Only what its codec's format allows is kept: projections rewrite it later without looking again.
    layer.history.commit(sequence, length, nowMs);
    source.payloadType = packet.rtp.payloadType;
    layer.count(nowMs, length, packet.startsFrame);
    if (packet.audioLevel >= 0) conference.handleAudioLevel(nowMs, source, packet.audioLevel, packet.rtp.timestamp);
    if (packet.startsKeyFrame && source.kind === 'video') {
      layer.handleKeyFrame(nowMs, sequence, packet.rtp.timestamp);
    }
    this.#options.egress.append();
  }
}

/** By the answers of StreamReceiver: -1, -2, -3. */
const NOT_IN_ORDER = ['', 'rtp-duplicate', 'rtp-late', 'rtp-suspect'];
