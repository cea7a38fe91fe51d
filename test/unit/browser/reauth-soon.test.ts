import { describe, expect, it } from 'vitest';
import { eventData, eventOf, isNews } from '../../../src/browser/worker-messages.js';
import { signInSite } from './sign-in-site.js';

const hourMs = 3_600_000;

describe('a session whose server ends it after 24 hours', () => {
  it('says so once, with a tenth of that left, over reloads too, and again only after another sign-in [R31]', async () => {
    const site = signInSite();
    const heard: (readonly [hour: number, endsAt: number])[] = [];
    let began = 0;
    const options = {
      preset: { sliding: false },
      onEvent(event: { readonly type: string; readonly at: number; readonly expiresAt?: number | undefined }): void {
        if (event.type === 'reauth_soon') heard.push([(event.at - began) / hourMs, ((event.expiresAt ?? 0) - began) / hourMs]);
      },
    };
    for (const round of [1, 2]) {
      began = site.clock.now();
      const tellLeft = (): void => site.as.set({ members: { refresh_token_expires_in: Math.ceil((began + 24 * hourMs - site.clock.now()) / 1000) } });
      tellLeft();
      let session = await site.signIn({}, options);
      for (let hour = 1; hour < 24; hour++) {
        await site.clock.advance(began + hour * hourMs - site.clock.now());
        tellLeft();
        if (hour % 5 === 0) {
          await session.dispose();
          session = site.session(options);
          await site.settled(session.start());
        }
        await site.settled(session.getToken());
      }
      expect(heard, `round ${round}`).toHaveLength(round);
      await session.dispose();
    }
    for (const [hour, endsAt] of heard) {
      // The site lets a second pass whenever it waits.
      expect(hour).toBeCloseTo(22, 2);
      expect(endsAt).toBeCloseTo(24, 2);
    }
  });

  it('hears of it from its worker as well, by a message that loses nothing [R31]', () => {
    const event = { type: 'reauth_soon', expiresAt: 86_400_000 } as const;
    expect(isNews(event)).toBe(true);
    expect(eventOf(structuredClone(eventData(event)))).toEqual(event);
    // What the page knows itself is none.
    expect([isNews({ type: 'signed_in' }), isNews({ type: 'refused', target: 'default' })]).toEqual([false, false]);
  });
});
