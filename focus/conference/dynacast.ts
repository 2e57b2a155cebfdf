/**
 * Publishers are told which encodings of their tracks anybody needs, so that they do not spend power and uplink on the others: LiveKit calls it dynacast. What is needed, and
 * how long a layer is kept that nobody watches, is the bridge's decision (bridge/dynacast); here it becomes LiveKit's words. A client that published without dynacast
 * passes the message over.
 */
import { SubscribedCodec, SubscribedQuality, SubscribedQualityUpdate, VideoQuality } from '@livekit/protocol';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';
import type { Track } from './track.ts';

/** What a message can speak of, from the smallest up. */
const QUALITIES = [VideoQuality.LOW, VideoQuality.MEDIUM, VideoQuality.HIGH];
/** LiveKit's names of encodings, in the same order. */
const RIDS = 'qhf';
const MIME_PREFIX = 'video/';

/** The bridge says which layers of a source anybody needs. Told to the publisher when it is news; a track that is still sent whole needs no telling. */
export function setNeededLayers(room: Room, publisher: Participant, sourceId: number, layers: number): void {
  const track = publisher.publications.withSource(sourceId);
  if (track === undefined || track.kind !== 'video' || track.neededLayers === layers) return;
  const isAsUnasked = track.neededLayers === null && isEverything(track, layers);
  track.neededLayers = layers;
  if (!isAsUnasked) tellNeededLayersOf(room, publisher, track);
}

/** A publisher is back that may have missed what it was told, or a connection of its own has begun anew. */
export function tellNeededLayers(room: Room, publisher: Participant): void {
  for (const track of publisher.publications.published()) tellNeededLayersOf(room, publisher, track);
}

/** Tells it again: a client that captures anew may have put all its encodings on. Nothing while the bridge has not spoken. */
export function tellNeededLayersOf(room: Room, publisher: Participant, track: Track): void {
  if (track.neededLayers === null) return;
  room.send(publisher, { case: 'subscribedQualityUpdate', value: subscribedQualities(track, track.neededLayers) });
}

/** The needed layers in LiveKit's words: every quality is named, because clients leave alone what is not. */
function subscribedQualities(track: Track, layers: number): SubscribedQualityUpdate {
  const qualities = QUALITIES.map((quality, index) => {
    const layer = layerOf(track, index);
    return new SubscribedQuality({ quality, enabled: (layers & (1 << layer)) !== 0 });
  });
  return new SubscribedQualityUpdate({
    trackSid: track.sid,
    // Clients older than multi-codec simulcast read only this one.
    subscribedQualities: qualities,
    subscribedCodecs: [new SubscribedCodec({ codec: codecOf(track), qualities })],
  });
}

/**
 * The layer that a client takes a quality for. It goes by the names of its encodings: q is LOW, h MEDIUM, f HIGH; one encoding alone, which has no name, is LOW. A quality
 * that no encoding has is that of the next smaller one, so that a client with other names is never told to stop what is needed by an accident of naming.
 */
function layerOf(track: Track, quality: number): number {
  const rids = track.section?.rids ?? [];
  const named = rids.every(rid => rid.length === 1 && RIDS.includes(rid));
  if (!named) return Math.min(quality, Math.max(0, rids.length - 1));
  return Math.max(
    0,
    rids.findLastIndex(rid => RIDS.indexOf(rid) <= quality),
  );
}

function isEverything(track: Track, layers: number): boolean {
  const count = Math.max(1, track.section?.rids.length ?? 0);
  return layers === (1 << count) - 1;
}

/** As the client named it when it announced the track: under another name it would take this for a second codec that it is to publish. */
function codecOf(track: Track): string {
  return track.codecs[0] ?? track.info.mimeType.slice(MIME_PREFIX.length).toLowerCase();
}
