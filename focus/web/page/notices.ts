import { byId, create } from './dom.ts';
import { icon } from './icons.ts';

const ERROR_MS = 8_000;
const NOTICES_MAX = 4;

export interface Notice {
  close(): void;
}

export interface NoticeOptions {
  readonly kind: 'error' | 'waiting' | 'question';
  /** A button beside the text; the notice closes when it is pressed. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** Shows a line at the top of the page. An error goes by itself; what waits or asks stays until it is closed. The oldest makes room. */
export function showNotice(text: string, options: NoticeOptions): Notice {
  const container = byId('notices', HTMLDivElement);
  const element = create('div', `notice is-${options.kind}`, create('p', '', text));
  const close = () => element.remove();
  const { action } = options;
  if (action !== undefined) {
    const button = create('button', 'primary', action.label);
    button.addEventListener('click', () => {
      close();
      action.run();
    });
    element.append(button);
  }
  if (options.kind === 'error') {
    const button = create('button', 'plain', icon('close'));
    button.setAttribute('aria-label', 'Dismiss');
    button.addEventListener('click', close);
    element.append(button);
    setTimeout(close, ERROR_MS);
  }
  if (container.childElementCount >= NOTICES_MAX) container.firstElementChild?.remove();
  container.append(element);
  return { close };
}
