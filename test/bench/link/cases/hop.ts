/** What a packet over a link costs beside one to a client: the relay case of `bench forward`, in short. */
import { CASES } from '../../forward/cases.ts';
import { QUICK_EFFORT } from '../../forward/measure-case.ts';
import { measureRelay } from '../../forward/measure-relay.ts';
import { type LinkCase, note } from '../link-case.ts';

export const HOP: LinkCase = {
  name: 'hop',
  summary: 'CPU of one more packet over a link, beside one more packet to a client',
  isSlow: true,
  async run({ progress }) {
    const relay = CASES.find(({ name }) => name === 'relay')!;
    const measure = (datapath: 'fast' | 'portable') =>
      measureRelay(relay, { datapaths: [datapath], effort: QUICK_EFFORT, progress });
    const measured = await measure('fast').catch(() => measure('portable'));
    const figures = measured.fast ?? measured.portable;
    if (figures === null) throw new Error('no datapath could be measured');
    const { linkHopUs, clientHopUs, linkToClientHop } = figures;
    return {
      findings: [
        note('link hop over client hop, CPU per packet', linkToClientHop.toFixed(2)),
        note('µs of CPU over a link, to a client', `${linkHopUs.toFixed(2)}, ${clientHopUs.toFixed(2)}`),
      ],
      values: { linkHopUs, clientHopUs, linkToClientHop },
    };
  },
};
