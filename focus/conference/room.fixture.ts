/** A room in a test's hands: its clock, its randomness, its bridges' answers and what its clients are sent. */
import { ClientInfo, type SignalResponse } from '@livekit/protocol';
import type { BridgePeer, Transport } from '../../protocol/control/spec.ts';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { type ConferenceDocument, withPeers } from './conference-spec.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import { handlePlacesTaken } from './hand-over.ts';
import { join } from './joining.ts';
import { handleTaken } from './offering.ts';
import type { Participant, ParticipantInit } from './participant.ts';
import type { Permissions } from './permissions.ts';
import type { Random } from './random.ts';
import { Room, type RoomSettings } from './room.ts';
import type { RoomOutput } from './room-output.ts';
import { settle } from './settling.ts';

type Message = SignalResponse['message'];
type MessageOf<Case extends Message['case']> = Extract<Message, { case: Case }>['value'];

export const EVERYTHING: Permissions = {
  canPublish: true,
  canPublishSources: [],
  canSubscribe: true,
  canPublishData: true,
  canUpdateOwnMetadata: true,
  canSubscribeMetrics: false,
  hidden: false,
  recorder: false,
  agent: false,
};

export const SETTINGS: RoomSettings = {
  pendingTracksMax: 20,
  metadataBytesMax: 1000,
  attributesBytesMax: 1000,
  nameCharactersMax: 50,
  isRemoteUnmuteAllowed: false,
  resumeTimeoutMs: 15_000,
  handshakeTimeoutMs: 15_000,
  tokenIntervalMs: 300_000,
  pingIntervalSeconds: 5,
  pingTimeoutSeconds: 15,
  version: '0.0.0',
};

export interface SeededRandom extends Random {
  /** Another one that goes on with the same numbers. */
  fork(): SeededRandom;
}

/** xorshift32: the same numbers for the same seed. */
export function seededRandom(seed: number): SeededRandom {
  return xorshift(seed | 1);
}

function xorshift(state: number): SeededRandom {
  return {
    uint32() {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 0;
    },
    fork: () => xorshift(state),
  };
}

export class TestRoom {
  readonly room: Room;
  nowMs = 1_000_000;
  /** Everything that came out, oldest first. */
  readonly outputs: RoomOutput[] = [];
  #nextEndpoint = 1;

  /** `past`: it goes on where that one is, with a room that was restored. */
  constructor(
    settings: Partial<RoomSettings> = {},
    {
      past,
      name = 'talk',
      id = 7,
    }: { past?: { readonly world: TestRoom; readonly room: Room }; name?: string; id?: number } = {},
  ) {
    if (past !== undefined) {
      this.room = past.room;
      this.nowMs = past.world.nowMs;
      this.outputs.push(...past.world.outputs);
      this.#nextEndpoint = past.world.#nextEndpoint;
      return;
    }
    const identity = { name, sid: `RM_${name}`, conferenceId: id as ConferenceId, createdAtMs: this.nowMs };
    const properties = {
      emptyTimeoutSeconds: 300,
      departureTimeoutSeconds: 20,
      participantsMax: 0,
      metadata: '',
      placement: null,
    };
    this.room = new Room(identity, properties, { ...SETTINGS, ...settings }, seededRandom(42), this.nowMs);
  }

  /** Joins a participant on the bridge of its name, or on `eu-1`. */
  join(identity: string, options: Partial<ParticipantInit> = {}): Participant {
    const endpointId = this.#nextEndpoint++ as EndpointId;
    const init: ParticipantInit = {
      sid: `PA_${identity}${endpointId}`,
      identity,
      endpointId,
      bridgeId: 'eu-1' as BridgeId,
      region: 'eu',
      bridgeRegion: 'eu',
      name: '',
      metadata: '',
      attributes: {},
      kind: '',
      permissions: EVERYTHING,
      client: new ClientInfo({ protocol: 17 }),
      autoSubscribe: true,
      ...options,
    };
    const participant = join(this.room, this.nowMs, init);
    this.settle();
    return participant;
  }

  /** Collects what came out, and lets every bridge take every document at once, but those of who is where when `takesPlaces` says so. */
  settle(takesPlaces: (bridgeId: BridgeId) => boolean = () => true): void {
    const outputs = settle(this.room);
    this.outputs.push(...outputs);
    for (const output of outputs) {
      if (output.kind === 'conference') this.#takePlaces(output.document, takesPlaces);
      if (output.kind !== 'endpoint') continue;
      const participant = this.room.withEndpoint(output.endpointId);
      if (participant === undefined) continue;
      handleTaken(this.room, participant, output.endpointId, output.revision, TRANSPORT);
    }
    if (outputs.some(({ kind }) => kind === 'endpoint' || kind === 'conference')) this.settle(takesPlaces);
  }

  #takePlaces(document: ConferenceDocument, takesPlaces: (bridgeId: BridgeId) => boolean): void {
    for (const bridgeId of document.bridgeIds.filter(takesPlaces)) {
      handlePlacesTaken(this.room, bridgeId, withPeers(document, bridgeId, peerNamed).endpoints);
    }
  }

  /** Collects what came out; no bridge answers. */
  settleUnanswered(): void {
    this.outputs.push(...settle(this.room));
  }

  /** What a participant was sent of one kind, oldest first; forgets nothing. */
  sent<Case extends NonNullable<Message['case']>>(participant: Participant, name: Case): MessageOf<Case>[] {
    return this.outputs.flatMap(output => {
      if (output.kind !== 'signal' || output.participantSid !== participant.sid) return [];
      return output.message.case === name ? [output.message.value as MessageOf<Case>] : [];
    });
  }

  last<Case extends NonNullable<Message['case']>>(participant: Participant, name: Case): MessageOf<Case> | undefined {
    return this.sent(participant, name).at(-1);
  }

  /** The newest document of an endpoint. */
  document(participant: Participant, { endpointId }: { endpointId: EndpointId } = participant): EndpointDocument {
    const found = this.outputs.findLast(output => output.kind === 'endpoint' && output.endpointId === endpointId);
    if (found?.kind !== 'endpoint') throw new Error(`no document for ${participant.identity}`);
    return found.document;
  }

  /** Forgets what came out so far. */
  clear(): void {
    this.outputs.length = 0;
  }
}

export function peerNamed(bridgeId: BridgeId): BridgePeer {
  return {
    bridgeId,
    region: 'eu',
    octo: { address: '192.0.2.1', port: 4000 },
    fingerprint: TRANSPORT.dtls.fingerprint,
  };
}

export const TRANSPORT: Transport = {
  version: 1,
  ice: { ufrag: 'brdg', password: 'bridgebridgebridgebridge' },
  dtls: {
    setup: 'passive',
    fingerprint: { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') },
  },
  candidates: [{ address: '192.0.2.1', port: 10_000, kind: 'host' }],
};
