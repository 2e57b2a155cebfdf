import { LAYERS_MAX } from '../protocol/ids.ts';
import { layerMaskOf, type Want } from '../protocol/octo/wants.ts';
import type { Conference } from './conference.ts';
import { NO_LAYER } from './forward/layer-choice.ts';
import type { Link } from './relay/link.ts';
import type { Layer, Source } from './source.ts';
import { sourceKey } from './subscription.ts';

/** What a conference needs of the bridge to serve links. */
export interface LinkHooks {
  /** Gives a link that is new to a video layer something to begin with. True: it has the layer from a young key frame on. False: one has been asked for. */
  startLink(nowMs: number, conference: Conference, link: Link, layer: Layer): boolean;
  /** What could be sent over a link has changed: one that is full divides itself anew. */
  handleDemandChanged(link: Link): void;
}

/** By key of the source, the highest layer that a full link carries of it; NO_LAYER, and sources that are missing: none. */
export type Tops = ReadonlyMap<number, number>;

/**
 * What other bridges want of a conference's sources here, and which links each layer goes over because of it. What is not wanted does not flow; what is wanted flows from a key
 * frame on; a full link carries of each source what {@link limit} says.
 */
export class LinkSupply {
  readonly #conference: Conference;
  readonly #hooks: LinkHooks;
  /** Kept so that a source that appears later is sent at once. */
  readonly #wantedBy = new Map<Link, ReadonlyMap<number, Want>>();
  readonly #tops = new Map<Link, Tops>();

  constructor(conference: Conference, hooks: LinkHooks) {
    this.#conference = conference;
    this.#hooks = hooks;
  }

  /** What the bridge behind `link` wants, by key of the source. */
  wantsOf(link: Link): ReadonlyMap<number, Want> {
    return this.#wantedBy.get(link) ?? NOTHING;
  }

  /** What the bridge behind `link` wants of one source. */
  wantOf(link: Link, { endpointId, sourceId }: Source): Want | undefined {
    return this.wantsOf(link).get(sourceKey(endpointId, sourceId));
  }

  get links(): Iterable<Link> {
    return this.#wantedBy.keys();
  }

