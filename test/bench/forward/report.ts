/** What `forward` found, for people: one table for the terminal and the documentation, and what it says about the aims. */

import type { CaseFigures, DatapathFigures } from './measure-case.ts';
import type { RelayCaseFigures } from './measure-relay.ts';

export interface ForwardFigures {
  /** What it ran on: figures of different machines do not compare, ratios do. */
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly generator: { readonly kind: string; readonly clock: string };
  readonly cases: readonly CaseFigures[];
  readonly relay: RelayCaseFigures | null;
  readonly growth: GrowthFigures | null;
}

/** From the smallest to the largest webinar. Null where a datapath was not measured. */
export interface GrowthFigures {
  readonly from: number;
  readonly to: number;
  /** CPU per packet at `to` over that at `from`. */
  readonly costFast: number | null;
  readonly costPortable: number | null;
  /** The floor's: as many keys and addresses, and nothing else. */
  readonly costFloor: number | null;
  /** Of one more endpoint with its two subscriptions. */
  readonly kbPerEndpointFast: number | null;
  readonly kbPerEndpointPortable: number | null;
}

const COLUMNS: readonly { readonly title: string; cell(figures: CaseFigures, datapath: DatapathFigures): string }[] = [
  { title: 'in/s', cell: (_, { busy }) => whole(busy.inPps) },
  { title: 'out/s', cell: (_, { busy }) => whole(busy.outPps) },
  { title: 'out/s full', cell: (_, { saturated }) => whole(saturated.outPps) },
  { title: 'µs/packet', cell: (_, { busy }) => busy.cost.totalUs.toFixed(2) },
  { title: 'user', cell: (_, { busy }) => busy.cost.userUs.toFixed(2) },
  { title: 'system', cell: (_, { busy }) => busy.cost.systemUs.toFixed(2) },
  { title: 'floor', cell: ({ floor }) => floor?.total.toFixed(2) ?? '-' },
  { title: 'segmented', cell: ({ floor }) => floor?.segmentedTotal.toFixed(2) ?? '-' },
  {
    title: 'x floor',
    cell: ({ floor }, { busy }) => (floor === null ? '-' : (busy.cost.totalUs / floor.total).toFixed(2)),
  },
  { title: 'p50 ms', cell: (_, { halfLoad }) => halfLoad.p50Ms.toFixed(2) },
  { title: 'p99 ms', cell: (_, { halfLoad }) => halfLoad.p99Ms.toFixed(2) },
  { title: 'floor p50', cell: ({ floor }) => floor?.burstWaitMs.p50.toFixed(2) ?? '-' },
  { title: 'GC ms', cell: (_, { busy }) => busy.gcPauseP999Ms.toFixed(1) },
  { title: 'lost', cell: (_, { busy }) => percent(busy.lostShare) },
  { title: 'by generator', cell: (_, { busy }) => percent(busy.generatorDroppedShare) },
  { title: 'stolen', cell: ({ stolenShare }) => (stolenShare === null ? '-' : percent(stolenShare)) },
  { title: 'kB/endpoint', cell: (_, { memory }) => memory.kbPerEndpoint.toFixed(0) },
  { title: 'kB/subscr.', cell: (_, { memory }) => memory.kbPerSubscription.toFixed(1) },
];

/** Rows of text: the first is the head. */
export function tableOf(cases: readonly CaseFigures[]): string[][] {
  const rows = [['case', 'datapath', ...COLUMNS.map(({ title }) => title)]];
  for (const figures of cases) {
    for (const name of ['fast', 'portable'] as const) {
      const datapath = figures[name];
      if (datapath !== null) rows.push([figures.name, name, ...COLUMNS.map(({ cell }) => cell(figures, datapath))]);
    }
  }
  return rows;
}

export function renderText(figures: ForwardFigures): string {
  const { cases, relay, growth } = figures;
  const lines = [describeRun(figures), ''];
  if (cases.length > 0) lines.push(...align(tableOf(cases)), '', ...faultLines(cases), COLUMN_NOTES);
  if (growth !== null) lines.push('', ...growthLines(growth));
  if (relay !== null) lines.push('', ...align(relayTable(relay)));
  return `${lines.join('\n')}\n`;
}

