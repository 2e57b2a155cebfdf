/**
 * All ICE agents of a port: a check is led to its agent by the ufrag it names, so one UDP port serves every client. Only then is the
 * HMAC computed: a flood of made-up ufrags costs a look-up each.
 */

import * as stun from '../../protocol/stun/constants.ts';
import type { StunMessage } from '../../protocol/stun/message.ts';
import { createCredentials } from './credentials.ts';
import { IceAgent, type IceGeneration } from './ice-agent.ts';
import type { Path } from './validated-paths.ts';

/** Why a check gets no answer. Stable: metric labels. */
export type IceDropReason = 'not-a-request' | 'no-credentials' | 'unknown-ufrag' | 'bad-integrity' | 'remote-ufrag';

export type IceOutcome<Holder> =
  | { readonly kind: 'drop'; readonly reason: IceDropReason }
  /** To be answered with an error; nothing has changed. */
  | { readonly kind: 'refuse'; readonly agent: IceAgent<Holder>; readonly password: string; readonly errorCode: number }
  /** To be answered with success: the address is validated. `dropped` is one that is no longer. */
  | {
      readonly kind: 'accept';
      readonly agent: IceAgent<Holder>;
      readonly password: string;
      readonly dropped: Path | undefined;
    };

export class IceRegistry<Holder> {
  /** Two entries at most per agent, so bounded by the number of endpoints. */
  readonly #byUfrag = new Map<string, { readonly agent: IceAgent<Holder>; readonly generation: IceGeneration }>();
  readonly #random: (bytes: number) => Buffer;

  /** `random` gives n bytes of a cryptographic generator. */
  constructor(random: (bytes: number) => Buffer) {
    this.#random = random;
  }

  /** A new agent with fresh credentials, found from now on. */
  open(holder: Holder, generation = 0): IceAgent<Holder> {
    const agent = new IceAgent(holder, this.#newGeneration(generation));
    this.#byUfrag.set(agent.local.ufrag, { agent, generation: agent.generations[0] });
    return agent;
  }

  /** Begins a new generation of credentials (RFC 8445 section 9): the ones in force stay until a check uses the new ones. */
  restart(agent: IceAgent<Holder>, generation: number): void {
    // Two restarts with no check between: keep the credentials that the client is using, if it is using any.
    if (agent.generations.length > 1) this.#retire(agent, agent.isValidated ? 0 : 1);
    const next = this.#newGeneration(generation);
    agent.generations.unshift(next);
    this.#byUfrag.set(next.local.ufrag, { agent, generation: next });
  }

  /** Forgets an agent: checks for it are strangers' from now on. */
  close(agent: IceAgent<Holder>): void {
    for (const { local } of agent.generations) this.#byUfrag.delete(local.ufrag);
  }

  /** Decides about a decoded message from `address`:`port`. Only 'accept' has changed anything. */
  handleMessage(nowMs: number, message: StunMessage, address: string, port: number): IceOutcome<Holder> {
    if (message.type !== stun.BINDING_REQUEST) return NOT_A_REQUEST;
    const username = message.username;
    if (username === undefined || message.integrityOffset < 0) return NO_CREDENTIALS;
    const colon = username.indexOf(':');
    const entry = colon < 0 ? undefined : this.#byUfrag.get(username.slice(0, colon));
    if (entry === undefined) return UNKNOWN_UFRAG;
    const { agent, generation } = entry;
    const remoteUfrag = generation.remoteUfrag;
    if (remoteUfrag !== null && username.slice(colon + 1) !== remoteUfrag) return REMOTE_UFRAG;
    const password = generation.local.password;
    if (!message.hasIntegrity(password)) return BAD_INTEGRITY;

    if (message.unknownAttributes.length > 0) {
      return { kind: 'refuse', agent, password, errorCode: stun.ERROR_UNKNOWN_ATTRIBUTE };
    }
    // We are lite, hence controlled for good: whoever claims that role too has to change (RFC 8445 section 7.3.1.1).
    if (message.role === 'controlled') {
      return { kind: 'refuse', agent, password, errorCode: stun.ERROR_ROLE_CONFLICT };
    }
    agent.refresh(nowMs);
    if (generation === agent.generations[0] && agent.generations.length > 1) this.#retire(agent, 1);
    return { kind: 'accept', agent, password, dropped: agent.paths.validate(address, port, message.useCandidate) };
  }

  #newGeneration(generation: number): IceGeneration {
    let local = createCredentials(this.#random);
    while (this.#byUfrag.has(local.ufrag)) local = createCredentials(this.#random);
    return { generation, local, remoteUfrag: null };
  }

  #retire(agent: IceAgent<Holder>, index: number): void {
    const [retired] = agent.generations.splice(index, 1);
    this.#byUfrag.delete(retired.local.ufrag);
  }
}

const NOT_A_REQUEST = { kind: 'drop', reason: 'not-a-request' } as const;
const NO_CREDENTIALS = { kind: 'drop', reason: 'no-credentials' } as const;
const UNKNOWN_UFRAG = { kind: 'drop', reason: 'unknown-ufrag' } as const;
const REMOTE_UFRAG = { kind: 'drop', reason: 'remote-ufrag' } as const;
const BAD_INTEGRITY = { kind: 'drop', reason: 'bad-integrity' } as const;
