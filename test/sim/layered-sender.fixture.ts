/** A sender that obeys its link's budget: cameras of three layers and a voice, the highest layers that fit. */
import type { Link } from '../../bridge/relay/link.ts';
import { CLASS_AUDIO, CLASS_VIDEO } from '../../bridge/relay/media-class.ts';
import type { EndpointId, SourceId } from '../../protocol/ids.ts';
import type { Chance } from '../soak/chance.ts';
import { CONFERENCE } from './link-path.fixture.ts';

/** What LiveKit's clients send of a camera at 720p. */
export const LAYERS_BPS = [150_000, 500_000, 1_700_000];
const FRAME_MS = 30;
const AUDIO_MS = 20;
const AUDIO_BYTES = 90;
const PACKET_BYTES = 1_150;
const KEY_FRAME_FACTOR = 4;
const ENDPOINT = 2 as EndpointId;
const HEADROOM = 0.9;
const OVERHEAD = 1.06;

export interface SenderOptions {
  readonly cameras: number;
  readonly layersBps?: readonly number[];
  /** Between two steps up. */
  readonly stepMs?: number;
  /** False: sends everything whatever the budget. */
  readonly isObedient?: boolean;
  /** How much the sizes of frames differ: 0.3 is 30 % up or down. */
  readonly variation?: number;
}

export class LayeredSender {
  /** Layer of each camera, -1 for none. */
  readonly layers: number[];
  stepsDown = 0;
  stepsUp = 0;
  readonly #link: Link;
  readonly #chance: Chance;
  readonly #options: Required<SenderOptions>;
  readonly #keyFrameDue: boolean[];
  readonly #packet = Buffer.alloc(1_300);
  #steppedMs = Number.NEGATIVE_INFINITY;
  #ticks = 0;

  constructor(link: Link, chance: Chance, options: SenderOptions) {
    this.#link = link;
    this.#chance = chance;
    this.#options = { layersBps: LAYERS_BPS, stepMs: 1_000, isObedient: true, variation: 0.3, ...options };
    this.layers = Array.from({ length: options.cameras }, () => this.#top);
    this.#keyFrameDue = this.layers.map(() => true);
    this.#packet[0] = 0x80;
  }

  get #top(): number {
    return this.#options.layersBps.length - 1;
  }

  /** What all would take. */
  get demandBps(): number {
    return this.layers.length * this.#options.layersBps[this.#top] * OVERHEAD;
  }

  get sumBps(): number {
    return this.layers.reduce((sum, layer) => sum + (this.#options.layersBps[layer] ?? 0) * OVERHEAD, 0);
  }

  get isWhole(): boolean {
    return this.layers.every(layer => layer === this.#top);
  }

  /** Every 10 ms. */
  step(nowMs: number): void {
    if (this.#options.isObedient) this.#obey(nowMs);
    this.#ticks++;
    if (this.#ticks % (AUDIO_MS / 10) === 0) this.#send(nowMs, 0, 0, CLASS_AUDIO, AUDIO_BYTES);
    for (const [camera, layer] of this.layers.entries()) {
      // Cameras are not in step.
      if ((this.#ticks + camera) % (FRAME_MS / 10) === 0 && layer >= 0) this.#sendFrame(nowMs, camera, layer);
    }
  }

  #obey(nowMs: number): void {
    const budgetBps = this.#link.sendBudgetBps;
    while (this.sumBps > budgetBps && this.layers.some(layer => layer >= 0)) {
      const highest = Math.max(...this.layers);
      this.#setLayer(this.layers.lastIndexOf(highest), highest - 1);
      this.stepsDown++;
      this.#steppedMs = nowMs;
    }
    const lowest = Math.min(...this.layers);
    const camera = this.layers.indexOf(lowest);
    const added = (this.#options.layersBps[lowest + 1] - (this.#options.layersBps[lowest] ?? 0)) * OVERHEAD;
    if (
      nowMs - this.#steppedMs >= this.#options.stepMs &&
      lowest < this.#top &&
      this.sumBps + added <= HEADROOM * budgetBps
    ) {
      this.#setLayer(camera, lowest + 1);
      this.stepsUp++;
      this.#steppedMs = nowMs;
    }
    this.#link.demandBps = this.isWhole ? 0 : this.demandBps;
  }

  #setLayer(camera: number, layer: number): void {
    this.layers[camera] = layer;
    this.#keyFrameDue[camera] = true;
  }

  #sendFrame(nowMs: number, camera: number, layer: number): void {
    const { layersBps, variation } = this.#options;
    const factor = this.#keyFrameDue[camera] ? KEY_FRAME_FACTOR : 1 + variation * (2 * this.#chance.fraction() - 1);
    this.#keyFrameDue[camera] = false;
    let left = Math.round(((layersBps[layer] * FRAME_MS) / 8000) * factor);
    while (left > 0) {
      this.#send(nowMs, camera + 1, layer, CLASS_VIDEO, Math.min(PACKET_BYTES, Math.max(30, left)));
      left -= PACKET_BYTES;
    }
  }

  #send(nowMs: number, source: number, layer: number, mediaClass: 0 | 2, length: number): void {
    this.#packet.writeDoubleBE(nowMs, 12);
    this.#link.sendPacket(nowMs, CONFERENCE, ENDPOINT, source as SourceId, layer, mediaClass, this.#packet, 0, length);
  }
}
