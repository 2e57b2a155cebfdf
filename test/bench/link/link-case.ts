/** What every case of `npm run bench -- link` is and answers. */

export interface LinkCase {
  readonly name: string;
  /** What is done, in a line. */
  readonly summary: string;
  /** Left out of a quick run, unless it is named. */
  readonly isSlow?: boolean;
  run(context: CaseContext): Promise<CaseFigures>;
}

export interface CaseContext {
  readonly quick: boolean;
  /** Of the network: what is lost, and when. */
  readonly seed: number;
  progress(line: string): void;
}

/** One thing that was measured. */
export interface Finding {
  readonly what: string;
  /** What is aimed at, in words; empty for what is only told. */
  readonly aim: string;
  readonly measured: string;
  /** Null: there is no aim. */
  readonly isMet: boolean | null;
}

export interface CaseFigures {
  readonly findings: readonly Finding[];
  /** Everything that was measured, for machines: names end in units. */
  readonly values: Readonly<Record<string, number>>;
}

/** A finding with an aim. */
export function finding(what: string, aim: string, measured: string, isMet: boolean): Finding {
  return { what, aim, measured, isMet };
}

/** Something worth knowing beside the aims. */
export function note(what: string, measured: string): Finding {
  return { what, aim: '', measured, isMet: null };
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share !== 0 && share < 0.01 ? 3 : 1)} %`;
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
