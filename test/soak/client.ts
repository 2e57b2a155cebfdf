/** A client with a port of its own: sends packets, good and bad ones, and checks every one it is sent. */
import { SLOT_BYTES } from '../../bridge/arena.ts';
import type { Peer } from '../../bridge/io/datagram-port.ts';
import { FastPort } from '../../bridge/io/fast-port.ts';
import { BRIDGE_ADDRESS, nextClientAddress } from './addresses.ts';
import type { Chance } from './chance.ts';
import { isMedia, isReport, isReportLike, RTP_HEADER_BYTES, writeMedia, writeReport } from './content.ts';
import { type Hop, openHop } from './keys.ts';
import type { BridgeClient } from './soak-bridge.ts';
import { unsteadyCalls } from './unsteady-calls.ts';

const ARENA_SLOTS = 64;
const PLAIN_BYTES_MAX = 1300;
/** One in so many packets is damaged on purpose. */
const BAD_SHARE = 0.05;

export class Client implements BridgeClient {
  committed = 0;
  /** Packets sent whole, and in other ways. */
  good = 0;
  bad = 0;
  /** Packets that came and were what somebody sent. */
  heard = 0;
  /** Packets that came and were not: must never be. */
  wrong = 0;
  readonly hop: Hop;
  readonly address: string;
  readonly port: number;
  readonly #chance: Chance;
  readonly #ssrc: number;
  readonly #port: FastPort<string>;
  readonly #bridge: Peer<string>;
  #count = 0;

  static async open(chance: Chance, bridgePort: number): Promise<Client> {
    let client: Client | undefined;
    const port = await FastPort.open<string>(
      {
        address: nextClientAddress(),
        port: 0,
        arenaSlots: ARENA_SLOTS,
        receivesRuns: chance.is(0.3),
        handler: (bytes, offset, length) => client?.hear(bytes, offset, length),
      },
      unsteadyCalls(chance),
    );
    client = new Client(chance, port, bridgePort);
    return client;
  }

  private constructor(chance: Chance, port: FastPort<string>, bridgePort: number) {
    this.#chance = chance;
    this.#port = port;
    this.address = port.address;
    this.port = port.port;
    this.#ssrc = chance.below(2 ** 32);
    this.hop = openHop(chance);
    this.#bridge = port.adopt(BRIDGE_ADDRESS, bridgePort, 'bridge');
  }

  /** Datagrams that have come, and that have left. */
  get received(): number {
    return this.#port.counters.received + this.#port.counters.oversized;
  }

  get sent(): number {
    return this.#port.counters.sent;
  }

  /** Up to 40 packets at once: of one size, as a frame's are, or of any. */
  sendBurst(): void {
    const chance = this.#chance;
    const size = this.#size();
    const isEven = chance.is(0.6);
    for (let left = 1 + chance.below(40); left > 0; left--) this.#send(isEven ? size : this.#size());
  }

  hear(bytes: Buffer, offset: number, length: number): void {
    const { client: session } = this.hop;
    const isReported = length > 1 && isReportLike(bytes, offset);
    const size = isReported
      ? session.unprotectRtcp(bytes, offset, length)
      : session.unprotectRtp(bytes, offset, length);
    const isRight = size >= 0 && (isReported ? isReport(bytes, offset, size) : isMedia(bytes, offset, size));
    if (isRight) this.heard++;
    else this.wrong++;
  }

  close(): Promise<void> {
    return this.#port.close();
  }

  #send(size: number): void {
    const { outgoing } = this.#port;
    const slot = this.#port.reserve();
    if (slot < 0) return;
    let length: number;
    if (this.#chance.is(0.03)) {
      const reportSize = 12 + 4 * this.#chance.below(100);
      writeReport(outgoing, slot, reportSize, this.#ssrc, this.#count);
      length = this.hop.client.protectRtcp(outgoing, slot, reportSize);
    } else {
      writeMedia(outgoing, slot, size, this.#ssrc, this.#count);
      length = this.hop.client.protectRtp(outgoing, slot, size);
    }
    this.#count++;
    if (length < 0) throw new Error(`a packet was refused with ${length}`);
    const isBad = this.#chance.is(BAD_SHARE);
    if (isBad) length = this.#damage(outgoing, slot, length);
    if (isBad) this.bad++;
    else this.good++;
    this.#port.commit(slot, length, this.#bridge);
  }

  /** Any of what hostile or broken senders do. The new length. */
  #damage(bytes: Buffer, slot: number, length: number): number {
    const chance = this.#chance;
    switch (chance.below(6)) {
      case 0:
        bytes[slot + chance.below(length)] ^= 1 << chance.below(8);
        return length;
      case 1:
        return chance.below(length);
      case 2:
        chance.fill(bytes, slot, slot + length);
        return length;
      case 3:
        // A header of the longest kind: 15 CSRCs and an extension that ends anywhere.
        bytes[slot] = 0x9f;
        chance.fill(bytes, slot + 72, slot + 80);
        return length;
      case 4:
        chance.fill(bytes, slot + length, slot + SLOT_BYTES);
        return length + 1 + chance.below(SLOT_BYTES - length);
      default:
        return 0;
    }
  }

  #size(): number {
    return RTP_HEADER_BYTES + this.#chance.below(PLAIN_BYTES_MAX - RTP_HEADER_BYTES);
  }
}
