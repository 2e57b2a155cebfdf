/** A million datagrams that are not what they seem, to a link from its peer's address: nothing may change but counters. */
import { setTimeout as pause } from 'node:timers/promises';
import { fastDatapath } from '../../../../bridge/io/datapath.ts';
import type { BridgeSnapshot } from '../../forward/io/bridge-process.ts';
import { type HostileFigures, measureHostile } from '../hostile-cost.ts';
import { HOSTILE_BYTES_MAX, HOSTILE_KINDS, HostileDatagrams } from '../hostile-datagrams.ts';
import { type CaseContext, finding, type LinkCase, note, percent } from '../link-case.ts';
import { grown, LinkNetwork } from '../link-network.ts';
import { fatesOf, lostShare } from '../packet-ledger.ts';
import { AUDIO_SOURCE, VIDEO_SOURCE } from '../plans.ts';

const [ATTACKED, IMPERSONATED] = [1, 0];
const HEARD_MAX = 4_000;
/** More than a bridge has of good ones at its busiest, and less than would fill its socket. */
const DATAGRAMS_PER_SECOND = 40_000;
const BATCH = 100;
const SPEED = 8;
/** What a heap that has been collected may differ by. */
const LEAK_BYTES_MAX = 1_000_000;
const IDLE_MS = 2_000;
const DRAIN_MS = 500;
const TAIL_MS = 500;

export const HOSTILE: LinkCase = {
  name: 'hostile',
  summary: '1,000,000 forged, replayed or mutated datagrams from the address of the peer',
  async run(context) {
    const { seed, progress } = context;
    // Before there are bridges: it takes this process, in which their network is, for itself.
    const alone = measureHostile(seed, 0, fastDatapath('measured').frameCiphers);
    const network = await LinkNetwork.start({ bridges: 2, seed, settings: { delayMs: 10 }, progress });
    try {
      return await attack(context, network, alone);
    } finally {
      await network.close();
    }
  },
};

async function attack({ quick, seed, progress }: CaseContext, network: LinkNetwork, alone: HostileFigures) {
  const heard = listen(network);
  const player = network.startPlayer();
  await player.call('connect', { plan: 'pair', bridges: network.addresses });
  await network.untilUp([0, 1]);
  const seconds = quick ? 2 : 6;
  await player.call('play', { plan: 'pair', seconds, speed: SPEED });
  const idle = await useDuring(network, () => pause(IDLE_MS));
  const good = await useDuring(network, () => player.call('play', { plan: 'pair', seconds, speed: SPEED }));
  await network.memory(ATTACKED);
  await pause(DRAIN_MS);
  const memoryBefore = await network.memory(ATTACKED);
  const before = await network.link(ATTACKED, IMPERSONATED);
  const count = quick ? 100_000 : 1_000_000;
  progress(`${count} hostile datagrams`);
  const bad = await useDuring(network, () => flood(network, new HostileDatagrams(seed, heard), count));
  const memoryAfter = await network.memory(ATTACKED);
  const after = await network.link(ATTACKED, IMPERSONATED);
  const { ledger } = await player.call('play', { plan: 'pair', seconds: 3 });
  const span = { fromMs: ledger.sent.atMs[0], toMs: ledger.sent.atMs.at(-1)! - TAIL_MS };
  const fates = [AUDIO_SOURCE, VIDEO_SOURCE].flatMap(sourceId =>
    fatesOf(ledger, { publisher: 0, sourceId, subscriber: 1 }, 0, span),
  );
  const cost = ({ cpuUs, ms, frames }: Use) => (cpuUs - (idle.cpuUs / idle.ms) * ms) / Math.max(1, frames);
  const [goodUs, badUs] = [cost(good), cost(bad)];
  const leakedBytes = memoryAfter.usedBytes - memoryBefore.usedBytes;
  const isSame = before?.state === 'up' && after?.state === 'up' && before.handshakes === after.handshakes;
  return {
    findings: [
      note('kinds', HOSTILE_KINDS.join(', ')),
      finding(
        'state of the link',
        'up, the same session',
        `${after?.state ?? 'gone'}, ${(after?.handshakes ?? 0) - (before?.handshakes ?? 0)} new handshakes`,
        isSame,
      ),
      finding(
        'media afterwards',
        'all of it',
        `${percent(lostShare(fates))} lost`,
        lostShare(fates) === 0 && fates.length > 0,
      ),
      finding(
        'CPU per datagram, over that of a good one',
        '< 1',
        `${(badUs / goodUs).toFixed(2)} (${badUs.toFixed(1)} and ${goodUs.toFixed(1)} µs, the good one to one subscriber)`,
        badUs < goodUs,
      ),
      finding(
        'memory that stays',
        `< ${LEAK_BYTES_MAX / 1e6} MB`,
        `${(leakedBytes / 1e6).toFixed(2)} MB`,
        leakedBytes < LEAK_BYTES_MAX,
      ),
      note(
        'ns in the link alone, by kind',
        `good ${alone.goodNs}, ${HOSTILE_KINDS.map(kind => `${kind} ${alone.byKindNs[kind]}`).join(', ')}`,
      ),
      note(
        'read by the bridge',
        `${percent(Math.min(1, bad.datagrams / count))}: malformed ${grown(before, after, 'malformed')}, replayed ${grown(before, after, 'replayed')}, forged ${grown(before, after, 'forged')}`,
      ),
    ],
    values: { goodUs, badUs, ratio: badUs / goodUs, leakedBytes, sent: count, read: bad.datagrams },
  };
}

