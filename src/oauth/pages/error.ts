import { html, type Page } from '../../base/page.ts'

/** What cannot go on, and cannot be told to the client by a redirect. */
export function errorPage(error: string, description: string): Page {
  return {
    title: 'This cannot go on',
    content: html`<p class="fault">${description}</p>
<p><code>${error}</code></p>
<p>Start again from the program that sent you here.</p>`,
  }
}
