/**
 * CPU of forward error correction on a link, per media packet of 1200 bytes, beside a bare copy of as many bytes in the same run: the ratios are what compares
 * between machines. Run: `npm run bench -- fec`.
 */
import { FecGroup } from '../../bridge/relay/fec-group.ts';
import { FecReceivedGroup, SYMBOL_WORDS } from '../../bridge/relay/fec-received-group.ts';
import { LossRecovery } from '../../bridge/relay/loss-recovery.ts';
import { ReceivedFrames } from '../../bridge/relay/received-frames.ts';
import { RepairTiming } from '../../bridge/relay/repair-timing.ts';
import { FecPayload, SYMBOL_BYTES_MAX, writeSymbol } from '../../protocol/octo/fec.ts';
import { HEADER_BYTES, writeHeader } from '../../protocol/octo/header.ts';
import { DATA_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';

const PACKET_BYTES = 1200;
const ROUNDS = 400;
const LAPS = 9;

export interface FecCost {
  copyNs: number;
  /** The symbol of a packet: what it costs to protect it at all. */
  symbolNs: number;
  /** To add a packet to the first parity row, which is XOR, and to each further one. */
  firstRowNs: number;
  furtherRowNs: number;
  /** To keep a packet that has arrived. */
  keepNs: number;
  /** To repair one packet of a group of 24, and four of them, each. */
  repairOneUs: number;
  repairFourUs: number;
}

/** The median of nine laps of each. */
export function measureFec(): FecCost {
  const frame = Buffer.alloc(HEADER_BYTES + PACKET_BYTES, 0x5a);
  writeHeader(frame, 0, 0, 1, 0, 1, 2, 3);
  const words = new Uint32Array(SYMBOL_BYTES_MAX / 4);
  const symbol = new Uint8Array(words.buffer);
  const target = Buffer.alloc(frame.length);
  const symbolBytes = writeSymbol(symbol, 0, frame, 0, PACKET_BYTES);
  const rowNs = [1, 2, 5].map(rows => medianNs(() => addGroup(words, symbolBytes, rows)) / DATA_SYMBOLS_MAX);
  const frames = new ReceivedFrames();
  let sequence = 0;
  return {
    copyNs: medianNs(() => repeat(() => frame.copy(target))) / DATA_SYMBOLS_MAX,
    symbolNs: medianNs(() => repeat(() => writeSymbol(symbol, 0, frame, 0, PACKET_BYTES))) / DATA_SYMBOLS_MAX,
    firstRowNs: rowNs[0],
    furtherRowNs: (rowNs[2] - rowNs[1]) / 3,
    keepNs: medianNs(() => repeat(() => frames.store(0, sequence++, frame, 0, PACKET_BYTES))) / DATA_SYMBOLS_MAX,
    repairOneUs: repairUs(frame, words, symbolBytes, 1),
    repairFourUs: repairUs(frame, words, symbolBytes, 4) / 4,
  };
}

function repeat(once: () => void): void {
  for (let packet = 0; packet < DATA_SYMBOLS_MAX; packet++) once();
}

function addGroup(words: Uint32Array, symbolBytes: number, rows: number): FecGroup {
  group.clear();
  for (let packet = 0; packet < DATA_SYMBOLS_MAX; packet++) group.add(0, packet, words, symbolBytes, rows);
  return group;
}

const group = new FecGroup();

/** A group of 24, the last `missing` packets of which are lost. */
function repairUs(frame: Buffer, words: Uint32Array, symbolBytes: number, missing: number): number {
  const sent = addGroup(words, symbolBytes, missing);
  const bytes = Buffer.alloc(2048);
  const payload = new FecPayload();
  const totals = { recovered: 0, givenUp: 0, skipped: 0, reordered: 0, cameLate: 0 };
  const recovery = new LossRecovery(totals, new RepairTiming());
  const frames = new ReceivedFrames();
  for (let packet = 0; packet < DATA_SYMBOLS_MAX - missing; packet++) {
    frames.store(0, packet, frame, 0, PACKET_BYTES);
    recovery.handleArrival(0, packet);
  }
  recovery.handleArrival(0, DATA_SYMBOLS_MAX);
  const received = new FecReceivedGroup();
  const out = new Uint32Array(missing * SYMBOL_WORDS);
  return (
    medianNs(() => {
      for (let row = 0; row < missing; row++) {
        payload.decode(bytes, 0, sent.writeParity(row, 0, bytes, 0));
        if (row === 0) received.open(0, 0, 1, payload);
        received.addRow(payload, bytes);
      }
      if (!received.findMissing(frames, recovery) || received.missing !== missing) throw new Error('nothing to repair');
      received.solve(frames, out);
    }) / 1000
  );
}

function medianNs(work: () => unknown): number {
  const laps: number[] = [];
  for (let lap = -2; lap < LAPS; lap++) {
    const start = process.hrtime.bigint();
    for (let round = 0; round < ROUNDS; round++) work();
    if (lap >= 0) laps.push(Number(process.hrtime.bigint() - start) / ROUNDS);
  }
  return laps.sort((a, b) => a - b)[LAPS >> 1];
}
