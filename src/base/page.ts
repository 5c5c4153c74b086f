import { hash } from 'node:crypto'

/** Text that is HTML already. */
class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type { Html }

type Part = string | Html | readonly Html[] | null

/** A template of HTML: whatever is put in is escaped unless it is such a template itself; null is nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(String.raw({ raw: parts }, ...values.map(textOf)))
}

function textOf(value: Part): string {
  if (value === null) return ''
  if (typeof value === 'string') return value.replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
  return value instanceof Html ? value.text : value.map(textOf).join('')
}

const STYLE = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem}
label{display:block;margin:1rem 0}
input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.4rem}
fieldset{border:0;margin:0 0 1rem;padding:0}
legend{font-weight:600;padding:0}
.choice{display:flex;gap:.5rem;margin:.4rem 0}
.choice input{width:auto;margin-top:.35rem}
button{font:inherit;padding:.4rem 1rem}
code{overflow-wrap:anywhere}
dt{font-weight:600}
dd{margin:0 0 .6rem}
.warning{border-left:4px solid #c80;padding-left:.8rem}
.fault{border-left:4px solid #c33;padding-left:.8rem}`

const STYLE_HASH = hash('sha256', STYLE, 'base64')

export interface Page {
  readonly title: string
  readonly content: Html
  /** Where its forms lead beside to ourselves: browsers judge the redirects that follow as well. */
  readonly formAction?: string | undefined
  /** URL to which the browser goes on by itself. */
  readonly refresh?: string
}

/** Headers of a page: no script, nothing from elsewhere, in no frame; forms go back to where they came from. */
export function pageHeaders({ formAction }: Pick<Page, 'formAction'>): Record<string, string> {
  const forms = formAction === undefined ? "'self'" : `'self' ${formAction}`
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action ${forms}; frame-ancestors 'none'; base-uri 'none'`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    // The address of a page may hold what opens it
    'referrer-policy': 'no-referrer',
  }
}

/** The whole document of a page. */
export function pageText({ title, content, refresh }: Page): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${refresh === undefined ? null : html`<meta http-equiv="refresh" content="0;url=${refresh}">`}<title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><h1>${title}</h1>
${content}
</body></html>
`.text
}

/** A page as an answer. */
export function page(status: number, title: string, content: Html): Response {
  return new Response(pageText({ title, content }), { status, headers: pageHeaders({}) })
}

/** A page that says what is wrong. */
export function faultPage(status: number, title: string, sentence: string): Response {
  return page(status, title, html`<p class="fault" role="alert">${sentence}</p>`)
}

/** What `form-action` must let through for a redirect to this URL: its origin, or its scheme where that is all it has. */
export function formActionOf(url: string): string | undefined {
  const parsed = URL.parse(url)
  if (parsed === null) return undefined
  // An IPv6 literal is no source of a policy
  const hasOrigin = /^https?:$/.test(parsed.protocol) && !parsed.hostname.startsWith('[')
  return hasOrigin ? parsed.origin : parsed.protocol
}
