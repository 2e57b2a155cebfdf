/** Several focuses on one store of their own on a real Redis, and what tests do with them. */
import assert from 'node:assert/strict';
import { request, sampleReport } from '../store.fixture.ts';
import type { AssignRequest, ParticipantRecord } from '../store.ts';
import type { RedisServer } from './redis-server.fixture.ts';
import { connectFocus, newPrefix, type TestFocus, targetOf } from './redis-store.fixture.ts';

export interface World {
  readonly prefix: string;
  /** Another focus on the same store, its upkeep begun. */
  join(focusId: string, boot?: string): Promise<TestFocus>;
}

export async function inWorld(server: RedisServer, work: (world: World) => Promise<void>): Promise<void> {
  const prefix = newPrefix();
  const target = targetOf({ address: server.address, key_prefix: prefix });
  const focuses: TestFocus[] = [];
  try {
    await work({
      prefix,
      async join(focusId, boot) {
        const focus = await connectFocus(target, focusId, boot);
        focuses.push(focus);
        for (const bridgeId of ['b1', 'b2']) await focus.store.putBridge(sampleReport(bridgeId));
        await focus.store.upkeep();
        return focus;
      },
    });
  } finally {
    for (const focus of focuses) focus.close();
  }
}

/** Up to `cap` participants of the conference on each bridge, the first with room first. */
export async function place(
  focus: TestFocus,
  owner: string,
  identity: string,
  changes: Partial<AssignRequest> = {},
  cap = 100,
) {
  const assigned = await focus.store.assign(request(identity, { owner, ...changes }), view => ({
    bridgeId: view.bridges.find(({ bridgeId }) => (view.inConference.get(bridgeId) ?? 0) < cap)?.bridgeId ?? null,
  }));
  assert.ok(assigned.kind === 'placed', assigned.kind);
  return assigned;
}

export const identities = (participants: readonly ParticipantRecord[]) => participants.map(({ identity }) => identity);

export function advance(focuses: readonly TestFocus[], ms: number): void {
  for (const focus of focuses) focus.advanceMs(ms);
}

/** Every focus beats each second, and hears of the bridges; each has the same clock. */
export async function beatFor(focuses: readonly TestFocus[], ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
    advance(focuses, 1_000);
    for (const { store } of focuses) {
      for (const bridgeId of ['b1', 'b2']) await store.putBridge(sampleReport(bridgeId));
      await store.upkeep();
    }
  }
}
