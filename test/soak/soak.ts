/** Two bridges, the link between them, and everybody who sends to them: what happens in a turn, and what must hold when all is at rest. */
import { readdirSync } from 'node:fs';
import { sharedEvp } from '../../bridge/io/native/evp.ts';
import type { Chance } from './chance.ts';
import { Client } from './client.ts';
import { kernelDrops } from './kernel-drops.ts';
import { closeHop } from './keys.ts';
import { LINK_CONTEXTS, LinkEnd, type LinkKeys } from './link-end.ts';
import { SlowListener } from './slow-listener.ts';
import { type BridgeClient, SoakBridge } from './soak-bridge.ts';
import { Stranger } from './stranger.ts';

const CLIENTS_MIN = 4;
const CLIENTS_MAX = 16;
/** At rest: memory is compared at one size. */
const CLIENTS_AT_REST = 10;
const LISTENERS = 2;
/** What frames of the link are padded to. */
const FRAME_BYTES = 1200;
/** Datagrams that one drop may stand for when the kernel puts runs together. */
const RUN_DATAGRAMS_MAX = 64;

/** A bridge and what belongs to it. */
interface Side {
  readonly bridge: SoakBridge;
  readonly link: LinkEnd;
  readonly stranger: Stranger;
  readonly clients: Client[];
  /** Closed without a word: the bridge still sends to them. */
  readonly gone: Client[];
  readonly listeners: SlowListener[];
}

export class Soak {
  readonly #chance: Chance;
  readonly #sides: Side[];
  readonly #filesBefore: number;
  /** Clients that are closing. */
  readonly #closing = new Set<Promise<void>>();
  #joined = 0;
  #wrongBefore = 0;
  #heardBefore = 0;

  static async open(chance: Chance): Promise<Soak> {
    const filesBefore = openFiles();
    const keys = [linkKeys(chance), linkKeys(chance)];
    const sides: Side[] = [];
    for (const own of [0, 1]) {
      const bridge = new SoakBridge(chance, (bytes, offset, length) =>
        sides[own].link.send(bytes, offset, length, FRAME_BYTES),
      );
      await bridge.open();
      const link = await LinkEnd.open(chance, keys[own], keys[1 - own], (bytes, offset, length) =>
        bridge.forward(bytes, offset, length),
      );
      sides.push({
        bridge,
        link,
        stranger: new Stranger(chance, bridge.port.port),
        clients: [],
        gone: [],
        listeners: [],
      });
    }
    for (const [own, { link }] of sides.entries()) link.connect(sides[1 - own].link.port.port);
    return new Soak(chance, sides, filesBefore);
  }

  private constructor(chance: Chance, sides: Side[], filesBefore: number) {
    this.#chance = chance;
    this.#sides = sides;
    this.#filesBefore = filesBefore;
  }

  /** Packets that bridges have opened, and sent on. */
  get packets(): { opened: number; forwarded: number; rejected: number; heard: number } {
    const sum = (of: (side: Side) => number) => this.#sides.reduce((total, side) => total + of(side), 0);
    return {
      opened: sum(({ bridge }) => bridge.opened),
      forwarded: sum(({ bridge }) => bridge.forwarded),
      rejected: sum(({ bridge }) => bridge.rejected) + sum(({ link }) => link.rejected),
      heard: this.#heardBefore + sum(side => listening(side).reduce((total, { heard }) => total + heard, 0)),
    };
  }

  get joined(): number {
    return this.#joined;
  }

  /** A random amount of everything. */
  async turn(): Promise<void> {
    const chance = this.#chance;
    for (const side of this.#sides) {
      for (let bursts = chance.below(3); bursts > 0 && side.clients.length > 0; bursts--)
        side.clients[chance.below(side.clients.length)].sendBurst();
      if (chance.is(0.1)) side.stranger.send();
      if (chance.is(0.05)) for (const listener of side.listeners) listener.listen();
      if (side.clients.length < CLIENTS_MIN || (side.clients.length < CLIENTS_MAX && chance.is(0.012)))
        await this.#join(side);
      if (side.clients.length > CLIENTS_MIN && chance.is(0.012)) this.#leave(side, chance.is(0.3));
      if (side.listeners.length < LISTENERS) this.#listen(side);
      else if (chance.is(0.001)) this.#stopListening(side, side.listeners.shift()!);
    }
  }

