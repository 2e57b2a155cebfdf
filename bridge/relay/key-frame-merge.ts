import type { ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';

/** Requests for the same layer within this time are one. Limits proper are at the ends: at the subscriber's bridge and at the source's. */
export const KEY_FRAME_MERGE_MS = 50;
const REMEMBERED = 64;

/** Which key-frame requests went out a moment ago. Remembers 64; when full the oldest is overwritten, at worst a repeat crosses the link. */
export class KeyFrameMerge {
  readonly #conferences = new Float64Array(REMEMBERED);
  readonly #endpoints = new Float64Array(REMEMBERED);
  readonly #layers = new Uint32Array(REMEMBERED);
  readonly #sentMs = new Float64Array(REMEMBERED).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  /** True when this request is to be sent, and notes that it is. */
  admit(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId, sourceId: SourceId, layer: number): boolean {
    const key = sourceId * 256 + layer;
    for (let index = 0; index < REMEMBERED; index++) {
      if (nowMs - this.#sentMs[index] >= KEY_FRAME_MERGE_MS || this.#layers[index] !== key) continue;
      if (this.#endpoints[index] === endpointId && this.#conferences[index] === conferenceId) return false;
    }
    this.#conferences[this.#next] = conferenceId;
    this.#endpoints[this.#next] = endpointId;
    this.#layers[this.#next] = key;
    this.#sentMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % REMEMBERED;
    return true;
  }
}
