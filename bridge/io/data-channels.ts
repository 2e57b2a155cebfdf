/**
 * LiveKit's data channels with one client: it opens `_reliable` (ordered) and `_lossy` (unordered, never repeated), and we answer on the same ones. On the connection on which
 * a client with two of them only receives, we open both.
 * Reliable messages wait until the channel is open, within limits; lossy ones are given up rather than kept.
 */
import {
  decodeDcep,
  encodeDcepAck,
  encodeDcepOpen,
  PPID_BINARY,
  PPID_BINARY_EMPTY,
  PPID_DCEP,
  PPID_STRING,
} from '../../protocol/datachannel/dcep.ts';
import { SCTP_FIRST_CHUNK, SCTP_INIT } from '../../protocol/datachannel/sctp-packet.ts';
import { DecodeError } from '../../protocol/errors.ts';
import { CHUNK_BYTES, SctpAssociation } from './sctp-association.ts';

export type DataKind = 'reliable' | 'lossy';

/** Channels that are open already, by their SCTP streams. */
export type OpenChannels = { readonly [Kind in DataKind]?: number | undefined };

export interface DataSink {
  /** Gives up ownership of `packet`: one SCTP packet for DTLS. */
  send(packet: Buffer): void;
  /** The client has opened the channel of this kind. */
  onOpen(kind: DataKind): void;
  /** `bytes` belong to the receiver of the call. */
  onMessage(kind: DataKind, bytes: Buffer): void;
  /** Data channels have ended: `data-backlog` (the client does not read), or the association's own reason. */
  onClosed(reason: string): void;
  /** A message or packet that went nowhere; `reason` is stable. */
  onDrop(reason: string): void;
}

/** What a message may have in bytes, either way: browsers announce 262144, libwebrtc without SDP 65536. */
export const MESSAGE_BYTES_MAX = 262_144;
/** Reliable messages that wait for their channel. */
export const WAITING_MESSAGES_MAX = 512;
/** Reliable bytes that wait, for their channel or for the client to read. */
export const WAITING_BYTES_MAX = 4 * 1024 * 1024;
/** With this much before it, a lossy message would come too late: a second of 500 kbit/s. */
export const LOSSY_QUEUED_BYTES_MAX = 64 * 1024;

/** What a message that is left unread counts for at least: with its buffer and its place in the list it is more than its bytes. */
const UNREAD_MESSAGE_BYTES_MIN = 256;

const KINDS: readonly DataKind[] = ['reliable', 'lossy'];
const LABELS: ReadonlyMap<string, DataKind> = new Map([
  ['_reliable', 'reliable'],
  ['_lossy', 'lossy'],
]);

export class DataChannels {
  readonly #sink: DataSink;
  /** Made with the client's first packet: with ICE-lite we are never the one to begin, and not every client has data. Or with ours, for a client that comes with its channels. */
  #association: SctpAssociation | undefined;
  readonly #streamOf: { [Kind in DataKind]: number | undefined } = { reliable: undefined, lossy: undefined };
  readonly #kindOf = new Map<number, DataKind>();
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Of all reliable messages taken for the client, in the unit of {@link backlogBytes}. */
  #takenBytes = 0;
  /** Set when we open the channels: the first stream that our side may take. */
  #firstStreamId: (() => number) | undefined;
  /** Channels that we have opened and the client has not acknowledged. */
  readonly #opening = new Map<number, DataKind>();
  /** Channels that the client has brought along from another bridge; undefined: it opens its own, or we do. */
  #resumed: OpenChannels | undefined;
  #hasResumed = false;
  #isReceived: (bytes: Uint8Array) => boolean = () => false;
  #isTransportUp = false;
  #isHeld = false;
  /** Reliable messages of the client that have come and are not read. */
  #unread: Buffer[] = [];
  #unreadBytes = 0;
  #isOver = false;

  constructor(sink: DataSink) {
    this.#sink = sink;
  }

  /**
   * Opens both channels, as soon as the client has begun: call it before. Our streams are even when we are the client of DTLS, else odd (RFC 8832 section 6): `firstStreamId` is asked
   * then for the first of them.
   */
  openOwn(firstStreamId: () => number): void {
    this.#firstStreamId = firstStreamId;
  }

