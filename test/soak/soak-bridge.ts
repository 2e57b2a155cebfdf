/** A bridge reduced to its datapath: packets of clients are opened where they lie, and sealed again for some of the others, here and behind the link. */
import { copyBytes } from '../../bridge/forward/copy-bytes.ts';
import type { Peer } from '../../bridge/io/datagram-port.ts';
import { FastPort } from '../../bridge/io/fast-port.ts';
import { BRIDGE_ADDRESS } from './addresses.ts';
import type { Chance } from './chance.ts';
import { isMedia, isReport, isReportLike } from './content.ts';
import type { Hop } from './keys.ts';
import type { PacketHandler } from './link-end.ts';
import { unsteadyCalls } from './unsteady-calls.ts';

/** Clients that each packet goes to, on each bridge. */
const SUBSCRIBERS = 4;

/** What a bridge knows of a client. */
export interface BridgeClient {
  readonly address: string;
  readonly port: number;
  readonly hop: Hop;
  /** Datagrams given to the bridge's port for it. */
  committed: number;
}

export class SoakBridge {
  /** Datagrams sent to the port since it was opened, by senders that have closed since. */
  departed = 0;
  /** Packets that were opened, and those that were not. */
  opened = 0;
  rejected = 0;
  forwarded = 0;
  /** Opened, and not what was sent: must never be. */
  wrong = 0;
  readonly clients: BridgeClient[] = [];
  readonly #chance: Chance;
  readonly #toLink: PacketHandler;
  readonly #peers = new Map<BridgeClient, Peer<BridgeClient>>();
  #port: FastPort<BridgeClient> | undefined;
  #turn = 0;
  #errorsBefore = 0;

  /** `toLink` is given every packet of a client. */
  constructor(chance: Chance, toLink: PacketHandler) {
    this.#chance = chance;
    this.#toLink = toLink;
  }

  get port(): FastPort<BridgeClient> {
    if (this.#port === undefined) throw new Error('the bridge has no port yet');
    return this.#port;
  }

  /** Datagrams that the system has refused: committed, and never sent. */
  get errors(): number {
    return this.#errorsBefore + this.port.counters.sendErrors;
  }

  /** Opens the port; the second time in place of the first, on the same number, for the same clients. */
  async open(): Promise<void> {
    const number = this.#port?.port ?? 0;
    this.#errorsBefore += this.#port?.counters.sendErrors ?? 0;
    await this.#port?.close();
    this.#port = await FastPort.open<BridgeClient>(
      {
        address: BRIDGE_ADDRESS,
        port: number,
        handler: (bytes, offset, length, peer) => this.#handle(bytes, offset, length, peer),
      },
      unsteadyCalls(this.#chance),
    );
    this.departed = 0;
    for (const client of this.clients) this.#adopt(client);
  }

  async close(): Promise<void> {
    await this.#port?.close();
  }

  join(client: BridgeClient): void {
    this.clients.push(client);
    this.#adopt(client);
  }

  /** Nothing is sent to it from now on. */
  leave(client: BridgeClient): void {
    const index = this.clients.indexOf(client);
    if (index >= 0) this.clients.splice(index, 1);
    const peer = this.#peers.get(client);
    if (peer !== undefined) this.port.release(peer);
    this.#peers.delete(client);
  }

  /** Sends a plain packet to some of the clients, all in their turn. */
  forward(bytes: Buffer, offset: number, length: number): void {
    const { clients, port } = this;
    for (let count = Math.min(SUBSCRIBERS, clients.length); count > 0; count--) {
      const client = clients[this.#turn++ % clients.length];
      const slot = port.reserve();
      if (slot < 0) return;
      copyBytes(bytes, offset, port.outgoing, slot, length);
      const isReported = isReportLike(bytes, offset);
      const { bridge: session } = client.hop;
      const size = isReported
        ? session.protectRtcp(port.outgoing, slot, length)
        : session.protectRtp(port.outgoing, slot, length);
      if (size < 0) throw new Error(`a packet for a client was refused with ${size}`);
      client.committed++;
      this.forwarded++;
      port.commit(slot, size, this.#peers.get(client)!);
    }
  }

  #adopt(client: BridgeClient): void {
    this.#peers.set(client, this.port.adopt(client.address, client.port, client));
  }

  #handle(bytes: Buffer, offset: number, length: number, { owner }: Peer<BridgeClient>): void {
    const session = owner?.hop.bridge;
    const isReported = length > 1 && isReportLike(bytes, offset);
    const size = isReported
      ? session?.unprotectRtcp(bytes, offset, length)
      : session?.unprotectRtp(bytes, offset, length);
    if (size === undefined || size < 0) {
      this.rejected++;
      return;
    }
    this.opened++;
    if (!(isReported ? isReport(bytes, offset, size) : isMedia(bytes, offset, size))) this.wrong++;
    this.forward(bytes, offset, size);
    this.#toLink(bytes, offset, size);
  }
}
