/** A million datagrams that are not what they seem, to a link from its peer's address: nothing may change but counters. */
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { chooseDatapath } from '../../../../bridge/io/datapath.ts';
import type { BridgeSnapshot } from '../../forward/io/bridge-process.ts';
import { type HostileFigures, measureHostile } from '../hostile-cost.ts';
import { HOSTILE_BYTES_MAX, HOSTILE_KINDS, HostileDatagrams } from '../hostile-datagrams.ts';
import { type CaseContext, finding, type LinkCase, note, percent } from '../link-case.ts';
import { grown, LinkNetwork } from '../link-network.ts';
import { fatesOf, lostShare } from '../packet-ledger.ts';
import { AUDIO_SOURCE, VIDEO_SOURCE } from '../plans.ts';

const [ATTACKED, IMPERSONATED] = [1, 0];
const [DATAGRAMS, QUICK_DATAGRAMS] = [1_000_000, 100_000];
const HEARD_MAX = 1_000;
/** RFC 7983: above it are Octo's. */
const OCTO_FIRST_BYTE = 192;
/** More than a bridge has of good ones at its busiest, and less than would fill its socket. */
const DATAGRAMS_PER_SECOND = 30_000;
const BATCH = 100;
const WARM_UP = 20_000;
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
    const { quick, seed, progress } = context;
    const network = await LinkNetwork.start({ bridges: 2, seed, settings: { delayMs: 10 }, progress });
    let attacked: Awaited<ReturnType<typeof attack>>;
    try {
      attacked = await attack(context, network);
    } finally {
      await network.close();
    }
    progress('the link alone, in memory');
    const { frameCiphers } = await chooseDatapath('auto', pino({ level: 'silent' }));
    const alone = describeAlone(measureHostile(seed, quick ? QUICK_DATAGRAMS : DATAGRAMS, frameCiphers));
    return {
      findings: [...attacked.findings, ...alone.findings],
      values: { ...attacked.values, ...alone.values },
    };
  },
};

async function attack({ quick, seed, progress }: CaseContext, network: LinkNetwork) {
  const heard = listen(network);
  const player = network.startPlayer();
  await player.call('connect', { plan: 'pair', bridges: network.addresses });
  await network.untilUp([0, 1]);
  const seconds = quick ? 2 : 6;
  await player.call('play', { plan: 'pair', seconds, speed: SPEED });
  const idle = await useDuring(network, () => pause(IDLE_MS));
  const good = await useDuring(network, () => player.call('play', { plan: 'pair', seconds, speed: SPEED }));
  const before = await network.link(ATTACKED, IMPERSONATED);
  const datagrams = new HostileDatagrams(seed, [...heard]);
  // What the first ones bring into being once (compiled code, table rows) is no leak.
  await flood(network, datagrams, WARM_UP);
  await network.memory(ATTACKED);
  const memoryBefore = await network.memory(ATTACKED);
  const count = quick ? QUICK_DATAGRAMS : DATAGRAMS;
  progress(`${count} hostile datagrams`);
  const bad = await useDuring(network, () => flood(network, datagrams, count));
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
        'CPU of the bridge per datagram, over that of a good one',
        '< 1',
        `${(badUs / goodUs).toFixed(2)} (${badUs.toFixed(1)} and ${goodUs.toFixed(1)} µs, with what a subscriber of the good one costs)`,
        badUs < goodUs,
      ),
      finding(
        'memory that stays',
        `< ${LEAK_BYTES_MAX / 1e6} MB`,
        `${(leakedBytes / 1e6).toFixed(2)} MB`,
        leakedBytes < LEAK_BYTES_MAX,
      ),
      note(
        'read by the bridge',
        `${percent(Math.min(1, bad.datagrams / count))}: malformed ${grown(before, after, 'malformed')}, replayed ${grown(before, after, 'replayed')}, forged ${grown(before, after, 'forged')}`,
      ),
    ],
    values: { goodUs, badUs, ratio: badUs / goodUs, leakedBytes, sent: count, read: bad.datagrams },
  };
}

/** Without a socket, so that each kind shows by itself. */
function describeAlone({ datagrams, effects, heapGrowthKb, goodNs, byKindNs }: HostileFigures) {
  // The best round of each kind, as of the good ones: a mean would have in it what else the machine did.
  const hostileNs = HOSTILE_KINDS.reduce((sum, kind) => sum + byKindNs[kind], 0) / HOSTILE_KINDS.length;
  const ratio = hostileNs / goodNs;
  const kinds = HOSTILE_KINDS.map(kind => `${kind} ${byKindNs[kind]}`).join(', ');
  return {
    findings: [
      finding(
        'the link alone: what they brought about',
        'nothing',
        `${effects} effects of ${datagrams}`,
        effects === 0,
      ),
      finding(
        'the link alone: CPU per datagram, over that of a good one',
        '< 1',
        `${ratio.toFixed(2)} (${hostileNs.toFixed(0)} ns, all kinds alike, and ${goodNs} ns)`,
        ratio < 1,
      ),
      note('the same by kind, in ns', kinds),
      note('the link alone: heap', `${heapGrowthKb} kB more after them`),
    ],
    values: { effects, goodNs, hostileNs, aloneRatio: ratio, heapGrowthKb },
  };
}

/** Keeps the newest frames that the impersonated bridge sends to the attacked one. */
function listen({ mesh }: LinkNetwork): Buffer[] {
  const heard: Buffer[] = [];
  mesh.tap = (from, to, bytes) => {
    if (from !== IMPERSONATED || to !== ATTACKED || bytes[0] < OCTO_FIRST_BYTE) return;
    if (heard.length >= HEARD_MAX) heard.shift();
    heard.push(Buffer.from(bytes));
  };
  return heard;
}

/** At an even pace: what the socket has no room for would cost nothing. */
async function flood({ mesh }: LinkNetwork, datagrams: HostileDatagrams, count: number): Promise<void> {
  const slots = Array.from({ length: BATCH }, () => Buffer.alloc(HOSTILE_BYTES_MAX));
  const startedMs = performance.now();
  for (let sent = 0; sent < count; sent += BATCH) {
    const batch = slots.slice(0, count - sent).map(slot => slot.subarray(0, datagrams.next(slot)));
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
