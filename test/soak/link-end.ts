/** One end of a link between two bridges: packets in frames, in runs both ways (segmentation and receive offload). */
import { copyBytes } from '../../bridge/forward/copy-bytes.ts';
import type { Peer } from '../../bridge/io/datagram-port.ts';
import { FastPort } from '../../bridge/io/fast-port.ts';
import { NativeOpener, NativeSealer } from '../../bridge/io/native/octo.ts';
import { HEADER_BYTES, TAG_BYTES } from '../../protocol/octo/header.ts';
import { readUint32, writeUint32 } from '../../protocol/rtp/packet.ts';
import { BRIDGE_ADDRESS } from './addresses.ts';
import type { Chance } from './chance.ts';
import { unsteadyCalls } from './unsteady-calls.ts';

/** Native contexts of one end: a sealer and an opener. */
export const LINK_CONTEXTS = 2;

export type PacketHandler = (bytes: Buffer, offset: number, length: number) => void;

export interface LinkKeys {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
}

export class LinkEnd {
  /** Frames that did not open: those that were forged. */
  rejected = 0;
  /** Frames that were forged on purpose. */
  forged = 0;
  /** Frames given to the port, forged ones too. */
  committed = 0;
  readonly port: FastPort<string>;
  readonly #chance: Chance;
  readonly #sealer: NativeSealer;
  readonly #opener: NativeOpener;
  #sequence = 0;
  #peer: Peer<string> | undefined;

  static async open(chance: Chance, sent: LinkKeys, received: LinkKeys, handler: PacketHandler): Promise<LinkEnd> {
    let end: LinkEnd | undefined;
    const port = await FastPort.open<string>(
      {
        address: BRIDGE_ADDRESS,
        port: 0,
        receivesRuns: true,
        handler: (bytes, offset, length) => end?.receive(bytes, offset, length, handler),
      },
      unsteadyCalls(chance),
    );
    end = new LinkEnd(
      chance,
      port,
      new NativeSealer(sent.key, sent.salt),
      new NativeOpener(received.key, received.salt),
    );
    return end;
  }

  private constructor(chance: Chance, port: FastPort<string>, sealer: NativeSealer, opener: NativeOpener) {
    this.#chance = chance;
    this.port = port;
    this.#sealer = sealer;
    this.#opener = opener;
  }

  connect(port: number): void {
    this.#peer = this.port.adopt(BRIDGE_ADDRESS, port, 'the other end');
  }

  /** Sends a packet to the other end, padded to `frameBytes` if it is shorter, so that runs form. */
  send(bytes: Buffer, offset: number, length: number, frameBytes: number): void {
    const slot = this.#peer === undefined ? -1 : this.port.reserve();
    if (slot < 0) return;
    const { outgoing } = this.port;
    const size = Math.max(HEADER_BYTES + length, frameBytes);
    this.#sequence++;
    outgoing.fill(0, slot, slot + HEADER_BYTES);
    writeUint32(outgoing, slot + 4, this.#sequence);
    writeUint32(outgoing, slot + 8, length);
    copyBytes(bytes, offset, outgoing, slot + HEADER_BYTES, length);
    this.#sealer.seal(outgoing, slot, size, this.#sequence);
    if (this.#chance.is(0.01)) {
      outgoing[slot + HEADER_BYTES + this.#chance.below(size - HEADER_BYTES + TAG_BYTES)] ^= 1 << this.#chance.below(8);
      this.forged++;
    }
    this.committed++;
    this.port.commit(slot, size + TAG_BYTES, this.#peer!);
  }

  receive(bytes: Buffer, offset: number, length: number, handler: PacketHandler): void {
    const sequence = readUint32(bytes, offset + 4);
    if (!this.#opener.open(bytes, offset, length, sequence)) {
      this.rejected++;
      return;
    }
    handler(bytes, offset + HEADER_BYTES, readUint32(bytes, offset + 8));
  }

  async close(): Promise<void> {
    await this.port.close();
    this.#sealer.close();
    this.#opener.close();
  }
}
