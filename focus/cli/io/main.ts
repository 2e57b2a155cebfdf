/** `causeway`: one command against one focus. bin/causeway.mjs starts it. */
import { readCommandLine, USAGE } from '../command-line.ts';
import { runCommand } from './run-command.ts';

const line = readCommandLine(process.argv.slice(2), process.env);
if (line.kind === 'help') process.stdout.write(USAGE);
else if (line.kind === 'wrong') fail(line.message, 2);
else {
  // JSON is one document: what comes before it is for people.
  const write = (progress: string) => void (line.isJson ? process.stderr : process.stdout).write(progress);
  try {
    const { text, json } = await runCommand(line.command, line.connection, Date.now(), write);
    process.stdout.write(line.isJson ? `${JSON.stringify(json, null, 2)}\n` : text);
  } catch (error) {
    fail((error as Error).message, 1);
  }
}

function fail(message: string, exitCode: number): void {
  process.stderr.write(`causeway: ${message}\n`);
  process.exitCode = exitCode;
}
