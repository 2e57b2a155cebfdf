import type { SourceSpec } from '../protocol/control/spec.ts';
import type { RtpPacket } from '../protocol/rtp/packet.ts';
import { CodecTable } from './codec-table.ts';
import { StreamReceiver } from './receive/stream-receiver.ts';
import type { Layer, Source } from './source.ts';

/** Most SSRCs one endpoint may send: 64 sources of one or three layers, each with its RTX, is more than any client has. */
const STREAMS_MAX = 128;

/** One SSRC that an endpoint sends. An RTX stream (RFC 4588) points at the stream it repairs. */
export interface Stream {
  readonly ssrc: number;
  readonly layer: Layer;
  readonly receiver: StreamReceiver;
  readonly isRtx: boolean;
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
  readonly #bySsrc = new Map<number, Stream>();
  readonly #sources: ReadonlyMap<number, KnownSource>;

  constructor(sources: ReadonlyMap<number, KnownSource>) {
    this.#sources = sources;
  }

  find(ssrc: number): Stream | undefined {
    return this.#bySsrc.get(ssrc);
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
    const layer = this.#layerDeclared(packet.ssrc, isRtx) ?? this.#layerNamed(packet, table, isRtx);
    if (layer === undefined) return undefined;
    for (const stream of this.#bySsrc.values()) {
      if (stream.layer === layer && stream.isRtx === isRtx) this.#bySsrc.delete(stream.ssrc);
    }
    if (this.#bySsrc.size >= STREAMS_MAX) return undefined;
    const hasNack = layer.source.kind === 'video' && !isRtx;
    const stream: Stream = {
      ssrc: packet.ssrc,
      layer,
      receiver: new StreamReceiver({ ssrc: packet.ssrc, clockRateHz: layer.clockRateHz, hasNack }),
      isRtx,
    };
    if (!isRtx) layer.restart(packet.ssrc);
    this.#bySsrc.set(packet.ssrc, stream);
    return stream;
  }

  /** Forgets the streams of a source that has ended. */
  removeSource(source: Source): void {
    for (const stream of this.#bySsrc.values()) {
      if (stream.layer.source === source) this.#bySsrc.delete(stream.ssrc);
    }
  }

  #layerDeclared(ssrc: number, isRtx: boolean): Layer | undefined {
    for (const { source, spec } of this.#sources.values()) {
      const index = (isRtx ? spec.rtxSsrcs : spec.ssrcs).indexOf(ssrc);
      if (index >= 0) return source.layers[index];
    }
    return undefined;
  }

  #layerNamed(packet: RtpPacket, table: CodecTable, isRtx: boolean): Layer | undefined {
    const mid = textExtension(packet, table.mid);
    if (mid === undefined) return undefined;
    for (const { source, spec } of this.#sources.values()) {
      if (spec.mid !== mid) continue;
      if (spec.rids.length === 0) return source.layers[0];
      const rid = textExtension(packet, isRtx ? table.repairedRid : table.rid);
      return rid === undefined ? undefined : source.layers[spec.rids.indexOf(rid)];
    }
    return undefined;
  }
}

function textExtension(packet: RtpPacket, id: number): string | undefined {
  if (!packet.findExtension(id)) return undefined;
  const start = packet.elementOffset;
  return String.fromCharCode(...packet.bytes.subarray(start, start + packet.elementLength));
}