  /**
   * The client has had these channels open at another bridge, and has them still: an INIT of ours begins its association anew and leaves them open (RFC 9260 section 5.2.2). libwebrtc
   * sends one itself, as soon as DTLS has begun anew: it may have come before this is called. Counts once. Of what waits, the client has had the messages that `isReceived`.
   */
  resumeChannels(channels: OpenChannels, isReceived: (bytes: Uint8Array) => boolean): void {
    if (this.#hasResumed || this.#isOver) return;
    this.#hasResumed = true;
    this.#resumed = channels;
    this.#isReceived = isReceived;
    // The client may send as soon as it has seen our cookie, which is before we know that it has.
    for (const kind of KINDS) {
      const streamId = channels[kind];
      if (streamId !== undefined) this.#kindOf.set(streamId, kind);
    }
    if (this.#association !== undefined) this.#association.whenEstablished(() => this.#openResumed());
    else if (this.#isTransportUp) this.#resumeNow();
  }

  /** From now on the client can be sent packets. */
  handleTransportUp(): void {
    this.#isTransportUp = true;
    this.#resumeNow();
  }

  /** Handles what came in one DTLS record, of which it takes ownership. Never throws. */
  handlePacket(packet: Buffer): void {
    if (this.#isOver) return;
    // Of the association that a client has had with another bridge something may come before the one with us begins.
    if (this.#association === undefined && !beginsWithInit(packet)) {
      this.#drop('sctp-before-init');
      return;
    }
    this.#association ??= this.#associate(false);
    this.#association.handlePacket(packet);
  }

  isOpen(kind: DataKind): boolean {
    return !this.#isOver && this.#streamOf[kind] !== undefined;
  }

  /**
   * Sends a message; `bytes` are copied. False when it was not taken: too long, lossy with the channel closed or busy, or a reliable backlog that is
   * full, which ends the channels with `data-backlog`: a reliable message is never skipped.
   */
  send(kind: DataKind, bytes: Uint8Array): boolean {
    if (this.#isOver) return false;
    if (bytes.length > MESSAGE_BYTES_MAX) return this.#drop('data-too-long');
    const streamId = this.#streamOf[kind];
    if (kind === 'lossy') {
      if (streamId === undefined) return this.#drop('data-lossy-closed');
      if (this.#queuedBytes > LOSSY_QUEUED_BYTES_MAX) return this.#drop('data-lossy-busy');
      this.#transmit(streamId, Buffer.from(bytes), kind);
      return true;
    }
    const size = chunkBytes(bytes);
    if (this.#queuedBytes + this.#waitingBytes + size > WAITING_BYTES_MAX) return this.#overflow();
    if (streamId === undefined && this.#waiting.length === WAITING_MESSAGES_MAX) return this.#overflow();
    this.#takenBytes += size;
    if (streamId !== undefined) {
      this.#transmit(streamId, Buffer.from(bytes), kind);
      return true;
    }
    this.#waiting.push(Buffer.from(bytes));
    this.#waitingBytes += size;
    return true;
  }

  /** Roughly how many bytes of reliable messages wait, for their channel or for the client; each message counts as whole SCTP chunks. */
  get backlogBytes(): number {
    return this.#isOver ? 0 : this.#queuedBytes + this.#waitingBytes;
  }

  /** How many of them have left, ever, in the same unit. */
  get drainedBytes(): number {
    return this.#takenBytes - this.backlogBytes;
  }

  /** Leaves reliable messages of the client unread from the next one on: its own buffer fills, and whoever sends there is told. Lossy ones are read. */
  hold(): void {
    this.#isHeld = true;
    this.#association?.setUnread(this.#unreadBytes);
  }

  /** Reads on, and hands on what was left unread: until {@link hold} is called again. */
  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    while (!this.#isHeld && !this.#isOver && this.#unread.length > 0) {
      const [bytes] = this.#unread.splice(0, 1);
      this.#unreadBytes -= unreadBytes(bytes);
      this.#sink.onMessage('reliable', bytes);
    }
    this.#association?.setUnread(this.#isHeld ? this.#unreadBytes : undefined);
  }

  /** What was left unread, once, after the end as well. */
  takeUnread(): readonly Buffer[] {
    const unread = this.#unread;
    this.#unread = [];
    this.#unreadBytes = 0;
    return unread;
  }

  close(): void {
    this.#isOver = true;
    this.#forgetWaiting();
    this.#association?.close();
  }

  get #queuedBytes(): number {
    return this.#association?.queuedBytes ?? 0;
  }

  #resumeNow(): void {
    if (this.#resumed === undefined || this.#association !== undefined || this.#isOver) return;
    this.#association = this.#associate(true);
  }

  #openResumed(): void {
    if (this.#resumed === undefined || this.#isOver) return;
    this.#waiting = this.#waiting.filter(bytes => !this.#isReceived(bytes));
    for (const kind of KINDS) {
      const streamId = this.#resumed[kind];
      // One that it has opened with us is newer.
      if (streamId !== undefined && this.#streamOf[kind] === undefined) this.#open(streamId, kind);
    }
    this.#resumed = undefined;
  }

  #associate(isResumed: boolean): SctpAssociation {
    const sink = this.#sink;
    const handleEstablished = isResumed ? () => this.#openResumed() : () => this.#sendOpenings();
    const association = new SctpAssociation({
      send: packet => sink.send(packet),
      onMessage: (streamId, ppid, bytes) => this.#handleMessage(streamId, ppid, bytes),
      onReset: streamIds => this.#handleReset(streamIds),
      ...(this.#firstStreamId === undefined && !isResumed ? {} : { onEstablished: handleEstablished }),
      onClosed: reason => this.#end(reason),
      onDrop: reason => sink.onDrop(reason),
    });
    association.start(isResumed);
    return association;
  }

  #handleMessage(streamId: number, ppid: number, bytes: Buffer): void {
    if (this.#isOver) return;
    if (ppid === PPID_DCEP) {
      this.#handleControl(streamId, bytes);
      return;
    }
    const kind = this.#kindOf.get(streamId);
    if (kind === undefined) this.#drop('data-unknown-channel');
    else if (bytes.length > MESSAGE_BYTES_MAX) this.#drop('data-too-long');
    else if (ppid !== PPID_BINARY && ppid !== PPID_STRING) this.#drop('data-empty');
    else if (kind === 'reliable' && this.#isHeld) this.#leaveUnread(bytes);
    else this.#sink.onMessage(kind, bytes);
  }

  #leaveUnread(bytes: Buffer): void {
    this.#unread.push(bytes);
    this.#unreadBytes += unreadBytes(bytes);
    this.#association?.setUnread(this.#unreadBytes);
  }

  #handleControl(streamId: number, bytes: Buffer): void {
    try {
      const message = decodeDcep(bytes);
      if (message === 'ack') {
        this.#handleAck(streamId);
        return;
      }
      // Every channel is acknowledged, or the client would hold its messages back; those that we have no use for are counted and dropped.
      this.#association?.send(streamId, PPID_DCEP, encodeDcepAck(), 'reliable');
      const kind = LABELS.get(message.label);
      if (kind === undefined) this.#drop('data-unknown-label');
      else this.#open(streamId, kind);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#drop(error.reason);
    }
  }

  #sendOpenings(): void {
    if (this.#opening.size > 0 || this.#kindOf.size > 0) return;
    let streamId = this.#firstStreamId?.() ?? 0;
    for (const [label, kind] of LABELS) {
      this.#opening.set(streamId, kind);
      const reliability = kind === 'reliable' ? { kind } : ({ kind: 'retransmits', max: 0 } as const);
      const open = { label, protocol: '', isOrdered: kind === 'reliable', reliability };
      this.#association?.send(streamId, PPID_DCEP, encodeDcepOpen(open), 'reliable');
      streamId += 2;
    }
  }

  /** Used from now on: unordered messages must not come before the client knows their channel. */
  #handleAck(streamId: number): void {
    const kind = this.#opening.get(streamId);
    this.#opening.delete(streamId);
    if (kind !== undefined) this.#open(streamId, kind);
  }

  /** The newest channel of a kind is the one we answer on. */
  #open(streamId: number, kind: DataKind): void {
    const before = this.#streamOf[kind];
    if (before !== undefined) this.#kindOf.delete(before);
    this.#streamOf[kind] = streamId;
    this.#kindOf.set(streamId, kind);
    if (kind === 'reliable') {
      for (const bytes of this.#waiting) this.#transmit(streamId, bytes, kind);
      this.#forgetWaiting();
    }
    this.#sink.onOpen(kind);
  }

  #handleReset(streamIds: readonly number[]): void {
    for (const streamId of streamIds) {
      const kind = this.#kindOf.get(streamId);
      if (kind === undefined) continue;
      this.#kindOf.delete(streamId);
      this.#streamOf[kind] = undefined;
    }
  }

  /** SCTP has no empty messages: a byte with an identifier of its own stands for one (RFC 8831 section 6.6). */
  #transmit(streamId: number, bytes: Buffer, kind: DataKind): void {
    if (bytes.length === 0) this.#association?.send(streamId, PPID_BINARY_EMPTY, Buffer.of(0), kind);
    else this.#association?.send(streamId, PPID_BINARY, bytes, kind);
  }

  #overflow(): false {
    this.close();
    this.#sink.onClosed('data-backlog');
    return false;
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#forgetWaiting();
    this.#sink.onClosed(reason);
  }

  #forgetWaiting(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** Always false, so that a refusal can end with it. */
  #drop(reason: string): false {
    this.#sink.onDrop(reason);
    return false;
  }
}

function beginsWithInit(packet: Buffer): boolean {
  return packet[SCTP_FIRST_CHUNK] === SCTP_INIT;
}

function unreadBytes(bytes: Buffer): number {
  return Math.max(UNREAD_MESSAGE_BYTES_MIN, bytes.length);
}

function chunkBytes(bytes: Uint8Array): number {
  return Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES)) * CHUNK_BYTES;
}
