/** `causeway drain --focus`: gives the order, and follows how the focus is emptied. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FocusAnswer } from '../answers.ts';
import type { Connection, DrainFocusCommand } from '../command-line.ts';
import { operatorToken } from '../tokens.ts';
import { focusDrainView } from '../views.ts';
import { askFocus } from './ask-focus.ts';
import type { Printed } from './run-command.ts';

const FOLLOW_MS = 1_000;

/** With `--follow` it ends when the focus is empty or gone, its time is up, or the drain is undone. Ask another focus than the one that is drained: that one may close. */
export async function drainFocus(
  { focusId, order, isFollowed }: DrainFocusCommand,
  connection: Connection,
  startedAtMs: number,
  write: (text: string) => void,
): Promise<Printed> {
  const startedMs = performance.now();
  const nowMs = () => startedAtMs + performance.now() - startedMs;
  const look = async (): Promise<FocusAnswer | undefined> => {
    const token = await operatorToken(connection, nowMs(), {});
    const { focuses } = await askFocus<{ focuses: FocusAnswer[] }>(connection, { path: '/v1/focuses', token });
    return focuses.find(focus => focus.focusId === focusId);
  };
  const path = `/v1/focuses/${encodeURIComponent(focusId)}/state`;
  const token = await operatorToken(connection, nowMs(), {});
  await askFocus(connection, { method: 'PUT', path, token, body: order });
  let focus = await look();
  while (isFollowed && focus !== undefined && isUnderWay(focus, nowMs())) {
    write(focusDrainView(focus, nowMs()));
    await delay(FOLLOW_MS);
    focus = await look();
  }
  const text = focus === undefined ? `${focusId} is gone\n` : focusDrainView(focus, nowMs());
  return { text, json: focus ?? null };
}

function isUnderWay({ state, rooms, relayedOut, drain }: FocusAnswer, nowMs: number): boolean {
  if (state !== 'draining' || (rooms === 0 && relayedOut === 0)) return false;
  return drain === null || nowMs <= drain.deadlineMs;
}
