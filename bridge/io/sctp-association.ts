/**
 * One SCTP association over DTLS (RFC 8831), by werift, which keeps its own timers. Around it: packets are checked before it sees them, what it holds
 * has limits, and its partial reliability, which gives up the wrong message, is replaced (`sctp-lossy.ts`).
 */
import { Event, type RTCDtlsTransport, RTCSctpTransport } from 'werift';
import { checkSctpPacket, SCTP_FIRST_CHUNK, SCTP_INIT } from '../../protocol/datachannel/sctp-packet.ts';
import { DecodeError } from '../../protocol/errors.ts';
import { expiryOfLossy, mendPartialReliability } from './sctp-lossy.ts';
import { SctpWindow } from './sctp-window.ts';

type Sctp = RTCSctpTransport['sctp'];

export interface SctpSink {
  /** Gives up ownership of `packet`. */
  send(packet: Buffer): void;
  /** `bytes` belong to the receiver of the call. */
  onMessage(streamId: number, ppid: number, bytes: Buffer): void;
  /** The peer has reset these streams. */
  onReset(streamIds: readonly number[]): void;
  /** The peer has answered; may come again. Only who waits for it to send first needs it. */
  onEstablished?(): void;
  /** Aborted, shut down, or given up after ten repetitions. */
  onClosed(reason: string): void;
  /** A packet that was not believed, or could not be sent. */
  onDrop(reason: string): void;
}

/** The port of WebRTC data channels in SDP (`a=sctp-port:5000`). */
const SCTP_PORT = 5000;
/** Bytes of user data in a chunk of werift's, for estimates. */
export const CHUNK_BYTES = 1160;
/** Received bytes that wait for their message to be whole, beyond the window of 1 MiB that was announced. */
const OVERRUN_BYTES_MAX = 256 * 1024;
/** TSNs received ahead of a missing one; werift's work per packet grows with them. */
const MISORDERED_MAX = 2048;

/** In place of werift's events that nobody listens to: each is a dozen closures, and an association has four of them. */
const UNHEARD = new Event<never>();

/** Seconds until the first packet of an association is repeated (RFC 9260 section 16: RTO.Initial); werift waits for three. */
const RTO_INITIAL_S = 1;
/** Where an INIT says which tag its sender is to be sent. */
const INITIATE_TAG = SCTP_FIRST_CHUNK + 4;
const ESTABLISHED = 4;

/** werift's private parts that are read here. */
interface SctpParts {
  handleData(packet: Buffer): Promise<void>;
  readonly sackMisOrdered: ReadonlySet<number>;
  readonly associationState: number;
  readonly remoteVerificationTag: number;
  rto: number;
}

/** And those that are replaced. */
interface UnheardParts {
  onDataChannel: Event<never>;
  eventDisposer: unknown[];
}

export class SctpAssociation {
  readonly #sink: SctpSink;
  readonly #transport = new RTCSctpTransport(SCTP_PORT);
  readonly #dtls: RTCDtlsTransport;
  readonly #sctp: Sctp;
  readonly #window: SctpWindow;
  #isOver = false;

