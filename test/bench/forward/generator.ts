/** The load generator: plays stages' endpoints on one socket, runs loads, and says what came of them. */
import { type Certificate, createCertificate } from '../../../bridge/io/certificate.ts';
import { DTLS, firstByteKind, isRtcp, RTP, STUN } from '../../../protocol/demux.ts';
import { DecodeError } from '../../../protocol/errors.ts';
import { readUint32 } from '../../../protocol/rtp/packet.ts';
import type { ForwardCase } from './cases.ts';
import { Feedback } from './feedback.ts';
import type { GeneratorEndpoint } from './generator-endpoint.ts';
import type { GeneratorSocket } from './io/generator-socket.ts';
import { kernelDrops } from './io/kernel-drops.ts';
import { openGeneratorSocket } from './io/open-generator-socket.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { PacketObserver } from './packet-observer.ts';
import type { PublishedStream } from './published-stream.ts';
import { type ReceivedStream, Verification } from './received-stream.ts';
import { type BridgeAddress, SsrcTable, Stage } from './stage.ts';

const TICK_MS = 1;
const NACK_PERIOD_MS = 20;
/** At its very first start a stream may wait this long: key frames of hundreds of streams at once are nothing that a bridge meets. */
const FIRST_WAIT_MS = 1_000;
const REPORT_PERIOD_MS = 1_000;
/** Consent (RFC 7675): a check every 5 s. */
const CONSENT_PERIOD_MS = 5_000;
/** After the last packet: time for retransmissions to come. */
const DRAIN_MS = 300;
/** Above this many packets a second not all of them are decrypted. */
const VERIFY_ALL_PPS_MAX = 10_000;
const CHEAP_SAMPLE_EVERY = 16;

export interface LoadOptions {
  readonly stage: string;
  readonly seconds: number;
  /** How much faster than life the media is played: frames come so many times as often. */
  readonly speed: number;
  /** Expected packets a second to subscribers: decides how many are verified. */
  readonly expectedPps: number;
  /**
   * Looks at the clock all the time, as somebody with a core of their own may: frames leave when they are due and not with all others of the same millisecond, and
   * nobody who sends to it has to wake a processor. Else once a millisecond.
   */
  readonly spins: boolean;
  /** Streams that have never been played begin within this time; a second, unless said otherwise. */
  readonly firstWaitMs?: number;
  /** Subscribers ask for a key frame when a packet of video is missing for good, as decoders do. */
  readonly asksKeyFrames?: boolean;
}

export interface LoadResult {
  readonly seconds: number;
  /** RTP packets published, without retransmissions. */
  readonly sent: number;
  /** RTP packets that subscribers got, each once. */
  readonly received: number;
  /** Gaps never filled. */
  readonly lost: number;
  /** Gaps filled by retransmission. */
  readonly recovered: number;
  readonly duplicates: number;
  /** One packet in so many was decrypted and compared with what was sent. */
  readonly sampleEvery: number;
  readonly verified: number;
  readonly faults: Readonly<Record<string, number>>;
  /** From just before the publisher's packet was protected to the arrival at the subscriber's socket. */
  readonly latencyUs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly framesSkipped: number;
  /** Datagrams that the generator could not send, or whose arrival it missed because its own receive buffer was full. */
  readonly generatorDropped: number;
  /** Datagrams for the bridges that their receive buffers had no room for. */
  readonly bridgeDropped: number;
  /** Of the generator: share of one core, without what it spent looking at the clock. */
  readonly cpu: number;
}

export class Generator {
  readonly socket: GeneratorSocket;
  /** Datagrams of nobody's stream: what the floor sends. */
  strays = 0;
  readonly #certificate: Certificate;
  readonly #progress: (line: string) => void;
  readonly #stages = new Map<string, Stage>();
  readonly #endpoints: GeneratorEndpoint[] = [];
  readonly #ssrcs = new SsrcTable();
  readonly #verification: Verification;
  readonly #gaps = new Set<ReceivedStream>();
  readonly #consent: NodeJS.Timeout;
  readonly #feedback: Feedback;
  #sampleEvery = 1;
  #asksKeyFrames = false;
  #consentNext = 0;

  /** `observer` hears of all packets; then every one is verified. */
  static async open(progress: (line: string) => void, observer?: PacketObserver): Promise<Generator> {
    let generator: Generator | undefined;
    const socket = await openGeneratorSocket((bytes, offset, length, endpoint, receivedUs) => {
      generator?.receive(bytes, offset, length, endpoint, receivedUs);
    });
    generator = new Generator(socket, await createCertificate(), progress, observer);
    return generator;
  }

