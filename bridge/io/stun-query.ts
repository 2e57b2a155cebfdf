/** Asks STUN servers what address they see (RFC 8489 section 6.2.1), from a socket of its own. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { DecodeError } from '../../protocol/errors.ts';
import {
  BINDING_REQUEST,
  BINDING_SUCCESS,
  STUN_MESSAGE_BYTES_MAX,
  TRANSACTION_ID_BYTES,
} from '../../protocol/stun/constants.ts';
import { encodeStun, hasTransactionId } from '../../protocol/stun/encode.ts';
import { StunMessage } from '../../protocol/stun/message.ts';

const STUN_PORT = 3478;
/** RFC 8489 asks for 500 ms and seven tries; a start-up has less patience, and a server that is there answers in 100 ms. */
const RETRY_MS = 250;
const TRIES_MAX = 12;

/** The address of the first server to answer, or undefined when none does within 3 s. `bindAddress` as in `findCandidates`. */
export async function askStunServers(servers: readonly string[], bindAddress: string): Promise<string | undefined> {
  const controller = new AbortController();
  try {
    return await Promise.any(servers.map(server => askStunServer(server, bindAddress, controller.signal)));
  } catch {
    return undefined;
  } finally {
    controller.abort();
  }
}

function askStunServer(server: string, bindAddress: string, signal: AbortSignal): Promise<string> {
  const { host, port } = parseServer(server);
  const transactionId = randomBytes(TRANSACTION_ID_BYTES);
  const request = Buffer.alloc(STUN_MESSAGE_BYTES_MAX);
  const length = encodeStun(request, 0, { type: BINDING_REQUEST, transactionId });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = createSocket(isIPv6(bindAddress) ? 'udp6' : 'udp4');
  const message = new StunMessage();
  let tries = 0;
  let timer: NodeJS.Timeout | undefined;

  const ask = () => {
    if (tries++ === TRIES_MAX) return reject(new Error('no answer'));
    socket.send(request, 0, length, port, host, error => {
      if (error !== null) reject(error);
    });
    timer = setTimeout(ask, RETRY_MS);
  };
  socket.on('error', reject);
  socket.on('message', bytes => {
    const address = mappedAddress(message, bytes, transactionId);
    if (address !== undefined) resolve(address);
  });
  signal.addEventListener('abort', () => reject(new Error('another server was faster')));
  socket.bind({ address: bindAddress, port: 0 }, ask);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

/** What a success response to our request says; undefined for anything else, which may be anybody's. */
function mappedAddress(message: StunMessage, bytes: Buffer, transactionId: Uint8Array): string | undefined {
  try {
    message.decode(bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return undefined;
  }
  if (message.type !== BINDING_SUCCESS || !hasTransactionId(bytes, 0, transactionId)) return undefined;
  return message.xorMappedAddress?.address;
}

/** `host`, `host:port` or `[IPv6]:port`. */
function parseServer(server: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(server);
  if (match === null) return { host: server, port: STUN_PORT };
  return { host: match[1] ?? match[2], port: match[3] === undefined ? STUN_PORT : Number(match[3]) };
}
