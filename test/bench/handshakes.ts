/**
 * `npm run bench -- handshakes`: what joins cost the media of those who are there already. This process is the bridge's media port: it sends every RTP
 * packet back to where it came from. Two more are its clients (`handshake-clients.ts`): some send paced media and measure the way there and back, the others
 * join, fifty at once every second. Three laps: nobody joins; joins by way of the DTLS queue; joins handled in the receive call.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { IceRegistry } from '../../bridge/ice/ice-registry.ts';
import { type Certificate, createCertificate, type Fingerprint } from '../../bridge/io/certificate.ts';
import type { DatagramPort } from '../../bridge/io/datagram-port.ts';
import { chooseDatapath } from '../../bridge/io/datapath.ts';
import { DtlsQueue } from '../../bridge/io/dtls-queue.ts';
import { EndpointTransport } from '../../bridge/io/endpoint-transport.ts';
import { StunResponder } from '../../bridge/io/stun-responder.ts';
import { DTLS, firstByteKind, isRtcp, RTP, STUN } from '../../protocol/demux.ts';
import { percentile } from './statistics.ts';

const MEDIA_ENDPOINTS = 40;
/** Of each, with 1000 bytes: a client's video at 400 kbit/s. */
const PACKETS_PER_SECOND = 50;
const JOINS_PER_SECOND = 50;
const LAP_SECONDS = 10;
const LAP_SECONDS_QUICK = 3;
const TICK_MS = 10;
/** What was under way when a lap ends has arrived by then. */
const SETTLE_MS = 300;

/** What the bridge asks of a client process. */
export type ClientTask =
  | { readonly kind: 'media'; readonly endpoints: number; readonly packetsPerSecond: number }
  | { readonly kind: 'measure'; readonly seconds: number }
  | { readonly kind: 'join'; readonly perSecond: number; readonly seconds: number };

/** What a client process asks of the bridge: a place for one more, answered by {@link Place}. */
export interface PlaceWanted {
  readonly kind: 'place';
  readonly id: number;
  readonly ice: { readonly ufrag: string; readonly password: string };
  readonly fingerprint: Fingerprint;
}

export interface Place {
  readonly kind: 'place';
  readonly id: number;
  readonly port: number;
  readonly local: { readonly ufrag: string; readonly password: string };
  readonly fingerprint: Fingerprint;
}

/** What a client process says when its task is done: ms of each packet that came back, or of each join until it was connected. */
export interface TaskDone {
  readonly kind: 'done';
  readonly ms: readonly number[];
  /** Packets sent or joins begun. */
  readonly begun: number;
}