export function renderMarkdown(figures: ForwardFigures): string {
  const { cases, relay, growth } = figures;
  const lines = ['# Forwarding', '', describeRun(figures), '', '![CPU per forwarded packet](forward.svg)', ''];
  if (cases.length > 0) lines.push(...markdown(tableOf(cases)), '', ...faultLines(cases), COLUMN_NOTES);
  if (growth !== null) lines.push('', ...growthLines(growth));
  if (relay !== null) lines.push('', '## Over links', '', relay.summary, '', ...markdown(relayTable(relay)));
  lines.push('', 'Cases:', '', ...cases.map(({ name, summary }) => `- ${name}: ${summary}`));
  lines.push('', 'Made by `npm run bench -- forward --docs`.');
  return `${lines.join('\n')}\n`;
}

const COLUMN_NOTES = [
  'µs/packet: CPU of the bridge process per packet sent to a subscriber, at 70 % of what it can do (in/s, out/s). Floor: bare sendmmsg and encryption of as many packets',
  "of the same sizes, in turns with the bridge; segmented: the same with UDP segmentation offload. p50 and p99: from the publisher to the subscribers' sockets at half load;",
  "floor p50: what packets of one frame wait for each other at the floor's speed. GC: pause p99.9. Stolen: the share of the processors' time that other machines on the same host had. kB: heap and buffers; of an endpoint with what it publishes.",
].join('\n');

function describeRun({ machine, generator, cases }: ForwardFigures): string {
  const sample = Math.max(
    1,
    ...cases.flatMap(({ fast, portable }) => [fast?.sampleEvery ?? 1, portable?.sampleEvery ?? 1]),
  );
  const mode =
    sample === 1
      ? 'every packet decrypted and compared with what was sent'
      : `cheap mode: all packets counted, one in ${sample} decrypted and compared with what was sent`;
  const { processor, cores, kernel, node } = machine;
  return [
    `${processor}, ${cores} cores, kernel ${kernel}, Node ${node}, loopback.`,
    `Load generator: ${generator.kind} sockets, ${mode}; latency by the clock of the ${generator.clock}.`,
  ].join('\n');
}

/** Anything but the right bytes is the first thing to be told. */
function faultLines(cases: readonly CaseFigures[]): string[] {
  return cases.flatMap(figures =>
    (['fast', 'portable'] as const).flatMap(name => {
      const faults = Object.entries(figures[name]?.faults ?? {});
      if (faults.length === 0) return [];
      const list = faults.map(([fault, count]) => `${count} ${fault}`).join(', ');
      return [`WRONG PACKETS in ${figures.name} on ${name}: ${list}`];
    }),
  );
}

function growthLines({ from, to, ...growth }: GrowthFigures): string[] {
  const line = (name: string, cost: number | null, kb: number | null) =>
    cost === null || kb === null
      ? []
      : [
          `${name}: from ${from} to ${to} subscribers the CPU per packet changes by ${signedPercent(cost - 1)}; one more of them takes ${kb.toFixed(0)} kB.`,
        ];
  const { costFloor } = growth;
  return [
    ...line('fast', growth.costFast, growth.kbPerEndpointFast),
    ...line('portable', growth.costPortable, growth.kbPerEndpointPortable),
    ...(costFloor === null
      ? []
      : [`floor: ${signedPercent(costFloor - 1)}: more keys and addresses than the caches hold.`]),
  ];
}

function relayTable(relay: RelayCaseFigures): string[][] {
  const head = [
    'relay',
    'µs in',
    'µs to a client',
    'µs over a link',
    'link/client',
    'link/single send',
    'µs link to client',
    'relayed/s',
    'p50 ms',
    'p99 ms',
    'lost',
  ];
  const rows = (['fast', 'portable'] as const).flatMap(name => {
    const figures = relay[name];
    if (figures === null) return [];
    return [
      [
        name,
        figures.ingressUs.toFixed(2),
        figures.clientHopUs.toFixed(2),
        figures.linkHopUs.toFixed(2),
        figures.linkToClientHop.toFixed(2),
        figures.linkToSingleSend?.toFixed(2) ?? '-',
        figures.linkToClientUs.toFixed(2),
        whole(figures.relayedPps),
        figures.p50Ms.toFixed(2),
        figures.p99Ms.toFixed(2),
        percent(figures.lostShare),
      ],
    ];
  });
  return [head, ...rows];
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  return rows.map(row =>
    row.map((cell, column) => (column < 1 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  '),
  );
}

function markdown([head, ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column < 1 ? '---' : '--:'))), ...rows.map(line)];
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(share: number): string {
  return share === 0 ? '0' : `${(share * 100).toFixed(share < 0.001 ? 3 : 1)} %`;
}

function signedPercent(share: number): string {
  return `${share < 0 ? '-' : '+'}${Math.abs(share * 100).toFixed(0)} %`;
}
