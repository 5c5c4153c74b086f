/**
 * Reads secrets from a vault over HTTP. The token of a login is only in the memory of the main thread, and is renewed before
 * its lease ends.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { Secret } from '../base/crypto/token.ts'
import { isPlain, type Plain } from '../base/json/plain.ts'
import type { FetchJson } from '../base/net/fetch-json.ts'
import { FetchFailure } from '../base/net/guarded-fetch.ts'

/** How the vault knows who asks: a token out of a file, or one that is had by a login. */
export type VaultProof = { readonly tokenFile: string } | VaultLogin

/** A login by what a file holds (methods AppRole and Kubernetes). */
interface VaultLogin {
  /** Where the method is mounted, such as `approle`. */
  readonly mount: string
  /** Members of the question that are no secret. */
  readonly named: Readonly<Record<string, string>>
  /** The member that proves it, and where that is read. */
  readonly member: string
  readonly file: string
}

/** Questions to a HashiCorp Vault or OpenBao. Rejects with a {@link FetchFailure}. */
export interface RemoteVault {
  /** The answer for a path. Only where there is nothing at this path the failure has the status 404. */
  read(path: string): Promise<Plain>
  /** Renews the token where its lease is about to end; to be called often. Never rejects. */
  keepUp(): Promise<void>
}

/** A token that was had by a login. Times are monotonic milliseconds; infinite where it has no lease. */
interface VaultToken {
  readonly text: Secret
  readonly madeAt: number
  /** Of the lease that the login gave. */
  readonly leaseMs: number
  isRenewable: boolean
  dueAt: number
  endsAt: number
}

/** A vault that could not be asked is left alone for as long. */
const RETRY_MS = 5000
/** A login that was refused is not repeated with the same proof for as long: vaults lock out who is refused often. */
const REFUSED_MS = 5 * 60_000
/** A path that is denied to a token younger than that is denied to the next one as well. */
const FRESH_MS = 60_000
/** A lease is renewed after that part of it. */
const DUE_PART = 2 / 3

/** @param url of the vault. */
export function createRemoteVault(
  url: string,
  proof: VaultProof,
  clock: Clock,
  fetchJson: FetchJson,
): RemoteVault {
  const ask = (path: string, token: Secret | null, json?: Plain): Promise<Plain> =>
    fetchJson({
      url: `${url.replace(/\/$/, '')}/v1/${path}`,
      from: 'typed',
      form: null,
      ...(json !== undefined && { json }),
      authorization: '',
      headers: { 'X-Vault-Request': 'true', ...(token !== null && { 'X-Vault-Token': token.reveal() }) },
    })

  // Agents renew it, so it is read each time.
  if ('tokenFile' in proof)
    return {
      read: async (path) => ask(path, new Secret(textOf(proof.tokenFile, 'the token file'))),
      keepUp: async () => {},
    }

  const { mount, named, member, file } = proof
  let token: VaultToken | null = null
  let flight: Promise<VaultToken> | null = null
  let failure: { readonly error: FetchFailure; readonly at: number; readonly refused: string | null } | null =
    null

  async function login(): Promise<VaultToken> {
    const text = textOf(file, 'the file with the proof of the login')
    const leftAloneMs = failure?.refused === null ? RETRY_MS : failure?.refused === text ? REFUSED_MS : 0
    if (failure !== null && clock.monotonic() - failure.at < leftAloneMs) throw failure.error
    try {
      const { auth } = await ask(`auth/${mount}/login`, null, { ...named, [member]: text })
      token = tokenFrom(auth, clock.monotonic())
      failure = null
      return token
    } catch (error) {
      const { message, status } = error as FetchFailure
      const isRefused = status === 400 || status === 401 || status === 403
      failure = {
        // Without its status: what is missing is not the secret that was asked for
        error: new FetchFailure(`the login: ${message}`),
        at: clock.monotonic(),
        refused: isRefused ? text : null,
      }
      throw failure.error
    }
  }

  /** One login for all that wait. */
  function another(): Promise<VaultToken> {
    flight ??= login().finally(() => {
      flight = null
    })
    return flight
  }

  async function current(): Promise<VaultToken> {
    return token !== null && clock.monotonic() < token.endsAt ? token : another()
  }

  /** A token in the place of one with which a question was denied; null where another would not help. */
  async function instead(denied: VaultToken): Promise<VaultToken | null> {
    if (token !== null && token !== denied) return token
    if (clock.monotonic() - denied.madeAt < FRESH_MS) return null
    const isAlive = await ask('auth/token/lookup-self', denied.text).then(
      () => true,
      (error: FetchFailure) => error.status !== 403,
    )
    return isAlive ? null : another()
  }

  async function renew(one: VaultToken): Promise<void> {
    const { auth } = await ask('auth/token/renew-self', one.text, {})
    const now = clock.monotonic()
    const { leaseMs } = tokenFrom(auth, now)
    one.endsAt = now + leaseMs
    one.dueAt = now + leaseMs * DUE_PART
    // It nears the end that no renewal moves
    if (leaseMs < one.leaseMs / 2) one.isRenewable = false
  }

  return {
    async read(path) {
      const one = await current()
      try {
        return await ask(path, one.text)
      } catch (error) {
        const other = (error as FetchFailure).status === 403 ? await instead(one) : null
        if (other === null) throw error
        return ask(path, other.text)
      }
    },
    async keepUp() {
      const one = token
      const now = clock.monotonic()
      if (one === null || now < one.dueAt || now >= one.endsAt) return
      one.dueAt = now + RETRY_MS
      try {
        if (one.isRenewable) await renew(one)
        else await another()
      } catch (error) {
        // It was revoked, or may not be renewed
        const { status } = error as FetchFailure
        if (status >= 400 && status < 500) one.isRenewable = false
      }
    },
  }
}

function tokenFrom(auth: unknown, now: number): VaultToken {
  const { client_token: text, lease_duration, renewable } = isPlain(auth) ? auth : {}
  if (typeof text !== 'string' || !/^[!-~]{1,8192}$/.test(text))
    throw new FetchFailure('the answer holds no token')
  const leaseMs = Number(lease_duration) > 0 ? Number(lease_duration) * 1000 : Number.POSITIVE_INFINITY
  return {
    text: new Secret(text),
    madeAt: now,
    leaseMs,
    isRenewable: renewable === true,
    dueAt: now + leaseMs * DUE_PART,
    endsAt: now + leaseMs,
  }
}

function textOf(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    throw new FetchFailure(`${what} cannot be read`)
  }
}
