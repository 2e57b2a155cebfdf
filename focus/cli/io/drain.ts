/** `causeway drain`: gives the order, and follows how it goes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BridgeStateAnswer, RegionStateAnswer } from '../answers.ts';
import type { Connection, DrainCommand } from '../command-line.ts';
import { operatorToken } from '../tokens.ts';
import { drainView } from '../views.ts';
import { askFocus } from './ask-focus.ts';
import type { Printed } from './run-command.ts';

const FOLLOW_MS = 1_000;

/** With `--follow` it ends when nobody is left there, or the drain is undone, or the bridges are gone. */
export async function drain(
  command: DrainCommand,
  connection: Connection,
  nowMs: number,
  write: (text: string) => void,
): Promise<Printed> {
  const { kind, name } = command.target;
  const path = `/v1/${kind}s/${encodeURIComponent(name)}/state`;
  const startedMs = performance.now();
  const ask = async (method: 'GET' | 'PUT', body?: unknown) => {
    const token = await operatorToken(connection, nowMs + performance.now() - startedMs, {});
    // Following, a bridge that is not there any more has been drained to its end.
    const answers = method === 'GET' ? [404] : [];
    return read(
      await askFocus<Answer>(connection, { method, path, token, answers, ...(body === undefined ? {} : { body }) }),
    );
  };
  let answer = await ask('PUT', command.order);
  let text = drainView(answer.bridges, answer.silent);
  while (command.isFollowed && answer.bridges.some(({ state, endpoints }) => state === 'draining' && endpoints > 0)) {
    write(text);
    await delay(FOLLOW_MS);
    answer = await ask('GET');
    text = answer.bridges.length === 0 ? `${name} is gone\n` : drainView(answer.bridges, answer.silent);
  }
  return { text, json: kind === 'region' ? { region: name, ...answer } : (answer.bridges[0] ?? null) };
}

type Answer = BridgeStateAnswer | RegionStateAnswer | { readonly error: unknown };

function read(answer: Answer): Pick<RegionStateAnswer, 'bridges' | 'silent'> {
  if ('error' in answer) return { bridges: [], silent: [] };
  return 'bridges' in answer ? answer : { bridges: [answer], silent: [] };
}
