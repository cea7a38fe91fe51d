import { type FromWorker, protocol, type ToWorker } from '../../../src/browser/worker-messages.js';

/** A worker in place of the browser's: what it is sent, and how it answers, is up to the test. */
export class FakeWorker extends EventTarget {
  static readonly all: FakeWorker[] = [];
  readonly sent: ToWorker[] = [];
  readonly port: MessagePort;
  readonly alive: string;
  readonly #events = new EventTarget();

  constructor() {
    super();
    FakeWorker.all.push(this);
    this.alive = `alive:${FakeWorker.all.length}`;
    const port = {
      addEventListener: this.#events.addEventListener.bind(this.#events),
      postMessage: (message: ToWorker) => this.sent.push(message),
      start: () => undefined,
      close: () => undefined,
    };
    this.port = Object.assign(Object.create(null), port);
  }

  say(message: FromWorker): void {
    this.#events.dispatchEvent(new MessageEvent('message', { data: message }));
  }

  hello(): void {
    this.say({ type: 'hello', protocol, alive: this.alive, keys: true });
  }

  orders(kind: string): ToWorker[] {
    return this.sent.filter(({ order }) => order.do === kind);
  }
}
