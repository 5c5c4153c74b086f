/** The private socket for the CLI of the same user. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { z } from 'zod'
import type { IssuedLink } from '../access/set-up-links.ts'
import type { AccessTokens } from '../access/tokens.ts'
import { type Clock, toMs, toTime } from '../base/clock.ts'
import { Secret } from '../base/crypto/token.ts'
import { toInputInvalid } from '../base/json/fault.ts'
import { demandStorable } from '../base/json/storable.ts'
import { Refusal, refuse, toProblem } from '../base/refusal.ts'
import { ROLES } from '../model/access/access.ts'
import { Duration } from '../model/members.ts'
import { SET_UP_PATH } from '../oauth/sign-in/pages.ts'

/** Longest life of a break-glass token, milliseconds. */
const TTL_MS_MAX = 24 * 60 * 60 * 1000

const BODY_BYTES_MAX = 16_384

/** What the command line of the same user may ask the running process. */
const TokenRequest = z.strictObject({
  role: z.enum(ROLES).optional().describe('Role for all resources'),
  grants: z
    .array(z.string().max(2000))
    .min(1)
    .max(20)
    .optional()
    .describe('Such as modifier:proxies@payments'),
  ttl: Duration.refine((ttl) => toMs(ttl) <= TTL_MS_MAX, 'at most 24h'),
  name: z.string().trim().min(1).max(120).default('local command line'),
  /** `local_token` when a command made it for itself. */
  method: z.enum(['access_token', 'local_token']).default('access_token'),
})
export type TokenRequest = z.input<typeof TokenRequest>

export interface IssuedToken {
  readonly token: string
  readonly expires_at: string
}

export interface LocalParts {
  /** Takes what was asked as it came, and refuses with input_invalid. */
  readonly issue: (asked: unknown) => Promise<IssuedToken>
  /** As `issue`, for a set-up link. */
  readonly reset: (asked: unknown) => Promise<SetUpLink>
  readonly info: () => Readonly<Record<string, unknown>>
}

/** Reads a token request; refuses with input_invalid. */
export function parseTokenRequest(input: unknown): {
  grants: readonly string[]
  ttlMs: number
  name: string
  method: 'access_token' | 'local_token'
} {
  demandStorable(input)
  const parsed = TokenRequest.safeParse(input)
  if (!parsed.success) throw toInputInvalid(parsed.error)
  const { role, grants, ttl, name, method } = parsed.data
  if ((role === undefined) === (grants === undefined))
    throw refuse('input_invalid', {
      detail: 'Give the permissions of the token as either role or grants.',
      errors: [{ pointer: '/role', reason: role === undefined ? 'required' : 'not together with grants' }],
    })
  return { grants: grants ?? [role!], ttlMs: toMs(ttl), name, method }
}

/** The private socket for the same user's command line: `POST /token`, `POST /admin/reset`, `GET /info`. Opening it is the proof. */
export function createLocalListener(parts: LocalParts): RequestListener {
  return (request, response) => {
    answer(parts, request)
      .catch((error: unknown) => {
        const refusal = error instanceof Refusal ? error : refuse('internal_error')
        return { status: refusal.status, body: toProblem(refusal, '') }
      })
      .then(({ status, body }) => send(response, status, body))
      .catch(() => response.destroy())
  }
}

async function answer(
  parts: LocalParts,
  request: IncomingMessage,
): Promise<{ status: number; body: unknown }> {
  if (request.method === 'GET' && request.url === '/info') return { status: 200, body: parts.info() }
  if (request.method === 'POST' && request.url === '/token')
    return { status: 201, body: await parts.issue(await readJson(request)) }
  if (request.method === 'POST' && request.url === '/admin/reset')
    return { status: 201, body: await parts.reset(await readJson(request)) }
  throw refuse('not_found')
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const piece of request.setEncoding('utf8') as AsyncIterable<string>) {
    text += piece
    if (text.length > BODY_BYTES_MAX) throw refuse('body_too_large')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw refuse('payload_rejected')
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

// Set-up links as they are printed.

/** A set-up link as it is printed. */
export interface SetUpLink {
  readonly url: string
  readonly expires_at: string
}

/** Where a person opens a set-up link. */
export function setUpUrl(origin: string, token: string): string {
  return `${origin}${SET_UP_PATH}?token=${token}`
}

/** A link that was issued, as it is shown once. */
export function toSetUpLink(origin: string, { token, expiresAt }: IssuedLink): SetUpLink {
  return { url: setUpUrl(origin, token), expires_at: toTime(expiresAt) }
}

const ResetRequest = z.strictObject({
  user: z.string().min(1).max(254).nullable().default(null).describe('Slug or email of a local user'),
})

/** For whom a link is asked; null for a new administrator. Refuses with input_invalid. */
export function parseReset(input: unknown): string | null {
  demandStorable(input)
  const parsed = ResetRequest.safeParse(input)
  if (!parsed.success) throw toInputInvalid(parsed.error)
  return parsed.data.user
}

// Tokens for callers that can open the private socket.

/**
 * Issues tokens to whoever may open the private socket. The token that a command makes for itself is given to the
 * next command too, as long as half of its life is left: a script of a hundred commands then leaves one audit entry
 * of a token among those of its changes. It is kept in the memory of this process alone. Refuses with input_invalid.
 */
export function createLocalTokens(
  tokens: AccessTokens,
  clock: Clock,
): (input: unknown) => Promise<IssuedToken> {
  // Of one kind at a time: the command line always asks for the same.
  let kept: { readonly key: string; readonly token: Secret; readonly expiresAt: number } | undefined

  async function holds(token: string): Promise<boolean> {
    return tokens.verify(token).then(
      () => true,
      () => false,
    )
  }

  return async (input) => {
    const { grants, ttlMs, name, method } = parseTokenRequest(input)
    const key = JSON.stringify([grants, ttlMs, name])
    if (method === 'local_token' && kept?.key === key && kept.expiresAt - clock.now() >= ttlMs / 2) {
      const { expiresAt } = kept
      const token = kept.token.reveal()
      if (await holds(token)) return { token, expires_at: toTime(expiresAt) }
    }
    const { token, expiresAt } = await tokens.issue({ grants, ttlMs, name, method, surface: 'cli' })
    if (method === 'local_token') kept = { key, token: new Secret(token), expiresAt }
    return { token, expires_at: toTime(expiresAt) }
  }
}
