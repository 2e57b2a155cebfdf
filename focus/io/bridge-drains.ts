/** Has the participants of this focus moved off bridges that drain, in the steps that focus/bridges/drains.ts decides. */
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BridgeId } from '../../protocol/ids.ts';
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import { type DrainProgress, Drains, type Movable } from '../bridges/drains.ts';
import type { EndpointMover } from '../conference/endpoint-mover.ts';
import type { Participant } from '../conference/participant.ts';
import type { Room } from '../conference/room.ts';

export interface BridgeDrainsOptions {
  readonly bridges: () => readonly KnownBridge[];
  /** Whose home this focus is. */
  readonly rooms: () => Iterable<Room>;
  readonly mover: EndpointMover;
  readonly registry: Registry;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** The clock of the bridges' reports. */
  readonly nowMs: () => number;
}

export interface BridgeDrains {
  progress(bridgeId: BridgeId): DrainProgress | undefined;
  close(): void;
}

const STEP_MS = 250;

interface Found {
  readonly room: Room;
  readonly participant: Participant;
}

/** Moves under way end by themselves, also after `close` and after a drain is undone. */
export function runBridgeDrains(options: BridgeDrainsOptions): BridgeDrains {
  const { bridges, rooms, mover, registry, log, nowMs } = options;
  const drains = new Drains();
  const isToldOf = new Map<BridgeId, boolean>();
  const moves = new Counter({
    name: 'causeway_focus_drain_moves_total',
    help: 'Participants moved off draining bridges, by outcome',
    labelNames: ['outcome'],
    registers: [registry],
  });
  new Gauge({
    name: 'causeway_focus_drain_participants_left',
    help: 'Participants of this focus on draining bridges',
    labelNames: ['bridge'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { bridgeId } of draining()) this.set({ bridge: bridgeId }, drains.progress(bridgeId)?.left ?? 0);
    },
  });

  function draining(): readonly KnownBridge[] {
    return bridges().filter(({ report }) => report.drain !== undefined);
  }

  function participantsOn(bridgeId: BridgeId): Map<string, Found> {
    const found = new Map<string, Found>();
    for (const room of rooms()) {
      for (const participant of room.participants.values()) {
        // Shadows go with their originals.
        if (participant.bridgeId === bridgeId && participant.forwards === null)
          found.set(participant.sid, { room, participant });
      }
    }
    return found;
  }

  async function move(bridgeId: BridgeId, { room, participant }: Found): Promise<void> {
    const outcome = await mover.moveEndpoint(room, participant, null, 'drain');
    moves.inc({ outcome: outcome.kind === 'moved' ? 'moved' : outcome.reason });
    drains.handleOutcome(nowMs(), bridgeId, participant.sid, outcome);
  }

  function step(): void {
    const now = draining();
    for (const { bridgeId, report, reportedAtMs } of now) {
      const found = participantsOn(bridgeId);
      const drain = report.drain!;
      tell(bridgeId, drain.by, drain.mode, found.size);
      const own = [...found.values()].map(describe);
      for (const { sid } of drains.step(nowMs(), bridgeId, drain, nowMs() - reportedAtMs, own)) {
        void move(bridgeId, found.get(sid)!);
      }
    }
    const names = new Set(now.map(({ bridgeId }) => bridgeId));
    drains.retain(nowMs(), names);
    for (const bridgeId of isToldOf.keys()) {
      if (names.has(bridgeId)) continue;
      isToldOf.delete(bridgeId);
      log.info({ bridge: bridgeId, ...drains.progress(bridgeId) }, 'drain is over');
    }
  }

  /** When it begins, and when this focus has nobody there any more. */
  function tell(bridgeId: BridgeId, by: string, mode: string, left: number): void {
    const isEmpty = left === 0;
    if (isToldOf.get(bridgeId) === isEmpty) return;
    isToldOf.set(bridgeId, isEmpty);
    log.info(
      { bridge: bridgeId, by, mode, ...drains.progress(bridgeId), left },
      isEmpty ? 'bridge is drained' : 'bridge drains',
    );
  }

  const timer = setInterval(step, STEP_MS);
  timer.unref();
  return {
    progress: bridgeId => drains.progress(bridgeId),
    close: () => clearInterval(timer),
  };
}

function describe({ room, participant }: Found): Movable {
  return {
    sid: participant.sid,
    conferenceId: room.identity.conferenceId,
    conferenceSize: room.participants.size,
  };
}
