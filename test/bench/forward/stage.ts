/**
 * One plan as a load generator plays it: all its endpoints, connected to the bridges it was given, what they publish and what they are sent. Several stages live side
 * by side in one generator (the same plan on differently configured bridges), and one has the load at a time.
 */
import { availableParallelism } from 'node:os';
import type { Certificate } from '../../../bridge/io/certificate.ts';
import type { EndpointSpec, ProjectionSpec } from '../../../protocol/control/spec.ts';
import { type ConferenceId, type EndpointId, formatId } from '../../../protocol/ids.ts';
import { EXT_AUDIO_LEVEL, EXT_TRANSPORT_CC } from '../../../protocol/rtp/table.ts';
import type { BenchPlan, PlannedEndpoint, PlannedSubscription } from './cases.ts';
import { ControlClient } from './control-client.ts';
import { GeneratorEndpoint } from './generator-endpoint.ts';
import type { GeneratorSocket } from './io/generator-socket.ts';
import { streamTag } from './payload.ts';
import { EXTENSION_IDS, PAYLOAD_TYPES, PublishedStream } from './published-stream.ts';
import { ReceivedStream, type Verification } from './received-stream.ts';

/** Handshakes under way at once: enough that neither side waits for the other, few enough that none times out. */
const CONNECTING_MAX = 4 * availableParallelism();

export interface BridgeAddress {
  readonly bridgeId: string;
  readonly controlUrl: string;
  readonly secret: string;
}

/** SSRCs of one generator process: unique over all its stages, so that a packet's SSRC says which stream it is. */
export class SsrcTable {
  static readonly firstReceived = 0x0100_0000;
  /** By (SSRC - firstReceived) / 2; odd SSRCs are the RTX of the even ones before. */
  readonly received: ReceivedStream[] = [];
  #published = 0x4000_0000;

  nextReceived(): number {
    return SsrcTable.firstReceived + this.received.length * 2;
  }

  nextPublished(): number {
    this.#published += 2;
    return this.#published;
  }
}

export interface StageOptions {
  readonly plan: BenchPlan;
  readonly srtp: 'gcm' | 'cm';
  readonly bridges: readonly BridgeAddress[];
  readonly socket: GeneratorSocket;
  readonly certificate: Certificate;
  readonly ssrcs: SsrcTable;
  readonly verification: Verification;
  /** Index of this stage's first endpoint in the generator's socket. */
  readonly firstEndpoint: number;
  readonly progress: (line: string) => void;
}

interface Published {
  readonly sourceId: number;
  readonly kind: 'audio' | 'video';
  readonly streams: readonly PublishedStream[];
}

interface Player {
  readonly planned: PlannedEndpoint;
  readonly endpoint: GeneratorEndpoint;
  readonly published: readonly Published[];
  readonly projections: { readonly planned: PlannedSubscription; readonly spec: ProjectionSpec }[];
  version: number;
}

export class Stage {
  readonly published: readonly PublishedStream[];
  readonly publishedBySsrc = new Map<number, PublishedStream>();
  readonly received: ReceivedStream[] = [];
  /** Received streams by endpoint: what its receiver reports are about. */
  readonly receivedBy: ReceivedStream[][] = [];
  readonly #options: StageOptions;
  readonly #controls: readonly ControlClient[];
  readonly #players: readonly Player[];

  constructor(options: StageOptions) {
    this.#options = options;
    this.#controls = options.bridges.map(({ controlUrl, secret }) => new ControlClient(controlUrl, secret));
    this.#players = options.plan.endpoints.map((planned, index) => this.#player(planned, index));
    this.published = this.#players.flatMap(({ published }) => published.flatMap(({ streams }) => streams));
    for (const stream of this.published) this.publishedBySsrc.set(stream.ssrc, stream);
    for (const player of this.#players) this.#project(player);
  }

  get endpoints(): readonly GeneratorEndpoint[] {
    return this.#players.map(({ endpoint }) => endpoint);
  }

  /** Brings up conferences and endpoints, without subscriptions. */
  async connect(): Promise<void> {
    await this.#putConferences();
    let connected = 0;
    await inParallel(this.#players, CONNECTING_MAX, async player => {
      await this.#connectOne(player);
      connected++;
      if (connected % 100 === 0) this.#options.progress(`connected ${connected} of ${this.#players.length} endpoints`);
    });
  }

  /** Puts every endpoint's subscriptions; those of which `isEnabled` says so are to have packets. `endpoint` is a place in the plan. */
  async subscribe(isEnabled: (endpoint: number, planned: PlannedSubscription) => boolean): Promise<void> {
    const changed = this.#players.filter(({ projections }) => projections.length > 0);
    await inParallel(changed, CONNECTING_MAX, async player => {
      const index = this.#players.indexOf(player);
      const projections = player.projections.map(({ planned, spec }) => ({
        ...spec,
        enabled: isEnabled(index, planned),
      }));
      await this.#put(player, projections);
    });
  }

