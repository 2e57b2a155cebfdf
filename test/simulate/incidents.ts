/** What goes wrong, or is done on purpose, while the simulated network serves: a flash crowd, a region lost, bridges drained. */
import type { Store } from '../../focus/store/store.ts';
import type { Attendance } from './attendance.ts';
import type { Fleet, SimulatedBridge } from './fleet.ts';
import { WORLD } from './regions.ts';

export interface Incidents {
  /** People of the flash crowd, 0: none. */
  readonly flashCrowd: number;
  /** The region that is lost, null: none. */
  readonly lostRegion: string | null;
  /** Share of each region's bridges that are drained, 0: none. */
  readonly drainShare: number;
}

/** When each begins, as a share of the simulated time, and how long it lasts. */
export const FLASH_CROWD_AT = 0.2;
const LOSS_AT = 0.45;
const LOSS_SECONDS = 15 * 60;
const DRAIN_AT = 0.7;
const DRAIN_SECONDS = 15 * 60;
/** A lost bridge is noticed within a second; its people come back over the next few. */
const RETURN_SECONDS = 4;
/** Of a draining bridge's people so many are moved each second: all within some four minutes. */
const DRAIN_STEP = 0.02;

/** When what begins, as a share of the simulated time, for plots. */
export function incidentTimes({ flashCrowd, lostRegion, drainShare }: Incidents): { at: number; label: string }[] {
  return [
    ...(flashCrowd > 0 ? [{ at: FLASH_CROWD_AT, label: 'flash crowd' }] : []),
    ...(lostRegion === null ? [] : [{ at: LOSS_AT, label: `${lostRegion} lost` }]),
    ...(drainShare > 0 ? [{ at: DRAIN_AT, label: `${Math.round(drainShare * 100)} % drained` }] : []),
  ];
}

export class IncidentRunner {
  readonly #incidents: Incidents;
  readonly #store: Store;
  readonly #attendance: Attendance;
  readonly #lossSecond: number;
  readonly #drainSecond: number;
  readonly #draining: readonly SimulatedBridge[];
  readonly #lost: readonly SimulatedBridge[];

  constructor(
    incidents: Incidents,
    world: {
      readonly fleet: Fleet;
      readonly store: Store;
      readonly attendance: Attendance;
      /** Of the measured time. */
      readonly startSecond: number;
      readonly seconds: number;
    },
  ) {
    const { fleet, startSecond, seconds } = world;
    this.#incidents = incidents;
    this.#store = world.store;
    this.#attendance = world.attendance;
    this.#lossSecond = startSecond + Math.floor(LOSS_AT * seconds);
    this.#drainSecond = startSecond + Math.floor(DRAIN_AT * seconds);
    this.#lost = [...fleet.bridges.values()].filter(({ region }) => WORLD[region]!.name === incidents.lostRegion);
    this.#draining = everyNth(fleet, incidents.drainShare);
  }

  /** Once a second, after bridges have reported. */
  async step(second: number): Promise<void> {
    await this.#lose(second - this.#lossSecond, second * 1000);
    await this.#drain(second - this.#drainSecond, second * 1000);
  }

  async #lose(since: number, nowMs: number): Promise<void> {
    if (this.#incidents.lostRegion === null || since < 0 || since > LOSS_SECONDS) return;
    for (const bridge of this.#lost) {
      if (since === 0) bridge.isDead = true;
      if (since === 1) await this.#store.removeBridge(bridge.id, bridge.id);
      // Everybody in the end, also those whom nobody could take at first.
      if (since >= 1 && since < LOSS_SECONDS) {
        const share = Math.max(0, RETURN_SECONDS - since) + 1;
        await this.#attendance.move(bridge, Math.ceil(bridge.endpoints / share), nowMs);
      }
      if (since === LOSS_SECONDS) start(bridge, nowMs);
    }
  }

  async #drain(since: number, nowMs: number): Promise<void> {
    if (this.#draining.length === 0 || since < 0 || since > DRAIN_SECONDS) return;
    for (const bridge of this.#draining) {
      if (since === 0) bridge.isDraining = true;
      // Not before the next report has said it: till then placement might choose it again.
      if (since > 2 && since < DRAIN_SECONDS && bridge.endpoints > 0) {
        await this.#attendance.move(bridge, Math.ceil(bridge.endpoints * DRAIN_STEP), nowMs);
      }
      if (since === DRAIN_SECONDS) start(bridge, nowMs);
    }
  }
}

/** A new process in its place. */
function start(bridge: SimulatedBridge, nowMs: number): void {
  bridge.isDead = false;
  bridge.isDraining = false;
  bridge.startedMs = nowMs;
  bridge.cpu = 0;
}

/** A share of each region's bridges, never a region's last. */
function everyNth({ bridges }: Fleet, share: number): SimulatedBridge[] {
  const regions = Map.groupBy(bridges.values(), ({ region }) => region);
  return [...regions.values()].flatMap(list =>
    list.slice(0, Math.min(list.length - 1, Math.round(list.length * share))),
  );
}
