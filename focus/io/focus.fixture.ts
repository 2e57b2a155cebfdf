/** A focus on loopback with one bridge that is not a bridge, for tests of signalling. */
import assert from 'node:assert/strict';
import { after, before, beforeEach } from 'node:test';
import { pino } from 'pino';
import { readFocusConfig } from '../config.ts';
import { type RunningFocus, startFocus } from '../service.ts';
import { FakeBridge } from './fake-bridge.fixture.ts';

/** What focuses and bridges of a test know each other by. */
export const CONTROL_SECRET = 'a-control-secret-of-32-characters-or-more';

export interface FocusUnderTest {
  readonly focus: RunningFocus;
  readonly bridge: FakeBridge;
  /** Waits until nothing is left of anybody, in the focus or on the bridge. */
  assertNothingLeft(): Promise<void>;
  close(): Promise<void>;
}

/** `flags` are configuration keys. Rooms close when they are empty, and sessions wait 0.3 s for a resume. */
export async function startFocusUnderTest(flags: Readonly<Record<string, unknown>> = {}): Promise<FocusUnderTest> {
  const bridge = new FakeBridge('eu-1', 'eu', CONTROL_SECRET);
  await bridge.start();
  const config = readFocusConfig({
    env: {},
    flags: {
      port: 0,
      bind_addresses: ['127.0.0.1'],
      development: true,
      region: 'eu',
      'control.secret': CONTROL_SECRET,
      'room.departure_timeout': 0,
      'signal.resume_timeout_ms': 300,
      'signal.joins_per_second': 1000,
      ...flags,
    },
  });
  const focus = await startFocus(config, pino({ level: 'silent' }));
  await bridge.register(focus.url);
  return {
    focus,
    bridge,
    async assertNothingLeft() {
      const { host } = focus;
      await eventually(() => host.rooms().length === 0 && bridge.endpoints.size === 0 && bridge.conferences.size === 0);
      assert.equal(host.sessions, 0);
      assert.equal(host.directory.joining, 0);
    },
    async close() {
      await focus.close();
      await bridge.close();
    },
  };
}

/** One focus for all tests of the `describe` this is called in: it is there while they run. */
export function focusOfSuite(flags: Readonly<Record<string, unknown>> = {}): FocusUnderTest {
  let world: FocusUnderTest;
  before(async () => {
    world = await startFocusUnderTest(flags);
  });
  // On a slow machine a file takes longer than a report is good for.
  beforeEach(() => world.bridge.register(world.focus.url));
  after(() => world.close());
  return {
    get focus() {
      return world.focus;
    },
    get bridge() {
      return world.bridge;
    },
    assertNothingLeft: () => world.assertNothingLeft(),
    close: () => world.close(),
  };
}

/** Runs a test against a focus with other settings. */
export async function withFocus(
  flags: Readonly<Record<string, unknown>>,
  work: (world: FocusUnderTest) => Promise<void>,
): Promise<void> {
  const world = await startFocusUnderTest(flags);
  try {
    await work(world);
  } finally {
    await world.close();
  }
}

/** Waits until something is so; the test's own time-out is the limit. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 5));
}