  /** Takes what the bridge at the other end of `link` wants from this one; complete. */
  applyWanted(nowMs: number, link: Link, wants: readonly Want[]): void {
    const wanted = new Map(wants.map(want => [sourceKey(want.endpointId, want.sourceId), want]));
    link.layers.wanted += countLayers(wanted) - countLayers(this.wantsOf(link));
    if (wanted.size === 0) {
      this.#wantedBy.delete(link);
      this.#tops.delete(link);
    } else this.#wantedBy.set(link, wanted);
    this.#serveAll(nowMs, link);
    for (const source of this.#conference.sources) source.handleDemand();
    this.#hooks.handleDemandChanged(link);
  }

  /** A source of this bridge has appeared, or other layers of it flow than before. */
  handleSourceChanged(nowMs: number, source: Source): void {
    for (const link of this.#wantedBy.keys()) {
      this.#serve(nowMs, source, link);
      this.#hooks.handleDemandChanged(link);
    }
  }

  /** A source has ended. */
  handleSourceEnded(source: Source): void {
    for (const layer of source.layers) {
      for (const link of layer.links) link.layers.sent--;
      layer.links.length = 0;
      layer.waitingLinks.length = 0;
    }
  }

  /** `link` carries media again after an outage: the video that goes over it begins anew. */
  restart(nowMs: number, link: Link): void {
    for (const source of this.#conference.sources) {
      if (!source.isLocal || source.kind !== 'video') continue;
      for (const layer of source.layers)
        if (layer.links.includes(link)) this.#hooks.startLink(nowMs, this.#conference, link, layer);
    }
  }

  /** Forgets what bridges wanted whose links are not among `links`: they have left the conference, and no packet more is for them. */
  retainLinks(links: readonly Link[]): void {
    for (const link of [...this.#wantedBy.keys()]) if (!links.includes(link)) this.applyWanted(0, link, []);
  }

  /** From now on `link` carries this much of each source; undefined: everything that is wanted. */
  limit(nowMs: number, link: Link, tops: Tops | undefined): void {
    if (tops === undefined) this.#tops.delete(link);
    else this.#tops.set(link, tops);
    this.#serveAll(nowMs, link);
  }

  /** True when this layer of a source is not sent to the bridge behind `link`, whatever that asks for. */
  isWithheld(link: Link, source: Source, layer: number): boolean {
    const top = this.#tops.get(link)?.get(sourceKey(source.endpointId, source.sourceId));
    return top !== undefined && layer > top;
  }

  #serveAll(nowMs: number, link: Link): void {
    for (const source of this.#conference.sources) if (source.isLocal) this.#serve(nowMs, source, link);
  }

  /** Puts `link` on the layers that it is to have, and off all others. Video that is new to the link starts with a key frame. */
  #serve(nowMs: number, source: Source, link: Link): void {
    const served = this.#servedMask(nowMs, source, link);
    for (const layer of source.layers) {
      const isServed = (served & (1 << layer.index)) !== 0;
      const isOn = layer.links.includes(link) || layer.waitingLinks.includes(link);
      if (isServed && !isOn) this.#start(nowMs, link, layer);
      else if (!isServed && isOn) this.#stop(link, layer);
    }
  }

  #servedMask(nowMs: number, source: Source, link: Link): number {
    const key = sourceKey(source.endpointId, source.sourceId);
    const mask = wantedMaskOf(source, this.wantsOf(link).get(key));
    if (source.kind === 'audio') return mask;
    const tops = this.#tops.get(link);
    return tops === undefined ? mask | standIn(nowMs, source, mask) : maskUpTo(mask, tops.get(key) ?? NO_LAYER);
  }

  #start(nowMs: number, link: Link, layer: Layer): void {
    if (layer.source.kind === 'audio' || this.#hooks.startLink(nowMs, this.#conference, link, layer)) {
      layer.links.push(link);
      link.layers.sent++;
    } else layer.waitingLinks.push(link);
  }

  #stop(link: Link, layer: Layer): void {
    const waiting = layer.waitingLinks.indexOf(link);
    if (waiting >= 0) layer.waitingLinks.splice(waiting, 1);
    else {
      layer.links.splice(layer.links.indexOf(link), 1);
      link.layers.sent--;
    }
    layer.keyFrames.removeRequester(this.#conference.requesterOf(link));
  }
}

const NOTHING: ReadonlyMap<number, Want> = new Map();

/** Which layers that there are are wanted, bit n: layer n. Another bridge does not know how many there are: what is above them means the highest. */
export function wantedMaskOf(source: Source, want: Want | undefined): number {
  if (want === undefined) return 0;
  const mask = layerMaskOf(want);
  const all = (1 << source.layers.length) - 1;
  return mask > all ? (mask & all) | (1 << (source.layers.length - 1)) : mask;
}

/** What is sent of `mask` when nothing above layer `top` is: all below it, and `top` itself for those who want it or more. */
export function maskUpTo(mask: number, top: number): number {
  if (top < 0) return 0;
  return (mask & ((1 << top) - 1)) | (mask >> top === 0 ? 0 : 1 << top);
}

/**
 * The best flowing layer below the highest wanted one, as a bit, when that one does not flow; 0 when nothing has to stand in. The bridge at the other end would otherwise notice
 * only by the silence, and ask a round trip later.
 */
function standIn(nowMs: number, source: Source, mask: number): number {
  let layer = source.layers.length - 1;
  while (layer >= 0 && (mask & (1 << layer)) === 0) layer--;
  if (layer < 0 || source.layers[layer].isFlowing(nowMs)) return 0;
  while (--layer >= 0) if (source.layers[layer].isFlowing(nowMs)) return 1 << layer;
  return 0;
}

function countLayers(wants: ReadonlyMap<number, Want>): number {
  let count = 0;
  for (const { viewers } of wants.values())
    for (let layer = 0; layer < LAYERS_MAX; layer++) if (viewers[layer] > 0) count++;
  return count;
}
