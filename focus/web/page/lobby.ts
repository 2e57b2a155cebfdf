/** Before the meeting: name, room, region or token, and a look at oneself. */
import { type Access, accessFromToken, askRegion, readToken, requestAccess } from './access.ts';
import { byId } from './dom.ts';
import { explainJoinFailure } from './explain.ts';
import type { Preview } from './preview.ts';
import { rememberSettings, type Settings } from './settings.ts';

const form = byId('join-form', HTMLFormElement);
const nameField = byId('name', HTMLInputElement);
const roomField = byId('room', HTMLInputElement);
const regionField = byId('region', HTMLSelectElement);
const tokenField = byId('token', HTMLTextAreaElement);
const joinButton = byId('join', HTMLButtonElement);
const errorLine = byId('join-error', HTMLParagraphElement);

/**
 * Fills the form and waits for it. `enter` is called with what lets one in; while it runs the button waits, and what it throws is shown.
 */
export function openLobby(settings: Settings, preview: Preview, enter: (access: Access) => Promise<void>): void {
  byId('join-named', HTMLDivElement).hidden = !settings.isDevelopment;
  byId('join-token', HTMLDivElement).hidden = settings.isDevelopment;
  nameField.value = settings.name;
  roomField.value = settings.room;
  tokenField.value = settings.token;
  tokenField.addEventListener('input', showTokenSummary);
  showTokenSummary();
  const regionsShown = showRegions(settings);
  form.addEventListener('submit', event => {
    event.preventDefault();
    void submit(settings, enter);
  });
  if (settings.joinsAtOnce) void regionsShown.then(() => submit(settings, enter));
  else if (settings.wantsCamera) void preview.turnCamera(true);
}

/** Why one is in the lobby, again or still. Calm for what was meant to happen. */
export function showLobbyMessage(text: string, isCalm = false): void {
  errorLine.textContent = text;
  errorLine.hidden = text === '';
  errorLine.classList.toggle('is-calm', isCalm);
}

async function submit(settings: Settings, enter: (access: Access) => Promise<void>): Promise<void> {
  showLobbyMessage('');
  if (!isComplete(settings)) return;
  joinButton.disabled = true;
  joinButton.textContent = 'Joining…';
  try {
    await enter(await requestEntry(settings));
  } catch (error) {
    showLobbyMessage(explainJoinFailure(error));
  } finally {
    joinButton.disabled = false;
    joinButton.textContent = 'Join';
  }
}

async function requestEntry(settings: Settings): Promise<Access> {
  if (!settings.isDevelopment) return accessFromToken(tokenField.value.trim(), '');
  const name = nameField.value.trim();
  const room = roomField.value.trim();
  rememberSettings(name, room);
  return requestAccess(room, name, regionField.value);
}

/** Marks what is missing and goes there. */
function isComplete(settings: Settings): boolean {
  const fields = settings.isDevelopment ? [nameField, roomField] : [tokenField];
  const missing = fields.filter(field => field.value.trim() === '');
  for (const field of fields) field.setAttribute('aria-invalid', String(missing.includes(field)));
  const first = missing[0];
  if (first === undefined) return true;
  const what = new Map<HTMLElement, string>([
    [nameField, 'Your name is missing.'],
    [roomField, 'The name of the room is missing.'],
    [tokenField, 'The access token is missing.'],
  ]);
  showLobbyMessage(what.get(first) ?? '');
  first.focus();
  return false;
}

function showTokenSummary(): void {
  const summary = byId('token-summary', HTMLParagraphElement);
  summary.hidden = true;
  if (tokenField.value.trim() === '') return showLobbyMessage('');
  try {
    const { room, name } = readToken(tokenField.value);
    summary.textContent = `${name}, into the room ${room}`;
    summary.hidden = false;
    showLobbyMessage('');
  } catch (error) {
    showLobbyMessage((error as Error).message);
  }
}

/** The picker needs a geo-proxy in front: only there the prefix works. A region from the page's address is kept without it. */
async function showRegions(settings: Settings): Promise<void> {
  const answer = await askRegion();
  const foot = byId('lobby-foot', HTMLElement);
  if (answer === undefined) {
    if (settings.isDevelopment)
      foot.textContent = 'There is no geo-proxy in front, so the region cannot be picked here.';
    return;
  }
  if (!settings.isDevelopment) {
    foot.textContent = `Your region is ${answer.region}: ${answer.explanation}.`;
    return;
  }
  const names = [...new Set([...settings.regions, ...answer.regions])].filter(name => answer.regions.includes(name));
  regionField.add(new Option(`By address (${answer.region})`, ''));
  for (const name of names) regionField.add(new Option(name, name));
  regionField.value = names.includes(settings.region) ? settings.region : '';
  byId('region-field', HTMLLabelElement).hidden = false;
}
