/**
 * The signing keys of the authorization server. A key is replaced after 90 days, and forgotten when nothing that it has
 * signed is valid any more.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { JWK } from 'oidc-provider'
import type { Clock } from '../../base/clock.ts'
import { readJwk } from '../../base/crypto/jws.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { OAuthKey, OAuthWriter } from '../../store/ports/oauth.ts'
import type { Sealed } from './adapter.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Age at which a key is replaced. */
const KEY_AGE_MS = 90 * DAY_MS
/** For which a replaced key still proves: longer than anything lives that it has signed. */
const KEPT_MS = DAY_MS

export const SIGNING_ALG = 'ES256'

/** The keys in force, the newest first. */
export interface ServerKeys {
  readonly signing: readonly JWK[]
  readonly cookies: readonly string[]
  /** Differs when they do. */
  readonly version: string
}

/** The keys; made when there are none, replaced when they are old, and forgotten when nothing rests on them. */
export async function currentKeys(store: ConfigStore, sealed: Sealed, clock: Clock): Promise<ServerKeys> {
  const now = clock.now()
  let stored = await store.read.oauth.keys()
  if (isDue(stored, now)) {
    stored = await store.writeOAuth(async (oauth) => {
      // Asked again inside of the turn: two requests may have come at once
      if (isDue(await oauth.keys(), now)) await replaceKeys(oauth, sealed, now)
      return oauth.keys()
    })
  }
  const newest = [...stored].reverse()
  const open = (purpose: OAuthKey['purpose']): string[] =>
    newest
      .filter((key) => key.purpose === purpose)
      .map((key) => sealed.open(key.sealed, `${purpose} key`, key.id))
  return {
    signing: open('signing').map((text) => JSON.parse(text) as JWK),
    cookies: open('cookies'),
    version: newest.map(({ id }) => id).join(' '),
  }
}

function isDue(stored: readonly OAuthKey[], now: number): boolean {
  const current = stored.filter(({ retired_at }) => retired_at === null)
  return (
    current.length === 0 ||
    current.some(({ created_at }) => created_at + KEY_AGE_MS <= now) ||
    stored.some(({ retired_at }) => retired_at !== null && retired_at + KEPT_MS <= now)
  )
}

/** Makes new keys where there are none in force, or they are old. */
async function replaceKeys(writer: OAuthWriter, sealed: Sealed, now: number): Promise<void> {
  const stored = await writer.keys()
  for (const { id, retired_at } of stored)
    if (retired_at !== null && retired_at + KEPT_MS <= now) await writer.removeKey(id)
  for (const purpose of ['signing', 'cookies'] as const) {
    const current = stored.filter((key) => key.purpose === purpose && key.retired_at === null)
    const isFresh = current.some(({ created_at }) => created_at + KEY_AGE_MS > now)
    if (isFresh) continue
    for (const key of current) await writer.putKey({ ...key, retired_at: now })
    await writer.putKey(purpose === 'signing' ? makeSigningKey(sealed, now) : makeCookieKey(sealed, now))
  }
}

function makeSigningKey(sealed: Sealed, now: number): OAuthKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { d, ...jwk } = privateKey.export({ format: 'jwk' })
  const { id } = readJwk({ ...jwk, alg: SIGNING_ALG, use: 'sig' })
  const open = { ...jwk, kid: id, alg: SIGNING_ALG, use: 'sig' }
  return {
    id,
    purpose: 'signing',
    public: JSON.stringify(open),
    sealed: sealed.seal(JSON.stringify({ ...open, d }), 'signing key', id),
    created_at: now,
    retired_at: null,
  }
}

function makeCookieKey(sealed: Sealed, now: number): OAuthKey {
  const id = `cookies-${randomBytes(12).toString('base64url')}`
  const key = randomBytes(32).toString('base64url')
  return {
    id,
    purpose: 'cookies',
    public: null,
    sealed: sealed.seal(key, 'cookies key', id),
    created_at: now,
    retired_at: null,
  }
}
