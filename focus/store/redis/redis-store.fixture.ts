/** Stores of several focuses on one real Redis, for tests. */

import { Type } from 'typebox';
import { readConfiguration } from '../../../protocol/configuration.ts';
import { FocusError } from '../../errors.ts';
import type { ConferenceRecord } from '../store.ts';
import { createRedisClient, type RedisClient } from './io/redis-client.ts';
import type { RedisCommands, StoreCounts } from './redis-commands.ts';
import { RedisConfigSchema, type RedisTarget, redisProblems, redisTarget } from './redis-config.ts';
import { createRedisStore, type RedisStore } from './redis-store.ts';

/** What a store told whoever counts. */
export interface Counted {
  readonly roundTrips: number[];
  stale: number;
  swept: number;
  orphaned: number;
  abandoned: number;
  /** Operation and reason. */
  readonly local: string[];
  restored: number;
  usurped: number;
  readonly lost: string[];
}

export interface TestFocus {
  readonly store: RedisStore;
  readonly client: RedisClient;
  readonly counted: Counted;
  /** Conferences that it was told to take over. */
  readonly orphans: ConferenceRecord[];
  /** Conferences that it was told are not its own any more. */
  readonly lost: ConferenceRecord[];
  /** Commands by name, as they were sent. */
  readonly sent: string[];
  advanceMs(ms: number): void;
  /** One turn of upkeep. */
  turn(): Promise<void>;
  /** What goes wrong from now on between this focus and the store, `undefined` for nothing: requests never get there, or their answers are lost. */
  fail(how: 'requests' | 'answers' | undefined): void;
  /** From now on answers of the store come, in their order, only when what this returns is called. */
  delayAnswers(): () => void;
  /** Lets the time that a join waits for the store run out, for all that wait now. */
  runOutOfPatience(): void;
  close(): void;
}

let prefixes = 0;

/** A prefix that no other test of this process has. */
export function newPrefix(): string {
  return `test-${process.pid}-${++prefixes}`;
}

/** The target that a configuration of these `redis.*` keys means. */
export function targetOf(keys: Readonly<Record<string, unknown>>): RedisTarget {
  const flags = Object.fromEntries(Object.entries(keys).map(([key, value]) => [`redis.${key}`, value]));
  const schema = Type.Object({ redis: RedisConfigSchema }, { additionalProperties: false });
  const { redis } = readConfiguration(schema, { env: {}, flags });
  const problems = redisProblems(redis);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return redisTarget(redis, 'test')!;
}

/** A focus's store, connected; upkeep is the test's to call. */
export async function connectFocus(target: RedisTarget, focusId: string, boot = `${focusId}-boot`): Promise<TestFocus> {
  const counted: Counted = {
    roundTrips: [],
    stale: 0,
    swept: 0,
    orphaned: 0,
    abandoned: 0,
    local: [],
    restored: 0,
    usurped: 0,
    lost: [],
  };
  const counts: StoreCounts = {
    assigned: roundTrips => void counted.roundTrips.push(roundTrips),
    stale: () => void counted.stale++,
    local: (operation, reason) => void counted.local.push(`${operation} ${reason}`),
    orphaned: conferences => {
      counted.orphaned += conferences;
    },
    abandoned: () => void counted.abandoned++,
    swept: conferences => {
      counted.swept += conferences;
    },
    restored: participants => {
      counted.restored += participants;
    },
    lost: room => void counted.lost.push(room),
    usurped: () => void counted.usurped++,
  };
  const sent: string[] = [];
  const client = createRedisClient(target, {
    ended: command => void sent.push(command),
    connected: () => {},
    trouble: message => {
      if (message.startsWith('the store refused')) throw new Error(message);
    },
  });
  if (!(await client.whenConnected(10_000))) throw new Error(`no connection to ${JSON.stringify(target.addresses)}`);
  let shiftMs = 0;
  let failing: 'requests' | 'answers' | undefined;
  let mayAnswer: Promise<void> | undefined;
  const unreliable: RedisCommands['run'] = async (script, args) => {
    const how = failing;
    if (how === 'requests') throw new FocusError('store-unavailable', 'as the test wants it');
    const reply = await client.run(script, args);
    await mayAnswer;
    if (how === 'answers') throw new FocusError('store-unavailable', 'as the test wants it');
    return reply;
  };
  const waiting: (() => void)[] = [];
  const patience = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    return { elapsed: promise, cancel: () => {} };
  };
  const runOutOfPatience = () => {
    for (const elapse of waiting.splice(0)) elapse();
  };
  const store = createRedisStore({
    commands: { ...client, run: unreliable },
    focusId,
    boot,
    counts,
    nowMs: () => Date.now() + shiftMs,
    random: Math.random,
    patience,
    shiftMs: () => shiftMs,
  });
  const orphans: ConferenceRecord[] = [];
  store.onOrphans(told => void orphans.push(...told));
  const lost: ConferenceRecord[] = [];
  store.onLost(told => void lost.push(told));
  const advanceMs = (ms: number) => {
    shiftMs += ms;
  };
  const fail = (how: typeof failing) => {
    failing = how;
  };
  const delayAnswers = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    mayAnswer = promise;
    return () => {
      mayAnswer = undefined;
      resolve();
    };
  };
  const turn = async () => {
    await store.upkeep.beat();
    await store.upkeep.mend();
  };
  const close = () => client.close();
  const failures = { fail, delayAnswers, runOutOfPatience };
  return { store, client, counted, orphans, lost, sent, advanceMs, turn, ...failures, close };
}
