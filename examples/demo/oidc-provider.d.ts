// oidc-provider brings no types. These are the members that this project uses.
declare module 'oidc-provider' {
  import type { IncomingMessage, RequestListener } from 'node:http';

  interface StoredModel {
    save(): Promise<string>;
  }

  interface ModelClass<Fields> {
    new (fields: Fields): StoredModel;
  }

  interface GrantModel extends StoredModel {
    addOIDCScope(scope: string): void;
    addOIDCClaims(claims: readonly string[]): void;
    addResourceScope(resource: string, scope: string): void;
    destroy(): Promise<void>;
  }

  interface DeviceCodeModel extends StoredModel {
    accountId?: string;
    grantId?: string;
    scope?: string;
    authTime?: number;
    error?: string;
    readonly clientId: string;
    readonly params: { readonly scope?: string };
  }

  export class Provider {
    constructor(issuer: string, configuration: object);
    callback(): RequestListener;
    use(middleware: (context: { readonly path: string; status: number }, next: () => Promise<void>) => Promise<void>): this;
    interactionDetails(...exchange: Parameters<RequestListener>): Promise<{
      readonly prompt: { readonly name: string };
      readonly params: { readonly client_id: string; readonly scope?: string; readonly login_hint?: string };
    }>;
    interactionFinished(...exchange: [...Parameters<RequestListener>, result: object, options: { readonly mergeWithLastSubmission: boolean }]): Promise<void>;
    on(event: 'grant.error', listener: (context: { readonly req: IncomingMessage }, error: Error & { readonly error_detail?: string }) => void): this;
    on(
      event: 'grant.success',
      listener: (context: {
        readonly req: IncomingMessage;
        readonly body?: { readonly access_token?: string; readonly refresh_token?: string; readonly id_token?: string };
      }) => void,
    ): this;
    readonly Client: { find(id: string): Promise<object | undefined> };
    readonly Grant: { new (fields: { clientId: string; accountId: string }): GrantModel; find(id: string): Promise<GrantModel | undefined> };
    readonly DeviceCode: { findByUserCode(userCode: string): Promise<DeviceCodeModel | undefined> };
    readonly RefreshToken: ModelClass<{
      client: object;
      accountId: string;
      grantId: string;
      gty: string;
      scope: string;
      resource?: string | readonly string[];
      jkt?: string;
    }>;
  }

  export const errors: { readonly InvalidTarget: new () => Error };
}
