import { DataPacket, UserPacket } from '@livekit/protocol';
import { readUint32, writeUint32 } from '../../protocol/rtp/packet.ts';
import type { Participant } from './participant.ts';

export type MessageKind = 'reliable' | 'lossy';

const NAME_BYTES = 12;
/** A message that nothing hinders is there after this. */
const LATE_MS = 4_000;

/** What the way from one bridge to another is worth to messages, in one conference, at some moment. */
export interface Passage {
  /** Changes when either end forgets the other: nothing that was under way need arrive. Undefined: no way at all. */
  readonly epoch: number | undefined;
  /** Since when nothing impairs it; Infinity while something does. */
  readonly cleanSinceMs: number;
}

export interface LedgerHost {
  readonly nowMs: number;
  fail(text: string): void;
  passage(from: Participant, to: Participant): Passage;
}

interface Entry {
  readonly number: number;
  readonly sentMs: number;
  /** Of the passage at the time; undefined: it need not arrive. */
  readonly epoch: number | undefined;
  /** Of the receiver's transport: the next one has no claim to it, and may get it. */
  readonly receiverEpoch: number;
}

/** Messages of one sender's transport to one receiver, of one kind, that have not come yet; in the order they were sent. */
interface Stream {
  readonly sender: Participant;
  readonly senderEpoch: number;
  readonly receiver: Participant;
  readonly kind: MessageKind;
  waiting: Entry[];
  /** The newest that has come. */
  newest: number;
  /** Lossy ones, which come in any order. */
  readonly came: Set<number>;
}

/** Every data message of a world: who is to get it, and that it comes once, whole, in order, or not at all where it need not. */
export class MessageLedger {
  sent = 0;
  delivered = 0;
  readonly #host: LedgerHost;
  readonly #streams = new Map<string, Stream>();
  /** Identities that a message is for, by sender and number; empty: everybody, those included who come while it is under way. */
  readonly #destinations = new Map<string, readonly string[]>();

  constructor(host: LedgerHost) {
    this.#host = host;
  }

  /** The bytes of `sender`'s next message; `payloadBytes` long within. */
  compose(sender: Participant, payloadBytes: number, destinations: readonly Participant[]): Uint8Array {
    const number = ++sender.messagesSent;
    const payload = new Uint8Array(Math.max(NAME_BYTES, payloadBytes));
    for (let at = NAME_BYTES; at < payload.length; at++) payload[at] = (number * 31 + at) & 0xff;
    writeUint32(payload, 0, sender.uid);
    writeUint32(payload, 4, sender.epoch);
    writeUint32(payload, 8, number);
    const value = new UserPacket({ payload });
    const destinationIdentities = destinations.map(({ identity }) => identity);
    this.#destinations.set(`${sender.uid}/${number}`, destinationIdentities);
    return new DataPacket({ destinationIdentities, value: { case: 'user', value } }).toBinary();
  }

  /** `sender`'s newest message is on its way to `receivers`; those of them who need not get it have no epoch. */
  expect(
    sender: Participant,
    kind: MessageKind,
    receivers: readonly { readonly receiver: Participant; readonly epoch: number | undefined }[],
  ): void {
    this.sent++;
    for (const { receiver, epoch } of receivers) {
      const sentMs = this.#host.nowMs;
      const entry = { number: sender.messagesSent, sentMs, epoch, receiverEpoch: receiver.epoch };
      this.#streamOf(sender, sender.epoch, receiver, kind).waiting.push(entry);
    }
  }

  /** The newest one need not arrive: it has been refused. */
  forgive(sender: Participant, receiver: Participant, kind: MessageKind): void {
    const { waiting } = this.#streamOf(sender, sender.epoch, receiver, kind);
    const newest = waiting.at(-1);
    if (newest?.number === sender.messagesSent) waiting[waiting.length - 1] = { ...newest, epoch: undefined };
  }

  handleMessage(
    receiver: Participant,
    kind: MessageKind,
    bytes: Uint8Array,
    senderOf: (uid: number) => Participant,
  ): void {
    const { value } = DataPacket.fromBinary(bytes);
    if (value.case !== 'user') return this.#host.fail(`${receiver.show()} gets a message without a payload`);
    const { payload } = value.value;
    const sender = senderOf(readUint32(payload, 0));
    const number = readUint32(payload, 8);
    const title = `${kind} message ${number} of ${sender.show()} to ${receiver.show()}`;
    for (let at = NAME_BYTES; at < payload.length; at++) {
      if (payload[at] !== ((number * 31 + at) & 0xff)) return this.#host.fail(`${title} is damaged at byte ${at}`);
    }
    if (sender.conferenceId !== receiver.conferenceId) return this.#host.fail(`${title} left its conference`);
    if (value.value.participantIdentity !== sender.identity) return this.#host.fail(`${title} names another sender`);
    this.delivered++;
    const stream = this.#streamOf(sender, readUint32(payload, 4), receiver, kind);
    const destinations = this.#destinations.get(`${sender.uid}/${number}`) ?? [];
    if (destinations.length > 0 && !destinations.includes(receiver.identity))
      this.#host.fail(`${title} is for another`);
    const isRepeated = kind === 'reliable' ? number <= stream.newest : stream.came.has(number);
    if (isRepeated) return this.#host.fail(`${title} comes twice, or out of order (the newest was ${stream.newest})`);
    stream.newest = number;
    if (kind === 'lossy') stream.came.add(number);
    const at = stream.waiting.findIndex(entry => entry.number === number);
    if (at < 0) return;
    if (kind === 'lossy') stream.waiting.splice(at, 1);
    else {
      const missed = stream.waiting.slice(0, at).find(entry => this.#isOwed(stream, entry));
      if (missed !== undefined) this.#host.fail(`${title} comes although ${missed.number} has not`);
      stream.waiting.splice(0, at + 1);
    }
  }

  /** Looks for what should have come by now. `isOver`: everything should have. */
  check(isOver: boolean): void {
    const { nowMs } = this.#host;
    for (const stream of this.#streams.values()) {
      const { sender, receiver, kind } = stream;
      const { cleanSinceMs } = this.#host.passage(sender, receiver);
      for (const entry of stream.waiting) {
        const isDue = isOver || nowMs - Math.max(entry.sentMs, cleanSinceMs) > LATE_MS;
        if (!isDue || !this.#isOwed(stream, entry)) continue;
        const ageMs = Math.round(nowMs - entry.sentMs);
        this.#host.fail(
          `${kind} message ${entry.number} of ${sender.show()} to ${receiver.show()} is ${ageMs} ms late`,
        );
      }
    }
  }

  #isOwed(stream: Stream, entry: Entry): boolean {
    const { sender, receiver } = stream;
    if (entry.epoch === undefined || sender.isSuperseded) return false;
    if (!receiver.isConnected || receiver.epoch !== entry.receiverEpoch) return false;
    const passage = this.#host.passage(sender, receiver);
    if (passage.epoch !== entry.epoch) return false;
    return stream.kind === 'reliable' || passage.cleanSinceMs < entry.sentMs;
  }

  #streamOf(sender: Participant, senderEpoch: number, receiver: Participant, kind: MessageKind): Stream {
    const key = `${sender.uid}/${senderEpoch}/${receiver.uid}/${kind}`;
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      stream = { sender, senderEpoch, receiver, kind, waiting: [], newest: 0, came: new Set() };
      this.#streams.set(key, stream);
    }
    return stream;
  }
}
