/** The clients of `handshakes.ts`, in a process of their own so that their work is not the bridge's. Talks to it over the fork's channel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createCertificate } from '../../bridge/io/certificate.ts';
import { TestClient } from '../../bridge/io/endpoint-transport.client.ts';
import type { ClientTask, Place, PlaceWanted, TaskDone } from './handshakes.ts';

const PACKET_BYTES = 1000;
const HEADER_BYTES = 12;
/** Joins that take longer have failed. */
const JOIN_MS_MAX = 10_000;
/** What is still under way when a lap ends may take this long. */
const STRAGGLER_MS = 200;

const certificate = await createCertificate();
const places = new Map<number, (place: Place) => void>();
const senders: Sender[] = [];
let nextId = 0;

process.on('message', (message: ClientTask | Place) => {
  if (message.kind === 'place') places.get(message.id)?.(message);
  else perform(message).then(done => process.send?.(done));
});

async function perform(task: ClientTask): Promise<TaskDone> {
  if (task.kind === 'media') return startMedia(task.endpoints, task.packetsPerSecond);
  return task.kind === 'measure' ? measure(task.seconds) : join(task.perSecond, task.seconds);
}

/** Sends packets with the time in them, and times them when they come back. */
class Sender {
  sent = 0;
  ms: number[] = [];
  client!: TestClient;
  #sequence = 0;

  send(): void {
    const packet = Buffer.alloc(PACKET_BYTES);
    packet[0] = 0x80;
    packet[1] = 96;
    packet.writeUInt16BE(this.#sequence++ & 0xffff, 2);
    packet.writeUInt32BE(1, 8);
    packet.writeDoubleBE(performance.now(), HEADER_BYTES);
    this.sent++;
    this.client.sendRtp(packet);
  }

  receive(packet: Buffer): void {
    // Kept packets would end as pauses of the collector in what is measured.
    this.client.rtp.length = 0;
    this.ms.push(performance.now() - packet.readDoubleBE(HEADER_BYTES));
  }
}

async function startMedia(endpoints: number, packetsPerSecond: number): Promise<TaskDone> {
  for (let count = 0; count < endpoints; count++) {
    const sender = new Sender();
    sender.client = await connect(packet => sender.receive(packet));
    senders.push(sender);
    setInterval(() => sender.send(), 1000 / packetsPerSecond);
    // Spread over the interval, as clients are that know nothing of each other.
    await sleep(1000 / packetsPerSecond / endpoints);
  }
  return { kind: 'done', ms: [], begun: endpoints };
}

async function measure(seconds: number): Promise<TaskDone> {
  for (const sender of senders) {
    sender.sent = 0;
    sender.ms = [];
  }
  await sleep(seconds * 1000);
  const begun = senders.reduce((sum, { sent }) => sum + sent, 0);
  await sleep(STRAGGLER_MS);
  const ms = senders.flatMap(sender => sender.ms);
  return { kind: 'done', ms: ms.slice(0, begun), begun };
}

/** All joins of a second come at once. They stay connected until the last one is, and then go without a word. */
async function join(perSecond: number, seconds: number): Promise<TaskDone> {
  const ms: number[] = [];
  const clients: TestClient[] = [];
  const joins: Promise<void>[] = [];
  for (let second = 0; second < seconds; second++) {
    const nextSecond = sleep(1000);
    for (let count = 0; count < perSecond; count++) joins.push(joinOnce(clients, ms));
    await nextSecond;
  }
  await Promise.race([Promise.all(joins), sleep(JOIN_MS_MAX)]);
  for (const client of clients) client.close();
  return { kind: 'done', ms, begun: perSecond * seconds };
}

async function joinOnce(clients: TestClient[], ms: number[]): Promise<void> {
  const startedAtMs = performance.now();
  clients.push(await connect());
  ms.push(performance.now() - startedAtMs);
}

/** Asks the bridge for a place, and takes it: ICE, then DTLS. */
async function connect(onRtp?: (packet: Buffer) => void): Promise<TestClient> {
  const ice = { ufrag: 'clnt', password: 'a-password-of-22-letters' };
  const id = nextId++;
  const { promise, resolve } = Promise.withResolvers<Place>();
  places.set(id, resolve);
  const wanted: PlaceWanted = { kind: 'place', id, ice, fingerprint: certificate.fingerprint };
  process.send?.(wanted);
  const { port, fingerprint, local } = await promise;
  places.delete(id);
  const client = await TestClient.open({ bridgePort: port, certificate, fingerprint, onRtp });
  await client.check(local);
  client.dtls.start();
  await client.until(() => client.dtls.isConnected);
  return client;
}
