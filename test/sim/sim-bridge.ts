import { createHash } from 'node:crypto';
import { SLOT_BYTES } from '../../bridge/arena.ts';
import { Bridge } from '../../bridge/bridge.ts';
import { BridgeCounters } from '../../bridge/counters.ts';
import { Egress } from '../../bridge/egress.ts';
import type { Endpoint } from '../../bridge/endpoint.ts';
import { Ingress } from '../../bridge/ingress.ts';
import type { Peer } from '../../bridge/io/datagram-port.ts';
import type { Link } from '../../bridge/relay/link.ts';
import { Relay } from '../../bridge/relay/relay.ts';
import { simulatedHandshakes } from '../../bridge/relay/simulated-handshake.ts';
import { RelayIntake } from '../../bridge/relay-intake.ts';
import { RtcpEgress } from '../../bridge/rtcp-egress.ts';
import { RtcpIngress } from '../../bridge/rtcp-ingress.ts';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import type { BridgePeer } from '../../protocol/control/spec.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { FrameCiphers } from '../../protocol/octo/aead.ts';
import { Chance } from '../soak/chance.ts';
import type { Agenda } from './agenda.ts';
import { ClientLeg, type LegUser } from './client-leg.ts';
import type { Network, NetworkHost } from './network.ts';
import { SlotPort } from './slot-port.ts';

const TICK_MS = 10;
const OCTO_PORT = 4096;
const MEDIA_PORT = 10_000;
const PORT_SLOTS = 64;
/** A turn of the event loop that had more to do than it may goes on in the next one. */
const TURNS_PER_TICK_MAX = 100;

export interface SimBridgeOptions {
  readonly index: number;
  readonly seed: number;
  readonly agenda: Agenda;
  readonly network: Network;
  readonly ciphers: FrameCiphers;
  readonly rekeyAgeMs: number;
  /** Pads media to runs, as on the native datapath. */
  readonly sendsRuns: boolean;
  /** Who is at the other end of a new endpoint's transport. */
  readonly open: (bridge: SimBridge, owner: Endpoint) => LegUser;
  readonly onLeg: (leg: ClientLeg) => void;
  readonly onEvent: (bridge: SimBridge, event: BridgeEvent) => void;
}

/** One process: everything that `bridge/service.ts` puts together, but for sockets and clock. It dies and comes back as another one under the same name. */
class Process {
  readonly bridge: Bridge;
  readonly relay: Relay;
  readonly ingress: Ingress;
  readonly counters = new BridgeCounters();
  readonly octo: SlotPort<Link>;
  readonly media: SlotPort<Endpoint>;
  readonly startedMs: number;

  constructor(host: SimBridge, options: SimBridgeOptions, peer: BridgePeer, chance: Chance) {
    const { agenda, network, index } = options;
    // No two bridges' clocks show the same.
    this.startedMs = agenda.nowMs - chance.below(1_000_000);
    const nowMs = () => agenda.nowMs - this.startedMs;
    const { counters } = this;
    this.octo = new SlotPort(addressOf(index), OCTO_PORT, PORT_SLOTS, options.sendsRuns, (bytes, offset, length, to) =>
      network.send(index, indexOf(to.address), bytes, offset, length),
    );
    this.media = new SlotPort(addressOf(index), MEDIA_PORT, PORT_SLOTS, false, () => {});
    const intake = new RelayIntake({ counters, nowMs, onLinkState: () => {} });
    this.relay = new Relay({
      self: peer,
      port: this.octo,
      startHandshake: simulatedHandshakes(peer.fingerprint.value, () => chance.fraction()),
      ciphers: options.ciphers,
      sink: intake,
      random: () => chance.fraction(),
      nowMs,
      log: { warn: () => {} },
      rekeyAgeMs: options.rekeyAgeMs,
    });
    const egress = new Egress(this.media, this.relay, counters);
    this.bridge = new Bridge({
      bridgeId: host.id,
      fingerprint: peer.fingerprint,
      candidates: [],
      endpointsMax: 1_000,
      conferencesMax: 1_000,
      relay: this.relay,
      egress,
      rtcp: new RtcpEgress(this.media, 1 + index, counters),
      counters,
      openTransport: (owner, sink) => {
        const leg = new ClientLeg(owner, this.media, sink, options.open(host, owner));
        options.onLeg(leg);
        return leg.asTransport;
      },
      emit: event => options.onEvent(host, event),
      nowMs,
      randomUint32: () => chance.below(2 ** 32),
    });
    this.ingress = new Ingress({
      egress,
      rtcp: new RtcpIngress(egress, counters),
      handleStun: () => {},
      conferences: this.bridge.conferences,
      counters,
      nowMs,
    });
    intake.attach(this.bridge, this.ingress);
  }

