import { BridgeError } from '../../bridge/errors.ts';
import type { ConferenceSpec, EndpointSpec } from '../../protocol/control/spec.ts';
import { type ConferenceId, formatId } from '../../protocol/ids.ts';
import type { Chance } from '../soak/chance.ts';
import type { Agenda } from './agenda.ts';
import type { Participant } from './participant.ts';
import type { SimBridge } from './sim-bridge.ts';

/** A document is at its bridge after up to this, whatever others take; mostly sooner. */
const DELAY_MS_MAX = 400;
const REPEAT_SHARE = 0.1;

/** What a bridge has been told of a conference, and has taken. */
export interface AppliedConference {
  readonly version: number;
  /** All its bridges: name and certificate. */
  readonly bridges: ReadonlyMap<string, string>;
  /** Which bridge serves whom. */
  readonly homes: ReadonlyMap<number, string>;
  /** Since when the named bridge belongs to it with this certificate, as this one knows. */
  readonly bridgeSinceMs: ReadonlyMap<string, number>;
  readonly homeSinceMs: ReadonlyMap<number, number>;
}

export interface FocusHost {
  readonly agenda: Agenda;
  readonly chance: Chance;
  readonly bridges: readonly SimBridge[];
  /** A document has been taken, or a conference has ended, on that bridge. */
  handleApplied(bridge: SimBridge, conferenceId: ConferenceId): void;
  handleConferenceOver(bridge: SimBridge, conferenceId: ConferenceId): void;
  handleEndpointOver(participant: Participant): void;
}

interface Room {
  readonly id: ConferenceId;
  version: number;
  readonly members: Set<Participant>;
  /** Bridges that have been told of it. */
  readonly told: Set<SimBridge>;
}

/**
 * A focus in small: it holds what is desired and writes the documents of `protocol/control/`, to each bridge in their order, to different bridges in any. A
 * bridge that is down misses what is written meanwhile; the focus writes all of it again when it is back.
 */
export class Focus {
  readonly rooms = new Map<ConferenceId, Room>();
  readonly #host: FocusHost;
  /** When the last document on its way to a bridge gets there, by bridge and conference. */
  readonly #lastMs = new Map<string, number>();
  readonly #applied = new Map<string, AppliedConference>();

  constructor(host: FocusHost) {
    this.#host = host;
  }

  applied(bridge: SimBridge, conferenceId: ConferenceId): AppliedConference | undefined {
    return this.#applied.get(keyOf(bridge, conferenceId));
  }

  /** Some conference spans the two, as the first one has been told. */
  shareAny(bridge: SimBridge, other: SimBridge): boolean {
    if (bridge === other) return false;
    for (const { id } of this.rooms.values()) if (this.applied(bridge, id)?.bridges.has(other.id) === true) return true;
    return false;
  }

  join(participant: Participant): void {
    const room = this.#room(participant.conferenceId);
    room.members.add(participant);
    // The real one puts the endpoint first; nothing says that it has to get there first.
    if (this.#host.chance.is(0.5)) {
      this.putEndpoint(participant);
      this.#putConference(room);
    } else {
      this.#putConference(room);
      this.putEndpoint(participant);
    }
  }

