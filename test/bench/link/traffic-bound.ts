/**
 * The least that links between regions have to carry: every wanted layer of every source once per link, from what was really sent. And what it would be if every layer went everywhere.
 * Pure.
 */
import { FRAME_OVERHEAD_BYTES } from '../../../protocol/octo/header.ts';
import type { BenchPlan } from '../forward/cases.ts';
import { streamTag } from '../forward/payload.ts';
import type { Ledger } from './packet-ledger.ts';

/** RTP packets, without extensions. */
export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** A layer that one bridge is to send to another. */
export interface CarriedLayer {
  readonly from: number;
  readonly to: number;
  readonly tag: number;
}

/** Each wanted layer once per link: somebody on `to` watches it, who publishes it is on `from`. */
export function wantedLayers({ endpoints }: BenchPlan): CarriedLayer[] {
  const wanted = new Map<string, CarriedLayer>();
  for (const { bridge: to, subscriptions } of endpoints) {
    for (const { publisher, sourceId, layerMax, isEnabled } of subscriptions) {
      const from = endpoints[publisher].bridge;
      if (from === to || !isEnabled) continue;
      const tag = streamTag(publisher, sourceId, layerMax);
      wanted.set(`${to}/${tag}`, { from, to, tag });
    }
  }
  return [...wanted.values()];
}

/** Every layer of every source to every other bridge of the meeting. */
export function allLayers({ endpoints }: BenchPlan): CarriedLayer[] {
  const bridges = [...new Set(endpoints.map(({ bridge }) => bridge))];
  return endpoints.flatMap(({ bridge: from, sources }, publisher) =>
    sources.flatMap(({ sourceId, layers }) =>
      layers.flatMap((_, layer) =>
        bridges.filter(to => to !== from).map(to => ({ from, to, tag: streamTag(publisher, sourceId, layer) })),
      ),
    ),
  );
}

/** What these layers come to, of the packets that were sent. */
export function trafficOf(layers: readonly CarriedLayer[], { sent }: Ledger): Traffic {
  const copies = new Map<number, number>();
  for (const { tag } of layers) copies.set(tag, (copies.get(tag) ?? 0) + 1);
  let [packets, bytes] = [0, 0];
  for (let index = 0; index < sent.tag.length; index++) {
    const count = copies.get(sent.tag[index]);
    if (count === undefined) continue;
    packets += count;
    bytes += count * sent.bytes[index];
  }
  return { packets, bytes };
}

/** With a header and a tag around each packet. */
export function framedBytes({ packets, bytes }: Traffic): number {
  return bytes + packets * FRAME_OVERHEAD_BYTES;
}
