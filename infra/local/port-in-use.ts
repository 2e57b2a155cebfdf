/** A port that somebody else has. The message is one line: the port, who needs it for what, and which option moves it. */
export class PortInUseError extends Error {
  readonly port: number;
  readonly service: string;

  constructor(port: number, service: string, purpose: string) {
    const use = purpose === '' ? '' : ` for ${purpose}`;
    super(`port ${port} is in use: ${service} needs it${use}; --port-base N moves all ports`);
    this.name = 'PortInUseError';
    this.port = port;
    this.service = service;
  }
}

/** Runs `start`; its EADDRINUSE becomes a {@link PortInUseError}. `ports`: what the service uses its ports for, '' for its only one. */
export async function namePort<T>(
  service: string,
  ports: Readonly<Record<string, number>>,
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const port = busyPort(error);
    if (port === undefined) throw error;
    const purpose = Object.entries(ports).find(entry => entry[1] === port)?.[0] ?? '';
    throw new PortInUseError(port, service, purpose);
  }
}

/** The port of an EADDRINUSE, also when the service wrapped it in an error of its own. */
function busyPort(error: unknown): number | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, port } = cause as NodeJS.ErrnoException & { port?: number };
    if (code === 'EADDRINUSE' && port !== undefined) return port;
  }
  return undefined;
}
