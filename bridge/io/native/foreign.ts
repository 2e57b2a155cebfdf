/**
 * The runtime's own foreign functions (`node:ffi`, Node 26): libc for sockets, and the OpenSSL and libuv that Node carries. Nothing else imports
 * `node:ffi`, and nothing outside this folder calls what is loaded here: pointers and lengths are checked by the classes around it (README.md).
 *
 * Every argument is declared a pointer and passed as a BigInt made beforehand, integers too: on the 64-bit ABIs we run on both travel in the same
 * registers, and a signature of pointers only is called straight from optimised code (10 ns), where one with an integer goes through a checking wrapper
 * with a rest array (450 to 650 ns). See docs/decisions/0007.
 */
import type * as Ffi from 'node:ffi';
import { endianness } from 'node:os';

/** A native function that takes integers and pointers, and returns an int. */
export type IntCall = (...args: bigint[]) => number;
/** One that returns a pointer. */
export type PointerCall = (...args: bigint[]) => bigint;

/** Number of arguments by name. */
const INT_CALLS = {
  socket: 3,
  bind: 3,
  close: 1,
  getsockname: 3,
  getsockopt: 5,
  setsockopt: 5,
  sendmmsg: 4,
  recvmmsg: 5,
  EVP_EncryptInit_ex: 5,
  EVP_EncryptUpdate: 5,
  EVP_EncryptFinal_ex: 3,
  EVP_DecryptInit_ex: 5,
  EVP_DecryptUpdate: 5,
  EVP_DecryptFinal_ex: 3,
  EVP_CIPHER_CTX_ctrl: 4,
  EVP_CIPHER_CTX_reset: 1,
  HMAC_Init_ex: 5,
  HMAC_Update: 3,
  HMAC_Final: 3,
  HMAC_CTX_reset: 1,
  uv_poll_init: 3,
  uv_poll_start: 3,
  uv_poll_stop: 1,
} as const;

const POINTER_CALLS = {
  __errno_location: 0,
  EVP_CIPHER_CTX_new: 0,
  EVP_CIPHER_CTX_free: 1,
  EVP_aes_128_gcm: 0,
  EVP_aes_128_ctr: 0,
  EVP_sha1: 0,
  HMAC_CTX_new: 0,
  HMAC_CTX_free: 1,
  uv_handle_size: 1,
  uv_close: 2,
} as const;

export type Foreign = { readonly [name in keyof typeof INT_CALLS]: IntCall } & {
  readonly [name in keyof typeof POINTER_CALLS]: PointerCall;
} & {
  /** The address of an ArrayBuffer's first byte. It never moves; keep the buffer for as long as native code may use it. */
  addressOf(buffer: ArrayBuffer): bigint;
  /** `errno` of this thread. Read it in the expression after the call: whatever runs in between may set it too. */
  readonly errno: Int32Array;
  /** The event loop of this thread, as libuv knows it. */
  readonly eventLoop: bigint;
  /** Registers `callback(status, events)` as a `uv_poll_cb`. It must never throw: the process would abort. */
  pollCallback(callback: (status: number, events: number) => void): bigint;
  releaseCallback(pointer: bigint): void;
};

/** Platforms whose ABI and kernel structures this folder knows: 64-bit, little endian (arm64 can be either). */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64'];

let loaded: Foreign | undefined;

/** Loads the functions, once. Throws an Error that says what is missing: another platform, a Node without `node:ffi`, a symbol. */
export function loadForeign(): Foreign {
  loaded ??= load();
  return loaded;
}

function load(): Foreign {
  if (process.platform !== 'linux') throw new Error(`it needs Linux, this is ${process.platform}`);
  if (!ARCHITECTURES.includes(process.arch) || endianness() !== 'LE')
    throw new Error(`it needs ${ARCHITECTURES.join(' or ')}, little endian; this is ${process.arch}, ${endianness()}`);
  const ffi = process.getBuiltinModule('node:ffi') as typeof Ffi | undefined;
  if (ffi === undefined) throw new Error(`Node ${process.version} has no node:ffi`);
  const { lib, functions } = ffi.dlopen(null, {
    ...definitions(INT_CALLS, 'int32'),
    ...definitions(POINTER_CALLS, 'pointer'),
  });
  const calls = functions as unknown as Pick<Foreign, keyof typeof INT_CALLS | keyof typeof POINTER_CALLS>;
  return {
    ...calls,
    addressOf: buffer => ffi.getRawPointer(buffer),
    errno: new Int32Array(ffi.toArrayBuffer(calls.__errno_location(), 4, false)),
    eventLoop: ffi.getCurrentEventLoop(),
    pollCallback: callback =>
      lib.registerCallback({ arguments: ['pointer', 'int32', 'int32'], return: 'void' }, (_handle, status, events) => {
        callback(status, events);
      }),
    releaseCallback: pointer => lib.unregisterCallback(pointer),
  };
}

function definitions(
  calls: Readonly<Record<string, number>>,
  returned: 'int32' | 'pointer',
): Record<string, Ffi.FunctionSignature> {
  return Object.fromEntries(
    Object.entries(calls).map(([name, count]) => [
      name,
      { arguments: new Array<'pointer'>(count).fill('pointer'), return: returned },
    ]),
  );
}