  /** Writes what is now true of a participant. */
  putEndpoint(participant: Participant): void {
    const spec = participant.describe();
    this.#write(participant.bridge, participant.conferenceId, () => this.#applyEndpoint(participant, spec));
    if (!this.#host.chance.is(REPEAT_SHARE)) return;
    this.#write(participant.bridge, participant.conferenceId, () => this.#applyEndpoint(participant, spec));
  }

  leave(participant: Participant): void {
    const { conferenceId, bridge } = participant;
    const room = this.#room(conferenceId);
    room.members.delete(participant);
    participant.hasLeft = true;
    this.#write(bridge, conferenceId, () => {
      bridge.process?.bridge.deleteEndpoint(conferenceId, participant.endpointId);
      this.#host.handleEndpointOver(participant);
    });
    this.#putConference(room);
  }

  /** Ends a conference everywhere. */
  end(conferenceId: ConferenceId): void {
    const room = this.#room(conferenceId);
    for (const participant of room.members) participant.hasLeft = true;
    room.members.clear();
    this.#putConference(room);
  }

  /** A bridge has died: nothing of what it had been told is in force. */
  handleBridgeDown(bridge: SimBridge): void {
    for (const { id } of this.rooms.values()) this.#applied.delete(keyOf(bridge, id));
  }

  /** It is back, as another process: everybody is told its new certificate, and it is told everything. */
  handleBridgeUp(bridge: SimBridge): void {
    for (const room of this.rooms.values()) {
      const own = [...room.members].filter(each => each.bridge === bridge);
      if (own.length === 0) continue;
      for (const participant of own) this.putEndpoint(participant);
      this.#putConference(room);
    }
  }

  #putConference(room: Room): void {
    const bridges = [...new Set([...room.members].map(({ bridge }) => bridge))];
    room.version++;
    const spec: ConferenceSpec = {
      version: room.version,
      bridges: bridges.map(({ peer }) => peer),
      endpoints: [...room.members].map(({ endpointId, bridge, identity }) => ({
        endpointId: formatId(endpointId),
        bridgeId: bridge.id,
        identity,
      })),
    };
    for (const bridge of bridges) {
      room.told.add(bridge);
      this.#write(bridge, room.id, () => this.#applyConference(bridge, room.id, spec));
    }
    for (const bridge of room.told) {
      if (bridges.includes(bridge)) continue;
      room.told.delete(bridge);
      this.#write(bridge, room.id, () => {
        bridge.process?.bridge.deleteConference(room.id);
        this.#applied.delete(keyOf(bridge, room.id));
        this.#host.handleConferenceOver(bridge, room.id);
      });
    }
  }

  #applyEndpoint(participant: Participant, spec: EndpointSpec): void {
    const { bridge, conferenceId, endpointId } = participant;
    const { process } = bridge;
    if (process === undefined) return;
    if (
      isStale(() => process.bridge.putEndpoint(process.nowMs(this.#host.agenda.nowMs), conferenceId, endpointId, spec))
    )
      return;
    participant.handleApplied(spec);
    bridge.wake();
    this.#host.handleApplied(bridge, conferenceId);
  }

  #applyConference(bridge: SimBridge, id: ConferenceId, spec: ConferenceSpec): void {
    const { process } = bridge;
    if (process === undefined) return;
    if (isStale(() => process.bridge.putConference(id, spec))) return;
    const { nowMs } = this.#host.agenda;
    const before = this.#applied.get(keyOf(bridge, id));
    const homes = new Map(spec.endpoints.map(each => [Number.parseInt(each.endpointId, 16), each.bridgeId]));
    const bridges = new Map(spec.bridges.map(each => [each.bridgeId, each.fingerprint.value]));
    this.#applied.set(keyOf(bridge, id), {
      version: spec.version,
      bridges,
      homes,
      bridgeSinceMs: sinceWhen(bridges, before?.bridges, before?.bridgeSinceMs, nowMs),
      homeSinceMs: sinceWhen(homes, before?.homes, before?.homeSinceMs, nowMs),
    });
    bridge.wake();
    this.#host.handleApplied(bridge, id);
  }

  /** After what was written to this bridge about this conference before. */
  #write(bridge: SimBridge, id: ConferenceId, apply: () => void): void {
    const { agenda, chance } = this.#host;
    const key = keyOf(bridge, id);
    const delayMs = chance.fraction() ** 3 * DELAY_MS_MAX;
    const atMs = Math.max(this.#lastMs.get(key) ?? 0, agenda.nowMs + delayMs);
    this.#lastMs.set(key, atMs);
    agenda.at(atMs, apply);
  }

  #room(id: ConferenceId): Room {
    let room = this.rooms.get(id);
    if (room === undefined) {
      room = { id, version: 0, members: new Set(), told: new Set() };
      this.rooms.set(id, room);
    }
    return room;
  }
}

/** Since when each entry says what it says. */
function sinceWhen<Key>(
  facts: ReadonlyMap<Key, string>,
  before: ReadonlyMap<Key, string> | undefined,
  beforeMs: ReadonlyMap<Key, number> | undefined,
  nowMs: number,
): ReadonlyMap<Key, number> {
  const since = new Map<Key, number>();
  for (const [key, fact] of facts) since.set(key, before?.get(key) === fact ? (beforeMs?.get(key) ?? nowMs) : nowMs);
  return since;
}

/** True when the bridge has a newer one: what a focus does about it is nothing. */
function isStale(put: () => void): boolean {
  try {
    put();
    return false;
  } catch (error) {
    if (!(error instanceof BridgeError) || error.code !== 'stale-version') throw error;
    return true;
  }
}

function keyOf(bridge: SimBridge, id: ConferenceId): string {
  return `${bridge.id}/${id}`;
}
