/**
 * What hostile datagrams do to a link: nothing, and for less CPU than good ones. Two links in memory, keys as a handshake would give them; one sends, the
 * other is measured.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SLOT_BYTES } from '../../../bridge/arena.ts';
import { DEFAULT_FEC_SETTINGS } from '../../../bridge/relay/fec-policy.ts';
import type { Handshake, HandshakeOptions } from '../../../bridge/relay/handshake.ts';
import { Link } from '../../../bridge/relay/link.ts';
import { CLASS_VIDEO } from '../../../bridge/relay/media-class.ts';
import type { RelaySink } from '../../../bridge/relay/relay-sink.ts';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../../protocol/ids.ts';
import type { FrameCiphers } from '../../../protocol/octo/aead.ts';
import { cutSessionKeys, EXPORTER_BYTES, type LinkRole } from '../../../protocol/octo/keys.ts';
import { HOSTILE_BYTES_MAX, HOSTILE_KINDS, HostileDatagrams, type HostileKind } from './hostile-datagrams.ts';

const CONFERENCE = 1 as ConferenceId;
const BATCH = 512;
const GOOD_BYTES = 1100;

export interface HostileFigures {
  readonly datagrams: number;
  /** Frames handed on, messages, wants, states and handshakes that hostile datagrams have brought about: 0. */
  readonly effects: number;
  readonly heapGrowthKb: number;
  /** ns of CPU for a good media frame of 1100 bytes, and for each kind of hostile one. */
  readonly goodNs: number;
  readonly hostileNs: number;
  readonly byKindNs: Readonly<Record<HostileKind, number>>;
}

/** Sends `datagrams` hostile ones of all kinds to a link that is up. Seeded. The figures of each kind are the best of `rounds` batches. */
export function measureHostile(seed: number, datagrams: number, ciphers: FrameCiphers, rounds = 40): HostileFigures {
  const world = new HostileWorld(ciphers);
  for (let round = 0; round < rounds; round++) world.deliverGood();
  const hostile = new HostileDatagrams(seed, world.taken);
  let goodNs = Number.POSITIVE_INFINITY;
  const byKindNs = {} as Record<HostileKind, number>;
  // Turn by turn, so that whatever else the machine does falls on all alike; the best of each.
  for (let round = 0; round < rounds; round++) {
    goodNs = Math.min(goodNs, world.deliverGood());
    for (const kind of HOSTILE_KINDS) {
      byKindNs[kind] = Math.min(byKindNs[kind] ?? Number.POSITIVE_INFINITY, world.deliverHostile(hostile, kind));
    }
  }
  const effects = world.effects;
  const heapBefore = heapAfterCollection();
  const hostileNs = world.flood(hostile, datagrams);
  const heapGrowthKb = Math.round((heapAfterCollection() - heapBefore) / 1024);
  return { datagrams, effects: world.effects - effects, heapGrowthKb, goodNs, hostileNs, byKindNs };
}

/** `b` is a server with keys; `a` makes what is good. */
class HostileWorld {
  /** Datagrams that `b` has taken. */
  readonly taken: Buffer[] = [];
  #seen = 0;
  #nowMs = 1000;
  readonly #a: Link;
  readonly #b: Link;
  readonly #sent: Buffer[] = [];
  readonly #packet = Buffer.alloc(GOOD_BYTES, 0x80);
  readonly #arena = Buffer.alloc(BATCH * SLOT_BYTES);
  readonly #lengths = new Uint16Array(BATCH);

