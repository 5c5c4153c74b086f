import { html, type Page } from '../../base/page.ts'

export interface SignInView {
  /** Path of the page itself. */
  readonly path: string
  readonly csrf: string
  /** Who wants to be let in. */
  readonly client: string
  readonly withPassword: boolean
  /** Name of the identity provider; null without one. */
  readonly provider: string | null
  /** What went wrong before; null at first. */
  readonly fault: string | null
  readonly formAction: string | undefined
}

/** Asks who a person is, by the ways that are switched on. */
export function signInPage({
  path,
  csrf,
  client,
  withPassword,
  provider,
  fault,
  formAction,
}: SignInView): Page {
  const password = html`<form method="post" action="${path}">
<input type="hidden" name="csrf" value="${csrf}">
<label>Name or email<input name="name" autocomplete="username" required autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button name="do" value="password">Sign in</button>
</form>`
  return {
    title: 'Sign in',
    formAction,
    content: html`<p>to continue to <strong>${client}</strong></p>
${fault === null ? null : html`<p class="fault" role="alert">${fault}</p>`}
${withPassword ? password : null}
${provider === null ? null : html`<p><a href="${path}/provider">Continue with ${provider}</a></p>`}
${withPassword || provider !== null ? null : html`<p class="fault">No way to sign in is set up.</p>`}
<form method="post" action="${path}">
<input type="hidden" name="csrf" value="${csrf}">
<button class="other" name="do" value="cancel">Cancel</button>
</form>`,
  }
}
