/** Has participants of this focus moved off bridges that have too much, as focus/bridges/redistribution.ts decides. */
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BridgeId } from '../../protocol/ids.ts';
import {
  type Decision,
  type OwnParticipant,
  Redistribution,
  type RedistributionState,
} from '../bridges/redistribution.ts';
import type { EndpointMover } from '../conference/endpoint-mover.ts';
import type { Participant } from '../conference/participant.ts';
import type { Room } from '../conference/room.ts';
import { roomPolicy } from '../conference/room-placement.ts';
import type { FocusConfig } from '../config.ts';
import type { Store } from '../store/store.ts';

export interface BridgeRedistributionOptions {
  readonly settings: FocusConfig['redistribution'];
  readonly placement: FocusConfig['placement'];
  readonly store: Pick<Store, 'bridges'>;
  /** Whose home this focus is. */
  readonly rooms: () => Iterable<Room>;
  readonly mover: EndpointMover;
  readonly isSuspected: (bridgeId: BridgeId) => boolean;
  readonly registry: Registry;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly nowMs: () => number;
}

export interface RedistributionView {
  readonly isEnabled: boolean;
  readonly states: readonly RedistributionState[];
  /** Newest first; the last {@link DECISIONS_MAX}. */
  readonly decisions: readonly Decision[];
}

export interface BridgeRedistribution {
  view(): RedistributionView;
  close(): void;
}

/** Reports come every 2 s. */
const LOOK_MS = 5_000;
export const DECISIONS_MAX = 100;

/** Does nothing, at no cost, when it is not switched on. */
export function runBridgeRedistribution(options: BridgeRedistributionOptions): BridgeRedistribution {
  const { settings, placement, store, rooms, mover, isSuspected, registry, log, nowMs } = options;
  if (!settings.enabled) {
    return { view: () => ({ isEnabled: false, states: [], decisions: [] }), close: () => {} };
  }
  const core = new Redistribution(settings, placement);
  const decisions: Decision[] = [];
  const metrics = createMetrics(registry, () => core.states());
  let isLooking = false;

  async function look(): Promise<void> {
    const bridges = await store.bridges();
    const found = new Map<string, { readonly room: Room; readonly participant: Participant }>();
    const ownOn = (bridgeId: BridgeId) => {
      const own: OwnParticipant[] = [];
      for (const room of rooms()) {
        if (isKeptTogether(room, placement.kind)) continue;
        const inConference = countByBridge(room);
        for (const participant of room.participants.values()) {
          if (participant.bridgeId !== bridgeId || !canBeTold(participant)) continue;
          found.set(participant.sid, { room, participant });
          own.push({
            sid: participant.sid,
            conferenceId: room.identity.conferenceId,
            conferenceSize: room.participants.size,
            endpoints: participant.receiving === null ? 1 : 2,
            inConference,
          });
        }
      }
      return own;
    };
    for (const decision of core.step(nowMs(), { bridges, isSuspected, ownOn })) {
      note(decision);
      for (const { sid, to } of decision.orders) void move(found.get(sid)!, to);
    }
  }

  function note(decision: Decision): void {
    decisions.push(decision);
    if (decisions.length > DECISIONS_MAX) decisions.shift();
    metrics.decisions.inc({ what: decision.what });
    const { bridgeId: bridge, orders, atMs: _, ...fields } = decision;
    log.info({ bridge, ...fields, moving: orders.length }, 'load redistribution');
  }

  async function move(
    { room, participant }: { readonly room: Room; readonly participant: Participant },
    to: BridgeId,
  ): Promise<void> {
    const outcome = await mover.moveEndpoint(room, participant, to, 'redistribution');
    metrics.moves.inc({ outcome: outcome.kind === 'moved' ? 'moved' : outcome.reason });
  }

  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch(error => log.warn({ error: String(error) }, 'no redistribution while the store is away'))
      .finally(() => {
        isLooking = false;
      });
  }, LOOK_MS);
  timer.unref();
  return {
    view: () => ({ isEnabled: true, states: core.states(), decisions: decisions.toReversed() }),
    close: () => clearInterval(timer),
  };
}

/** A room that is to be on one bridge is not torn apart to take load off it. */
function isKeptTogether(room: Room, kind: string): boolean {
  const { byApi, byMetadata } = roomPolicy(room.properties);
  return (byApi?.kind ?? byMetadata?.kind ?? kind) === 'single';
}

/** A shadow goes with its original. */
function canBeTold({ signalLostAtMs, forwards }: Participant): boolean {
  return signalLostAtMs === null && forwards === null;
}

function countByBridge(room: Room): ReadonlyMap<BridgeId, number> {
  const counts = new Map<BridgeId, number>();
  for (const { bridgeId } of room.participants.values()) counts.set(bridgeId, (counts.get(bridgeId) ?? 0) + 1);
  return counts;
}

function createMetrics(registry: Registry, states: () => readonly RedistributionState[]) {
  new Gauge({
    name: 'causeway_focus_redistribution_bridges',
    help: 'Bridges that have or had too much, by what is done about it',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const state of ['over', 'relieving', 'resting'] as const) {
        this.set({ state }, states().filter(each => each.state === state).length);
      }
    },
  });
  return {
    decisions: new Counter({
      name: 'causeway_focus_redistribution_decisions_total',
      help: 'Steps of load redistribution, by what came of them',
      labelNames: ['what'],
      registers: [registry],
    }),
    moves: new Counter({
      name: 'causeway_focus_redistribution_moves_total',
      help: 'Participants moved off bridges that had too much, by outcome',
      labelNames: ['outcome'],
      registers: [registry],
    }),
  };
}
