interface Payload {
  readonly grantId?: string;
  readonly uid?: string;
  readonly userCode?: string;
  consumed?: number;
}

/** Storage for oidc-provider in this process's memory, one per server. */
export function memoryAdapter(): new (model: string) => object {
  const entries = new Map<string, { readonly payload: Payload; readonly endsAt: number }>();
  const live = (key: string): Payload | undefined => {
    const entry = entries.get(key);
    return entry && entry.endsAt > Date.now() ? entry.payload : undefined;
  };

  return class {
    readonly model: string;

    constructor(model: string) {
      this.model = model;
    }

    async upsert(id: string, payload: Payload, expiresInS?: number): Promise<void> {
      entries.set(`${this.model}:${id}`, { payload, endsAt: expiresInS === undefined ? Infinity : Date.now() + expiresInS * 1000 });
    }

    async find(id: string): Promise<Payload | undefined> {
      return live(`${this.model}:${id}`);
    }

    async findByUid(uid: string): Promise<Payload | undefined> {
      return this.findWhere((payload) => payload.uid === uid);
    }

    async findByUserCode(userCode: string): Promise<Payload | undefined> {
      return this.findWhere((payload) => payload.userCode === userCode);
    }

    async consume(id: string): Promise<void> {
      const payload = live(`${this.model}:${id}`);
      if (payload) payload.consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id: string): Promise<void> {
      entries.delete(`${this.model}:${id}`);
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key);
    }

    private findWhere(matches: (payload: Payload) => boolean): Payload | undefined {
      for (const [key, { payload }] of entries) if (key.startsWith(`${this.model}:`) && matches(payload)) return live(key);
      return undefined;
    }
  };
}
