import { type Html, html, pageHeaders, renderPage } from '../page.ts'

/** A page as an answer. */
export function page(status: number, title: string, body: Html): Response {
  return new Response(renderPage({ title, body }), { status, headers: pageHeaders({}) })
}

/** A page that says what is wrong. */
export function faultPage(status: number, title: string, sentence: string): Response {
  return page(status, title, html`<p class="fault" role="alert">${sentence}</p>`)
}