  nowMs(worldMs: number): number {
    return worldMs - this.startedMs;
  }

  /** Nothing is here, and no link says good-bye: no tick would do anything. */
  get isIdle(): boolean {
    return this.bridge.conferences.size === 0 && this.octo.adopted === 0;
  }
}

export type { Process };

/** A bridge by name: its present process, and what the network gives it. */
export class SimBridge implements NetworkHost {
  readonly index: number;
  readonly id: BridgeId;
  readonly region: string;
  boots = 0;
  /** Undefined while it is down. */
  process: Process | undefined;
  readonly #options: SimBridgeOptions;
  readonly #chance: Chance;
  readonly #slot = Buffer.alloc(SLOT_BYTES);
  #isTicking = false;

  constructor(options: SimBridgeOptions) {
    this.#options = options;
    this.index = options.index;
    this.id = nameOf(options.index) as BridgeId;
    this.region = `region-${this.id}`;
    this.#chance = new Chance(options.seed);
  }

  /** As the focus vouches for its present process. */
  get peer(): BridgePeer {
    return {
      bridgeId: this.id,
      region: this.region,
      octo: { address: addressOf(this.index), port: OCTO_PORT },
      fingerprint: { algorithm: 'sha-256', value: fingerprintOf(this.id, this.boots) },
    };
  }

  start(): void {
    this.boots++;
    this.process = new Process(this, this.#options, this.peer, this.#chance);
  }

  /** Ends the process: with a good-bye, or as if it had been killed. */
  stop(isGraceful: boolean): void {
    const { process } = this;
    if (process === undefined) return;
    if (isGraceful) void process.bridge.close();
    this.process = undefined;
  }

  /** Something has been put on it: time matters again. */
  wake(): void {
    if (this.#isTicking || this.process === undefined) return;
    this.#isTicking = true;
    this.#options.agenda.after(this.#chance.fraction() * TICK_MS, () => this.#tick(this.boots));
  }

  receive(from: number, bytes: Buffer): void {
    const { process } = this;
    if (process === undefined) return;
    bytes.copy(this.#slot);
    const peer: Peer<Link> = process.octo.peerAt(addressOf(from)) ?? STRANGER;
    process.relay.handleDatagram(process.nowMs(this.#options.agenda.nowMs), this.#slot, 0, bytes.length, peer);
    process.ingress.endBurst();
  }

  /** A datagram of a client. {@link endBurst} after all that come together. */
  receiveFromClient(leg: ClientLeg, bytes: Uint8Array, length: number): void {
    this.#slot.set(bytes.subarray(0, length));
    const peer: Peer<Endpoint> = { address: 'client', port: 1, family: 'IPv4', owner: leg.owner };
    this.process?.ingress.handleDatagram(this.#slot, 0, length, peer);
  }

  endBurst(): void {
    this.process?.ingress.endBurst();
  }

  #tick(boots: number): void {
    const { process } = this;
    if (process === undefined || boots !== this.boots || process.isIdle) {
      this.#isTicking = false;
      // Another process of this name may have been woken while this one's last tick was under way.
      if (process !== undefined && !process.isIdle) this.wake();
      return;
    }
    const { agenda } = this.#options;
    const nowMs = process.nowMs(agenda.nowMs);
    let turns = 1;
    while (process.bridge.handleTimeout(nowMs)) {
      if (++turns > TURNS_PER_TICK_MAX) throw new Error(`${this.id} has more due than ${TURNS_PER_TICK_MAX} turns do`);
    }
    agenda.after(TICK_MS, () => this.#tick(boots));
  }
}

const STRANGER: Peer<Link> = { address: 'stranger', port: 0, family: 'IPv4', owner: undefined };

export function nameOf(index: number): string {
  return String.fromCharCode(97 + index);
}

export function addressOf(index: number): string {
  return `10.0.0.${index + 1}`;
}

function indexOf(address: string): number {
  return Number(address.slice(address.lastIndexOf('.') + 1)) - 1;
}

function fingerprintOf(id: string, boots: number): string {
  const hex = createHash('sha256').update(`${id}${boots}`).digest('hex').toUpperCase();
  return hex.match(/../g)?.join(':') ?? '';
}
