import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Provider } from 'oidc-provider';

/** Who may sign in. A real server would ask for more than a name. */
export const people = ['alice', 'bob'] as const;

const style = `:root{color-scheme:light dark;font:17px/1.5 system-ui,sans-serif;background:light-dark(#f6f7f9,#10151c);color:light-dark(#1b2430,#e7ecf3)}
main{max-width:400px;margin:10vh auto;padding:16px 28px 28px;border:1px solid light-dark(#c9d0d9,#3a4657);border-radius:12px;background:light-dark(#fff,#181f29)}
h1{font-size:24px;margin:8px 0}fieldset{border:0;padding:0;margin:0 0 20px}legend{padding:0;margin-bottom:8px}
label{display:block;padding:10px 12px;margin-bottom:8px;border:1px solid light-dark(#c9d0d9,#3a4657);border-radius:8px;cursor:pointer}
input{accent-color:light-dark(#0f766e,#5eead4);margin-right:10px}small{color:light-dark(#566273,#9eacbd)}
button{width:100%;padding:11px;border:0;border-radius:8px;background:light-dark(#0f766e,#5eead4);color:light-dark(#fff,#0d1218);font:inherit;font-weight:600;cursor:pointer}
:focus-visible{outline:3px solid light-dark(#0f766e,#5eead4);outline-offset:2px}@media(max-width:460px){body{margin:0}main{margin:0;border:0;border-radius:0;min-height:100vh}}`;
// What the provider asks back is pressed at once: the user has just said so in the app.
const submit = 'document.querySelector("button[value=yes]").click();';
const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
  '/sign-in.css': ['text/css', style],
  '/submit.js': ['text/javascript', submit],
};

/** A page of the authorization server, which holds no script but the one that is named. */
export function serverPage(title: string, content: string, script = ''): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/sign-in.css"><main><h1>${title}</h1>${content}</main>${script}</html>`;
}

const policy = { 'content-security-policy': "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'", 'cache-control': 'no-store' };

/** The pages on which users of the authorization server say who they are. False when a request is for something else. */
export function signInPages(provider: () => Provider): (...exchange: Parameters<RequestListener>) => boolean {
  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt } = await provider().interactionDetails(request, response);
    const finish = (result: object): Promise<void> => provider().interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    if (prompt.name !== 'login') return finish({ consent: {} });
    if (request.method !== 'POST') {
      const choices = people.map((name, index) => `<label><input type="radio" name="user" value="${name}"${index === 0 ? ' checked' : ''}>${name}</label>`);
      const form = `<form method="post"><fieldset><legend>Who are you?</legend>${choices.join('')}</fieldset><button>Sign in</button></form>`;
      const note = '<p><small>A certified authorization server (oidc-provider), embedded for this demo. It asks for no password.</small></p>';
      response.writeHead(200, { ...policy, 'content-type': 'text/html; charset=utf-8' }).end(serverPage('Sign in', form + note));
      return;
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const user = people.find((name) => name === new URLSearchParams(body).get('user'));
    if (user === undefined) return void response.writeHead(400, policy).end('Nobody of that name.');
    await finish({ login: { accountId: user } });
  }

  return (request, response) => {
    const file = files[request.url ?? ''];
    if (file) response.writeHead(200, { 'content-type': file[0], 'x-content-type-options': 'nosniff' }).end(file[1]);
    else if (request.url?.startsWith('/interaction/')) {
      interact(request, response).catch(() => {
        if (!response.headersSent) response.writeHead(400, policy).end('This sign-in is over. Begin again in the app.');
      });
    } else return false;
    return true;
  };
}

/** The page that the provider shows when an app sends its user to sign out. */
export function signOutPage(context: { body: string; set(name: string, value: string): void }, form: string): void {
  context.set('content-security-policy', policy['content-security-policy']);
  const buttons = form.replace('</form>', '<button name="logout" value="yes">Sign out</button></form>');
  context.body = serverPage('Signing out', buttons, '<script src="/submit.js"></script>');
}