/** Keeps the last frames that the impersonated bridge has sent to the attacked one. */
function listen({ mesh }: LinkNetwork): Buffer[] {
  const heard: Buffer[] = [];
  mesh.tap = (from, to, bytes) => {
    if (from !== IMPERSONATED || to !== ATTACKED || bytes[0] < OCTO_FIRST) return;
    if (heard.length === HEARD_MAX) heard.shift();
    heard.push(Buffer.from(bytes));
  };
  return heard;
}

/** The first byte of a frame is this or more. */
const OCTO_FIRST = 192;

/** At an even pace: what the socket has no room for would cost nothing. */
async function flood({ mesh }: LinkNetwork, datagrams: HostileDatagrams, count: number): Promise<void> {
  const startedMs = performance.now();
  for (let sent = 0; sent < count; sent += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - sent) }, () => {
      const target = Buffer.allocUnsafe(HOSTILE_BYTES_MAX);
      return target.subarray(0, datagrams.next(target));
    });
    await mesh.inject(IMPERSONATED, ATTACKED, batch);
    const aheadMs = startedMs + (sent * 1_000) / DATAGRAMS_PER_SECOND - performance.now();
    // Whatever is late: the network of the good frames is in this process.
    await pause(Math.max(0, aheadMs));
  }
  await pause(DRAIN_MS);
}

interface Use {
  readonly cpuUs: number;
  readonly ms: number;
  /** Frames that came over the link, or if there were more: datagrams that were read. */
  readonly frames: number;
  readonly datagrams: number;
}

async function useDuring(network: LinkNetwork, work: () => Promise<unknown>): Promise<Use> {
  const linkBefore = await network.link(ATTACKED, IMPERSONATED);
  const before = await network.snapshot(ATTACKED);
  await work();
  const after = await network.snapshot(ATTACKED);
  const accepted = grown(linkBefore, await network.link(ATTACKED, IMPERSONATED), 'packetsIn');
  const datagrams = readBy(after) - readBy(before);
  const isAttack = datagrams > 2 * accepted + SLACK;
  return {
    cpuUs: after.userUs + after.systemUs - before.userUs - before.systemUs,
    ms: after.atMs - before.atMs,
    frames: isAttack ? datagrams : accepted,
    datagrams,
  };
}

/** Datagrams of an idle link and of clients that say they are there. */
const SLACK = 5_000;

function readBy({ counted }: BridgeSnapshot): number {
  return counted['port_received_packets'] ?? 0;
}
