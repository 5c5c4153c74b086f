import { html, type Page } from '../../base/http/page.ts'

/**
 * What cannot go on, and cannot be told to the client by a redirect.
 * @param requestId shown where the cause is for administrators alone, who find it in the log by that; else null
 */
export function errorPage(error: string, description: string, requestId: string | null = null): Page {
  return {
    title: 'The sign-in cannot continue',
    content: html`<p class="fault">${description}</p>
<p><code>${error}</code></p>
${requestId === null ? null : html`<p>An administrator finds the cause in the log by the request id <code>${requestId}</code>.</p>`}
<p>Start again from the application that sent you here.</p>`,
  }
}
