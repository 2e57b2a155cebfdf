import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Reader, type Response } from 'maxmind';
import { type Location, readLocation } from '../location.ts';

/** What {@link LocationDatabase.checkForUpdate} found. */
export type UpdateResult = 'unchanged' | 'reloaded' | 'broken';

/** The country database that npm installs (CC0): all IPv4 and IPv6 addresses in one file of 8 MB. */
export function packagedDatabasePath(): string {
  return fileURLToPath(import.meta.resolve('@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb'));
}

/**
 * A MaxMind-format file held in memory. The file may be replaced while we run: the new one is loaded beside the old one and takes over
 * when it reads well, so no look-up ever waits or fails because of an update.
 */
export class LocationDatabase {
  readonly path: string;
  #reader: Reader<Response>;
  #seen: string;

  private constructor(path: string, reader: Reader<Response>, seen: string) {
    this.path = path;
    this.#reader = reader;
    this.#seen = seen;
  }

  /** Throws an Error that names the file when it cannot be read or is no such database. */
  static async open(path: string): Promise<LocationDatabase> {
    try {
      const seen = await fingerprint(path);
      return new LocationDatabase(path, await load(path), seen);
    } catch (error) {
      throw new Error(`the GeoIP database ${path} cannot be used: ${(error as Error).message}`);
    }
  }

  /** Undefined for an address the database does not know, one of the wrong family, and what is no address. */
  lookup(address: string): Location | undefined {
    try {
      return readLocation(this.#reader.get(address));
    } catch {
      // An IPv6 address in a database of IPv4, or damage in the middle of a file: nobody is turned away for that.
      return undefined;
    }
  }

  /** When the database in use was built. */
  builtAt(): Date {
    return this.#reader.metadata.buildEpoch;
  }

  /** Loads the file if it is another one than last time. A broken one is reported once and the database in use stays. */
  async checkForUpdate(): Promise<UpdateResult> {
    try {
      const seen = await fingerprint(this.path);
      if (seen === this.#seen) return 'unchanged';
      this.#seen = seen;
      this.#reader = await load(this.path);
      return 'reloaded';
    } catch {
      // A file that is gone is broken once, not at every look.
      const wasGone = this.#seen === GONE;
      if (!(await exists(this.path))) this.#seen = GONE;
      return wasGone && this.#seen === GONE ? 'unchanged' : 'broken';
    }
  }
}

const GONE = 'gone';

async function load(path: string): Promise<Reader<Response>> {
  const reader = new Reader<Response>(await readFile(path));
  // A truncated file has its metadata missing or its tree cut: walk the tree once before relying on it.
  reader.get(reader.metadata.ipVersion === 6 ? '2001:4860:4860::8888' : '8.8.8.8');
  return reader;
}

/** Changes when the file is written or replaced by another. */
async function fingerprint(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path);
  return `${ino}:${size}:${mtimeMs}`;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
