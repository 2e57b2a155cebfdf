/** Who is where in one simulated deployment: joins, moves and leaves by the production placement, on its memory store. */
import type { Placements } from '../../focus/placement/placement.ts';
import type { Store } from '../../focus/store/store.ts';
import type { ConferenceId } from '../../protocol/ids.ts';
import type { Meeting } from './demand.ts';
import type { Deployment } from './deployments.ts';
import type { Fleet, SimulatedBridge } from './fleet.ts';
import type { Served } from './quality.ts';

/** A person in a meeting. */
interface Seat {
  readonly meeting: Attended;
  readonly index: number;
  bridge: SimulatedBridge;
}

interface Attended {
  readonly meeting: Meeting;
  readonly seats: Map<number, Seat>;
  conferenceId: ConferenceId | null;
}

export interface AttendanceTotals {
  /** Decisions with their reservation: joins and moves. */
  placements: number;
  /** People who were placed again: their bridge was lost, or drained. */
  moves: number;
  /** Joins that no bridge could take. */
  refused: number;
  /** Wall time inside placement, store included. */
  placementMs: number;
}

export class Attendance {
  readonly totals: AttendanceTotals = { placements: 0, moves: 0, refused: 0, placementMs: 0 };
  readonly #placements: Placements;
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #deployment: Deployment;
  readonly #meetings = new Map<number, Attended>();
  readonly #onBridge = new Map<SimulatedBridge, Set<Seat>>();
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
      attended = { meeting, seats: new Map(), conferenceId: null };
      this.#meetings.set(meeting.id, attended);
    }
    const bridge = await this.#place(attended, index, nowMs);
    if (bridge === undefined) return;
    const seat: Seat = { meeting: attended, index, bridge };
    attended.seats.set(index, seat);
    this.#people++;
    this.#sit(seat);
  }

  /** Up to `count` of a bridge's people are placed again. */
  async move(bridge: SimulatedBridge, count: number, nowMs: number): Promise<void> {
    for (const seat of [...(this.#onBridge.get(bridge) ?? [])].slice(0, count)) {
      const next = await this.#place(seat.meeting, seat.index, nowMs);
      if (next === undefined) continue;
      this.totals.moves++;
      this.#rise(seat);
      seat.bridge = next;
      this.#sit(seat);
    }
  }

  async end(meeting: Meeting): Promise<void> {
    const attended = this.#meetings.get(meeting.id);
    if (attended === undefined) return;
    this.#meetings.delete(meeting.id);
    this.#people -= attended.seats.size;
    for (const seat of attended.seats.values()) this.#rise(seat);
    if (attended.conferenceId !== null) await this.#store.closeConference(roomOf(meeting), attended.conferenceId);
  }

  served(meeting: Meeting): readonly Served[] {
    const seats = this.#meetings.get(meeting.id)?.seats.values().toArray() ?? [];
    return seats.map(({ index, bridge }) => ({ person: meeting.people[index]!, bridge }));
  }

  async #place(attended: Attended, index: number, nowMs: number): Promise<SimulatedBridge | undefined> {
    const { meeting } = attended;
    const region = this.#deployment.regionFor(meeting.people[index]!.region, meeting.people[0]!.region);
    const startedAt = performance.now();
    const placed = await this.#placements.join({
      room: roomOf(meeting),
      createAs: { roomSid: 'RM_simulated' },
      identity: `p${index}`,
      sid: `PA_${meeting.id}_${index}`,
      region,
      participantsMax: 0,
      override: this.#deployment.override,
    });
    this.totals.placementMs += performance.now() - startedAt;
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

  #sit(seat: Seat): void {
    seat.bridge.endpoints++;
    const seats = this.#onBridge.get(seat.bridge);
    if (seats === undefined) this.#onBridge.set(seat.bridge, new Set([seat]));
    else seats.add(seat);
  }

  #rise(seat: Seat): void {
    seat.bridge.endpoints--;
    this.#onBridge.get(seat.bridge)!.delete(seat);
  }
}

function roomOf({ id }: Meeting): string {
  return `m${id}`;
}
