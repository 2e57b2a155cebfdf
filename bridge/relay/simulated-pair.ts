/**
 * For tests: two relays, a network that loses, delays, reorders and repeats, and a virtual clock. Everything random comes from one seed.
 */
import { createHash } from 'node:crypto';
import type { BridgePeer } from '../../protocol/control/spec.ts';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import type { Withheld } from '../../protocol/octo/withheld.ts';
import { SLOT_BYTES } from '../arena.ts';
import { DEFAULT_FEC_SETTINGS, type FecSettings } from './fec-policy.ts';
import type { Link } from './link.ts';
import { Relay } from './relay.ts';
import type { LinkStateName, RelaySink } from './relay-sink.ts';
import { simulatedHandshakes } from './simulated-handshake.ts';
import { SimulatedPort } from './simulated-port.ts';

export const TICK_MS = 10;

export interface Path {
  /** Shares of datagrams, 0 to 1. */
  loss: number;
  duplicates: number;
  delayMs: number;
  /** Up to so much more, evenly spread: this is what reorders. */
  jitterMs: number;
}

export interface Flying {
  readonly from: SimulatedBridge;
  readonly to: SimulatedBridge;
  readonly bytes: Buffer;
  readonly atMs: number;
}

export class SimulatedPair {
  nowMs = 1000;
  readonly random: () => number;
  readonly path: Path = { loss: 0, duplicates: 0, delayMs: 25, jitterMs: 0 };
  /** Looks at each datagram as it is sent; false loses it. */
  filter: (bytes: Buffer, from: SimulatedBridge) => boolean = () => true;
  readonly a: SimulatedBridge;
  readonly b: SimulatedBridge;
  readonly fec: FecSettings;
  #flying: Flying[] = [];

  /** Forward error correction is off unless it is asked for: it would hide from tests of other things what the path loses. */
  constructor(seed: number, path: Partial<Path> = {}, fec: FecSettings = { ...DEFAULT_FEC_SETTINGS, shareMax: 0 }) {
    this.fec = fec;
    this.random = seededRandom(seed);
    Object.assign(this.path, path);
    this.a = new SimulatedBridge(this, 'a');
    this.b = new SimulatedBridge(this, 'b');
  }

  /** The conference on both bridges, at once. */
  share(conferenceId: ConferenceId): void {
    this.a.relay.setPeers(conferenceId, [this.a.peer, this.b.peer]);
    this.b.relay.setPeers(conferenceId, [this.a.peer, this.b.peer]);
  }

  /** Lets time pass, in steps of a tick; `each` is called after every step. */
  run(durationMs: number, each: () => void = () => {}, stepMs = TICK_MS): void {
    const endMs = this.nowMs + durationMs;
    while (this.nowMs < endMs) {
      const stepEndMs = Math.min(endMs, this.nowMs + stepMs);
      this.#deliverUntil(stepEndMs);
      this.nowMs = stepEndMs;
      this.a.relay.handleTimeout(this.nowMs);
      this.b.relay.handleTimeout(this.nowMs);
      each();
    }
  }

  /** Runs until `isDone`, and returns how long that took in ms; throws after `limitMs`. */
  runUntil(isDone: () => boolean, limitMs: number): number {
    const startMs = this.nowMs;
    while (!isDone()) {
      if (this.nowMs - startMs >= limitMs) throw new Error(`not reached within ${limitMs} ms`);
      this.run(TICK_MS);
    }
    return this.nowMs - startMs;
  }

  send(from: SimulatedBridge, bytes: Buffer): void {
    const { loss, duplicates, delayMs, jitterMs } = this.path;
    const to = from === this.a ? this.b : this.a;
    if (!this.filter(bytes, from)) return;
    const copies = this.random() < duplicates ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random() < loss) continue;
      this.#flying.push({ from, to, bytes, atMs: this.nowMs + delayMs + this.random() * jitterMs });
    }
  }

  #deliverUntil(endMs: number): void {
    for (;;) {
      let first = -1;
      for (const [index, flying] of this.#flying.entries()) {
        if (flying.atMs <= endMs && (first < 0 || flying.atMs < this.#flying[first].atMs)) first = index;
      }
      if (first < 0) return;
      const [arrived] = this.#flying.splice(first, 1);
      this.nowMs = Math.max(this.nowMs, arrived.atMs);
      arrived.to.receive(arrived.bytes);
    }
  }
}

