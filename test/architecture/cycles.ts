import { resolveImport } from './rules.ts';
import { scan } from './scan.ts';

/**
 * Import cycles in a tree of sources, each as the files along it. Imports of types alone do not count: they are gone when the code runs,
 * and two files that talk of each other's types are often one idea in two halves.
 */
export function importCycles(sources: ReadonlyMap<string, string>): string[][] {
  const edges = new Map<string, string[]>();
  for (const [path, source] of sources) {
    const targets = scan(source)
      .imports.filter(({ specifier, isTypeOnly }) => specifier.startsWith('.') && !isTypeOnly)
      .map(({ specifier }) => resolveImport(path, specifier));
    edges.set(path, targets);
  }
  const cycles: string[][] = [];
  const done = new Set<string>();
  for (const path of edges.keys()) visit(path, [], edges, done, cycles);
  return cycles;
}

function visit(
  path: string,
  trail: string[],
  edges: ReadonlyMap<string, readonly string[]>,
  done: Set<string>,
  cycles: string[][],
): void {
  const start = trail.indexOf(path);
  if (start >= 0) cycles.push([...trail.slice(start), path]);
  if (start >= 0 || done.has(path)) return;
  trail.push(path);
  for (const next of edges.get(path) ?? []) visit(next, trail, edges, done, cycles);
  trail.pop();
  done.add(path);
}
