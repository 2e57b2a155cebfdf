import type { EndpointSpec } from '../protocol/control/spec.ts';
import {
  CODECS,
  EXT_AUDIO_LEVEL,
  EXT_MID,
  EXT_REPAIRED_RID,
  EXT_RID,
  EXT_TRANSPORT_CC,
  EXT_VIDEO_ORIENTATION,
} from '../protocol/rtp/table.ts';

const NONE = 0xff;

/** What a client's payload types and extension ids mean, as the ingress looks them up. The way out is `forward/subscriber-format.ts`. */
export class CodecTable {
  /** Client's payload type to the normalised one; 0xff: not a codec we forward. */
  readonly toNormalised = new Uint8Array(128).fill(NONE);
  /** Client's RTX payload type to the client's payload type it repairs; 0xff: not RTX. */
  readonly repaired = new Uint8Array(128).fill(NONE);
  /** The client's payload type of Opus, as the blocks inside its RED name it; -1 without Opus. */
  opus = -1;
  /** Extension ids of the client, 0: not negotiated. */
  mid = 0;
  rid = 0;
  repairedRid = 0;
  transportCc = 0;
  audioLevel = 0;
  videoOrientation = 0;

  constructor(spec: Pick<EndpointSpec, 'codecs' | 'extensions'>) {
    for (const { codec, payloadType, rtxPayloadType } of spec.codecs) {
      const entry = CODECS.find(({ name }) => name === codec)!;
      this.toNormalised[payloadType] = entry.payloadType;
      if (codec === 'opus' && this.opus < 0) this.opus = payloadType;
      if (rtxPayloadType !== null) this.repaired[rtxPayloadType] = payloadType;
    }
    for (const { id, uri } of spec.extensions) {
      if (uri === EXT_MID) this.mid = id;
      else if (uri === EXT_RID) this.rid = id;
      else if (uri === EXT_REPAIRED_RID) this.repairedRid = id;
      else if (uri === EXT_TRANSPORT_CC) this.transportCc = id;
      else if (uri === EXT_AUDIO_LEVEL) this.audioLevel = id;
      else if (uri === EXT_VIDEO_ORIENTATION) this.videoOrientation = id;
    }
  }

  /** True for a number in a client's table that means a codec or its RTX. */
  static isNone(payloadType: number): boolean {
    return payloadType === NONE;
  }
}
