/** What a focus counts of its store. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface StoreMetrics {
  /** Round trips by script and result. */
  readonly roundTrips: Counter<'script' | 'result'>;
  readonly seconds: Histogram<'script'>;
  /** 1 while there is a connection. */
  readonly connected: Gauge;
  /** Round trips one after the other that an assignment took. */
  readonly assignRoundTrips: Histogram;
  readonly staleChoices: Counter;
  /** Joins, moves and leaves that were done without the store. */
  readonly localOperations: Counter<'operation' | 'reason'>;
  readonly orphanedConferences: Counter;
  readonly sweptConferences: Counter;
  readonly abandonedParticipants: Counter;
  readonly restoredParticipants: Counter;
  readonly lostConferences: Counter;
  readonly nameConflicts: Counter;
}

/** Adds them to the focus's registry. */
export function createStoreMetrics(registry: Registry): StoreMetrics {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter<L>({ name: `causeway_focus_store_${name}`, help, labelNames, registers });
  return {
    roundTrips: counter('round_trips_total', 'Round trips to the shared store', ['script', 'result']),
    seconds: new Histogram({
      name: 'causeway_focus_store_seconds',
      help: 'Time of a round trip to the shared store',
      labelNames: ['script'],
      // Some 0.2 ms in one rack, 0.2 s between continents, 3 s is given up by default.
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3],
      registers,
    }),
    connected: new Gauge({
      name: 'causeway_focus_store_connected',
      help: '1 while there is a connection to the shared store',
      registers,
    }),
    assignRoundTrips: new Histogram({
      name: 'causeway_focus_store_assign_round_trips',
      help: 'Round trips, one after the other, until a participant was placed or refused',
      buckets: [1, 2, 3, 4, 6, 8, 16],
      registers,
    }),
    staleChoices: counter(
      'stale_choices_total',
      'Choices of a bridge that no longer held in the store, and were made again',
    ),
    localOperations: counter(
      'local_operations_total',
      "Joins, moves and leaves in this focus's conferences that were done without the shared store: away, or slower than redis.assign_patience_ms",
      ['operation', 'reason'],
    ),
    orphanedConferences: counter(
      'orphaned_conferences_total',
      'Conferences of dead focuses that this one was told to take over',
    ),
    sweptConferences: counter(
      'swept_conferences_total',
      'Conferences of dead focuses that nobody took over and this one ended',
    ),
    abandonedParticipants: counter(
      'abandoned_participants_total',
      'Participants whom another focus assigned for this one and never handed over',
    ),
    restoredParticipants: counter('restored_participants_total', 'Participants put back after the store had lost them'),
    lostConferences: counter(
      'lost_conferences_total',
      "Conferences of this focus that are another's by now, or were closed or opened anew by another",
    ),
    nameConflicts: counter('name_conflicts_total', 'Times that another process had the lease under this focus_id'),
  };
}
