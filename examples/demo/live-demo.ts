import type { JournalEntry } from 'tokenkeep';
import { startAppServer } from './app-server.ts';
import type { Message } from './page-messages.ts';
import { startPageServer } from './page-server.ts';
import { runService, type ServiceWatcher } from './service.ts';
import { createServiceClock } from './service-clock.ts';
import { startStage } from './stage.ts';
import { stateOf } from './status.ts';
import { Story } from './story.ts';
import { Trouble } from './trouble.ts';

export interface LiveDemoOptions {
  /** Of the page; 0 takes a free one. */
  readonly port: number;
  readonly tokenLifetimeS: number;
  readonly skewMs: number;
  readonly minValidMs: number;
  readonly tokenDelayMs: number;
  /** When it is made slow: less than `skewMs - minValidMs`, or callers wait. */
  readonly slowTokenDelayMs: number;
  /** Also looks on. */
  readonly watcher?: ServiceWatcher;
}

export interface LiveDemo {
  /** Of the page. */
  readonly url: string;
  readonly issuer: string;
  readonly apiUrl: string;
  /** Of the single-page app. */
  readonly appUrl: string;
  /** The authorization server's own count. */
  tokenRequests(): number;
  /** Ends the service, then the rest. */
  close(): Promise<void>;
}

/** The timing of `npm start`: slow enough to watch, quick enough to see a renewal every few seconds. */
export const watchable: Omit<LiveDemoOptions, 'port'> = { tokenLifetimeS: 12, skewMs: 5_000, minValidMs: 1_000, tokenDelayMs: 250, slowTokenDelayMs: 3_000 };

/** A service at work, and a page on which it can be watched and troubled. */
export async function startLiveDemo(options: LiveDemoOptions): Promise<LiveDemo> {
  const app = await startAppServer({ ...options, port: 0 });
  const stage = await startStage(options);
  const clock = createServiceClock();
  const story = new Story(clock, options.minValidMs);
  const trouble = new Trouble({ ...options, server: stage.server, api: stage.api, clock, story });
  // Each visitor gets everything once, then what is new to them.
  const reader = (): (() => Message) => {
    let revision = 0;
    let last: JournalEntry | undefined;
    return () => {
      const facts = story.history.since(revision);
      revision = story.history.revision;
      const entries = story.tokens?.explain() ?? [];
      const journal = entries.slice(last === undefined ? 0 : entries.indexOf(last) + 1);
      last = entries.at(-1);
      return { state: stateOf(story, trouble, clock), facts, journal };
    };
  };
  const page = await startPageServer({ port: options.port, reader, press: (name) => trouble.make(name), appUrl: app.url }).catch(async (error: unknown) => {
    await Promise.all([stage.close(), app.close()]);
    throw error;
  });
  app.demoUrl = page.url;
  const stop = new AbortController();
  const { skewMs, minValidMs, watcher } = options;
  const watchers = watcher ? together(story, watcher) : story;
  const service = runService({ ...stage.account, skewMs, minValidMs, clock, fetch: story.fetch, watcher: watchers }, stop.signal);
  return {
    url: page.url,
    issuer: stage.server.issuer,
    apiUrl: stage.api.url,
    appUrl: app.url,
    tokenRequests: stage.server.tokenRequests,
    async close() {
      stop.abort();
      await service;
      await Promise.all([page.close(), stage.close(), app.close()]);
    },
  };
}

function together(...watchers: readonly ServiceWatcher[]): ServiceWatcher {
  return {
    starts(tokens) {
      for (const watcher of watchers) watcher.starts?.(tokens);
    },
    asks(again) {
      const handedOut = watchers.map((watcher) => watcher.asks(again));
      return (token) => {
        for (const tell of handedOut) tell(token);
      };
    },
    answered() {
      for (const watcher of watchers) watcher.answered();
    },
    failed(error) {
      for (const watcher of watchers) watcher.failed(error);
    },
    happened(entry) {
      for (const watcher of watchers) watcher.happened(entry);
    },
  };
}
