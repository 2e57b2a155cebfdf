/**
 * Cost of `Projection.project()`, per packet and subscriber, for audio and VP8, beside a bare copy of as many bytes in the same run: the ratio is
 * what compares between machines. Run: `npm run bench -- projection`.
 */
import { fileURLToPath } from 'node:url';
import { SLOT_BYTES } from '../../bridge/arena.ts';
import { copyBytes } from '../../bridge/forward/copy-bytes.ts';
import { PacketHistory } from '../../bridge/forward/packet-history.ts';
import { Projection } from '../../bridge/forward/projection.ts';
import { subscriberFormat } from '../../bridge/forward/subscriber-format.ts';
import { MediaPacket } from '../../bridge/media-packet.ts';
import { writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';
import { describePayload } from '../../protocol/rtp/payload.ts';
import { EXT_AUDIO_LEVEL, EXT_ID_AUDIO_LEVEL, PT_OPUS, PT_VP8 } from '../../protocol/rtp/table.ts';
import { EXTENDED_START } from '../../protocol/sequence.ts';

const SUBSCRIBERS = 100;
const PACKETS = 20_000;
const OUT_SLOTS = 64;

const FORMAT = subscriberFormat(
  [
    { codec: 'opus', payloadType: 111, rtxPayloadType: null },
    { codec: 'vp8', payloadType: 96, rtxPayloadType: 97 },
  ],
  [{ id: 1, uri: EXT_AUDIO_LEVEL }],
);

interface Case {
  name: string;
  kind: 'audio' | 'video';
  bytes: Uint8Array;
  /** Writes what differs between packets. */
  stamp(bytes: Uint8Array, offset: number, index: number): void;
}

export interface ProjectionCost {
  name: string;
  projectNs: number;
  copyNs: number;
  /** projectNs / copyNs: what compares between machines. */
  ratio: number;
  /** Heap bytes per project(), which should be none. */
  heapBytes: number;
}

/** Runs every case once, after a warm-up of the same length. */
export function measureProjection(): ProjectionCost[] {
  return [audioCase(), vp8Case()].map(measure);
}

function measure(media: Case): ProjectionCost {
  const history = new PacketHistory(media.kind);
  const layers = [{ history, senderReport: undefined, isFlowing: () => true, isWithheld: false }];
  const out = Buffer.alloc(SLOT_BYTES * OUT_SLOTS);
  const packet = new MediaPacket();
  const projections = Array.from({ length: SUBSCRIBERS }, (_, index) => {
    const projection = new Projection({
      kind: media.kind,
      ssrc: index + 1,
      rtxSsrc: null,
      mid: '0',
      format: FORMAT,
      randomUint32: () => index,
    });
    projection.configure({ enabled: true, layerMax: 0, temporalMax: 3 });
    projection.chooseLayer(0, layers);
    return projection;
  });
  let projectNs = 0;
  let copyNs = 0;
  let heapBytes = 0;
  let slot = 0;
  for (let index = 0; index < PACKETS; index++) {
    const isWarm = index >= PACKETS / 2;
    const sequence = EXTENDED_START + index;
    const offset = history.offsetFor(sequence);
    history.bytes.set(media.bytes, offset);
    media.stamp(history.bytes, offset, index);
    history.commit(sequence, media.bytes.length, index);
    packet.rtp.decode(history.bytes, offset, media.bytes.length);
    packet.sequence = sequence;
    packet.arrivedMs = index;
    const { payloadType, payloadOffset, payloadLength } = packet.rtp;
    describePayload(payloadType, history.bytes, payloadOffset, payloadLength, packet);

    const heapBefore = process.memoryUsage().heapUsed;
    const started = process.hrtime.bigint();
    for (let i = 0; i < SUBSCRIBERS; i++) {
      const length = projections[i].project(packet, layers, out, slot * SLOT_BYTES);
      if (length === 0) throw new Error('the packet was not forwarded');
      slot = (slot + 1) % OUT_SLOTS;
    }
    const projected = process.hrtime.bigint();
    const heapAfter = process.memoryUsage().heapUsed;
    const copyStarted = process.hrtime.bigint();
    for (let i = 0; i < SUBSCRIBERS; i++) {
      copyBytes(history.bytes, offset, out, slot * SLOT_BYTES, media.bytes.length);
      slot = (slot + 1) % OUT_SLOTS;
    }
    const copied = process.hrtime.bigint();
    if (!isWarm) continue;
    projectNs += Number(projected - started);
    copyNs += Number(copied - copyStarted);
    if (heapAfter > heapBefore) heapBytes += heapAfter - heapBefore;
  }
  const calls = (PACKETS / 2) * SUBSCRIBERS;
  return {
    name: media.name,
    projectNs: projectNs / calls,
    copyNs: copyNs / calls,
    ratio: projectNs / copyNs,
    heapBytes: heapBytes / calls,
  };
}

function audioCase(): Case {
  const bytes = new Uint8Array(20 + 120);
  bytes.set([0x90, PT_OPUS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, EXT_ID_AUDIO_LEVEL << 4, 0xaa, 0, 0]);
  return {
    name: 'Opus, 120 bytes with audio level',
    kind: 'audio',
    bytes,
    stamp(to, offset, index) {
      writeUint16(to, offset + 2, index & 0xffff);
      writeUint32(to, offset + 4, (index * 960) >>> 0);
    },
  };
}

function vp8Case(): Case {
  const bytes = new Uint8Array(1100);
  bytes.set([0x80, 0x80 | PT_VP8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x90, 0xf0, 0x80, 0, 0, 0x20, 0]);
  return {
    name: 'VP8, 1088 bytes',
    kind: 'video',
    bytes,
    stamp(to, offset, index) {
      writeUint16(to, offset + 2, index & 0xffff);
      writeUint32(to, offset + 4, (index * 3000) >>> 0);
      writeUint16(to, offset + 14, 0x8000 | (index & 0x7fff));
      to[offset + 16] = index & 0xff;
      to[offset + 18] = index === 0 ? 0 : 1;
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { name, projectNs, copyNs, ratio, heapBytes } of measureProjection()) {
    process.stdout.write(
      `${name}: project ${projectNs.toFixed(0)} ns, copy alone ${copyNs.toFixed(0)} ns, ratio ${ratio.toFixed(2)}, heap ${heapBytes.toFixed(2)} B/call\n`,
    );
  }
}
