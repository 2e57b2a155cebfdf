/** A start that the system refuses, in the operator's words: which port, who needs it, which key to change. */
import type { BridgeConfig } from './config.ts';

/** What node:dgram and node:net say of a socket that could not be had. */
export interface SocketError {
  readonly message: string;
  readonly code?: string | undefined;
  /** `bind` for UDP, `listen` for TCP. */
  readonly syscall?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

interface Socket {
  readonly group: 'rtc' | 'octo' | 'control';
  readonly portKey: string;
  readonly address: string;
  readonly port: number;
  readonly purpose: string;
}

/** One line for people. An error that is about no port of this bridge keeps its own words. */
export function describeStartFailure(error: SocketError, config: BridgeConfig): string {
  const socket = refusedSocket(error, config);
  if (socket === undefined) return error.message;
  const { group, portKey, address, port, purpose } = socket;
  const need = `bridge ${config.bridge_id} needs it for ${purpose}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} is in use: ${need}; the key ${group}.${portKey} moves it`;
    case 'EACCES':
      return `port ${port} is not allowed to this user: ${need}; the key ${group}.${portKey} moves it`;
    case 'EADDRNOTAVAIL':
      return `address ${address} is none of this machine's: ${need}; the key ${group}.bind_address changes it`;
    case 'EINVAL':
    case 'EAFNOSUPPORT':
      return `address ${address} with port ${port} is refused by the system (${error.code}): ${need}; the keys ${group}.bind_address and ${group}.${portKey} change it`;
    default:
      return error.message;
  }
}

function refusedSocket(error: SocketError, config: BridgeConfig): Socket | undefined {
  const { rtc, octo, control } = config;
  const udp: readonly Socket[] = [
    { group: 'rtc', portKey: 'udp_port', address: rtc.bind_address, port: rtc.udp_port, purpose: 'clients' },
    { group: 'octo', portKey: 'port', address: octo.bind_address, port: octo.port, purpose: 'links to other bridges' },
  ];
  const tcp: readonly Socket[] = [
    {
      group: 'control',
      portKey: 'port',
      address: control.bind_address,
      port: control.port,
      purpose: 'its control API',
    },
  ];
  if (error.syscall !== 'bind' && error.syscall !== 'listen') return undefined;
  // Ports are opened in this order: of two with the same number, an address that is not there belongs to the first that has it.
  const candidates = (error.syscall === 'listen' ? tcp : udp).filter(({ port }) => port === (error.port ?? 0));
  return candidates.find(({ address }) => address === error.address) ?? candidates[0];
}
