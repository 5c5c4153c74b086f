import { hash } from 'node:crypto'
import { undeceptive } from '../text/visible.ts'

/** Text that is HTML already. */
class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type { Html }

type Part = string | Html | readonly Html[] | null

/**
 * A template of HTML: whatever is put in is escaped unless it is such a template itself; null is nothing. People decide by what they read,
 * so text shows the characters that hide or reorder it. An attribute keeps them: a form sends it back.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Part[]): Html {
  const shown = values.map((value, index) =>
    textOf(typeof value === 'string' && !parts[index]!.endsWith('="') ? undeceptive(value) : value),
  )
  return new Html(String.raw({ raw: parts }, ...shown))
}

/** Text that people copy, such as a secret: as it is, with what cannot be seen. */
export function exact(text: string): Html {
  return new Html(textOf(text))
}

function textOf(value: Part): string {
  if (value === null) return ''
  if (typeof value === 'string') return value.replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
  return value instanceof Html ? value.text : value.map(textOf).join('')
}

/** Colours, type and distances of the console (`ui/src/styles.css`). There is no script, so the theme is that of the system. */
const STYLE = `:root{color-scheme:light dark;
--page:light-dark(#ffffff,#0f1216);--raised:light-dark(#f6f7f9,#161a20);--line:light-dark(#e1e5ea,#2a313b);
--edge:light-dark(#7d8794,#6b7685);--text:light-dark(#14181f,#e8ebf0);--muted:light-dark(#56606e,#9aa5b4);
--accent:light-dark(#1f5fd0,#7aa9ff);--on-accent:light-dark(#ffffff,#0f1216);
--warn:light-dark(#8a5a00,#e0a83a);--warn-soft:light-dark(#fbf3e2,#2b2313);
--bad:light-dark(#c0262d,#ff7b7b);--bad-soft:light-dark(#fdecec,#301a1c)}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;padding:48px 16px;background:var(--raised);color:var(--text);font:14px/20px system-ui,sans-serif;overflow-wrap:anywhere}
header,main{max-width:448px;margin:0 auto}
header{display:flex;gap:8px;align-items:center;margin-bottom:16px;font-size:16px;line-height:24px;font-weight:600}
header svg{flex:none;fill:var(--accent)}
main{padding:24px;border:1px solid var(--line);border-radius:6px;background:var(--page)}
main>:last-child{margin-bottom:0}
h1{margin:0 0 16px;font-size:20px;line-height:28px;font-weight:600}
h2{margin:24px 0 8px;font-size:16px;line-height:24px;font-weight:600}
p,dl,fieldset{margin:0 0 16px}
a{color:var(--accent)}
form+form{margin-top:8px}
label{display:block;margin:0 0 16px;font-weight:500}
input{display:block;width:100%;min-height:32px;margin-top:4px;padding:4px 8px;border:1px solid var(--edge);border-radius:6px;background:var(--page);color:inherit;font:inherit;font-weight:400}
input[readonly]{background:var(--raised);color:var(--muted)}
fieldset{border:0;padding:0;min-width:0}
legend,dt{padding:0;color:var(--muted);font-size:13px;line-height:18px;font-weight:500}
.choice{display:flex;gap:8px;margin:0;padding:4px 0;font-weight:400}
.choice input{flex:none;width:16px;height:16px;min-height:0;margin:2px 0 0;accent-color:var(--accent)}
button,.button{display:inline-block;min-height:32px;padding:5px 12px;border:1px solid var(--accent);border-radius:6px;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:500;text-decoration:none;cursor:pointer}
.other,.button{border-color:var(--edge);background:var(--page);color:var(--text)}
button:not(:enabled){opacity:.5;cursor:not-allowed}
code{font:13px/20px ui-monospace,monospace}
dd{margin:0 0 8px}
.warning,.fault{padding:8px 12px;border-left:4px solid var(--warn);border-radius:6px;background:var(--warn-soft)}
.fault{border-color:var(--bad);background:var(--bad-soft)}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
@media (pointer:coarse),(max-width:639px){body{padding:16px}
main{padding:16px}
input,button,.button,.choice{min-height:44px}
button,.button{padding:11px 16px}
.choice{padding:12px 0}}`

/** The mark of Postern, as the console has it (`ui/src/app/icon.svg`). */
const MARK = new Html(
  '<svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true"><path fill-rule="evenodd" d="M7 2h18a5 5 0 0 1 5 5v23h-6V16a8 8 0 0 0-16 0v14H2V7a5 5 0 0 1 5-5z"/><path fill-rule="evenodd" opacity=".55" d="M11 30V16a5 5 0 0 1 5-5l4 2.2V30zm5.6-9.5a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z"/></svg>',
)

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
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${refresh === undefined ? null : html`<meta http-equiv="refresh" content="0;url=${refresh}">`}<title>${title} · Postern</title><style>${new Html(STYLE)}</style></head>
<body><header>${MARK} Postern</header>
<main id="main"><h1>${title}</h1>
${content}
</main></body></html>
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