  constructor(sink: SctpSink) {
    this.#sink = sink;
    this.#dtls = dtlsShim(packet => sink.send(packet));
    this.#transport.setDtlsTransport(this.#dtls);
    this.#sctp = this.#transport.sctp;
    mendPartialReliability(this.#sctp);
    this.#window = new SctpWindow(this.#sctp);
    // Channels are ours (`data-channels.ts`): werift's are not to see anything.
    this.#sctp.onReceive.allUnsubscribe();
    this.#sctp.onReconfigStreams.allUnsubscribe();
    const closed = this.#sctp.stateChanged.closed;
    closed.allUnsubscribe();
    const { stateChanged } = this.#sctp as unknown as { stateChanged: Record<string, unknown> };
    for (const state of ['new', 'connecting']) stateChanged[state] = UNHEARD;
    if (sink.onEstablished === undefined) stateChanged['connected'] = UNHEARD;
    else this.#sctp.stateChanged.connected.subscribe(() => this.#isOver || sink.onEstablished?.());
    const parts = this.#transport as unknown as UnheardParts;
    parts.onDataChannel = UNHEARD;
    parts.eventDisposer = [];
    this.#sctp.onReceive.subscribe((streamId, ppid, bytes) => this.#isOver || sink.onMessage(streamId, ppid, bytes));
    this.#sctp.onReconfigStreams.subscribe(streamIds => this.#isOver || sink.onReset(streamIds));
    closed.subscribe(() => this.#finish('sctp-closed'));
  }

  /** Waits for the client to begin; or begins itself, with a client that has had an association with somebody else. */
  start(isFirst: boolean): void {
    if (isFirst) (this.#dtls.iceTransport as { role: string }).role = 'controlling';
    this.#parts.rto = RTO_INITIAL_S;
    // In the role of a server it only takes note; as the first it sends its INIT, and repeats that by itself.
    this.#transport.start(SCTP_PORT).catch(() => this.#finish('sctp-failed'));
  }

  /** Handles one packet, of which it takes ownership. Never throws. */
  handlePacket(packet: Buffer): void {
    if (this.#isOver) return;
    try {
      checkSctpPacket(packet);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#sink.onDrop(error.reason);
      return;
    }
    const parts = this.#parts;
    if (this.#isRepeatedInit(packet)) return;
    parts.handleData(packet).catch(() => this.#sink.onDrop('sctp-refused'));
    if (this.#window.overrunBytes > OVERRUN_BYTES_MAX || parts.sackMisOrdered.size > MISORDERED_MAX) {
      this.close();
      this.#sink.onClosed('sctp-overrun');
    }
  }

  /** Calls back when the peer has answered; at once when it has. */
  whenEstablished(act: () => void): void {
    if (this.#parts.associationState === ESTABLISHED) {
      act();
      return;
    }
    const { stateChanged } = this.#sctp as unknown as { stateChanged: Record<string, Event<never>> };
    if (stateChanged['connected'] === UNHEARD) stateChanged['connected'] = new Event();
    stateChanged['connected'].subscribe(() => this.#isOver || act());
  }

  /** So many bytes that have come are not read (`sctp-window.ts`): the peer may send little more. Undefined: all are. */
  setUnread(bytes: number | undefined): void {
    if (this.#isOver) return;
    if (bytes === undefined) this.#window.reopen();
    else this.#window.withhold(bytes);
  }

  /** Roughly how many bytes wait for the peer's window or the congestion window. */
  get queuedBytes(): number {
    return this.#sctp.outboundQueue.length * CHUNK_BYTES;
  }

  /** Queues a message; a lossy one is unordered and given up when it would have to be repeated. `bytes` must not change any more, nor be empty. */
  send(streamId: number, ppid: number, bytes: Buffer, kind: 'reliable' | 'lossy'): void {
    const options = kind === 'reliable' ? { ordered: true } : { ordered: false, expiry: expiryOfLossy() };
    this.#sctp.send(streamId, ppid, bytes, options).catch(() => this.#sink.onDrop('sctp-send'));
  }

  /** Ends the association at once; `onClosed` is not called. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#transport.stop().catch(() => this.#sink.onDrop('sctp-stop'));
  }

  get #parts(): SctpParts {
    return this.#sctp as unknown as SctpParts;
  }

  /** A late copy of the INIT that began this association: werift would take what came since for what is yet to come. */
  #isRepeatedInit(packet: Buffer): boolean {
    if (packet[SCTP_FIRST_CHUNK] !== SCTP_INIT || this.#parts.associationState !== ESTABLISHED) return false;
    return packet.readUInt32BE(INITIATE_TAG) === this.#parts.remoteVerificationTag;
  }

  #finish(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.onClosed(reason);
  }
}

/** As much of werift's DTLS transport as its SCTP uses. `controlled` makes it wait for the peer's INIT; `controlling` sends one. */
function dtlsShim(send: (packet: Buffer) => void): RTCDtlsTransport {
  const shim = {
    id: '',
    iceTransport: { role: 'controlled' },
    dataReceiver: () => {},
    sendData: async (packet: Buffer) => send(packet),
    onStateChange: { subscribe: () => ({ unSubscribe: () => {} }) },
  };
  return shim as unknown as RTCDtlsTransport;
}
