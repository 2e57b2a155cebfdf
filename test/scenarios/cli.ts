/** `npx causeway`, as an operator runs it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { API_KEY, API_SECRET } from '../e2e/client.ts';
import type { Deployment } from './deployment.ts';

const CLI = fileURLToPath(new URL('../../bin/causeway.mjs', import.meta.url));

/** Answers what it prints; asks the first focus that runs. */
export async function causeway(deployment: Deployment, ...args: string[]): Promise<string> {
  const url = deployment.focusUrl(deployment.focuses.findIndex(({ isRunning }) => isRunning));
  const connection = ['--url', url, '--api-key', API_KEY, '--api-secret', API_SECRET];
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args, ...connection]);
  return stdout;
}