export interface SeenPacket {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  readonly layer: number;
  readonly bytes: Buffer;
  readonly atMs: number;
}

export interface SeenMessage {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly isReliable: boolean;
  readonly bytes: Uint8Array;
}

/** One end, and what its sink has seen. `restart` makes it a new process. */
export class SimulatedBridge implements RelaySink {
  readonly pair: SimulatedPair;
  readonly id: BridgeId;
  peer: BridgePeer;
  relay: Relay;
  packets: SeenPacket[] = [];
  messages: SeenMessage[] = [];
  keyFrameRequests: SeenPacket[] = [];
  wanted: { conferenceId: ConferenceId; wants: readonly Want[] }[] = [];
  withheld: { conferenceId: ConferenceId; withheld: readonly Withheld[] }[] = [];
  states: LinkStateName[] = [];
  /** When frames were given up. */
  lossesMs: number[] = [];
  #port: SimulatedPort;
  #boots = 0;

  constructor(pair: SimulatedPair, name: string) {
    this.pair = pair;
    this.id = name as BridgeId;
    this.#port = this.#open();
    this.peer = this.#describe();
    this.relay = this.#boot();
  }

  get link(): Link | undefined {
    return this.relay.linkTo(this.id === 'a' ? ('b' as BridgeId) : ('a' as BridgeId));
  }

  /** As when the process dies and another one starts: new certificate, nothing remembered, no good-bye. */
  restart(): void {
    this.#boots++;
    this.#port = this.#open();
    this.peer = this.#describe();
    this.relay = this.#boot();
  }

  receive(bytes: Buffer): void {
    const copy = Buffer.alloc(SLOT_BYTES);
    bytes.copy(copy);
    this.relay.handleDatagram(this.pair.nowMs, copy, 0, bytes.length, this.#port.known);
  }

  onRelayedPacket(
    _peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    this.packets.push({ conferenceId, endpointId, sourceId, layer, bytes: copy, atMs: this.pair.nowMs });
  }

  onRelayedMessage(
    _peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    isReliable: boolean,
    bytes: Uint8Array,
  ): void {
    this.messages.push({ conferenceId, endpointId, isReliable, bytes });
  }

  onKeyFrameRequest(
    _peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
  ): void {
    const bytes = Buffer.alloc(0);
    this.keyFrameRequests.push({ conferenceId, endpointId, sourceId, layer, bytes, atMs: this.pair.nowMs });
  }

  onWanted(_peer: BridgeId, conferenceId: ConferenceId, wants: readonly Want[]): void {
    this.wanted.push({ conferenceId, wants });
  }

  onWithheld(_peer: BridgeId, conferenceId: ConferenceId, withheld: readonly Withheld[]): void {
    this.withheld.push({ conferenceId, withheld });
  }

  onFramesLost(): void {
    this.lossesMs.push(this.pair.nowMs);
  }

  onLinkState(_peer: BridgeId, state: LinkStateName): void {
    this.states.push(state);
  }

  #open(): SimulatedPort {
    return new SimulatedPort(bytes => this.pair.send(this, bytes));
  }

  #describe(): BridgePeer {
    return {
      bridgeId: this.id,
      region: `region-${this.id}`,
      octo: { address: `address-${this.id}`, port: 4096 },
      fingerprint: { algorithm: 'sha-256', value: fingerprintOf(this.id, this.#boots) },
    };
  }

  #boot(): Relay {
    const { pair } = this;
    return new Relay({
      ciphers: PORTABLE_FRAME_CIPHERS,
      self: this.peer,
      port: this.#port,
      startHandshake: simulatedHandshakes(this.peer.fingerprint.value, pair.random),
      sink: this,
      fec: pair.fec,
      random: pair.random,
      nowMs: () => pair.nowMs,
      log: { warn: () => {} },
    });
  }
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function fingerprintOf(id: string, boots: number): string {
  const hex = createHash('sha256').update(`${id}${boots}`).digest('hex').toUpperCase();
  return hex.match(/../g)?.join(':') ?? '';
}
