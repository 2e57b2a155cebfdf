/** The value below which `share` (0 to 1) of `values` lie, by nearest rank. Values are not changed; at least one is needed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}
