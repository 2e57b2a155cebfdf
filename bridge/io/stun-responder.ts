import { BINDING_ERROR, BINDING_SUCCESS } from '../../protocol/stun/constants.ts';
import { encodeStun } from '../../protocol/stun/encode.ts';
import { StunMessage } from '../../protocol/stun/message.ts';
import type { IceOutcome, IceRegistry } from '../ice/ice-registry.ts';
import type { DatagramPort, Peer } from './datagram-port.ts';
import type { EndpointTransport } from './endpoint-transport.ts';

/**
 * Answers the connectivity checks of a port. This is the only way in which an address becomes an endpoint's: what a stranger sends is led to an agent
 * by its ufrag, and believed for its MESSAGE-INTEGRITY. Who gives neither gets no answer, so there is nothing to amplify.
 */
export class StunResponder<Owner> {
  readonly #port: DatagramPort<Owner>;
  readonly #registry: IceRegistry<EndpointTransport<Owner>>;
  readonly #onDrop: (reason: string) => void;
  readonly #message = new StunMessage();

  /** `onDrop` is told why a message got no answer: `ice-unknown-ufrag`, ... */
  constructor(
    port: DatagramPort<Owner>,
    registry: IceRegistry<EndpointTransport<Owner>>,
    onDrop: (reason: string) => void = () => {},
  ) {
    this.#port = port;
    this.#registry = registry;
    this.#onDrop = onDrop;
  }

  /** Handles a datagram whose first byte says STUN. Throws DecodeError when it is not. */
  handle(nowMs: number, bytes: Uint8Array, offset: number, length: number, peer: Peer<Owner>): void {
    this.#message.decode(bytes, offset, length);
    const outcome = this.#registry.handleMessage(nowMs, this.#message, peer.address, peer.port);
    if (outcome.kind === 'drop') {
      this.#onDrop(`ice-${outcome.reason}`);
      return;
    }
    // Answered first: the path is there for the client before anything that follows from it is sent.
    this.#answer(outcome, peer);
    if (outcome.kind === 'accept') outcome.agent.holder.handleCheck(nowMs, peer, outcome.dropped);
  }

  #answer(outcome: Exclude<IceOutcome<unknown>, { kind: 'drop' }>, peer: Peer<Owner>): void {
    const port = this.#port;
    const slot = port.reserve();
    if (slot < 0) return;
    const message = this.#message;
    const isAccepted = outcome.kind === 'accept';
    const errorCode = isAccepted ? undefined : outcome.errorCode;
    const length = encodeStun(port.outgoing, slot, {
      type: isAccepted ? BINDING_SUCCESS : BINDING_ERROR,
      transactionId: message.bytes,
      transactionOffset: message.offset + 8,
      xorMappedAddress: isAccepted ? peer : undefined,
      errorCode,
      unknownAttributes: errorCode === 420 ? message.unknownAttributes : undefined,
      key: outcome.password,
    });
    port.commit(slot, length, peer);
  }
}
