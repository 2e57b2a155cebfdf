/** The sources of a bridge as another version of them: a copy that says so, beside the packages of this tree. */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where it is, inside `folder`; made when it is not there yet. */
export function treeOfVersion(folder: string, version: string): string {
  const tree = join(folder, `version-${version}`);
  if (existsSync(tree)) return tree;
  mkdirSync(tree);
  for (const part of ['bridge', 'protocol']) {
    cpSync(join(ROOT, part), join(tree, part), { recursive: true, filter: path => !path.endsWith('.test.ts') });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as object;
  writeFileSync(join(tree, 'package.json'), JSON.stringify({ ...packageJson, version }));
  return tree;
}
