/** An address that a valid check came from. */
export interface Path {
  readonly address: string;
  readonly port: number;
}

/** A client has an address per interface and NAT binding; one that roams gains more. The oldest goes: it is the least likely to work. */
export const PATHS_MAX = 8;

/**
 * The validated addresses of one client, and where to send. Nomination is followed: the client is in control, so the path it nominated
 * last counts (RFC 8445 section 8.1.1).
 */
export class ValidatedPaths {
  readonly all: Path[] = [];
  #selected: Path | undefined;

  /** Where to send: the path nominated last, else the first that was validated; undefined before any. */
  get selected(): Path | undefined {
    return this.#selected;
  }

  /** Records a valid check from an address. Returns the path that had to go to make room, if any. */
  validate(address: string, port: number, isNominated: boolean): Path | undefined {
    let path = this.all.find(known => known.port === port && known.address === address);
    let dropped: Path | undefined;
    if (path === undefined) {
      if (this.all.length === PATHS_MAX) dropped = this.#dropOldest();
      path = { address, port };
      this.all.push(path);
    }
    if (this.#selected === undefined || isNominated) this.#selected = path;
    return dropped;
  }

  #dropOldest(): Path {
    const index = this.all[0] === this.#selected ? 1 : 0;
    return this.all.splice(index, 1)[0];
  }
}
