/** All that goes between this focus and one bridge, as long as the bridge is up. */

import { Value } from 'typebox/value';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import type { ConferenceSpec, Message, Transport } from '../../protocol/control/spec.ts';
import { TransportSchema } from '../../protocol/control/spec.ts';
import { type BridgeId, type ConferenceId, type EndpointId, formatId } from '../../protocol/ids.ts';
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import type { EndpointDocument } from '../conference/endpoint-spec.ts';
import type { FocusMetrics } from '../metrics.ts';
import { type BridgeAnswer, type BridgeClient, createBridgeClient } from './bridge-client.ts';
import { type BridgeEventStream, followBridgeEvents } from './bridge-event-stream.ts';
import { DocumentSender } from './document-sender.ts';

export interface BridgeLinkOptions {
  readonly bridge: KnownBridge;
  readonly focusId: string;
  readonly secret: string;
  readonly requestTimeoutMs: number;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
  readonly silenceTimeoutMs: number;
  readonly metrics: Pick<FocusMetrics, 'bridgeRequests'>;
  readonly nowMs: () => number;
  readonly onEvent: (event: BridgeEvent) => void;
  readonly onStream: (state: 'open' | 'closed') => void;
  /** Something an operator should read: at most once for each state of things. */
  readonly onTrouble: (trouble: string) => void;
}

export interface EndpointDelivery {
  readonly revision: number;
  readonly document: EndpointDocument;
  readonly onTaken: (revision: number, transport: Transport) => void;
  readonly onRefused: (status: number) => void;
}

/** Rooms are taken over many at a time: a bridge is asked once for those of so long. */
const HEAR_AGAIN_MS = 200;

export class BridgeLink {
  readonly bridgeId: BridgeId;
  readonly #client: BridgeClient;
  readonly #documents: DocumentSender;
  readonly #events: BridgeEventStream;
  readonly #metrics: Pick<FocusMetrics, 'bridgeRequests'>;
  readonly #onTrouble: (trouble: string) => void;
  #conferenceRevision = 0;
  #isFailing = false;
  #hearingAgain: NodeJS.Timeout | undefined;

  constructor(options: BridgeLinkOptions) {
    const { bridge, metrics, onTrouble } = options;
    this.bridgeId = bridge.bridgeId;
    this.#metrics = metrics;
    this.#onTrouble = onTrouble;
    const client = createBridgeClient({ ...options, controlUrl: bridge.report.controlUrl });
    this.#client = client;
    this.#documents = new DocumentSender({
      ...options,
      request: client.request,
      onOutcome: (method, path, outcome) => {
        metrics.bridgeRequests.inc({ method, result: outcome });
        this.#noteOutcome(path, outcome === 'failed');
      },
    });
    this.#events = followBridgeEvents({
      ...options,
      open: () => client.openEvents(options.silenceTimeoutMs),
      onOpen: () => options.onStream('open'),
      onClosed: () => options.onStream('closed'),
      onMalformed: reason => {
        metrics.bridgeRequests.inc({ method: 'GET', result: reason });
      },
    });
  }

  putConference(conferenceId: ConferenceId, body: Omit<ConferenceSpec, 'version'>, onTaken: () => void): void {
    this.#documents.put(`/v1/conferences/${formatId(conferenceId)}`, {
      body,
      revision: ++this.#conferenceRevision,
      onTaken,
      onRefused: status => this.#onTrouble(`conference ${formatId(conferenceId)} refused with ${status}`),
    });
  }

  /** Whatever of the conference is on its way is not sent any more; the bridge keeps what it has. */
  forgetConference(conferenceId: ConferenceId): void {
    this.#documents.forget(`/v1/conferences/${formatId(conferenceId)}`);
  }

  removeConference(conferenceId: ConferenceId): void {
    this.#documents.remove(`/v1/conferences/${formatId(conferenceId)}`);
  }

  putEndpoint(conferenceId: ConferenceId, endpointId: EndpointId, delivery: EndpointDelivery): void {
    const path = endpointPath(conferenceId, endpointId);
    this.#documents.put(path, {
      body: delivery.document,
      revision: delivery.revision,
      onTaken: (revision, body) => {
        if (Value.Check(TransportSchema, body)) delivery.onTaken(revision, body);
        else this.#onTrouble(`${path} was answered without a transport`);
      },
      onRefused: status => {
        this.#onTrouble(`${path} refused with ${status}`);
        delivery.onRefused(status);
      },
    });
  }

  removeEndpoint(conferenceId: ConferenceId, endpointId: EndpointId): void {
    this.#documents.remove(endpointPath(conferenceId, endpointId));
  }

  /** Rejects when the bridge does not take it: a message is not state, and is not sent twice. */
  async sendMessage(conferenceId: ConferenceId, message: Message): Promise<void> {
    const path = `/v1/conferences/${formatId(conferenceId)}/messages`;
    const { status } = await this.#client.request('POST', path, message);
    this.#metrics.bridgeRequests.inc({ method: 'POST', result: status < 300 ? 'taken' : 'refused' });
    if (status >= 300) throw new Error(`the bridge refused a message with ${status}`);
  }

  /** Soon the bridge says again of all its endpoints how they are: of those for which nobody listened before, too. */
  hearAgain(): void {
    if (this.#hearingAgain !== undefined) return;
    this.#hearingAgain = setTimeout(() => {
      this.#hearingAgain = undefined;
      this.#events.reopen();
    }, HEAR_AGAIN_MS);
    this.#hearingAgain.unref();
  }

  /** Once: nothing is tried again. */
  async ask(method: 'GET' | 'PUT', path: string, body?: unknown): Promise<BridgeAnswer> {
    const answer = await this.#client.request(method, path, body);
    this.#metrics.bridgeRequests.inc({ method, result: answer.status < 300 ? 'taken' : 'refused' });
    return answer;
  }

  /** Documents still on their way. */
  get pending(): number {
    return this.#documents.pending;
  }

  close(): void {
    clearTimeout(this.#hearingAgain);
    this.#documents.close();
    this.#events.close();
    this.#client.close();
  }

  #noteOutcome(path: string, hasFailed: boolean): void {
    if (hasFailed && !this.#isFailing) this.#onTrouble(`${path} cannot be delivered, trying on`);
    this.#isFailing = hasFailed;
  }
}

function endpointPath(conferenceId: ConferenceId, endpointId: EndpointId): string {
  return `/v1/conferences/${formatId(conferenceId)}/endpoints/${formatId(endpointId)}`;
}
