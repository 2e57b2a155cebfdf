import type { SourceSpec } from '../protocol/control/spec.ts';
import type { RtpPacket } from '../protocol/rtp/packet.ts';
import { CodecTable } from './codec-table.ts';
import type { Endpoint } from './endpoint.ts';
import { MeasuredStream } from './endpoint-quality.ts';
import { StreamReceiver } from './receive/stream-receiver.ts';
import type { Layer, Source } from './source.ts';
import type { TaskDeadline } from './task.ts';

/** A deadline that has passed: due with the next tick. */
const AT_ONCE = 0;

/** Most SSRCs one endpoint may send: 64 sources of one or three layers, each with its RTX, is more than any client has. */
const STREAMS_MAX = 128;

/** One SSRC that an endpoint sends. An RTX stream (RFC 4588) points at the stream it repairs. */
export class Stream {
  readonly ssrc: number;
  readonly layer: Layer;
  readonly receiver: StreamReceiver;
  readonly isRtx: boolean;
  /** The focus said what it is; else its first packets did. */
  readonly isDeclared: boolean;
  readonly measured = new MeasuredStream();
  /** When something that is missing is next asked for. */
  readonly repairsDue: TaskDeadline;

  constructor(endpoint: Endpoint, ssrc: number, layer: Layer, isRtx: boolean, isDeclared: boolean) {
    const hasNack = layer.source.kind === 'video' && !isRtx;
    this.ssrc = ssrc;
    this.layer = layer;
    this.receiver = new StreamReceiver({ ssrc, clockRateHz: layer.clockRateHz, hasNack });
    this.isRtx = isRtx;
    this.isDeclared = isDeclared;
    this.repairsDue = endpoint.conference.wheel.deadline({ kind: 'repairs', endpoint, stream: this });
    this.receiver.alarm = this.repairsDue;
  }
}

/** A source together with what the focus said of it. */
export interface KnownSource {
  readonly source: Source;
  spec: SourceSpec;
}

/**
 * The SSRCs of one endpoint. An unknown SSRC is bound once: by what the offer declared, else by the MID and RID its first packets carry (RFC 8852,
 * RFC 8843 section 9.2). An SSRC that fits no source stays unknown: its packets are dropped.
 */
export class Streams {
  /** By SSRC as a signed number: those need no box of their own for a look-up. */
  readonly #bySsrc = new Map<number, Stream>();
  readonly #endpoint: Endpoint;
  readonly #sources: ReadonlyMap<number, KnownSource>;

  constructor(endpoint: Endpoint, sources: ReadonlyMap<number, KnownSource>) {
    this.#endpoint = endpoint;
    this.#sources = sources;
  }

  find(ssrc: number): Stream | undefined {
    return this.#bySsrc.get(ssrc | 0);
  }

  all(): IterableIterator<Stream> {
    return this.#bySsrc.values();
  }

  /** The media stream (not RTX) that feeds `layer` now. */
  ofLayer(layer: Layer): Stream | undefined {
    for (const stream of this.#bySsrc.values()) if (stream.layer === layer && !stream.isRtx) return stream;
    return undefined;
  }

  /** Binds the SSRC of `packet` to a layer, replacing the stream that fed it before. Undefined when it fits none. */
  bind(packet: RtpPacket, table: CodecTable): Stream | undefined {
    const isRtx = !CodecTable.isNone(table.repaired[packet.payloadType]);
    if (!isRtx && CodecTable.isNone(table.toNormalised[packet.payloadType])) return undefined;
    const declared = this.#layerDeclared(packet.ssrc, isRtx);
    const layer = declared ?? this.#layerNamed(packet, table, isRtx);
    if (layer === undefined) return undefined;
    for (const stream of this.#bySsrc.values()) {
      if (stream.layer === layer && stream.isRtx === isRtx) this.#forget(stream);
    }
    if (this.#bySsrc.size >= STREAMS_MAX) return undefined;
    const stream = new Stream(this.#endpoint, packet.ssrc, layer, isRtx, declared !== undefined);
    if (!isRtx) layer.restart(packet.ssrc);
    this.#bySsrc.set(packet.ssrc | 0, stream);
    if (!stream.isDeclared) this.#endpoint.streamsDue.bringForward(AT_ONCE);
    return stream;
  }

  /** Forgets the streams of a source that has ended. */
  removeSource(source: Source): void {
    for (const stream of this.#bySsrc.values()) {
      if (stream.layer.source === source) this.#forget(stream);
    }
  }

  /** Forgets all: the endpoint has ended. */
  close(): void {
    for (const stream of this.#bySsrc.values()) this.#forget(stream);
  }

  #forget(stream: Stream): void {
    stream.repairsDue.clear();
    this.#endpoint.conference.ended.addStream(stream.receiver);
    this.#bySsrc.delete(stream.ssrc | 0);
  }

  #layerDeclared(ssrc: number, isRtx: boolean): Layer | undefined {
    for (const { source, spec } of this.#sources.values()) {
      const index = (isRtx ? spec.rtxSsrcs : spec.ssrcs).indexOf(ssrc);
      if (index >= 0) return source.layers[index];
      const known = spec.streams?.find(stream => stream.ssrc === ssrc && stream.isRtx === isRtx);
      if (known !== undefined) return source.layers[known.layer];
    }
    return undefined;
  }

  #layerNamed(packet: RtpPacket, table: CodecTable, isRtx: boolean): Layer | undefined {
    if (!packet.findExtension(table.mid)) return undefined;
    for (const { source, spec } of this.#sources.values()) {
      if (!isElement(packet, spec.mid)) continue;
      if (spec.rids.length === 0) return source.layers[0];
      if (!packet.findExtension(isRtx ? table.repairedRid : table.rid)) return undefined;
      return source.layers[spec.rids.findIndex(rid => isElement(packet, rid))];
    }
    return undefined;
  }
}

/** True when the header extension that was found is this text. A client may send any number of SSRCs that fit nothing: none is worth a string. */
function isElement(packet: RtpPacket, text: string): boolean {
  if (packet.elementLength !== text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (packet.bytes[packet.elementOffset + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
