/** Text that was escaped, or that we wrote ourselves. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | null | readonly Html[]

/** Markup of which all that is put in is escaped, unless it is markup itself; null puts in nothing. */
export function html(markup: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(String.raw({ raw: markup }, ...parts.map(textOf)))
}

function textOf(part: Part): string {
  if (part === null) return ''
  if (part instanceof Html) return part.text
  return typeof part === 'string' ? escapeHtml(part) : part.map(({ text }) => text).join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign]!)
}

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0 auto;max-width:26rem;padding:3rem 1rem}
h1{font-size:1.4rem}
label{display:block;margin:1rem 0}
input{box-sizing:border-box;display:block;font:inherit;padding:.5rem;width:100%}
button,.button{background:#1d4ed8;border:0;border-radius:.3rem;color:#fff;cursor:pointer;display:inline-block;font:inherit;margin:.5rem .5rem 0 0;padding:.5rem 1rem;text-decoration:none}
button.other{background:#6b7280}
code{overflow-wrap:anywhere}
dt{font-weight:600}dd{margin:0 0 .7rem}
.warning{border-left:.3rem solid #d97706;padding-left:.7rem}
.fault{border-left:.3rem solid #dc2626;padding-left:.7rem}`

/** A page of the authorization server. */
export interface Page {
  readonly title: string
  readonly body: Html
  /** Where its forms lead, beside to ourselves: browsers judge the redirects that follow as well. */
  readonly formAction?: string
}

/** A whole document. It runs no script and loads nothing. */
export function renderPage({ title, body }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} - Postern</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.text
}

/** Headers of a page: nothing frames it, nothing runs in it, nobody is told where it was. */
export function pageHeaders({ formAction }: Pick<Page, 'formAction'>): Record<string, string> {
  const forms = formAction === undefined ? "'self'" : `'self' ${formAction}`
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; form-action ${forms}; frame-ancestors 'none'; base-uri 'none'`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  }
}

/** What `form-action` must let through for a redirect to this URL: its origin, or its scheme where that is all it has. */
export function formActionOf(url: string): string | undefined {
  const parsed = URL.parse(url)
  if (parsed === null) return undefined
  // A wildcard of an IPv6 literal is no source expression; browsers then go by the scheme.
  if (parsed.hostname.startsWith('[')) return parsed.protocol
  return /^https?:$/.test(parsed.protocol) ? parsed.origin : parsed.protocol
}
