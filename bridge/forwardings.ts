/** Which endpoints of this bridge are there for one of another conference (EndpointSpec `forwards`): brings their sources together, whichever of the two is there first. */
import { type ConferenceId, type EndpointId, formatId, parseId } from '../protocol/ids.ts';
import type { Conference } from './conference.ts';
import { connectEcho, disconnectEcho } from './echo.ts';
import type { Endpoint } from './endpoint.ts';
import type { Source } from './source.ts';

export class Forwardings {
  readonly #conferences: ReadonlyMap<ConferenceId, Conference>;
  /** By what they forward. */
  readonly #forwarded = new Map<string, Set<Endpoint>>();

  constructor(conferences: ReadonlyMap<ConferenceId, Conference>) {
    this.#conferences = conferences;
  }

  /** An endpoint has become what a document says. */
  handleApplied(endpoint: Endpoint): void {
    const { spec } = endpoint;
    if (spec?.forwards !== undefined) {
      const { conferenceId, endpointId } = spec.forwards;
      const key = `${conferenceId}/${endpointId}`;
      const others = this.#forwarded.get(key);
      if (others === undefined) this.#forwarded.set(key, new Set([endpoint]));
      else others.add(endpoint);
      this.#connect(endpoint, this.#find(conferenceId, endpointId));
    }
    for (const forwarded of this.#of(endpoint)) this.#connect(forwarded, endpoint);
  }

  /** An endpoint has ended. Its sources, and what they were to others, end with them. */
  handleClosed(endpoint: Endpoint): void {
    const { forwards } = endpoint.spec ?? {};
    if (forwards === undefined) return;
    const key = `${forwards.conferenceId}/${forwards.endpointId}`;
    const others = this.#forwarded.get(key);
    others?.delete(endpoint);
    if (others?.size === 0) this.#forwarded.delete(key);
  }

  #of(endpoint: Endpoint): Iterable<Endpoint> {
    if (this.#forwarded.size === 0) return [];
    return this.#forwarded.get(`${formatId(endpoint.conference.id)}/${formatId(endpoint.id)}`) ?? [];
  }

  #find(conferenceId: string, endpointId: string): Endpoint | undefined {
    const [conference, endpoint] = [parseId<ConferenceId>(conferenceId), parseId<EndpointId>(endpointId)];
    if (conference === undefined || endpoint === undefined) return undefined;
    return this.#conferences.get(conference)?.endpoints.get(endpoint);
  }

  /** `original` undefined: it is not here (yet). */
  #connect(forwarded: Endpoint, original: Endpoint | undefined): void {
    for (const { source: echo } of forwarded.sources) {
      const origin = original === undefined ? undefined : sameSource(original, echo);
      if (origin === undefined) disconnectEcho(echo);
      else connectEcho(origin, echo);
    }
  }
}

function sameSource(original: Endpoint, echo: Source): Source | undefined {
  for (const { source } of original.sources) {
    const isSame = source.sourceId === echo.sourceId && source.kind === echo.kind && !source.isForwarded;
    if (isSame && source.layers.length === echo.layers.length) return source;
  }
  return undefined;
}
