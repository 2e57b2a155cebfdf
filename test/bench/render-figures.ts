/** Figures as one aligned line each, nested names joined by dots: `firstFrame.p50  312.5`. What was not measured (undefined) has none. Ends with a line break. */
export function renderFigures(figures: object): string {
  const lines = flatten(figures, '');
  const width = Math.max(0, ...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function flatten(value: unknown, name: string): [string, string][] {
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, name === '' ? key : `${name}.${key}`));
  }
  if (value === undefined) return [];
  if (typeof value === 'number' && !Number.isInteger(value)) return [[name, value.toFixed(value < 10 ? 2 : 1)]];
  return [[name, String(value)]];
}
