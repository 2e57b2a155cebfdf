/** What the architecture's rules look at in a TypeScript source: its imports and its code without comments and texts. */

export interface Import {
  readonly specifier: string;
  /** Imported names, before any `as`; `default` and `*` for the whole, empty for a bare or dynamic import. */
  readonly names: readonly string[];
  /** Counted from 1. */
  readonly line: number;
  /** `import type` and `export type`: gone when the code runs. */
  readonly isTypeOnly: boolean;
}

export interface Scan {
  readonly imports: readonly Import[];
  /** The source with comments, texts and regular expressions blanked; lines stay where they are. */
  readonly code: string;
}

/** Reads one source. It is no parser: it knows where texts, templates, comments and regular expressions begin and end. */
export function scan(source: string): Scan {
  const { code, texts } = blank(source);
  const imports: Import[] = [];
  const patterns = [
    /\b(?:import|export)\b(?<type>\s+type\b(?!\s*(?:,|from\b)))?(?<clause>[^;'"`()=]*?)\bfrom\s*['"]/g,
    /\bimport\s*['"]/g,
    /\bimport\s*\(\s*['"`]/g,
  ];
  for (const pattern of patterns) {
    for (const match of code.matchAll(pattern)) {
      const quoteAt = match.index + match[0].length - 1;
      const specifier = texts.get(quoteAt);
      if (specifier === undefined) continue;
      const names = namesOf(match.groups?.['clause'] ?? '');
      const isTypeOnly =
        match.groups?.['type'] !== undefined || (names.length > 0 && names.every(name => name.startsWith('type ')));
      imports.push({
        specifier,
        names: names.map(name => name.replace(/^type /, '')),
        line: lineAt(source, match.index),
        isTypeOnly,
      });
    }
  }
  return { imports: imports.toSorted((a, b) => a.line - b.line), code };
}

/** `type` stays before the names that have it. */
function namesOf(clause: string): string[] {
  const [outside, inside = ''] = clause.split('{');
  const whole = outside
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');
  const named = inside
    .replace('}', '')
    .split(',')
    .map(name => name.trim().split(/\s+as\s+/)[0]);
  return [
    ...whole.map(name => (name.startsWith('*') ? '*' : 'default')),
    ...named.map(name => name.replace(/^type\s+/, 'type ')).filter(name => name !== ''),
  ];
}

/** The line of an offset, counted from 1. */
export function lineAt(source: string, offset: number): number {
  let line = 1;
  for (let at = source.indexOf('\n'); at >= 0 && at < offset; at = source.indexOf('\n', at + 1)) line++;
  return line;
}

/** Blanks everything that is not code, and keeps each plain text under the offset of its first quote. */
function blank(source: string): { code: string; texts: Map<number, string> } {
  const texts = new Map<number, string>();
  /** For each open template its `${` depth of braces. */
  const templates: number[] = [];
  let code = '';
  let at = 0;
  const skip = (end: number, keepEnds: number) => {
    const skipped = source.slice(at, end);
    const blanked = skipped.replace(/[^\n]/g, ' ');
    code += skipped.slice(0, keepEnds) + blanked.slice(keepEnds, blanked.length - keepEnds);
    code += keepEnds === 0 ? '' : skipped.slice(-keepEnds);
    at = end;
  };
  while (at < source.length) {
    const char = source[at];
    const pair = source.slice(at, at + 2);
    if (pair === '//') skip(endOf(source, '\n', at), 0);
    else if (pair === '/*') skip(endOf(source, '*/', at + 2) + 2, 0);
    else if (char === "'" || char === '"') {
      const end = closing(source, at + 1, char) + 1;
      texts.set(at, source.slice(at + 1, end - 1));
      skip(end, 1);
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      const end = templateEnd(source, at + 1);
      if (char === '`' && source[end] === '`') texts.set(at, source.slice(at + 1, end));
      if (source[end] === '$') templates.push(0);
      skip(end + (source[end] === '$' ? 2 : 1), 1);
    } else if (char === '/' && startsExpression(code)) skip(regexEnd(source, at + 1), 1);
    else {
      if (templates.length > 0 && char === '{') templates[templates.length - 1]++;
      if (templates.length > 0 && char === '}') templates[templates.length - 1]--;
      code += char;
      at++;
    }
  }
  return { code, texts };
}

function endOf(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from);
  return found < 0 ? source.length : found;
}

/** Offset of the quote that closes a text. */
function closing(source: string, from: number, quote: string): number {
  let at = from;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return at;
}

/** Offset of the backtick or the `${` that ends a run of template text. */
function templateEnd(source: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== '`' && source.slice(at, at + 2) !== '${')
    at += source[at] === '\\' ? 2 : 1;
  return at;
}

function regexEnd(source: string, from: number): number {
  let at = from;
  let isClass = false;
  while (at < source.length && source[at] !== '\n' && (isClass || source[at] !== '/')) {
    if (source[at] === '[') isClass = true;
    if (source[at] === ']') isClass = false;
    at += source[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}

/** Whether a slash after this code begins a regular expression rather than divides. */
function startsExpression(code: string): boolean {
  const before = code.trimEnd();
  return (
    before === '' || /[(,=:[!&|?{};+\-*%~^<>]$/.test(before) || /\b(return|typeof|case|in|of|do|else)$/.test(before)
  );
}
