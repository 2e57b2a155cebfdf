import { DecodeError } from '../../protocol/errors.ts';
import { FecPayload, readSymbol, SYMBOL_BYTES_MAX, SYMBOL_PREFIX_BYTES } from '../../protocol/octo/fec.ts';
import { FrameHeader, HEADER_BYTES } from '../../protocol/octo/header.ts';
import { PARITY_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';
import { FecReceivedGroup, SYMBOL_WORDS } from './fec-received-group.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkSession } from './link-session.ts';
import { ReceivedFrames } from './received-frames.ts';

const GROUPS_MAX = 16;
/** A group that is not whole by then never will be in time. */
const GROUP_AGE_MS_MAX = 500;
/** Without an FEC frame for so long the peer has turned it off. */
const OFF_MS = 10_000;
/** How long after a frame its group's parity comes: assumed at first, and never thought shorter or longer than this. */
const WAIT_MS_ASSUMED = 20;
const WAIT_MS_MIN = 10;
const WAIT_MS_MAX = 100;
/** What is left of the longest wait seen after one more FEC frame: a second of a busy link forgets it. */
const WAIT_KEPT = 0.99;

/** What exists only while the peer sends FEC frames: 0.9 MB, up to 5.8 MB on a link with more than 500 frames in the time that a group takes. */
class Store {
  readonly frames = new ReceivedFrames();
  readonly groups = Array.from({ length: GROUPS_MAX }, () => new FecReceivedGroup());
  readonly outWords = new Uint32Array(PARITY_SYMBOLS_MAX * SYMBOL_WORDS);
  readonly out = new Uint8Array(this.outWords.buffer);
}

/**
 * Repairs media frames of the session that the peer's FEC frames come on. Feed it FEC frames as they come and, while `isOn`, media frames before anybody changes
 * them; after each, take what it has repaired: `while (pollRepaired())`, the frame is in `header`, `bytes`, `offset`, `length`.
 */
export class FecReceiver {
  /** From the peer's first FEC frame until it has sent none for ten seconds. */
  isOn = false;
  /** A repaired frame, valid until the next call of any method. `header` has no label and no sequence number. */
  readonly header = new FrameHeader();
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the payload. */
  offset = 0;
  length = 0;
  readonly #counters: LinkCounters;
  readonly #payload = new FecPayload();
  #store: Store | undefined;
  #session: LinkSession | undefined;
  #heardMs = 0;
  #waitMs = WAIT_MS_ASSUMED;
  /** Groups that wait for a frame or for parity. */
  #open = 0;
  #hops = 0;
  #repaired = 0;
  #polled = 0;
  readonly #lengths = new Uint16Array(PARITY_SYMBOLS_MAX);

  constructor(counters: LinkCounters) {
    this.#counters = counters;
  }

  /** An FEC frame; `offset` and `length` are its payload's. Throws DecodeError for one against the specification. */
  handleFec(
    nowMs: number,
    session: LinkSession,
    isNewest: boolean,
    header: FrameHeader,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const payload = this.#payload;
    payload.decode(bytes, offset, length);
    this.#counters.fecReceived++;
    if (session !== this.#session && !this.#follow(session, isNewest)) {
      this.#counters.fecUseless++;
      return;
    }
    this.#heardMs = nowMs;
    const sequence = session.extendReceived(header.sequence);
    const first = session.extendReceived(payload.first);
    const last = first + payload.distances[payload.count - 1];
    if (first < 0 || last >= sequence) throw new DecodeError('octo-fec-order');
    // Nobody answers a NACK for an FEC frame.
    if (payload.previous > 0) session.recovery.handleSkip(sequence - payload.previous, true);
    this.#store ??= new Store();
    const group = this.#groupOf(nowMs, this.#store, first, header.hops, payload);
    group.addRow(payload, bytes);
    this.#measureWait(nowMs, session, group, this.#store);
    this.#repair(nowMs, session, this.#store, group);
    // With as many rows as there are, so many of the missing frames need not be repeated.
    if (group.first < 0) return;
    for (let place = group.missing - group.rows; place < group.missing; place++) {
      session.recovery.handlePromise(nowMs, group.missingSequence(place));
    }
  }

  /** A media frame that arrived: `offset` is that of its payload, behind its header. Kept, if it is of the session that has FEC. */
  keep(
    nowMs: number,
    session: LinkSession,
    header: FrameHeader,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (session !== this.#session || this.#store === undefined) return;
    const sequence = session.extendReceived(header.sequence);
    this.#store.frames.store(nowMs, sequence, bytes, offset - HEADER_BYTES, length);
  }

  /** After {@link keep}: repairs the group that waited for it. Throws DecodeError for a group that contradicts its frames. */
  handleKept(nowMs: number, session: LinkSession, header: FrameHeader): void {
    if (this.#open === 0 || session !== this.#session || this.#store === undefined) return;
    const sequence = session.extendReceived(header.sequence);
    for (const group of this.#store.groups) {
      if (group.first < 0 || !group.includes(sequence)) continue;
      this.#repair(nowMs, session, this.#store, group);
      return;
    }
  }

  /** True while there is one more repaired frame, which it then shows. */
  pollRepaired(): boolean {
    if (this.#polled === this.#repaired || this.#store === undefined) return false;
    const place = this.#polled++;
    const { out } = this.#store;
    const start = place * SYMBOL_BYTES_MAX;
    this.bytes = out;
    this.offset = start + SYMBOL_PREFIX_BYTES;
    this.length = readSymbol(out, start, this.#lengths[place], this.#hops, this.header);
    return true;
  }

  /** Every 10 ms. */
  handleTimeout(nowMs: number): void {
    if (this.#store === undefined) return;
    if (nowMs - this.#heardMs >= OFF_MS) {
      this.#stop();
      return;
    }
    this.#store.frames.handleTimeout();
    if (this.#open === 0) return;
    for (const group of this.#store.groups) {
      if (group.first >= 0 && nowMs - group.openedMs >= GROUP_AGE_MS_MAX) this.#forget(group);
    }
  }

  #follow(session: LinkSession, isNewest: boolean): boolean {
    if (!isNewest) return false;
    if (this.#session !== undefined) this.#session.recovery.rebuildMs = 0;
    this.#session = session;
    this.isOn = true;
    session.recovery.rebuildMs = this.#waitMs;
    if (this.#store === undefined) return true;
    this.#store.frames.clear();
    for (const group of this.#store.groups) if (group.first >= 0) this.#forget(group);
    return true;
  }

  #stop(): void {
    if (this.#session !== undefined) this.#session.recovery.rebuildMs = 0;
    this.isOn = false;
    this.#session = undefined;
    this.#store = undefined;
    this.#open = 0;
    this.#repaired = 0;
    this.#polled = 0;
    this.bytes = new Uint8Array(0);
    this.#waitMs = WAIT_MS_ASSUMED;
  }

  /** The group that a parity frame is about, opened if it is its first: in a free place, or in that of the oldest. */
  #groupOf(nowMs: number, store: Store, first: number, hops: number, payload: FecPayload): FecReceivedGroup {
    let oldest = store.groups[0];
    for (const group of store.groups) {
      if (group.first === first) {
        if (group.agrees(payload)) return group;
        this.#forget(group);
        throw new DecodeError('octo-fec-contradiction');
      }
      if (oldest.first >= 0 && (group.first < 0 || group.openedMs < oldest.openedMs)) oldest = group;
    }
    if (oldest.first >= 0) this.#forget(oldest);
    oldest.open(nowMs, first, hops, payload);
    this.#open++;
    return oldest;
  }

  /** How long frames wait for their parity is how long NACKs have to wait too. */
  #measureWait(nowMs: number, session: LinkSession, group: FecReceivedGroup, store: Store): void {
    const waitedMs = nowMs - group.firstArrivedMs(store.frames);
    this.#waitMs = Math.min(WAIT_MS_MAX, Math.max(WAIT_MS_MIN, waitedMs, this.#waitMs * WAIT_KEPT));
    session.recovery.rebuildMs = this.#waitMs;
  }

  #repair(nowMs: number, session: LinkSession, store: Store, group: FecReceivedGroup): void {
    this.#repaired = 0;
    this.#polled = 0;
    try {
      if (!group.findMissing(store.frames, session.recovery) || group.missing === 0) {
        this.#forget(group);
        return;
      }
      if (group.missing > group.rows) return;
      group.solve(store.frames, store.outWords);
      for (let place = 0; place < group.missing; place++) {
        readSymbol(store.out, place * SYMBOL_BYTES_MAX, group.symbolBytes, group.hops, this.header);
        this.#lengths[place] = group.symbolBytes;
      }
    } catch (error) {
      this.#forget(group);
      throw error;
    }
    for (let place = 0; place < group.missing; place++) session.handleRebuilt(nowMs, group.missingSequence(place));
    this.#hops = group.hops;
    this.#repaired = group.missing;
    this.#counters.fecRecovered += group.missing;
    this.#counters.fecUseless += group.rows - group.missing;
    group.close();
    this.#open--;
  }

  #forget(group: FecReceivedGroup): void {
    this.#counters.fecUseless += group.rows;
    group.close();
    this.#open--;
  }
}
