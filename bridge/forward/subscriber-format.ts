import type { CodecParameters } from '../../protocol/control/spec.ts';
import { CODECS, EXT_AUDIO_LEVEL, EXT_MID, EXT_VIDEO_ORIENTATION } from '../../protocol/rtp/table.ts';

/** How one subscriber numbers what this project numbers by `protocol/rtp/table.ts`. Made once per client description, shared by its projections. */
export interface SubscriberFormat {
  /** By the table's payload type: the client's, or -1 when it cannot decode the codec. */
  readonly payloadTypes: Int16Array;
  /** By the table's payload type: the client's for its retransmission (RFC 4588), or -1. */
  readonly rtxPayloadTypes: Int16Array;
  /** Header extension ids, 1-255; 0 when the client did not ask for it. */
  readonly audioLevelExtensionId: number;
  readonly videoOrientationExtensionId: number;
  readonly midExtensionId: number;
}

/** The format of a client with these tables. Of several rows for one codec or one extension, the first counts. */
export function subscriberFormat(
  codecs: readonly CodecParameters[],
  extensions: readonly { readonly id: number; readonly uri: string }[],
): SubscriberFormat {
  const payloadTypes = new Int16Array(128).fill(-1);
  const rtxPayloadTypes = new Int16Array(128).fill(-1);
  for (const { name, payloadType } of CODECS) {
    const row = codecs.find(codec => codec.codec === name);
    if (row === undefined) continue;
    payloadTypes[payloadType] = row.payloadType;
    rtxPayloadTypes[payloadType] = row.rtxPayloadType ?? -1;
  }
  const idOf = (uri: string) => extensions.find(extension => extension.uri === uri)?.id ?? 0;
  return {
    payloadTypes,
    rtxPayloadTypes,
    audioLevelExtensionId: idOf(EXT_AUDIO_LEVEL),
    videoOrientationExtensionId: idOf(EXT_VIDEO_ORIENTATION),
    midExtensionId: idOf(EXT_MID),
  };
}