interface Lap {
  readonly joins: number;
  /** There and back, over the bridge. */
  readonly mediaMs: Spread;
  readonly mediaLost: number;
  /** From the request for a place to connected; none without joins. */
  readonly joinMs: Spread | undefined;
  readonly seconds: number;
  readonly bridgeCpuMs: number;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface HandshakesResult {
  readonly joinsPerSecond: number;
  readonly mediaPacketsPerSecond: number;
  readonly withoutJoins: Lap;
  readonly withQueue: Lap & Added;
  /** How long DTLS datagrams have waited in the queue on average. */
  readonly queueWaitMs: number;
  readonly withoutQueue: Lap & Added;
}

interface Added {
  /** What the p99 of media has more than without joins. Aim: at most 20 ms with the queue. */
  readonly addedMediaMsP99: number;
  /** The bridge's CPU for one join: place, checks, handshake, SRTP and data channels. */
  readonly cpuMsPerJoin: number;
}

/** Takes about 35 s, or 13 s when `quick`. */
export async function runHandshakes(options: {
  quick: boolean;
  progress: (line: string) => void;
}): Promise<HandshakesResult> {
  const seconds = options.quick ? LAP_SECONDS_QUICK : LAP_SECONDS;
  const bridge = await EchoBridge.open(await createCertificate());
  const [media, joining] = [bridge.startClients(), bridge.startClients()];
  // Fifty clients are fifty machines elsewhere: here they get what the bridge and the ones who measure leave.
  if (joining.pid !== undefined) setPriority(joining.pid, constants.priority.PRIORITY_LOW);
  try {
    await perform(media, { kind: 'media', endpoints: MEDIA_ENDPOINTS, packetsPerSecond: PACKETS_PER_SECOND });
    const lap = async (name: string, joins: boolean): Promise<Lap> => {
      const result = await runLap(media, joins ? joining : undefined, seconds);
      bridge.dropIdle();
      options.progress(
        `${name}: media p50 ${result.mediaMs.p50} ms, p99 ${result.mediaMs.p99} ms, max ${result.mediaMs.max} ms; ${result.joins} joins`,
      );
      return result;
    };
    // The first packets and handshakes run through code that is not compiled yet.
    await lap('warm-up', true);
    const withoutJoins = await lap('no joins', false);
    bridge.queue = new DtlsQueue({ nowMs: () => performance.now() });
    const withQueue = await lap('joins, queue', true);
    const { waitMsTotal, handled } = bridge.queue;
    bridge.queue = undefined;
    const withoutQueue = await lap('joins, no queue', true);
    return {
      joinsPerSecond: JOINS_PER_SECOND,
      mediaPacketsPerSecond: MEDIA_ENDPOINTS * PACKETS_PER_SECOND,
      withoutJoins,
      withQueue: { ...withQueue, ...addedTo(withoutJoins, withQueue) },
      queueWaitMs: rounded(waitMsTotal / handled),
      withoutQueue: { ...withoutQueue, ...addedTo(withoutJoins, withoutQueue) },
    };
  } finally {
    media.kill();
    joining.kill();
    await bridge.close();
  }
}

async function runLap(media: ChildProcess, joining: ChildProcess | undefined, seconds: number): Promise<Lap> {
  const before = process.threadCpuUsage();
  const startedAtMs = performance.now();
  const [packets, joins] = await Promise.all([
    perform(media, { kind: 'measure', seconds }),
    joining === undefined ? undefined : perform(joining, { kind: 'join', perSecond: JOINS_PER_SECOND, seconds }),
  ]);
  const { user, system } = process.threadCpuUsage(before);
  const elapsedSeconds = (performance.now() - startedAtMs) / 1000;
  if (joins !== undefined && joins.ms.length !== joins.begun) {
    throw new Error(`${joins.begun - joins.ms.length} of ${joins.begun} joins did not connect`);
  }
  await sleep(SETTLE_MS);
  return {
    joins: joins?.begun ?? 0,
    mediaMs: spread(packets.ms),
    mediaLost: packets.begun - packets.ms.length,
    joinMs: joins === undefined ? undefined : spread(joins.ms),
    seconds: rounded(elapsedSeconds),
    bridgeCpuMs: rounded((user + system) / 1000),
  };
}

function addedTo(quiet: Lap, busy: Lap): Added {
  const mediaCpuMs = (quiet.bridgeCpuMs / quiet.seconds) * busy.seconds;
  return {
    addedMediaMsP99: rounded(busy.mediaMs.p99 - quiet.mediaMs.p99),
    cpuMsPerJoin: rounded((busy.bridgeCpuMs - mediaCpuMs) / busy.joins),
  };
}

async function perform(clients: ChildProcess, task: ClientTask): Promise<TaskDone> {
  clients.send(task);
  for (;;) {
    const [message] = (await once(clients, 'message')) as [PlaceWanted | TaskDone];
    if (message.kind === 'done') return message;
  }
}

function spread(values: readonly number[]): Spread {
  return {
    p50: rounded(percentile(values, 0.5)),
    p99: rounded(percentile(values, 0.99)),
    max: rounded(percentile(values, 1)),
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** A media port whose endpoints hear what they say. */
class EchoBridge {
  /** For transports that are opened from now on. */
  queue: DtlsQueue | undefined;
  readonly #certificate: Certificate;
  readonly #registry = new IceRegistry<EndpointTransport<object>>(randomBytes);
  readonly #transports = new Map<object, EndpointTransport<object>>();
  /** Those that have sent media. */
  readonly #speaking = new Set<object>();
  #port!: DatagramPort<object>;
  #stun!: StunResponder<object>;
  readonly #tick = setInterval(() => {
    for (const transport of this.#transports.values()) transport.handleTimeout(performance.now());
  }, TICK_MS);

  static async open(certificate: Certificate): Promise<EchoBridge> {
    const bridge = new EchoBridge(certificate);
    const datapath = await chooseDatapath('auto', { warn: () => {} });
    bridge.#port = await datapath.openPort<object>({
      address: '127.0.0.1',
      port: 0,
      handler: (bytes, offset, length, peer) => {
        const kind = firstByteKind(bytes[offset]);
        const transport = peer.owner === undefined ? undefined : bridge.#transports.get(peer.owner);
        if (kind === STUN) bridge.#stun.handle(performance.now(), bytes, offset, length, peer);
        else if (transport === undefined) return;
        else if (kind === DTLS) transport.handleDtls(performance.now(), bytes, offset, length, peer);
        else if (kind === RTP && !isRtcp(bytes, offset)) bridge.#echo(transport, bytes, offset, length);
      },
    });
    bridge.#stun = new StunResponder(bridge.#port, bridge.#registry);
    return bridge;
  }

  private constructor(certificate: Certificate) {
    this.#certificate = certificate;
  }

  startClients(): ChildProcess {
    const clients = fork(new URL('./handshake-clients.ts', import.meta.url));
    clients.on('message', (message: PlaceWanted | TaskDone) => {
      if (message.kind === 'place') clients.send(this.#place(message));
    });
    return clients;
  }

  /** Closes all that have joined without sending media. */
  dropIdle(): void {
    for (const [owner, transport] of this.#transports) {
      if (this.#speaking.has(owner)) continue;
      transport.close();
      this.#transports.delete(owner);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#tick);
    for (const transport of this.#transports.values()) transport.close();
    await this.#port.close();
  }

  #place({ id, ice, fingerprint }: PlaceWanted): Place {
    const owner = {};
    const nowMs = performance.now();
    const transport = new EndpointTransport<object>({
      owner,
      port: this.#port,
      ice: this.#registry,
      certificate: this.#certificate,
      nowMs,
      dtlsQueue: this.queue,
      sink: { onConnected: () => {}, onFailed: () => {}, onClosed: () => {}, onData: () => {} },
    });
    this.#transports.set(owner, transport);
    transport.setRemote(nowMs, ice, { setup: 'active', fingerprints: [fingerprint] }, 0);
    const { ufrag, password } = transport.local;
    return {
      kind: 'place',
      id,
      port: this.#port.port,
      local: { ufrag, password },
      fingerprint: this.#certificate.fingerprint,
    };
  }

  #echo(transport: EndpointTransport<object>, bytes: Buffer, offset: number, length: number): void {
    const plainLength = transport.unprotectRtp(performance.now(), bytes, offset, length);
    if (plainLength < 0) return;
    this.#speaking.add(transport.owner);
    const slot = this.#port.reserve();
    if (slot < 0) return;
    bytes.copy(this.#port.outgoing, slot, offset, offset + plainLength);
    transport.sendRtp(slot, plainLength);
  }
}