  private constructor(
    socket: GeneratorSocket,
    certificate: Certificate,
    progress: (line: string) => void,
    observer: PacketObserver | undefined,
  ) {
    this.#verification = new Verification(new LatencyHistogram(), observer);
    this.socket = socket;
    this.#certificate = certificate;
    this.#progress = progress;
    this.#feedback = new Feedback({
      socket,
      published: ssrc => this.#published(ssrc),
      received: ssrc => this.#ssrcs.received[(ssrc - SsrcTable.firstReceived) >> 1],
    });
    this.#consent = setInterval(() => this.#keepConsent(), 100);
  }

  /** Connects a case's endpoints to bridges, without subscriptions. */
  async connect(name: string, { plan, srtp }: ForwardCase, bridges: readonly BridgeAddress[]): Promise<void> {
    const stage = new Stage({
      plan: plan(),
      srtp,
      bridges,
      socket: this.socket,
      certificate: this.#certificate,
      ssrcs: this.#ssrcs,
      verification: this.#verification,
      firstEndpoint: this.#endpoints.length,
      progress: line => this.#progress(`${name}: ${line}`),
    });
    this.#endpoints.push(...stage.endpoints);
    this.#stages.set(name, stage);
    await stage.connect();
  }

  /** Ends a stage: its endpoints leave. */
  async leave(name: string): Promise<void> {
    await this.stage(name).leave();
    this.#stages.delete(name);
  }

  stage(name: string): Stage {
    const stage = this.#stages.get(name);
    if (stage === undefined) throw new Error(`no stage "${name}"; there are ${[...this.#stages.keys()].join(', ')}`);
    return stage;
  }

  /** Plays a stage's media for a time. */
  async load(options: LoadOptions): Promise<LoadResult> {
    const { stage: name, seconds, expectedPps } = options;
    this.#asksKeyFrames = options.asksKeyFrames ?? false;
    const stage = this.stage(name);
    const isCheap = expectedPps > VERIFY_ALL_PPS_MAX && this.#verification.observer === undefined;
    this.#sampleEvery = isCheap ? CHEAP_SAMPLE_EVERY : 1;
    this.#verification.reset(this.socket.nowUs());
    this.#gaps.clear();
    for (const [index, stream] of stage.received.entries()) stream.begin(1 + (index % this.#sampleEvery));
    this.socket.alignClocks();
    const before = { cpu: process.cpuUsage(), ...this.#sums(stage), ...this.#drops(stage) };
    const startedMs = performance.now();
    const idleMs = await this.#play(stage, startedMs, seconds * 1_000, options);
    await this.#drain();
    const { user, system } = process.cpuUsage(before.cpu);
    const sums = this.#sums(stage);
    const drops = this.#drops(stage);
    const { latency, verified, faults } = this.#verification;
    let [received, lost, recovered, duplicates] = [0, 0, 0, 0];
    for (const { count } of stage.received) {
      received += count.received;
      lost += count.missing.size;
      recovered += count.recovered;
      duplicates += count.duplicates;
    }
    return {
      seconds,
      sent: sums.sent - before.sent,
      received: received + recovered,
      lost,
      recovered,
      duplicates,
      sampleEvery: this.#sampleEvery,
      verified,
      faults: Object.fromEntries(faults),
      latencyUs: {
        p50: latency.percentileUs(0.5),
        p99: latency.percentileUs(0.99),
        p999: latency.percentileUs(0.999),
      },
      framesSkipped: sums.framesSkipped - before.framesSkipped,
      generatorDropped: drops.generator - before.generator,
      bridgeDropped: drops.bridge - before.bridge,
      cpu: ((user + system) / 1_000 - idleMs) / (performance.now() - startedMs),
    };
  }

  /** One datagram of the socket. */
  receive(bytes: Buffer, offset: number, length: number, index: number, receivedUs: number): void {
    const kind = firstByteKind(bytes[offset]);
    if (kind === RTP && length >= 12) {
      if (isRtcp(bytes, offset)) this.#receiveReport(bytes, offset, length, index);
      else this.#receiveMedia(bytes, offset, length, receivedUs);
    } else if (kind === STUN || kind === DTLS) {
      // Promises of the handshake do not run inside a native callback: from the next turn on they do.
      const copy = Buffer.from(bytes.subarray(offset, offset + length));
      setImmediate(() => this.#receiveSetup(kind, copy, index));
    } else this.strays++;
  }

  async close(): Promise<void> {
    clearInterval(this.#consent);
    for (const stage of this.#stages.values()) stage.close();
    await this.socket.close();
  }

  #receiveMedia(bytes: Buffer, offset: number, length: number, receivedUs: number): void {
    const place = readUint32(bytes, offset + 8) - SsrcTable.firstReceived;
    const stream = this.#ssrcs.received[place >> 1];
    if (stream === undefined) {
      this.strays++;
      return;
    }
    if ((place & 1) === 1) return stream.handleRtx(bytes, offset, length, receivedUs);
    stream.handle(bytes, offset, length, receivedUs, this.#sampleEvery);
    if (stream.count.missing.size > 0) this.#gaps.add(stream);
  }

  #receiveSetup(kind: number, bytes: Buffer, index: number): void {
    const endpoint = this.#endpoints[index];
    if (endpoint === undefined) return;
    try {
      if (kind === STUN) endpoint.handleStun(bytes);
      else endpoint.handleDtls(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #receiveReport(bytes: Buffer, offset: number, length: number, index: number): void {
    const endpoint = this.#endpoints[index];
    if (endpoint?.srtp === undefined) return;
    if (!this.#feedback.receive(endpoint, bytes, offset, length, performance.now())) this.#verification.fault('srtp');
  }

  #published(ssrc: number): PublishedStream | undefined {
    for (const stage of this.#stages.values()) {
      const stream = stage.publishedBySsrc.get(ssrc);
      if (stream !== undefined) return stream;
    }
    return undefined;
  }

  /** Returns the time, in ms, that it spun with nothing to do. */
  async #play(
    stage: Stage,
    startedMs: number,
    durationMs: number,
    { speed, spins, firstWaitMs = FIRST_WAIT_MS }: LoadOptions,
  ): Promise<number> {
    for (const [index, stream] of stage.published.entries()) {
      // Golden ratio: phases that never bunch.
      stream.start(startedMs, speed, (index * 0.618_034) % 1, firstWaitMs);
    }
    const { socket } = this;
    const { promise, resolve } = Promise.withResolvers<number>();
    let [idleMs, tickMs, moved] = [0, startedMs, socket.sent + socket.received];
    let [reportAtMs, nackAtMs, reported] = [startedMs, startedMs, 0];
    const tick = () => {
      const nowMs = performance.now();
      if (nowMs - startedMs >= durationMs) return resolve(idleMs);
      if (spins && socket.sent + socket.received === moved) idleMs += nowMs - tickMs;
      moved = socket.sent + socket.received;
      tickMs = nowMs;
      for (const stream of stage.published) if (stream.dueMs <= nowMs) stream.handleTimeout(nowMs, speed);
      if (nowMs >= nackAtMs) {
        nackAtMs = nowMs + NACK_PERIOD_MS;
        this.#sendNacks(nowMs);
      }
      if (nowMs >= reportAtMs) {
        reportAtMs += REPORT_PERIOD_MS;
        for (const stream of stage.published) stream.report(nowMs, performance.timeOrigin + nowMs);
      }
      reported = this.#sendReceiverReports(stage, nowMs - startedMs, reported, nowMs);
      socket.flush();
      if (spins) setImmediate(tick);
      else setTimeout(tick, TICK_MS);
    };
    tick();
    return promise;
  }

  async #drain(): Promise<void> {
    const endMs = performance.now() + DRAIN_MS;
    while (performance.now() < endMs) {
      await new Promise(resolve => setTimeout(resolve, NACK_PERIOD_MS));
      this.#sendNacks(performance.now());
    }
  }

  #sendNacks(nowMs: number): void {
    for (const stream of this.#gaps) {
      if (stream.count.missing.size === 0) this.#gaps.delete(stream);
      else {
        this.#feedback.sendNack(stream, nowMs);
        if (this.#asksKeyFrames) this.#feedback.askKeyFrame(stream, nowMs);
      }
    }
    this.socket.flush();
  }

  /** Every endpoint once a second, spread evenly: as many as are due by now. Returns how many have been sent since the start. */
  #sendReceiverReports(stage: Stage, elapsedMs: number, reported: number, nowMs: number): number {
    const due = Math.floor((elapsedMs / REPORT_PERIOD_MS) * stage.receivedBy.length);
    let done = reported;
    for (; done < due; done++) {
      const streams = stage.receivedBy[done % stage.receivedBy.length];
      if (streams.length > 0) this.#feedback.sendReceiverReport(streams, nowMs);
    }
    return done;
  }

  #keepConsent(): void {
    const share = Math.ceil((this.#endpoints.length * 100) / CONSENT_PERIOD_MS);
    for (let count = 0; count < share; count++) {
      const endpoint = this.#endpoints[this.#consentNext++ % this.#endpoints.length];
      if (endpoint.srtp !== undefined) endpoint.sendCheck();
    }
  }

  #drops({ endpoints }: Stage): { generator: number; bridge: number } {
    const own = endpoints.map(({ index }) => this.socket.addressOf(index).port);
    return {
      generator: this.socket.refused + kernelDrops(new Set(own)),
      bridge: kernelDrops(new Set(endpoints.map(({ port }) => port))),
    };
  }

  #sums(stage: Stage): { sent: number; framesSkipped: number } {
    let [sent, framesSkipped] = [0, 0];
    for (const stream of stage.published) {
      sent += stream.packets;
      framesSkipped += stream.framesSkipped;
    }
    return { sent, framesSkipped };
  }
}
