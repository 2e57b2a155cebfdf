/** What a plan amounts to in packets, before anything is sent: for the choice of a speed, and for the floor, which sends the same. */
import type { BenchPlan } from './cases.ts';
import { FRAME_PACKETS_MAX, type MediaProgram } from './media-program.ts';

/** One published encoding, and to how many it goes. */
export interface PlannedStream {
  readonly program: MediaProgram;
  readonly fanOut: number;
}

export function streamsOf({ endpoints }: BenchPlan): PlannedStream[] {
  const fanOut = new Map<string, number>();
  for (const { subscriptions } of endpoints) {
    for (const { publisher, sourceId, layerMax, isEnabled } of subscriptions) {
      if (!isEnabled) continue;
      const key = `${publisher}/${sourceId}/${layerMax}`;
      fanOut.set(key, (fanOut.get(key) ?? 0) + 1);
    }
  }
  return endpoints.flatMap(({ sources }, publisher) =>
    sources.flatMap(({ sourceId, layers }) =>
      layers.map((program, layer) => ({ program, fanOut: fanOut.get(`${publisher}/${sourceId}/${layer}`) ?? 0 })),
    ),
  );
}

/** Packets a second at the media's own speed, and the mean size of a payload that goes out. */
export function rateOf(streams: readonly PlannedStream[]): { inPps: number; outPps: number; payloadBytes: number } {
  const lengths = new Uint16Array(FRAME_PACKETS_MAX);
  let inPps = 0;
  let outPps = 0;
  let outBytes = 0;
  for (const { program, fanOut } of streams) {
    const { packets, bytes } = meanFrame(program, lengths);
    inPps += packets * program.framesPerSecond;
    outPps += packets * program.framesPerSecond * fanOut;
    outBytes += bytes * program.framesPerSecond * fanOut;
  }
  return { inPps, outPps, payloadBytes: outPps === 0 ? 0 : outBytes / outPps };
}

/** Frames over which a program's mean is taken: all the sizes it has. */
const FRAMES = 256;

function meanFrame(program: MediaProgram, lengths: Uint16Array): { packets: number; bytes: number } {
  let packets = 0;
  let bytes = 0;
  for (let frame = 1; frame <= FRAMES; frame++) {
    const count = program.packetise(frame, false, lengths);
    packets += count;
    for (let index = 0; index < count; index++) bytes += lengths[index];
  }
  return { packets: packets / FRAMES, bytes: bytes / FRAMES };
}
