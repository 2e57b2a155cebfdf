/** For tests: a seeded world of loss, reordering, duplicates, pauses, restarts, and a subscriber who changes its mind. */
import { Extender16 } from '../../protocol/sequence.ts';
import { ProjectionBench, type SentVideo } from './projection.fixture.ts';
import { SimulatedLayer, type SimulatedPacket, seededRandom } from './simulated-source.ts';

const FRAME_MS = 33;
const LAYERS = 3;
/** Temporal layers of the frames in turn; TL1 and the first TL2 of a cycle refer to the base layer only. */
const TEMPORAL = [
  { temporalLayer: 0, isLayerSync: false },
  { temporalLayer: 2, isLayerSync: true },
  { temporalLayer: 1, isLayerSync: true },
  { temporalLayer: 2, isLayerSync: false },
];

export interface World {
  readonly seed: number;
  readonly lossRate: number;
  /** Of lost packets, how many come back. */
  readonly recoveryRate: number;
  readonly jitterMs: number;
  readonly duplicateRate: number;
  /** The subscriber asks for what it misses, once a frame. */
  readonly nacks: boolean;
}

const FRAMES = 400;

export interface Result {
  readonly bench: ProjectionBench;
  /** Packets by name (layer, generation, frame, index): what the bridge got while the subscriber wanted it. */
  readonly delivered: Set<string>;
  /** Incoming sequence number of each packet, by its name. */
  readonly sequenceOf: Map<string, number>;
  readonly captureMsOf: Map<string, number>;
}

interface Arrival {
  atMs: number;
  packet: SimulatedPacket;
}

/** Three layers through a network to one subscriber who changes its mind, with pauses and restarts of the source. */
export function run(world: World): Result {
  const random = seededRandom(world.seed);
  const bench = new ProjectionBench('video', LAYERS);
  const { projection } = bench;
  const senders = Array.from({ length: LAYERS }, () => new SimulatedLayer(random));
  const arrivals: Arrival[] = [];
  const delivered = new Set<string>();
  const sequenceOf = new Map<string, number>();
  const captureMsOf = new Map<string, number>();
  let wantsKeyFrame = true;
  let nowMs = 1_000;
  let cycle = 0;
  const settings = { enabled: true, layerMax: 2, temporalMax: 3 };

  for (let frame = 0; frame < FRAMES; frame++) {
    nowMs += FRAME_MS;
    if (frame % 12 === 5) change(random, settings, bench, senders, arrivals);
    if (frame % 90 === 60) {
      deliver(arrivals, Number.POSITIVE_INFINITY, bench, delivered);
      nowMs += 200 + random() * 8_000;
    }
    const isKeyFrame = wantsKeyFrame;
    if (isKeyFrame) cycle = 0;
    for (let layer = 0; layer < LAYERS; layer++) {
      if (!bench.layers[layer].flows) continue;
      const sender = senders[layer];
      const timestamp = (sender.timestampBase + Math.round(nowMs * 90)) >>> 0;
      const packets = 1 + Math.floor(random() * (layer + 2));
      for (const packet of sender.encode({ layer, packets, isKeyFrame, timestamp, ...TEMPORAL[cycle % 4] })) {
        sequenceOf.set(nameOf(packet), packet.sequence);
        captureMsOf.set(nameOf(packet), nowMs);
        send(world, random, nowMs, packet, arrivals);
      }
      bench.layers[layer].senderReport = reportOf(sender, nowMs);
    }
    cycle++;
    wantsKeyFrame = projection.waitingForLayer !== -1;
    deliver(arrivals, nowMs + FRAME_MS, bench, delivered);
    projection.chooseLayer(nowMs, bench.layers);
    if (world.nacks) nackHoles(nowMs, bench);
  }
  deliver(arrivals, Number.POSITIVE_INFINITY, bench, delivered);
  projection.configure({ enabled: true, layerMax: 2, temporalMax: 3 });
  if (world.nacks) nackHoles(nowMs, bench);
  return { bench, delivered, sequenceOf, captureMsOf };
}

/** What a subscriber asks for: numbers missing among the last hundred. */
function nackHoles(nowMs: number, bench: ProjectionBench): void {
  const recent = bench.sent.slice(-200);
  if (recent.length === 0) return;
  const extender = new Extender16();
  const got = new Set(recent.map(packet => extender.extend(packet.sequence)));
  const lowest = Math.max(Math.min(...got), extender.highest - 100);
  for (let sequence = lowest; sequence < extender.highest; sequence++) {
    if (!got.has(sequence)) bench.nack(nowMs, sequence & 0xffff);
  }
}

function change(
  random: () => number,
  settings: { enabled: boolean; layerMax: number; temporalMax: number },
  bench: ProjectionBench,
  senders: SimulatedLayer[],
  arrivals: Arrival[],
): void {
  const dice = random();
  const layer = Math.floor(random() * LAYERS);
  if (dice < 0.3) settings.layerMax = layer;
  else if (dice < 0.5) settings.temporalMax = Math.floor(random() * 3);
  else if (dice < 0.6) settings.enabled = !settings.enabled;
  else if (dice < 0.75) bench.layers[layer].flows = !bench.layers[layer].flows;
  else if (dice < 0.85) {
    const generation = senders[layer].generation + 1;
    senders[layer] = new SimulatedLayer(random);
    senders[layer].generation = generation;
    bench.layers[layer].history.clear();
    for (let i = arrivals.length - 1; i >= 0; i--) if (arrivals[i].packet.layer === layer) arrivals.splice(i, 1);
  }
  bench.projection.configure(settings);
}

function reportOf(sender: SimulatedLayer, nowMs: number) {
  return {
    ntpSeconds: Math.floor(nowMs / 1000),
    ntpFraction: Math.floor(((nowMs % 1000) / 1000) * 0x100000000),
    rtpTimestamp: (sender.timestampBase + Math.round(nowMs * 90)) >>> 0,
    arrivedMs: nowMs + 1,
  };
}

function send(world: World, random: () => number, nowMs: number, packet: SimulatedPacket, arrivals: Arrival[]): void {
  const atMs = nowMs + 1 + random() * world.jitterMs;
  if (random() < world.duplicateRate) arrivals.push({ atMs: atMs + random() * 40, packet });
  if (random() >= world.lossRate) arrivals.push({ atMs, packet });
  else if (random() < world.recoveryRate) arrivals.push({ atMs: atMs + 40 + random() * 80, packet });
}

function deliver(arrivals: Arrival[], untilMs: number, bench: ProjectionBench, delivered: Set<string>): void {
  arrivals.sort((a, b) => a.atMs - b.atMs || a.packet.sequence - b.packet.sequence);
  while (arrivals.length > 0 && arrivals[0].atMs <= untilMs) {
    const { atMs, packet } = arrivals.shift()!;
    bench.receive(atMs, packet);
    if (bench.projection.reason !== 'disabled') delivered.add(nameOf(packet));
  }
}

export function nameOf(packet: { layer: number; generation: number; frame: number; index: number }): string {
  return `${packet.layer}.${packet.generation}.${packet.frame}.${packet.index}`;
}

export function frameOf(video: SentVideo): string {
  return `${video.layer}.${video.generation}.${video.frame}`;
}