  constructor(ciphers: FrameCiphers) {
    this.#a = this.#link('a', 'b', ciphers, bytes => this.#sent.push(bytes));
    this.#b = this.#link('b', 'a', ciphers, () => {});
    this.#a.dialogue.addConference(this.#nowMs, CONFERENCE);
    this.#b.dialogue.addConference(this.#nowMs, CONFERENCE);
    // The first tick begins the handshake, the second ends it.
    for (let tick = 0; tick < 2; tick++) this.#a.handleTimeout(this.#nowMs);
    this.#b.handleDatagram(this.#nowMs, Buffer.from(FINISHED), 0, FINISHED.length);
    if (this.#b.state !== 'up') throw new Error('the link did not come up');
  }

  /** All that a frame that is believed would move. */
  get effects(): number {
    const { packetsIn, bytesIn, handshakes, violations, foreign, unknown } = this.#b.counters;
    return this.#seen + packetsIn + bytesIn + handshakes + violations + foreign + unknown;
  }

  /** ns of each of many, on average. Throws when any was believed. */
  flood(hostile: HostileDatagrams, datagrams: number): number {
    let ns = 0;
    const effects = this.effects;
    for (let count = 0; count < datagrams; count += BATCH) ns += this.deliverHostile(hostile, undefined);
    if (this.effects !== effects) throw new Error(`hostile datagrams were believed: ${this.effects - effects}`);
    return Math.round(ns / Math.ceil(datagrams / BATCH));
  }

  /** ns of a good frame, over a batch of them. */
  deliverGood(): number {
    this.#nowMs += 10;
    this.#sent.length = 0;
    for (let index = 0; index < BATCH; index++) {
      this.#a.sendPacket(
        this.#nowMs,
        CONFERENCE,
        3 as EndpointId,
        1 as SourceId,
        0,
        CLASS_VIDEO,
        this.#packet,
        0,
        GOOD_BYTES,
      );
    }
    for (const [index, bytes] of this.#sent.entries()) {
      this.#lengths[index] = bytes.copy(this.#arena, index * SLOT_BYTES);
      if (index === BATCH - 1) this.taken.push(bytes);
    }
    const before = this.#b.counters.packetsIn;
    const ns = this.#deliver();
    if (this.#b.counters.packetsIn !== before + BATCH) throw new Error('good frames were refused');
    return ns;
  }

  /** ns of a hostile datagram, over a batch of them; of all kinds without `kind`. */
  deliverHostile(hostile: HostileDatagrams, kind: HostileKind | undefined): number {
    for (let index = 0; index < BATCH; index++) {
      const start = index * SLOT_BYTES;
      this.#lengths[index] = hostile.next(this.#arena.subarray(start, start + HOSTILE_BYTES_MAX), kind);
    }
    return this.#deliver();
  }

  #deliver(): number {
    const startedNs = process.hrtime.bigint();
    for (let index = 0; index < BATCH; index++) {
      this.#b.handleDatagram(this.#nowMs, this.#arena, index * SLOT_BYTES, this.#lengths[index]);
    }
    return Math.round(Number(process.hrtime.bigint() - startedNs) / BATCH);
  }

  #link(id: string, peer: string, ciphers: FrameCiphers, send: (bytes: Buffer) => void): Link {
    const outgoing = Buffer.alloc(SLOT_BYTES);
    const saw = () => {
      this.#seen++;
    };
    const sink: RelaySink = {
      onRelayedPacket: saw,
      onRelayedMessage: saw,
      onKeyFrameRequest: saw,
      onWanted: saw,
      onWithheld: saw,
      onFramesLost: saw,
      onLinkState: saw,
    };
    return new Link({
      selfId: id as BridgeId,
      peer: {
        bridgeId: peer,
        region: 'test',
        octo: { address: '127.0.0.1', port: 4096 },
        fingerprint: { algorithm: 'sha-256', value: 'AA:BB' },
      },
      wire: {
        outgoing,
        sendsRuns: false,
        reserve: () => 0,
        commit: (offset, length) => send(Buffer.from(outgoing.subarray(offset, offset + length))),
      },
      startHandshake: options => new PresetHandshake(options),
      ciphers,
      sink,
      fec: DEFAULT_FEC_SETTINGS,
      random: () => 0.5,
      nowMs: () => this.#nowMs,
      onFailed: () => {},
    });
  }
}

/** Has its keys from a table: the client at its first tick, the server with the first datagram. Later ones get none. */
/** A whole handshake in one datagram, DTLS by its first byte; too long for noise to be it. */
const FINISHED = Buffer.from('\u0016 the handshake is over, and went well');

class PresetHandshake implements Handshake {
  readonly isCommitted = false;
  readonly #options: HandshakeOptions;
  #isOver = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  handleDatagram(_nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean {
    if (FINISHED.equals(bytes.subarray(offset, offset + length))) this.#finish();
    return true;
  }

  handleNudge(): void {}

  handleTimeout(): void {
    if (this.#options.role === 'client') this.#finish();
  }

  close(): void {
    this.#isOver = true;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onKeys(cutSessionKeys(MATERIAL, this.#options.role as LinkRole));
  }
}

const MATERIAL = Buffer.from(Array.from({ length: EXPORTER_BYTES }, (_, index) => index * 7));

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
