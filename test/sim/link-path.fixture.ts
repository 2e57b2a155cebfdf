/**
 * Links over emulated paths in virtual time: real `Link`s at both ends, stand-ins for DTLS and AES-GCM, and a `PathModel` each way. Several links may
 * share the forward path: then they share its bottleneck. Everything random comes from one seed.
 */
import { createHash } from 'node:crypto';
import { SLOT_BYTES } from '../../bridge/arena.ts';
import { DEFAULT_FEC_SETTINGS } from '../../bridge/relay/fec-policy.ts';
import { Link } from '../../bridge/relay/link.ts';
import type { RelaySink } from '../../bridge/relay/relay-sink.ts';
import { simulatedHandshakes } from '../../bridge/relay/simulated-handshake.ts';
import type { BridgePeer } from '../../protocol/control/spec.ts';
import type { BridgeId, ConferenceId } from '../../protocol/ids.ts';
import { Chance } from '../soak/chance.ts';
import { DueQueue } from '../wan/due-queue.ts';
import { PathModel } from '../wan/path-model.ts';
import type { PathSettings } from '../wan/path-settings.ts';
import { CHEAP_FRAME_CIPHERS } from './cheap-ciphers.ts';

export const CONFERENCE = 1 as ConferenceId;
const TICK_MS = 10;
const UDP_AND_IP_BYTES = 28;
const ITEMS_MAX = 200_000;
const BYTES_MAX = 2e8;

export interface WorldOptions {
  readonly seed?: number;
  readonly links?: number;
  readonly forward?: Partial<PathSettings>;
  readonly backward?: Partial<PathSettings>;
  /** How much faster the receivers' clocks run, parts per million. */
  readonly driftPpm?: number;
}

/** What happens every 10 ms between what arrives and what comes of it. */
export type Step = (nowMs: number) => void;

export class LinkWorld {
  nowMs = 5_000;
  readonly chance: Chance;
  /** From all senders to all receivers: one bottleneck. */
  readonly forward: PathModel;
  readonly pairs: readonly LinkPair[];
  /** Looks at each datagram that is about to enter a path; false loses it. */
  filter: (bytes: Uint8Array, isForward: boolean) => boolean = () => true;
  readonly #backward: PathModel;
  readonly #flying = new DueQueue<() => void>(ITEMS_MAX, BYTES_MAX);

  constructor(options: WorldOptions = {}) {
    this.chance = new Chance(options.seed ?? 1);
    this.forward = new PathModel(this.chance.below(2 ** 32), { delayMs: 25, ...options.forward });
    this.#backward = new PathModel(this.chance.below(2 ** 32), { delayMs: 25, ...options.backward });
    const drift = 1 + (options.driftPpm ?? 0) / 1e6;
    this.pairs = Array.from({ length: options.links ?? 1 }, (_, index) => new LinkPair(this, index, drift));
    this.runUntil(() => this.pairs.every(pair => pair.sender.state === 'up' && pair.receiver.state === 'up'), 5_000);
  }

  run(durationMs: number, step: Step = () => {}): void {
    const endMs = this.nowMs + durationMs;
    while (this.nowMs < endMs) this.#tick(step);
  }

  runUntil(isDone: () => boolean, limitMs: number, step: Step = () => {}): number {
    const startMs = this.nowMs;
    while (!isDone()) {
      if (this.nowMs - startMs >= limitMs) throw new Error(`not reached within ${limitMs} ms`);
      this.#tick(step);
    }
    return this.nowMs - startMs;
  }

  send(bytes: Uint8Array, isForward: boolean, receive: (bytes: Buffer) => void): void {
    if (!this.filter(bytes, isForward)) return;
    const path = isForward ? this.forward : this.#backward;
    const outcome = path.offer(this.nowMs, bytes.length + UDP_AND_IP_BYTES);
    if (outcome.kind === 'dropped') return;
    for (const leavesAtMs of outcome.leavesAtMs) {
      const copy = Buffer.from(bytes);
      if (!this.#flying.push(leavesAtMs, () => receive(copy), copy.length)) throw new Error('too much is under way');
    }
  }

  #tick(step: Step): void {
    const endMs = this.nowMs + TICK_MS;
    while (this.#flying.nextDueMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.#flying.nextDueMs);
      this.#flying.shift(this.nowMs)?.();
    }
    this.nowMs = endMs;
    step(endMs);
    for (const pair of this.pairs) pair.handleTimeout();
  }
}

