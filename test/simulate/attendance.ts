/** Who is where in one simulated deployment: joins, moves and leaves by the production placement, on its memory store. */
import type { Placements, Present } from '../../focus/placement/placement.ts';
import type { Store } from '../../focus/store/store.ts';
import type { ConferenceId } from '../../protocol/ids.ts';
import type { Meeting } from './demand.ts';
import type { Deployment } from './deployments.ts';
import type { Fleet, SimulatedBridge } from './fleet.ts';
import { regionOf } from './person.ts';
import type { Seating } from './quality.ts';
import { WORLD } from './regions.ts';

/** A meeting and the bridge of each of its people: nothing else is kept for each of a million. */
interface Attended {
  readonly meeting: Meeting;
  /** By person; undefined: not there yet, or refused. */
  readonly bridges: (SimulatedBridge | undefined)[];
  conferenceId: ConferenceId | null;
  people: number;
}

export interface AttendanceTotals {
  /** Decisions with their reservation: joins and moves. */
  placements: number;
  /** People who were placed again: their bridge was lost, or drained. */
  moves: number;
  /** Joins that no bridge could take. */
  refused: number;
}

export class Attendance {
  readonly totals: AttendanceTotals = { placements: 0, moves: 0, refused: 0 };
  readonly #placements: Placements;
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #deployment: Deployment;
  readonly #meetings = new Map<number, Attended>();
  /** Meetings with anybody on a bridge, and how many. */
  readonly #onBridge = new Map<SimulatedBridge, Map<Attended, number>>();
  #people = 0;

  constructor(placements: Placements, store: Store, fleet: Fleet, deployment: Deployment) {
    this.#placements = placements;
    this.#store = store;
    this.#fleet = fleet;
    this.#deployment = deployment;
  }

  /** In meetings now. */
  get people(): number {
    return this.#people;
  }

  async join(meeting: Meeting, index: number, nowMs: number): Promise<void> {
    let attended = this.#meetings.get(meeting.id);
    if (attended === undefined) {
      attended = { meeting, bridges: [], conferenceId: null, people: 0 };
      this.#meetings.set(meeting.id, attended);
    }
    const bridge = await this.#place(attended, index, nowMs);
    if (bridge === undefined) return;
    while (attended.bridges.length < index) attended.bridges.push(undefined);
    attended.bridges[index] = bridge;
    attended.people++;
    this.#people++;
    this.#count(attended, bridge, 1);
  }

  /** Up to `count` of a bridge's people are placed again. */
  async move(bridge: SimulatedBridge, count: number, nowMs: number): Promise<void> {
    let left = count;
    for (const attended of [...(this.#onBridge.get(bridge)?.keys() ?? [])]) {
      for (let index = 0; index < attended.bridges.length && left > 0; index++) {
        if (attended.bridges[index] !== bridge) continue;
        left--;
        const next = await this.#place(attended, index, nowMs);
        if (next === undefined) continue;
        this.totals.moves++;
        this.#count(attended, bridge, -1);
        attended.bridges[index] = next;
        this.#count(attended, next, 1);
      }
      if (left === 0) return;
    }
  }

  async end(meeting: Meeting): Promise<void> {
    const attended = this.#meetings.get(meeting.id);
    if (attended === undefined) return;
    this.#meetings.delete(meeting.id);
    this.#people -= attended.people;
    for (const bridge of attended.bridges) if (bridge !== undefined) this.#count(attended, bridge, -1);
    if (attended.conferenceId !== null) await this.#store.closeConference(roomOf(meeting), attended.conferenceId);
  }

  /** Undefined when nobody is there. */
  seating(meeting: Meeting): Seating | undefined {
    const attended = this.#meetings.get(meeting.id);
    return attended === undefined || attended.people === 0
      ? undefined
      : { people: meeting.people, bridges: attended.bridges };
  }

  async #place(attended: Attended, index: number, nowMs: number): Promise<SimulatedBridge | undefined> {
    const { meeting } = attended;
    const region = this.#deployment.regionFor(regionOf(meeting.people[index]!), regionOf(meeting.people[0]!));
    const placed = await this.#placements.join({
      room: roomOf(meeting),
      createAs: CREATE_AS,
      identity: identityOf(index),
      // Short: the engine keeps longer ones as the parts they were put together from.
      sid: `PA_${this.totals.placements}`,
      region,
      participantsMax: 0,
      override: this.#deployment.override,
      present: presentIn(attended, index),
    });
    this.totals.placements++;
    if (placed.kind !== 'placed') {
      this.totals.refused++;
      return undefined;
    }
    attended.conferenceId = placed.conference.conferenceId;
    const bridge = this.#fleet.bridges.get(placed.participant.bridgeId)!;
    bridge.joins.note(nowMs);
    return bridge;
  }

  #count(attended: Attended, bridge: SimulatedBridge, change: 1 | -1): void {
    bridge.endpoints += change;
    let meetings = this.#onBridge.get(bridge);
    if (meetings === undefined) {
      meetings = new Map();
      this.#onBridge.set(bridge, meetings);
    }
    const people = (meetings.get(attended) ?? 0) + change;
    if (people === 0) meetings.delete(attended);
    else meetings.set(attended, people);
  }
}

const CREATE_AS = { roomSid: 'RM_simulated' };

/** As the focus of the room knows them; the one who is placed again is not counted. */
function presentIn({ meeting, bridges }: Attended, placed: number): Present {
  return {
    peopleOf(name) {
      const region = WORLD.findIndex(each => each.name === name);
      let count = 0;
      // Plain: in an audience of fifty thousand each of them asks.
      for (let index = 0; index < bridges.length; index++) {
        if (bridges[index] !== undefined && index !== placed && regionOf(meeting.people[index]!) === region) count++;
      }
      return count;
    },
    onBridge: bridgeId => bridges.filter((bridge, index) => index !== placed && bridge?.id === bridgeId).length,
  };
}

/** The same text for the same place in every meeting: it is kept once. */
const IDENTITIES: string[] = [];

function identityOf(index: number): string {
  while (IDENTITIES.length <= index) IDENTITIES.push(`p${IDENTITIES.length}`);
  return IDENTITIES[index]!;
}

function roomOf({ id }: Meeting): string {
  return `m${id}`;
}
