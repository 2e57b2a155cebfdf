#!/usr/bin/env node
/** `npx causeway`: runs focus/cli on the project's own Node, whichever one (20 or later) started this. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The first that the sources run on as they are. */
const MAJOR_MIN = 26;
const ENTRY = fileURLToPath(new URL('../focus/cli/io/main.ts', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= MAJOR_MIN)
  await import(new URL('../focus/cli/io/main.ts', import.meta.url).href);
else runOn(projectNode());

function projectNode() {
  const require = createRequire(import.meta.url);
  const { platform, arch } = process;
  // The package of this platform has one of two names.
  for (const name of [`node-${platform}-${arch}`, `node-bin-${platform}-${arch}`]) {
    try {
      return join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node');
    } catch {
      // The next one.
    }
  }
  return undefined;
}

function runOn(node) {
  if (node === undefined) {
    const { version, platform, arch } = process;
    process.stderr.write(
      `causeway: this is Node ${version}, and there is none of the project for ${platform}-${arch}; run npm install, or start it with Node ${MAJOR_MIN} or later\n`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [ENTRY, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.on('error', error => {
    process.stderr.write(`causeway: ${node} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 130);
  });
}
