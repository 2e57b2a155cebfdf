/** Several focuses in one process on one store, with a bridge that is not one. For tests of what they do together. */
import { ParticipantInfo_State } from '@livekit/protocol';
import { pino } from 'pino';
import type { Participant } from '../conference/participant.ts';
import { readFocusConfig } from '../config.ts';
import { type RunningFocus, startFocus } from '../service.ts';
import { CuttableProxy } from './cuttable-proxy.fixture.ts';
import { FakeBridge } from './fake-bridge.fixture.ts';
import { eventually } from './focus.fixture.ts';
import { SharedMemory } from './shared-memory.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

export const SECRET = 'a-control-secret-of-32-characters-or-more';

export interface FocusInNetwork {
  readonly focusId: string;
  readonly focus: RunningFocus;
  readonly url: string;
  /** The way of the other focuses to it. */
  readonly way: CuttableProxy;
}

export class NetworkUnderTest {
  readonly memory = new SharedMemory();
  readonly bridge = new FakeBridge('eu-1', 'eu', SECRET);
  readonly #focuses = new Map<string, FocusInNetwork>();
  readonly #flags: Readonly<Record<string, unknown>>;

  /** `flags` are configuration keys of every focus. Rooms close when they are empty, and sessions wait 5 s for a resume. */
  constructor(flags: Readonly<Record<string, unknown>> = {}) {
    this.#flags = flags;
  }

  /** Focuses of those names, the bridge known to each. */
  async start(...names: string[]): Promise<FocusInNetwork[]> {
    await this.bridge.start();
    const started: FocusInNetwork[] = [];
    for (const name of names) started.push(await this.startFocus(name));
    return started;
  }

  async startFocus(focusId: string): Promise<FocusInNetwork> {
    const way = new CuttableProxy();
    const config = readFocusConfig({
      env: {},
      flags: {
        focus_id: focusId,
        port: 0,
        bind_addresses: ['127.0.0.1'],
        development: true,
        region: 'eu',
        'control.secret': SECRET,
        'peers.advertise_url': await way.start(),
        'room.departure_timeout': 0,
        'peers.drain_notice_ms': 0,
        'signal.resume_timeout_ms': 5_000,
        'signal.joins_per_second': 1000,
        ...this.#flags,
      },
    });
    const level = process.env['TEST_LOG_LEVEL'] ?? 'silent';
    const store = async () => ({ store: this.memory.of(focusId), close: async () => {} });
    const focus = await startFocus(config, pino({ level, base: { focus: focusId } }), store);
    way.to(focus.url);
    await this.bridge.register(focus.url);
    const entry = { focusId, focus, url: focus.url, way };
    this.#focuses.set(focusId, entry);
    return entry;
  }

  /** The bridge's report, to every focus: it is new again. */
  async report(): Promise<void> {
    for (const { url } of this.#focuses.values()) await this.bridge.register(url);
  }

  /** As its home knows it. */
  participant(identity: string): Participant | undefined {
    for (const { focus } of this.#focuses.values()) {
      for (const room of focus.host.rooms()) {
        const participant = room.participants.get(identity);
        if (participant !== undefined) return participant;
      }
    }
    return undefined;
  }

  /** Everything that rooms have to say is in the store. */
  async settled(): Promise<void> {
    for (const { focus } of this.#focuses.values()) await focus.settled();
  }

  /** Something happens in every room of a focus. */
  touch({ focus: { host } }: FocusInNetwork): void {
    for (const room of host.rooms()) {
      room.isInfoChanged = true;
      room.properties.metadata = 'touched';
      host.apply(room);
    }
  }

  /** As by SIGKILL: its sockets end, nobody is told anything, the store keeps what it has. */
  async kill({ focusId, focus, way }: FocusInNetwork): Promise<void> {
    this.#focuses.delete(focusId);
    way.cut();
    await focus.kill();
    await way.close();
  }

  /** It has ended by itself. */
  forget({ focusId }: FocusInNetwork): void {
    this.#focuses.delete(focusId);
  }

  async close(): Promise<void> {
    for (const { focus, way } of this.#focuses.values()) {
      await focus.close();
      await way.close();
    }
    await this.bridge.close();
  }
}

/** Joins, and waits until its media is up and the store has that. */
export async function joinActive(
  network: NetworkUnderTest,
  at: FocusInNetwork,
  identity: string,
): Promise<{ readonly client: SignalClient; readonly sid: string }> {
  await network.report();
  const client = await SignalClient.open(at.url, await accessToken({ identity }));
  const joined = await client.next('join');
  const { sid } = joined.participant!;
  await eventually(() => network.bridge.endpoints.size === joined.otherParticipants.length + 1);
  network.bridge.connectAll();
  await eventually(() => network.participant(identity)?.state === 'active');
  await network.settled();
  return { client, sid };
}

/** Waits until the session goes on. */
export async function resume(at: FocusInNetwork, identity: string, sid: string): Promise<SignalClient> {
  const token = await accessToken({ identity });
  const client = await SignalClient.open(at.url, token, { reconnect: true, participantSid: sid });
  await client.next('reconnect');
  return client;
}

export function sawLeave({ received }: SignalClient, sid: string): boolean {
  return received.some(
    message =>
      message.case === 'update' &&
      message.value.participants.some(one => one.sid === sid && one.state === ParticipantInfo_State.DISCONNECTED),
  );
}

/** Runs a test on a network of focuses of those names. */
export async function withNetwork(
  names: readonly string[],
  work: (network: NetworkUnderTest, ...focuses: FocusInNetwork[]) => Promise<void>,
  flags: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const network = new NetworkUnderTest(flags);
  try {
    await work(network, ...(await network.start(...names)));
  } finally {
    await network.close();
  }
}
