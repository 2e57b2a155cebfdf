/** UDP sockets by number, for batched system calls: opened, bound, tuned and closed here, non-blocking. */
import { getSystemErrorName } from 'node:util';
import { type Foreign, loadForeign } from './foreign.ts';
import { NativeMemory } from './native-memory.ts';
import { SMALL_INTEGERS } from './small-integers.ts';
import { NAME_BYTES, nameBytes, readName, type SocketName, writeName } from './socket-name.ts';

// Linux, <sys/socket.h> and <netinet/in.h>; the same on x86-64 and arm64.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SOL_UDP = 17;
const IPPROTO_IPV6 = 41;

/** Options that take an int: level and name. */
export const SOCKET_OPTIONS = {
  sendBufferBytes: [SOL_SOCKET, 7],
  receiveBufferBytes: [SOL_SOCKET, 8],
  /** The same beyond net.core.{w,r}mem_max, for who may administer the network. */
  sendBufferForceBytes: [SOL_SOCKET, 32],
  receiveBufferForceBytes: [SOL_SOCKET, 33],
  /** IP_PKTINFO: which of our addresses a datagram was for. */
  packetInfo: [0, 8],
  /** SO_TIMESTAMPNS: when the kernel took each datagram, in a control message. */
  receiveTimestamps: [SOL_SOCKET, 35],
  isIpv6Only: [IPPROTO_IPV6, 26],
  /** UDP_GRO: runs of datagrams come as one, with their size in a control message. */
  receiveOffload: [SOL_UDP, 104],
  /** UDP_SEGMENT: size that sent datagrams are cut to; used here only to ask whether the kernel knows it. */
  segmentBytes: [SOL_UDP, 103],
} as const;
export type SocketOption = keyof typeof SOCKET_OPTIONS;

/** Scratch layout: a name, its length, an option's value, its length. */
const NAME = 0;
const LENGTH = 32;
const VALUE = 40;
const VALUE_LENGTH = 48;

/** Who has given a socket's descriptor to the event loop. */
export interface SocketWatcher {
  close(): void;
}

export class NativeSocket {
  readonly family: 'IPv4' | 'IPv6';
  /** File descriptor as native calls take it. Of an open socket only: see {@link isOpen}. */
  readonly descriptor: bigint;
  #isOpen = true;
  #watcher: SocketWatcher | undefined;
  readonly #foreign: Foreign;
  readonly #scratch: NativeMemory;

  /** Opens and binds. Throws an error with `code`, `syscall`, `address` and `port`, as node:dgram's are. */
  static open(address: string, port: number, foreign: Foreign = loadForeign()): NativeSocket {
    const family = address.includes(':') ? AF_INET6 : AF_INET;
    const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const number = foreign.socket(BigInt(family), BigInt(type), SMALL_INTEGERS[0]);
    if (number < 0) throw systemError(foreign.errno[0], 'socket', address, port);
    const socket = new NativeSocket(number, family === AF_INET6 ? 'IPv6' : 'IPv4', foreign);
    try {
      socket.#bind(address, port);
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }

  private constructor(number: number, family: 'IPv4' | 'IPv6', foreign: Foreign) {
    this.descriptor = BigInt(number);
    this.family = family;
    this.#foreign = foreign;
    this.#scratch = new NativeMemory(64);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Where it is bound. */
  name(): SocketName {
    this.#assertOpen();
    const scratch = this.#scratch;
    scratch.words[LENGTH / 4] = NAME_BYTES;
    const lengthPointer = scratch.pointer(LENGTH, 4);
    if (this.#foreign.getsockname(this.descriptor, scratch.pointer(NAME, NAME_BYTES), lengthPointer) !== 0) {
      throw systemError(this.#foreign.errno[0], 'getsockname');
    }
    return readName(scratch.words, NAME / 4);
  }

  /** Sets an option; false when the kernel does not know it or refuses the value. */
  setOption(option: SocketOption, value: number): boolean {
    this.#assertOpen();
    const [level, name] = numbersOf(option);
    if ((value | 0) !== value) throw new RangeError(`${option} ${value}; allowed: an integer of 32 bits`);
    this.#scratch.words[VALUE / 4] = value;
    const pointer = this.#scratch.pointer(VALUE, 4);
    const levelNumber = SMALL_INTEGERS[level];
    return (
      this.#foreign.setsockopt(this.descriptor, levelNumber, SMALL_INTEGERS[name], pointer, SMALL_INTEGERS[4]) === 0
    );
  }

  /** An option's value; -1 when the kernel does not know it. */
  option(option: SocketOption): number {
    this.#assertOpen();
    const [level, name] = numbersOf(option);
    const scratch = this.#scratch;
    scratch.words[VALUE_LENGTH / 4] = 4;
    const result = this.#foreign.getsockopt(
      this.descriptor,
      SMALL_INTEGERS[level],
      SMALL_INTEGERS[name],
      scratch.pointer(VALUE, 4),
      scratch.pointer(VALUE_LENGTH, 4),
    );
    return result === 0 ? scratch.words[VALUE / 4] : -1;
  }

  /**
   * For a {@link SocketWatcher}: from now on {@link close} closes it first, because libuv aborts the process when a descriptor that it watches is gone.
   * Throws for a closed socket, and for one that is watched already.
   */
  attach(watcher: SocketWatcher): void {
    this.#assertOpen();
    if (this.#watcher !== undefined) throw new Error('the socket is watched already');
    this.#watcher = watcher;
  }

  detach(watcher: SocketWatcher): void {
    if (this.#watcher === watcher) this.#watcher = undefined;
  }

  /** Nothing may be called on it afterwards; doing it twice is harmless. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watcher?.close();
    this.#foreign.close(this.descriptor);
  }

  #bind(address: string, port: number): void {
    const { words } = this.#scratch;
    writeName(words, NAME / 4, { address, port, family: this.family });
    const pointer = this.#scratch.pointer(NAME, NAME_BYTES);
    if (this.#foreign.bind(this.descriptor, pointer, SMALL_INTEGERS[nameBytes(this.family)]) !== 0) {
      throw systemError(this.#foreign.errno[0], 'bind', address, port);
    }
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error('the socket is closed');
  }
}

function numbersOf(option: SocketOption): readonly [number, number] {
  if (Object.hasOwn(SOCKET_OPTIONS, option)) return SOCKET_OPTIONS[option];
  throw new RangeError(`socket option "${option}"; allowed: ${Object.keys(SOCKET_OPTIONS).join(', ')}`);
}

function systemError(errno: number, syscall: string, address?: string, port?: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const where = address === undefined ? '' : ` ${address}:${port}`;
  return Object.assign(new Error(`${syscall} ${code}${where}`), { errno: -errno, code, syscall, address, port });
}
