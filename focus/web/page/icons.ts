/** Outline icons on a 24 x 24 grid, drawn for this page. */
const PATHS = {
  microphone: 'M9 6a3 3 0 0 1 6 0v5a3 3 0 0 1-6 0zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21M8.5 21h7',
  'microphone-off':
    'M9 6a3 3 0 0 1 6 0v5M9 9v2a3 3 0 0 0 4.5 2.6M5.5 11a6.5 6.5 0 0 0 10.5 5.1M18.3 12.5l.2-1.5M12 17.5V21M8.5 21h7M3.5 3.5l17 17',
  camera: 'M3 8a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM15 10.5l6-3.5v10l-6-3.5',
  'camera-off':
    'M9 6h4a2 2 0 0 1 2 2v4M15 16a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2M15 10.5l6-3.5v10l-4-2.3M3.5 3.5l17 17',
  screen:
    'M3 6a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM8.5 21h7M12 17v4M12 13.5V8M9.5 10 12 7.5l2.5 2.5',
  chat: 'M4 6.5a2 2 0 0 1 2-2h12a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-6.5L7 20.5v-4H6a2 2 0 0 1-2-2zM8 9h8M8 12.2h5',
  leave:
    'M3 14.5c0-1.5 4-3.7 9-3.7s9 2.2 9 3.7v1.6a1 1 0 0 1-1.2 1l-3.3-.7a1 1 0 0 1-.8-1v-1.6a14 14 0 0 0-7.4 0v1.6a1 1 0 0 1-.8 1l-3.3.7a1 1 0 0 1-1.2-1z',
  close: 'M6 6l12 12M18 6 6 18',
  send: 'M4 12 20 4.5 15 20l-3.5-6.5zM11.5 13.5 20 4.5',
} as const;
export type IconName = keyof typeof PATHS;

const SVG = 'http://www.w3.org/2000/svg';

/** A new icon that screen readers pass over: its button has a label. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