  /** Ends its conferences on all bridges. */
  async leave(): Promise<void> {
    this.close();
    const conferences = new Set(this.#options.plan.endpoints.map(({ conference }) => conference));
    for (const control of this.#controls) {
      for (const conference of conferences) await control.deleteConference(conferenceId(conference));
    }
  }

  close(): void {
    for (const { endpoint } of this.#players) endpoint.close();
  }

  async #putConferences(): Promise<void> {
    const { plan, bridges } = this.#options;
    const peers = bridges.length > 1 ? await Promise.all(this.#controls.map(control => control.peer())) : [];
    for (const conference of new Set(plan.endpoints.map(endpoint => endpoint.conference))) {
      const endpoints = this.#players
        .filter(({ planned }) => planned.conference === conference && peers.length > 0)
        .map(({ planned, endpoint }) => ({
          endpointId: endpointId(endpoint.index),
          bridgeId: bridges[planned.bridge].bridgeId,
          identity: `endpoint-${endpoint.index}`,
        }));
      const spec = { version: 1, bridges: peers, endpoints };
      await Promise.all(this.#controls.map(control => control.putConference(conferenceId(conference), spec)));
    }
  }

  async #connectOne(player: Player): Promise<void> {
    await this.#options.socket.open(player.endpoint.index);
    const transport = await this.#put(player, []);
    const candidate = transport.candidates.find(({ address }) => address === '127.0.0.1');
    if (candidate === undefined) throw new Error('the bridge announces no candidate on 127.0.0.1');
    const { ufrag, password } = transport.ice;
    const { fingerprint } = transport.dtls;
    await player.endpoint.connect({ ufrag, password, port: candidate.port, fingerprint });
  }

  #put(player: Player, projections: readonly ProjectionSpec[]) {
    const { planned, endpoint } = player;
    const spec = this.#spec(player, [...projections]);
    return this.#controls[planned.bridge].putEndpoint(
      conferenceId(planned.conference),
      endpointId(endpoint.index),
      spec,
    );
  }

  #spec(player: Player, projections: ProjectionSpec[]): EndpointSpec {
    const { endpoint, published } = player;
    return {
      version: player.version++,
      identity: `endpoint-${endpoint.index}`,
      sid: `PA_${endpoint.index}`,
      iceGeneration: 0,
      ice: endpoint.ice,
      dtls: { setup: 'active', fingerprints: [this.#options.certificate.fingerprint] },
      codecs: [
        { codec: 'opus', payloadType: PAYLOAD_TYPES.opus, rtxPayloadType: null },
        { codec: 'vp8', payloadType: PAYLOAD_TYPES.vp8, rtxPayloadType: PAYLOAD_TYPES.rtx },
      ],
      extensions: [
        { id: EXTENSION_IDS.audioLevel, uri: EXT_AUDIO_LEVEL },
        { id: EXTENSION_IDS.transportCc, uri: EXT_TRANSPORT_CC },
      ],
      sources: published.map(({ sourceId, kind, streams }) => ({
        sourceId,
        kind,
        mid: `${sourceId}`,
        rids: streams.length > 1 ? RIDS.slice(0, streams.length) : [],
        ssrcs: streams.map(({ ssrc }) => ssrc),
        rtxSsrcs: kind === 'video' ? streams.map(({ ssrc }) => ssrc + 1) : [],
        muted: false,
      })),
      projections,
      mayPublishData: false,
    };
  }

  #player(planned: PlannedEndpoint, index: number): Player {
    const { socket, certificate, srtp, firstEndpoint, ssrcs } = this.#options;
    const endpoint = new GeneratorEndpoint(firstEndpoint + index, socket, certificate, srtp);
    let transportSequence = 0;
    const nextTransportSequence = () => transportSequence++ & 0xffff;
    const published = planned.sources.map(({ sourceId, kind, layers }) => ({
      sourceId,
      kind,
      streams: layers.map((program, layer) => {
        const ssrc = ssrcs.nextPublished();
        const tag = streamTag(index, sourceId, layer);
        const rtxSsrc = ssrc + 1;
        const firstFrame = index * FRAMES_BETWEEN_STREAMS;
        const { observer } = this.#options.verification;
        return new PublishedStream({
          ...{ endpoint, socket, program, ssrc, rtxSsrc, tag, firstFrame, nextTransportSequence, observer },
        });
      }),
    }));
    return { planned, endpoint, published, projections: [], version: 1 };
  }

  #project({ planned, endpoint, projections }: Player): void {
    const { ssrcs, verification } = this.#options;
    const streams: ReceivedStream[] = [];
    for (const subscription of planned.subscriptions) {
      const { publisher, sourceId, layerMax, isEnabled: enabled } = subscription;
      const kind = this.#players[publisher].published.find(source => source.sourceId === sourceId)!.kind;
      const ssrc = ssrcs.nextReceived();
      const stream = new ReceivedStream(endpoint, ssrc, kind, streamTag(publisher, sourceId, 0), verification);
      ssrcs.received.push(stream);
      streams.push(stream);
      projections.push({
        planned: subscription,
        spec: {
          origin: endpointId(this.#players[publisher].endpoint.index),
          sourceId,
          kind,
          mid: `s${projections.length}`,
          ssrc,
          rtxSsrc: kind === 'video' ? ssrc + 1 : null,
          enabled,
          layerMax,
          temporalMax: 3,
        },
      });
    }
    this.received.push(...streams);
    this.receivedBy.push(streams);
  }
}

/** Prime to the interval of key frames, so that they are spread over it. */
const FRAMES_BETWEEN_STREAMS = 37;
const RIDS = ['q', 'h', 'f'];

function conferenceId(conference: number): string {
  return formatId((conference + 1) as ConferenceId);
}

function endpointId(index: number): string {
  return formatId((index + 1) as EndpointId);
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: width }, async () => {
    for (const item of left) await work(item);
  });
  await Promise.all(workers);
}
