import { html, type Page } from '../../base/http/page.ts'

export interface HeldView {
  readonly path: string
  readonly csrf: string
  readonly client: { readonly id: string; readonly name: string | null }
  readonly formAction: string | undefined
}

/** Tells a person that the application waits for an administrator, and how to come back. */
export function heldPage({ path, csrf, client, formAction }: HeldView): Page {
  return {
    title: 'Waiting for an administrator',
    formAction,
    content: html`<p><strong>${client.name ?? client.id}</strong> is new here. An administrator must activate it before you can use it.</p>
<p>Nothing is shared with the application yet. When an administrator has activated it, connect again from the application.</p>
<p><a href="${path}">Check again</a></p>
<form method="post" action="${path}">
<input type="hidden" name="csrf" value="${csrf}">
<button class="other" name="do" value="leave">Back to the application</button>
</form>`,
  }
}
