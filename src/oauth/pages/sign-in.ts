import { html, type Page } from '../../base/http/page.ts'

export interface SignInView {
  /** Path of the page itself. */
  readonly path: string
  readonly csrf: string
  /** Who wants to be let in. */
  readonly client: string
  readonly withPassword: boolean
  /** The identity providers, each with the slug that stands in its URL; null for the first one. */
  readonly providers: readonly { readonly slug: string | null; readonly name: string }[]
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
  providers,
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
${providers.map(({ slug, name }) => html`<p><a href="${path}/provider${slug === null ? '' : `/${slug}`}">Continue with ${name}</a></p>`)}
${withPassword || providers.length > 0 ? null : html`<p class="fault">No sign-in method is configured.</p>`}
<form method="post" action="${path}">
<input type="hidden" name="csrf" value="${csrf}">
<button class="other" name="do" value="cancel">Cancel</button>
</form>`,
  }
}
