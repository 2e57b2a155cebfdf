/** All tracks of one publisher, announced and negotiated. */
import { type AddTrackRequest, RequestResponse_Reason, TrackType } from '@livekit/protocol';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { SOURCE_ID_MAX, type SourceId } from '../../protocol/ids.ts';
import { matchSection } from '../sdp/match-section.ts';
import { type Offer, publishes } from '../sdp/offer.ts';
import { newSid, type Random } from './random.ts';
import { negotiate, newTrack, type Track, trackSidPrefix } from './track.ts';

export type Added =
  | { readonly kind: 'added'; readonly track: Track }
  /** Its cid is in use: it waits, and is answered when the other track has ended. */
  | { readonly kind: 'queued'; readonly track: Track }
  | { readonly kind: 'refused'; readonly reason: RequestResponse_Reason; readonly message: string };

export interface Negotiated {
  /** Now carried by a section, in the order they were announced. */
  readonly published: readonly Track[];
  /** No longer carried. Already removed. */
  readonly ended: readonly Track[];
  /** Waited for the cid of one that ended; the client is still to be told of them. */
  readonly released: readonly Track[];
}

/** Sources of one endpoint, as EndpointSpec allows. */
export const TRACKS_MAX = 64;
/** Longest client-made id or name that is kept, in characters. */
const TEXT_CHARACTERS_MAX = 512;

/** All there is of a publisher's tracks, to go on with elsewhere. */
export interface PublicationsState {
  readonly tracks: readonly Track[];
  readonly nextSourceId: number;
}

export class Publications {
  readonly #tracks = new Map<string, Track>();
  readonly #pendingMax: number;
  #nextSourceId = 0;

  constructor(pendingMax: number) {
    this.#pendingMax = pendingMax;
  }

  /** In the order they were announced. */
  get all(): Iterable<Track> {
    return this.#tracks.values();
  }

  /** The tracks are those it works with, not copies. */
  state(): PublicationsState {
    return { tracks: [...this.#tracks.values()], nextSourceId: this.#nextSourceId };
  }

  /** For one that has no tracks yet. */
  restore({ tracks, nextSourceId }: PublicationsState): void {
    for (const track of tracks) this.#tracks.set(track.sid, track);
    this.#nextSourceId = nextSourceId;
  }

  /** Where the search for the next free one begins. */
  get nextSourceId(): number {
    return this.#nextSourceId;
  }

  published(): Track[] {
    return [...this.#tracks.values()].filter(track => track.section !== null);
  }

  find(sid: string): Track | undefined {
    return this.#tracks.get(sid);
  }

  withSource(sourceId: number): Track | undefined {
    return this.published().find(track => track.sourceId === sourceId);
  }

  /** What the publisher's bridge has learned from packets. Kept for another bridge, which could not. */
  noteStreams(streams: Extract<BridgeEvent, { kind: 'streams' }>['streams']): void {
    for (const { sourceId, layer, ssrc, isRtx } of streams) {
      const track = this.withSource(sourceId);
      if (track === undefined) continue;
      const others = track.streams.filter(known => known.layer !== layer || known.isRtx !== isRtx);
      track.streams = [...others, { ssrc, layer, isRtx }];
    }
  }

  add(request: AddTrackRequest, random: Random): Added {
    if (request.type !== TrackType.AUDIO && request.type !== TrackType.VIDEO) {
      return refused(RequestResponse_Reason.UNSUPPORTED_TYPE, 'only audio and video tracks');
    }
    if (request.sid !== '') return refused(RequestResponse_Reason.UNSUPPORTED_TYPE, 'no second codec for a track');
    if (request.cid === '' || request.cid.length > TEXT_CHARACTERS_MAX || request.name.length > TEXT_CHARACTERS_MAX) {
      return refused(
        RequestResponse_Reason.INVALID_REQUEST,
        'cid is required; cid and name have at most 512 characters',
      );
    }
    const pending = [...this.#tracks.values()].filter(track => track.section === null).length;
    if (pending >= this.#pendingMax || this.#tracks.size >= TRACKS_MAX) {
      return refused(RequestResponse_Reason.LIMIT_EXCEEDED, `too many tracks, ${pending} of them pending`);
    }
    const isQueued = [...this.#tracks.values()].some(track => track.cid === request.cid);
    const track = newTrack(request, newSid(trackSidPrefix(request), random), this.#freeSourceId());
    track.isQueued = isQueued;
    this.#tracks.set(track.sid, track);
    return { kind: isQueued ? 'queued' : 'added', track };
  }

  /** Brings the tracks in line with what the client now offers to send. */
  handleOffer(offer: Offer): Negotiated {
    const ended = this.published().filter(track => !isCarried(track, offer));
    for (const track of ended) this.#tracks.delete(track.sid);
    const released = ended.flatMap(track => this.#release(track.cid));

    const taken = new Set(this.published().map(track => track.section?.mid ?? ''));
    const waiting = [...this.#tracks.values()].filter(track => track.section === null && !track.isQueued);
    const published: Track[] = [];
    for (const track of waiting) {
      const others = new Set(waiting.filter(other => other !== track && other.section === null).map(({ cid }) => cid));
      const section = matchSection(offer, track.cid, track.kind, taken, others);
      if (section === undefined) continue;
      negotiate(track, section);
      taken.add(section.mid);
      published.push(track);
    }
    return { published, ended, released };
  }

  /** True when a section of the offer sends something that `track` could be. */
  isOffered(track: Track, offer: Offer): boolean {
    const taken = new Set(this.published().map(other => other.section?.mid ?? ''));
    return matchSection(offer, track.cid, track.kind, taken) !== undefined;
  }

  /** Removes a track; answers those that waited for its cid. */
  remove(track: Track): Track[] {
    this.#tracks.delete(track.sid);
    return this.#release(track.cid);
  }

  #release(cid: string): Track[] {
    const sameCid = [...this.#tracks.values()].filter(track => track.cid === cid);
    const next = sameCid.find(track => track.isQueued);
    if (next === undefined || sameCid.some(track => !track.isQueued)) return [];
    next.isQueued = false;
    return [next];
  }

  /** Ids go round, so that packets of an ended source are not taken for those of the next. */
  #freeSourceId(): SourceId {
    const used = new Set([...this.#tracks.values()].map(track => track.sourceId as number));
    while (used.has(this.#nextSourceId)) this.#nextSourceId = (this.#nextSourceId + 1) % (SOURCE_ID_MAX + 1);
    const id = this.#nextSourceId as SourceId;
    this.#nextSourceId = (id + 1) % (SOURCE_ID_MAX + 1);
    return id;
  }
}

function refused(reason: RequestResponse_Reason, message: string): Added {
  return { kind: 'refused', reason, message };
}

function isCarried(track: Track, offer: Offer): boolean {
  const section = offer.sections.find(({ mid }) => mid === track.section?.mid);
  if (section === undefined || !publishes(section)) return false;
  return section.trackId === null || section.trackId === track.section?.trackId;
}
