/** A client in a process of its own, to be killed: `killable-client.ts URL ROOM IDENTITY`. Says `ready` when its tracks are published. */
import { Client } from './client.ts';

const [url, room, identity] = process.argv.slice(2);
const client = new Client(identity, 0, () => 0);
await client.connect(url, room);
await client.publishMicrophone();
await client.publishCamera();
process.stdout.write('ready\n');
