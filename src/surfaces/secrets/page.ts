import { toTime } from '../../base/clock.ts'
import { DOORS } from '../../base/doors.ts'
import { exact, type Html, html, pageHeaders, pageText } from '../../base/http/page.ts'
import { inWords } from '../../model/resource-types.ts'
import type { LinkFacts, SecretLinks } from '../../operations/engine/resource-secrets.ts'

/** Below it lie the pages of one-time links. */
export const SECRETS_ROOT = `${DOORS.secretPages.path}/`

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

/** Nothing of it is found by a search, or reached by the page that led to it. */
const HEADERS: Readonly<Record<string, string>> = {
  ...pageHeaders({}),
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
  try {
    return await answered(links, request)
  } catch (error) {
    fault(error, request.requestId)
    return page(
      503,
      request,
      'Try again',
      html`<p>The secret could not be opened. Try again in a moment. If the link does not work then, rotate the secret.</p>`,
    )
  }
}

async function answered(links: SecretLinks, request: PageRequest): Promise<PageAnswer> {
  const { method, path } = request
  const token = path.slice(SECRETS_ROOT.length)
  if (method === 'GET' || method === 'HEAD') {
    const facts = await links.look(token)
    if (facts === null) return gone(request)
    return page(200, request, 'A secret for you', html`${described(facts)}${OFFER}`)
  }
  if (method !== 'POST') {
    const refused = page(405, request, 'Open the link in a browser', html``)
    return { ...refused, headers: { ...refused.headers, allow: 'GET, HEAD, POST' } }
  }
  const facts = await links.look(token)
  if (facts === null) return gone(request)
  const secret = await links.open(token, request)
  if (secret === null) return gone(request)
  return page(
    200,
    request,
    'Your secret',
    html`${described(facts)}<p><code>${exact(secret.reveal())}</code></p>
<p>Store it now: it cannot be shown again.</p>`,
  )
}

const OFFER = html`<p>The secret is shown only once.</p>
<form method="post"><button type="submit">Show the secret</button></form>`

function described({ subject, member, principal, expiresAt }: LinkFacts): Html {
  const what = `${member.replaceAll('_', ' ')} of ${inWords(subject.type)} ${subject.slug ?? subject.id ?? ''}`
  return html`<p>The ${what.trim()}, made for ${principal.name}. The link ends at ${toTime(expiresAt)}.</p>
`
}

function gone(request: PageRequest): PageAnswer {
  return page(
    404,
    request,
    'This link does not work',
    html`<p>The link was already used, has expired, or was not copied completely. If nobody you know has opened it, rotate the secret.</p>`,
  )
}

function page(status: number, { method, requestId }: PageRequest, title: string, content: Html): PageAnswer {
  const body = method === 'HEAD' ? '' : pageText({ title, content })
  return { status, headers: { ...HEADERS, 'x-request-id': requestId }, body }
}
