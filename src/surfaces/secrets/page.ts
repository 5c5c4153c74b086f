import { toTime } from '../../base/clock.ts'
import type { Secret } from '../../base/secret.ts'
import type { LinkFacts, SecretLinks } from '../../operations/secret-links.ts'

/** Below it lie the pages of one-time links. */
export const SECRETS_ROOT = '/management/secrets/'

export interface PageRequest {
  readonly method: string
  readonly path: string
  readonly ip: string | null
  readonly userAgent: string | null
  readonly requestId: string
}

export interface PageAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Nothing of it is kept, sent on as a referrer, framed, or able to load anything. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy':
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex, nofollow',
  'cross-origin-opener-policy': 'same-origin',
}

/**
 * The page of a one-time link: GET tells what it holds, and a button shows that by POST, once. What merely follows links,
 * such as a preview in a chat, spends nothing.
 * @param fault told why a link could not be opened, which leaves it as it was
 */
export async function answerSecretPage(
  links: SecretLinks,
  request: PageRequest,
  fault: (error: unknown, requestId: string) => void,
): Promise<PageAnswer> {
  const { method, path } = request
  const token = path.slice(SECRETS_ROOT.length)
  if (method === 'GET' || method === 'HEAD') {
    const facts = links.look(token)
    if (facts === null) return gone(request)
    return page(200, request, 'A secret for you', [...described(facts), OFFER])
  }
  if (method !== 'POST') {
    const refused = page(405, request, 'Open the link in a browser', [])
    return { ...refused, headers: { ...refused.headers, allow: 'GET, HEAD, POST' } }
  }
  const facts = links.look(token)
  if (facts === null) return gone(request)
  let secret: Secret | null
  try {
    secret = await links.open(token, request)
  } catch (error) {
    fault(error, request.requestId)
    return page(503, request, 'Try again', ['<p>It could not be opened now, and is still there.</p>'])
  }
  if (secret === null) return gone(request)
  return page(200, request, 'Your secret', [
    ...described(facts),
    `<p><code>${escaped(secret.reveal())}</code></p>`,
    '<p>Keep it now: this was the only time.</p>',
  ])
}

const OFFER =
  '<p>It is shown once.</p>\n<form method="post"><button type="submit">Show the secret</button></form>'

function described({ subject, member, principal, expiresAt }: LinkFacts): string[] {
  const what = `${member.replaceAll('_', ' ')} of ${subject.type.replaceAll('_', ' ')} ${subject.slug ?? subject.id ?? ''}`
  return [
    `<p>The ${escaped(what.trim())}, made for ${escaped(principal.name)}. The link ends at ${toTime(expiresAt)}.</p>`,
  ]
}

function gone(request: PageRequest): PageAnswer {
  return page(404, request, 'This link opens nothing', [
    '<p>It was opened before, its time is over, or it was not copied whole. If nobody you know opened it, rotate the secret.</p>',
  ])
}

function page(
  status: number,
  { method, requestId }: PageRequest,
  title: string,
  lines: readonly string[],
): PageAnswer {
  const html = [
    '<!doctype html>',
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Postern</title></head>',
    `<body><main>\n<h1>${title}</h1>`,
    ...lines,
    '</main></body>',
    '</html>\n',
  ].join('\n')
  return { status, headers: { ...HEADERS, 'x-request-id': requestId }, body: method === 'HEAD' ? '' : html }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!)
}
