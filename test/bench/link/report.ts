/** What `link` found, for people: a table for the terminal and the documentation, with what is aimed at beside what was measured. Pure. */
import type { Finding } from './link-case.ts';

export interface MeasuredCase {
  readonly name: string;
  readonly summary: string;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  readonly values: Readonly<Record<string, number>>;
}

export interface LinkFigures {
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
    /** Mean number of running processes in the minute before the end: above `cores`, others were in the way. */
    readonly load: number;
  };
  readonly seed: number;
  readonly quick: boolean;
  readonly cases: readonly MeasuredCase[];
}

/** False when an aim was missed. */
export function meetsAims({ cases }: LinkFigures): boolean {
  return cases.every(({ findings }) => findings.every(({ isMet }) => isMet !== false));
}

export function renderText(figures: LinkFigures): string {
  const lines = describeRun(figures);
  for (const { name, summary, seconds, findings } of figures.cases) {
    lines.push('', `${name}: ${summary} (${seconds.toFixed(0)} s)`, ...align(findings.map(rowOf)));
  }
  return `${[...lines, '', verdict(figures)].join('\n')}\n`;
}

export function renderMarkdown(figures: LinkFigures): string {
  const lines = ['# Links on bad networks', '', ...describeRun(figures), '', verdict(figures), ''];
  lines.push('| case | what | aim | measured | met |', '|---|---|---|---|---|');
  for (const { name, findings } of figures.cases) {
    for (const [index, found] of findings.entries()) {
      lines.push(`| ${[index === 0 ? name : '', ...rowOf(found)].map(escapeCell).join(' | ')} |`);
    }
  }
  lines.push('', 'Cases:', '', ...figures.cases.map(({ name, summary }) => `- ${name}: ${summary}`));
  lines.push('', 'Made by `npm run bench -- link --docs`. What is measured how: `test/bench/link/README.md`.');
  return `${lines.join('\n')}\n`;
}

function rowOf({ what, aim, measured, isMet }: Finding): string[] {
  return [what, aim, measured, isMet === null ? '' : isMet ? 'yes' : 'NO'];
}

function describeRun({ machine, seed, quick }: LinkFigures): string[] {
  const { processor, cores, kernel, node, load } = machine;
  return [
    `${processor}, ${cores} cores (load ${load.toFixed(1)}), kernel ${kernel}, Node ${node}, loopback with a bad network between the bridges, seed ${seed}.`,
    ...(quick ? ['A quick run: the figures are rough.'] : []),
  ];
}

function verdict({ cases }: LinkFigures): string {
  const aims = cases.flatMap(({ findings }) => findings.filter(({ isMet }) => isMet !== null));
  const missed = aims.filter(({ isMet }) => isMet === false).length;
  return missed === 0 ? `All ${aims.length} aims are met.` : `${missed} of ${aims.length} aims are NOT met.`;
}

function align(rows: readonly string[][]): string[] {
  const all = [['', 'aim', 'measured', 'met'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map(row => row[column].length)));
  return all.map(row => `  ${row.map((cell, column) => cell.padEnd(widths[column])).join('  ')}`.trimEnd());
}

function escapeCell(cell: string): string {
  return cell.replaceAll('|', '\\|');
}
