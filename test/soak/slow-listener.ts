/** A client that only listens, seldom, with a small buffer: most of what is sent to it is dropped by the kernel. On native sockets and batches of its own. */
import { SLOT_BYTES } from '../../bridge/arena.ts';
import { NativeSlots } from '../../bridge/io/native/native-slots.ts';
import { NativeSocket } from '../../bridge/io/native/native-socket.ts';
import { ReceiveBatch } from '../../bridge/io/native/receive-batch.ts';
import { nextClientAddress } from './addresses.ts';
import type { Chance } from './chance.ts';
import { isMedia, isReport, isReportLike } from './content.ts';
import { type Hop, openHop } from './keys.ts';
import type { BridgeClient } from './soak-bridge.ts';

const MESSAGES = 16;
const BUFFER_BYTES = 16_384;

export class SlowListener implements BridgeClient {
  committed = 0;
  received = 0;
  heard = 0;
  wrong = 0;
  readonly hop: Hop;
  readonly address: string;
  readonly port: number;
  readonly #socket: NativeSocket;
  readonly #slots = new NativeSlots(MESSAGES);
  readonly #batch: ReceiveBatch;

  constructor(chance: Chance) {
    this.hop = openHop(chance);
    this.#socket = NativeSocket.open(nextClientAddress(), 0);
    this.#socket.setOption('receiveBufferBytes', BUFFER_BYTES);
    ({ address: this.address, port: this.port } = this.#socket.name());
    this.#batch = new ReceiveBatch({ messages: MESSAGES, memory: this.#slots.memory, bufferBytes: SLOT_BYTES });
  }

  /** Reads what is there. */
  listen(): void {
    const { client: session } = this.hop;
    const { bytes } = this.#slots;
    for (let received = this.#batch.receive(this.#socket); received > 0; received = this.#batch.receive(this.#socket)) {
      this.received += received;
      for (let message = 0; message < received; message++) {
        const offset = message * SLOT_BYTES;
        const length = this.#batch.lengthOf(message);
        const isReported = isReportLike(bytes, offset);
        const size = isReported
          ? session.unprotectRtcp(bytes, offset, length)
          : session.unprotectRtp(bytes, offset, length);
        const isRight = size >= 0 && (isReported ? isReport(bytes, offset, size) : isMedia(bytes, offset, size));
        if (isRight) this.heard++;
        else this.wrong++;
      }
    }
  }

  close(): void {
    this.#socket.close();
    this.#slots.close();
  }
}
