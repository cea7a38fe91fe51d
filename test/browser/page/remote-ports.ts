import { type Lock, type LockOptions, TokenError, type TokenStore } from 'tokenkeep';

// One tab lends its lock and its store to another, call by call, so that a contract that knows nothing of tabs is run on two of them.

type Call =
  | { readonly call: 'get'; readonly args: Parameters<TokenStore['get']> }
  | { readonly call: 'set'; readonly args: Parameters<TokenStore['set']> }
  | { readonly call: 'delete'; readonly args: Parameters<TokenStore['delete']> }
  | { readonly call: 'run'; readonly args: readonly [name: string, waitMs: number] }
  | { readonly call: 'end' | 'abort' };
type Question = Call & { readonly id: string };
type Answer = { readonly id: string } & (
  | { readonly is: 'granted' }
  | { readonly is: 'done'; readonly value?: unknown }
  | { readonly is: 'failed'; readonly code: string }
);

const questions = 'test:questions';
const answers = 'test:answers';

/** In the tab that lends. */
export function lend(store: TokenStore, lock: Lock): void {
  const running = new Map<string, { readonly end: () => void; readonly abort: () => void }>();
  const reply = new BroadcastChannel(answers);
  const perform = async (question: Question): Promise<unknown> => {
    if (question.call === 'get') return store.get(...question.args);
    if (question.call === 'set') return store.set(...question.args);
    if (question.call === 'delete') return store.delete(...question.args);
    if (question.call !== 'run') return running.get(question.id)?.[question.call]();
    const [name, waitMs] = question.args;
    const ended = Promise.withResolvers<void>();
    const stop = new AbortController();
    running.set(question.id, { end: ended.resolve, abort: () => stop.abort(new Error('aborted')) });
    const task = (): Promise<void> => {
      reply.postMessage({ id: question.id, is: 'granted' } satisfies Answer);
      return ended.promise;
    };
    return lock.run(name, task, { waitMs, signal: stop.signal });
  };
  new BroadcastChannel(questions).onmessage = ({ data }: MessageEvent<Question>) => {
    perform(data).then(
      (value) => data.call === 'end' || data.call === 'abort' || reply.postMessage({ id: data.id, is: 'done', value } satisfies Answer),
      (error: unknown) => reply.postMessage({ id: data.id, is: 'failed', code: error instanceof TokenError ? error.code : 'other' } satisfies Answer),
    );
  };
}

/** In the tab that borrows. */
export function borrow(): { readonly store: TokenStore; readonly lock: Lock } {
  const ask = new BroadcastChannel(questions);
  const listeners = new Map<string, (answer: Answer) => void>();
  new BroadcastChannel(answers).onmessage = ({ data }: MessageEvent<Answer>) => listeners.get(data.id)?.(data);

  const call = (question: Call, granted: (id: string) => void = () => undefined, begun: (id: string) => void = () => undefined): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = crypto.randomUUID();
      listeners.set(id, (answer) => {
        if (answer.is === 'granted') return granted(id);
        listeners.delete(id);
        if (answer.is === 'done') resolve(answer.value);
        else reject(answer.code === 'lock_timeout' ? new TokenError('lock_timeout', 'in the other tab', { phase: 'lock' }) : new Error(answer.code));
      });
      ask.postMessage({ ...question, id } satisfies Question);
      begun(id);
    });

  const lock: Lock = {
    shared: true,
    async run<T>(name: string, task: (held: AbortSignal) => Promise<T>, { waitMs, signal }: LockOptions): Promise<T> {
      signal?.throwIfAborted();
      const outcome = Promise.withResolvers<T>();
      outcome.promise.catch(() => undefined);
      let isGranted = false;
      const lent = call(
        { call: 'run', args: [name, waitMs] },
        (id) => {
          isGranted = true;
          const running = new Promise<T>((resolve) => resolve(task(new AbortController().signal)));
          running.then(outcome.resolve, outcome.reject).finally(() => ask.postMessage({ call: 'end', id } satisfies Question));
        },
        (id) => signal?.addEventListener('abort', () => ask.postMessage({ call: 'abort', id } satisfies Question)),
      );
      await lent.catch((error: unknown) => {
        if (!isGranted) throw signal?.aborted ? signal.reason : error;
      });
      return outcome.promise;
    },
  };
  const store: TokenStore = {
    shared: true,
    lock,
    async get(...args) {
      const found = await call({ call: 'get', args });
      const { value, version } = Object(found);
      return found === undefined ? undefined : { value: String(value), version: String(version) };
    },
    set: async (...args) => (await call({ call: 'set', args })) === true,
    delete: async (...args) => (await call({ call: 'delete', args })) === true,
  };
  return { store, lock };
}
