/** Somebody with no keys: datagrams of any content and any size, also larger than a slot, one by one and in runs. */
import { NativeMemory } from '../../bridge/io/native/native-memory.ts';
import { NativeSocket } from '../../bridge/io/native/native-socket.ts';
import { SendBatch } from '../../bridge/io/native/send-batch.ts';
import { NAME_BYTES, nameBytes, writeName } from '../../bridge/io/native/socket-name.ts';
import { BRIDGE_ADDRESS } from './addresses.ts';
import type { Chance } from './chance.ts';

const MESSAGES = 8;
const MEMORY_BYTES = 65_536;
const SEGMENTS_MAX = 60;

export class Stranger {
  /** Datagrams sent. */
  sent = 0;
  readonly #chance: Chance;
  readonly #socket = NativeSocket.open(BRIDGE_ADDRESS, 0);
  readonly #batch = new SendBatch({ messages: MESSAGES, pieces: MESSAGES });
  readonly #memory = new NativeMemory(MEMORY_BYTES);
  readonly #name = new NativeMemory(NAME_BYTES);
  readonly #counts = new Uint32Array(MESSAGES);

  constructor(chance: Chance, port: number) {
    this.#chance = chance;
    writeName(this.#name.words, 0, { address: BRIDGE_ADDRESS, port, family: 'IPv4' });
    chance.fill(this.#memory.bytes, 0, MEMORY_BYTES);
  }

  send(): void {
    const batch = this.#batch;
    batch.clear();
    while (batch.count < 1 + this.#chance.below(MESSAGES)) this.#add();
    for (let first = 0; first < batch.count; ) {
      const sent = batch.send(this.#socket, first);
      for (let message = first; message < first + sent; message++) this.sent += this.#counts[message];
      first += Math.max(1, sent);
    }
  }

  close(): void {
    this.#socket.close();
  }

  #add(): void {
    const chance = this.#chance;
    const batch = this.#batch;
    const message = batch.count;
    const length = chance.is(0.8) ? chance.below(2100) : chance.below(60_000);
    batch.begin(this.#name, 0, nameBytes('IPv4'));
    batch.add(this.#memory, chance.below(MEMORY_BYTES - length), length);
    this.#counts[message] = 1;
    if (length === 0 || !chance.is(0.3)) return;
    const segmentBytes = Math.ceil(length / (1 + chance.below(SEGMENTS_MAX)));
    batch.segment(segmentBytes);
    this.#counts[message] = Math.ceil(length / segmentBytes);
  }
}