  /** Waits until nothing moves, at the size at which memory is compared. */
  async rest(): Promise<void> {
    for (const side of this.#sides) {
      while (side.clients.length < CLIENTS_AT_REST) await this.#join(side);
      while (side.clients.length > CLIENTS_AT_REST) this.#leave(side, false);
    }
    await Promise.all(this.#closing);
    let before = -1;
    for (let still = 0; still < 5; ) {
      await new Promise(resolve => setTimeout(resolve, 2));
      for (const { listeners } of this.#sides) for (const listener of listeners) listener.listen();
      const moved = this.#moved();
      still = moved === before ? still + 1 : 0;
      before = moved;
    }
  }

  /** What does not hold, in words; empty when everything does. Only at rest. */
  faults(): string[] {
    const drops = kernelDrops();
    const faults: string[] = [];
    for (const [own, side] of this.#sides.entries()) {
      faults.push(
        ...arrivalFaults(side, drops),
        ...deliveryFaults(side, drops),
        ...linkFaults(side.link, this.#sides[1 - own].link, drops),
      );
      if (side.bridge.wrong > 0) faults.push(`${side.bridge.wrong} packets opened that nobody has sent`);
    }
    const wrong = this.#wrongBefore + this.#sides.flatMap(listening).reduce((total, client) => total + client.wrong, 0);
    if (wrong > 0) faults.push(`${wrong} packets came to a client and were not what was sent`);
    const contexts = this.#hops().reduce((total, { hop }) => total + hop.contexts, 2 * LINK_CONTEXTS);
    if (sharedEvp().contextsInUse !== contexts)
      faults.push(`${sharedEvp().contextsInUse} native contexts are open, not ${contexts}`);
    const files = openFiles() - this.#filesBefore;
    const sockets = this.#sides.reduce(
      (total, { clients, listeners }) => total + 3 + clients.length + listeners.length,
      0,
    );
    if (files !== sockets) faults.push(`${files} descriptors are open, not ${sockets}`);
    return faults;
  }

  /** What may only be done at rest: bridges get new ports on their old numbers, and clients that have gone are forgotten. */
  async renew(): Promise<void> {
    for (const side of this.#sides) {
      for (const client of side.gone.splice(0)) this.#forget(side, client);
      if (!this.#chance.is(0.3)) continue;
      await side.bridge.open();
      // What was sent before was for the port before.
      side.bridge.departed = -sentTo(side);
    }
  }

  async close(): Promise<string[]> {
    for (const side of this.#sides) {
      for (const client of side.gone.splice(0)) this.#forget(side, client);
      while (side.clients.length > 0) this.#leave(side, false);
      while (side.listeners.length > 0) this.#stopListening(side, side.listeners.shift()!);
    }
    await Promise.all(this.#closing);
    for (const { bridge, link, stranger } of this.#sides) {
      await bridge.close();
      await link.close();
      stranger.close();
    }
    const faults: string[] = [];
    if (sharedEvp().contextsInUse > 0) faults.push(`${sharedEvp().contextsInUse} native contexts are left`);
    if (openFiles() !== this.#filesBefore) faults.push(`${openFiles() - this.#filesBefore} descriptors are left`);
    return faults;
  }

  async #join(side: Side): Promise<void> {
    const client = await Client.open(this.#chance, side.bridge.port.port);
    side.clients.push(client);
    side.bridge.join(client);
    this.#joined++;
  }

  /** `isSilent`: the bridge is not told, and goes on sending to it until {@link renew}. */
  #leave(side: Side, isSilent: boolean): void {
    const [client] = side.clients.splice(this.#chance.below(side.clients.length), 1);
    if (isSilent) side.gone.push(client);
    else side.bridge.leave(client);
    const closing = client.close().then(() => {
      side.bridge.departed += client.sent;
      if (!isSilent) this.#forget(side, client);
      this.#closing.delete(closing);
    });
    this.#closing.add(closing);
  }

  #forget(side: Side, client: BridgeClient & { heard: number; wrong: number }): void {
    side.bridge.leave(client);
    closeHop(client.hop);
    this.#heardBefore += client.heard;
    this.#wrongBefore += client.wrong;
  }

  #listen(side: Side): void {
    const listener = new SlowListener(this.#chance);
    side.listeners.push(listener);
    side.bridge.join(listener);
  }

  #stopListening(side: Side, listener: SlowListener): void {
    listener.close();
    this.#forget(side, listener);
  }

  #hops(): BridgeClient[] {
    return this.#sides.flatMap(side => [...side.clients, ...side.gone, ...side.listeners]);
  }

  /** Grows as long as anything does. */
  #moved(): number {
    const ports = this.#sides.flatMap(({ bridge, link }) => [bridge.port.counters, link.port.counters]);
    const moved = ports.reduce((total, { received, sent, oversized }) => total + received + sent + oversized, 0);
    return this.#sides.flatMap(listening).reduce((total, client) => total + client.received, moved);
  }
}

/** Every datagram that was sent to a bridge came, or is one of the kernel's drops. */
function arrivalFaults(side: Side, drops: ReadonlyMap<string, number>): string[] {
  const { port, departed } = side.bridge;
  const sent = departed + sentTo(side);
  const arrived = port.counters.received + port.counters.oversized;
  const dropped = dropsOf(drops, port);
  return sent === arrived + dropped
    ? []
    : [`${sent} datagrams were sent to a bridge, ${arrived} came and ${dropped} were dropped`];
}

/** Every datagram a bridge has sent to a client came, was refused by the system, or is one of the kernel's drops. */
function deliveryFaults(side: Side, drops: ReadonlyMap<string, number>): string[] {
  const faults: string[] = [];
  let missing = 0;
  let uncertain = 0;
  for (const client of listening(side)) {
    const dropped = dropsOf(drops, client);
    const lost = client.committed - client.received - dropped;
    if (lost < 0) faults.push(`${-lost} datagrams came to a client that were not sent to it`);
    missing += lost;
    if (client instanceof Client) uncertain += dropped * (RUN_DATAGRAMS_MAX - 1);
  }
  const most = side.bridge.errors + uncertain;
  if (missing > most) faults.push(`${missing} datagrams for clients are missing, ${most} can be explained`);
  return faults;
}

/** Every frame came or was dropped, and exactly the forged ones were rejected. */
function linkFaults(from: LinkEnd, to: LinkEnd, drops: ReadonlyMap<string, number>): string[] {
  const { sent, sendErrors } = from.port.counters;
  const arrived = to.port.counters.received + to.port.counters.oversized;
  const dropped = dropsOf(drops, to.port);
  const faults: string[] = [];
  if (from.committed !== sent + sendErrors)
    faults.push(`${from.committed} frames were given to a link, ${sent} have left, ${sendErrors} were refused`);
  if (sent - arrived < dropped || sent - arrived > dropped * RUN_DATAGRAMS_MAX) {
    faults.push(`${sent} frames left, ${arrived} came and the kernel counts ${dropped} drops`);
  }
  if (to.rejected > from.forged || from.forged - to.rejected > sendErrors + sent - arrived) {
    faults.push(`${to.rejected} frames were rejected, ${from.forged} had been forged`);
  }
  return faults;
}

function dropsOf(drops: ReadonlyMap<string, number>, { address, port }: { address: string; port: number }): number {
  return drops.get(`${address}:${port}`) ?? 0;
}

function sentTo(side: Side): number {
  return side.clients.reduce((total, { sent }) => total + sent, side.stranger.sent);
}

function listening({
  clients,
  listeners,
}: Side): (BridgeClient & { received: number; heard: number; wrong: number })[] {
  return [...clients, ...listeners];
}

function linkKeys(chance: Chance): LinkKeys {
  return { key: chance.bytes(16), salt: chance.bytes(12) };
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