/** One link, both ends. */
export class LinkPair {
  readonly sender: Link;
  readonly receiver: Link;
  /** Media packets delivered, repaired ones included, and their bytes. */
  packets = 0;
  /** Those of source 0. */
  audioPackets = 0;
  bytes = 0;
  /** One-way delay of the last one. */
  delayMs = 0;
  readonly #world: LinkWorld;
  readonly #drift: number;
  readonly #scratch = Buffer.alloc(SLOT_BYTES);

  constructor(world: LinkWorld, index: number, drift: number) {
    this.#world = world;
    this.#drift = drift;
    const senderMs = () => world.nowMs;
    const receiverMs = () => this.#receiverMs();
    const scratch = this.#scratch;
    const deliver = (link: () => Link, clock: () => number) => (bytes: Buffer) => {
      bytes.copy(scratch);
      link().handleDatagram(clock(), scratch, 0, bytes.length);
    };
    const toReceiver = deliver(() => this.receiver, receiverMs);
    const toSender = deliver(() => this.sender, senderMs);
    const [near, far] = [`near-${index}`, `far-${index}`];
    this.sender = this.#link(near, far, senderMs, NO_SINK, bytes => world.send(bytes, true, toReceiver));
    const sink: RelaySink = {
      ...NO_SINK,
      onRelayedPacket: (...packet) => this.#take(packet[3], packet[5], packet[6], packet[7]),
    };
    this.receiver = this.#link(far, near, receiverMs, sink, bytes => world.send(bytes, false, toSender));
    this.sender.dialogue.addConference(world.nowMs, CONFERENCE);
    this.receiver.dialogue.addConference(receiverMs(), CONFERENCE);
    this.handleTimeout();
  }

  handleTimeout(): void {
    this.sender.handleTimeout(this.#world.nowMs);
    this.receiver.handleTimeout(this.#receiverMs());
  }

  #receiverMs(): number {
    return 77_777 + this.#world.nowMs * this.#drift;
  }

  /** The first eight bytes behind the RTP header say when the packet was sent. */
  #take(source: number, bytes: Uint8Array, offset: number, length: number): void {
    this.packets++;
    if (source === 0) this.audioPackets++;
    this.bytes += length;
    this.delayMs = this.#world.nowMs - Buffer.prototype.readDoubleBE.call(bytes, offset + 12);
  }

  #link(self: string, peer: string, nowMs: () => number, sink: RelaySink, send: (bytes: Uint8Array) => void): Link {
    const outgoing = Buffer.alloc(SLOT_BYTES);
    const random = () => this.#world.chance.fraction();
    return new Link({
      selfId: self as BridgeId,
      peer: describePeer(peer),
      wire: {
        outgoing,
        sendsRuns: false,
        reserve: () => 0,
        commit: (offset, length) => send(outgoing.subarray(offset, offset + length)),
      },
      startHandshake: simulatedHandshakes(fingerprintOf(self), random),
      ciphers: CHEAP_FRAME_CIPHERS,
      sink,
      fec: { ...DEFAULT_FEC_SETTINGS, shareMax: 0 },
      random,
      nowMs,
      onFailed: reason => {
        throw new Error(reason);
      },
    });
  }
}

const NO_SINK: RelaySink = {
  onRelayedPacket: () => {},
  onRelayedMessage: () => {},
  onKeyFrameRequest: () => {},
  onWanted: () => {},
  onWithheld: () => {},
  onFramesLost: () => {},
  onLinkState: () => {},
};

function describePeer(name: string): BridgePeer {
  return {
    bridgeId: name,
    region: `region-${name}`,
    octo: { address: name, port: 4096 },
    fingerprint: { algorithm: 'sha-256', value: fingerprintOf(name) },
  };
}

function fingerprintOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex').toUpperCase();
  return hex.match(/../g)?.join(':') ?? '';
}
