import type { FrameCiphers, FrameOpener, FrameSealer } from '../../protocol/octo/aead.ts';
import { TAG_BYTES, writeSequence } from '../../protocol/octo/header.ts';
import type { SessionKeys } from '../../protocol/octo/keys.ts';
import { ReplayWindow } from '../../protocol/octo/replay-window.ts';
import { extend32 } from '../../protocol/sequence.ts';
import { LossRecovery, type RecoveryTotals } from './loss-recovery.ts';
import type { MediaClass } from './media-class.ts';
import { RepairTiming } from './repair-timing.ts';
import { SentFrames } from './sent-frames.ts';

/** What AES-GCM allows under one key (RFC 9001 appendix B.1, for packets of up to 2 KiB): the end of a session. */
export const SESSION_FRAMES_MAX = 2 ** 28;
/** New keys are sought from here on: by count, three quarters of an hour before the end at 50,000 frames a second, or by age. */
export const REKEY_FRAMES = 2 ** 27;
export const REKEY_AGE_MS = 3_600_000;

/**
 * One DTLS handshake's worth of a link: keys, counters, replay window, and what recovery needs, since sequence numbers start at
 * 0 in each session. A link has one, and two for a moment while keys change.
 */
export class LinkSession {
  readonly label: number;
  readonly openedMs: number;
  readonly sent = new SentFrames();
  readonly recovery: LossRecovery;
  /** The peer's incarnation as its frames in this session say it; 0 until the first. Nothing stateful is sent before. */
  peerIncarnation = 0;
  /** Frames that were rebuilt without having arrived; undefined until the first. */
  #rebuilt: ReplayWindow | undefined;
  #nextSequence = 0;
  readonly #sealer: FrameSealer;
  readonly #opener: FrameOpener;
  readonly #replay = new ReplayWindow();

  /** `timing` is the link's: it outlives the session. */
  constructor(
    nowMs: number,
    keys: SessionKeys,
    totals: RecoveryTotals,
    ciphers: FrameCiphers,
    timing = new RepairTiming(),
  ) {
    this.recovery = new LossRecovery(totals, timing);
    this.label = keys.label;
    this.openedMs = nowMs;
    this.#sealer = ciphers.sealer(keys.sendKey, keys.sendSalt);
    this.#opener = ciphers.opener(keys.receiveKey, keys.receiveSalt);
  }

  /** Completes and encrypts in place the frame at `offset` (`length`: header and payload); returns the datagram's length. */
  seal(
    nowMs: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    isRecoverable: boolean,
    mediaClass: MediaClass,
  ): number {
    const sequence = this.#nextSequence++;
    writeSequence(bytes, offset, this.label, sequence);
    this.#sealer.seal(bytes, offset, length, sequence);
    const datagramLength = length + TAG_BYTES;
    if (isRecoverable) this.sent.store(nowMs, sequence, mediaClass, bytes, offset, datagramLength);
    else this.sent.pass(nowMs, sequence);
    return datagramLength;
  }

  /**
   * Authenticates and decrypts in place the datagram at `offset`. Returns its full sequence number, -1 for a replay, -2 for a
   * forgery; these two change nothing.
   */
  open(bytes: Uint8Array, offset: number, length: number, sequenceLow: number): number {
    const sequence = extend32(sequenceLow, Math.max(0, this.#replay.highest));
    if (!this.#replay.isFresh(sequence)) return -1;
    if (!this.#opener.open(bytes, offset, length, sequence)) return -2;
    this.#replay.accept(sequence);
    return sequence;
  }

  /** What the next frame that is sealed will be. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** The full number of one that the peer names of its own frames. */
  extendReceived(sequenceLow: number): number {
    return extend32(sequenceLow, Math.max(0, this.#replay.highest));
  }

  /** Forward error correction has given this frame: should it arrive after all, it is one too many. */
  handleRebuilt(nowMs: number, sequence: number): void {
    this.#rebuilt ??= new ReplayWindow();
    this.#rebuilt.accept(sequence);
    this.recovery.handleRebuilt(nowMs, sequence);
  }

  isRebuilt(sequence: number): boolean {
    return this.#rebuilt !== undefined && !this.#rebuilt.isFresh(sequence);
  }

  /** The full number of a sequence number that the peer NACKed; -1 when nothing was sent under it. */
  extendSent(sequenceLow: number): number {
    const sequence = extend32(sequenceLow, this.#nextSequence);
    return sequence < this.#nextSequence ? Math.max(-1, sequence) : -1;
  }

  /** True when new keys are due: by count in either direction, or by age. */
  needsRekey(nowMs: number, ageMs = REKEY_AGE_MS): boolean {
    return this.#framesOfBusierSide() >= REKEY_FRAMES || nowMs - this.openedMs >= ageMs;
  }

  /** True when nothing more may be sent or taken under these keys. */
  get isSpent(): boolean {
    return this.#framesOfBusierSide() >= SESSION_FRAMES_MAX;
  }

  /** Wipes the keys: nothing is sealed or opened any more. */
  close(): void {
    this.#sealer.close();
    this.#opener.close();
  }

  #framesOfBusierSide(): number {
    return Math.max(this.#nextSequence, this.recovery.highest + 1);
  }
}
