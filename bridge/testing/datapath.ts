/** The datapath that tests run on: the fast one where it works, unless CAUSEWAY_DATAPATH says otherwise. `npm test` runs them on both. */
import { chooseDatapath, DATAPATH_CHOICES, type Datapath, type DatapathChoice } from '../io/datapath.ts';

export const TEST_DATAPATH: Datapath = await chooseDatapath(configuredChoice(), { warn: () => {} });

function configuredChoice(): DatapathChoice {
  const text = process.env.CAUSEWAY_DATAPATH ?? 'auto';
  const choice = DATAPATH_CHOICES.find(name => name === text);
  if (choice === undefined) throw new Error(`CAUSEWAY_DATAPATH is "${text}"; allowed: ${DATAPATH_CHOICES.join(', ')}`);
  return choice;
}
