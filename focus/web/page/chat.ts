/** Messages to everybody, over reliable data with the topic `chat`: UTF-8 JSON `{ "text": … }`. */
import { type Participant, type Room, RoomEvent } from 'livekit-client';
import { byId, create } from './dom.ts';
import { icon } from './icons.ts';

const TOPIC = 'chat';
/** Room for 1000 characters of any script, and below what one data message may carry. */
const BYTES_MAX = 8_192;
/** Older ones go: a meeting of a day must not fill the page. */
const MESSAGES_MAX = 500;

export interface ChatOptions {
  /** How many came in since the panel was last open. */
  readonly showUnread: (count: number) => void;
  readonly showFailure: (text: string) => void;
}

export class Chat {
  readonly #room: Room;
  readonly #options: ChatOptions;
  readonly #panel = byId('chat', HTMLElement);
  readonly #list = byId('chat-messages', HTMLOListElement);
  readonly #field = byId('chat-text', HTMLInputElement);
  readonly #closed = new AbortController();
  #unread = 0;

  constructor(room: Room, options: ChatOptions) {
    this.#room = room;
    this.#options = options;
    this.#list.replaceChildren(
      create('li', 'chat-empty', 'No messages yet. Everybody in the room sees what you write.'),
    );
    byId('chat-close', HTMLButtonElement).replaceChildren(icon('close'));
    this.#sendButton().replaceChildren(icon('send'));
    const { signal } = this.#closed;
    byId('chat-close', HTMLButtonElement).addEventListener('click', () => this.toggle(false), { signal });
    byId('chat-form', HTMLFormElement).addEventListener('submit', event => void this.#send(event), { signal });
    room.on(RoomEvent.DataReceived, (payload, participant, _kind, topic) => {
      if (topic === TOPIC) this.#receive(payload, participant);
    });
  }

  get isOpen(): boolean {
    return !this.#panel.hidden;
  }

  toggle(isOpen = !this.isOpen): void {
    this.#panel.hidden = !isOpen;
    if (!isOpen) {
      // A field that is hidden with the focus in it would swallow the next key.
      this.#field.blur();
      return;
    }
    this.#unread = 0;
    this.#options.showUnread(0);
    // On a phone the keyboard would cover what came in.
    if (!matchMedia('(pointer: coarse)').matches) this.#field.focus();
    this.#list.lastElementChild?.scrollIntoView({ block: 'end' });
  }

  close(): void {
    this.#closed.abort();
    this.#panel.hidden = true;
  }

  async #send(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const text = this.#field.value.trim();
    if (text === '') return;
    const payload = new TextEncoder().encode(JSON.stringify({ text }));
    if (payload.length > BYTES_MAX) return this.#options.showFailure('This message is too long.');
    try {
      await this.#room.localParticipant.publishData(payload, { reliable: true, topic: TOPIC });
    } catch {
      return this.#options.showFailure('The message was not sent. Try again once you are connected.');
    }
    this.#field.value = '';
    this.#append('You', text, true);
  }

  #receive(payload: Uint8Array, participant: Participant | undefined): void {
    if (payload.length > BYTES_MAX) return;
    const text = readText(payload);
    if (text === undefined) return;
    this.#append(participant?.name || participant?.identity || 'The server', text, false);
    if (this.isOpen) return;
    this.#unread++;
    this.#options.showUnread(this.#unread);
  }

  #append(name: string, text: string, isOwn: boolean): void {
    this.#list.querySelector('.chat-empty')?.remove();
    const time = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const head = create('header', '', create('b', '', name), create('time', '', time));
    this.#list.append(create('li', `chat-message${isOwn ? ' is-own' : ''}`, head, create('p', '', text)));
    while (this.#list.childElementCount > MESSAGES_MAX) this.#list.firstElementChild?.remove();
    this.#list.lastElementChild?.scrollIntoView({ block: 'end' });
  }

  #sendButton(): HTMLButtonElement {
    const button = byId('chat-form', HTMLFormElement).querySelector('button');
    if (button === null) throw new Error('index.html has no button to send with');
    return button;
  }
}

/** The text of a message; undefined for anything else that somebody put on the topic. */
function readText(payload: Uint8Array): string | undefined {
  try {
    const message: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    const text = typeof message === 'object' && message !== null ? (message as { text?: unknown }).text : undefined;
    return typeof text === 'string' && text !== '' ? text : undefined;
  } catch {
    return undefined;
  }
}
