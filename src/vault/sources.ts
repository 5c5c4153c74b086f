/**
 * Secrets that are stored elsewhere (environment, files, a vault). The main thread reads them, and seals them for the gateway
 * threads like those of the store. Only references are on disk.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { Secret } from '../base/crypto/token.ts'
import { isPlain, type Plain } from '../base/json/storable.ts'
import type { FetchJson } from '../base/net/fetch-json.ts'
import { FetchFailure } from '../base/net/guarded-fetch.ts'
import type { SecretReference } from '../model/api/secret.ts'

/** What a reference leads to now: the text, or why there is none, without any secret. */
type Found = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string }

/** Where referenced secrets are read: by the main thread alone. */
export interface SecretSources {
  /** What is known without waiting; null for a secret of a vault that was not asked for yet. */
  peek(reference: SecretReference): Found | null
  /** Asks the vault for what is due among the references. Never rejects; bounded in time. */
  refresh(references: readonly SecretReference[]): Promise<void>
}

export interface SourceSettings {
  /** Names of environment variables that may be read; `*` stands for any characters. */
  readonly envAllow: readonly string[]
  /** Null: no files. */
  readonly directory: string | null
  /** Null: no vault. */
  readonly vault: { readonly url: string; readonly proof: VaultProof } | null
}

/** A secret of a vault is asked for again after as long, or after its lease. */
const KEPT_MS = 5 * 60_000
/** After that, a good value is kept for as long while the vault cannot be asked. */
const OUTAGE_MS = 10 * 60_000
/** A vault that could not be asked is left alone for as long. */
const RETRY_MS = 5000
const FILE_BYTES_MAX = 64 * 1024

interface Kept {
  fields: Readonly<Record<string, unknown>> | null
  /** Monotonic: when to ask again, and until when `fields` may be used. */
  due: number
  until: number
  reason: string
  flight: Promise<void> | null
}

/** @param env Environment of the process; read anew at each look, so that it is what the process holds. */
export function createSecretSources(
  settings: SourceSettings,
  clock: Clock,
  fetchJson: FetchJson,
  env: Readonly<Record<string, string | undefined>> = process.env,
): SecretSources {
  const allowed = settings.envAllow.map(
    (pattern) => new RegExp(`^${pattern.replace(/[^A-Za-z0-9_*]/g, '').replaceAll('*', '.*')}$`),
  )
  const kept = new Map<string, Kept>()
  const vault =
    settings.vault === null
      ? null
      : createRemoteVault(settings.vault.url, settings.vault.proof, clock, fetchJson)

  function fromEnv(name: string): Found {
    if (!allowed.some((pattern) => pattern.test(name)))
      return missing(`the environment variable ${name} may not be read (POSTERN_SECRETS_ENV, --secrets-env)`)
    const text = env[name]
    return text === undefined || text === ''
      ? missing(`the environment variable ${name} is not set`)
      : { ok: true, text }
  }

  function fromVault({ path, field }: { path: string; field: string }): Found | null {
    if (vault === null) return missing('no vault is configured (POSTERN_VAULT_URL, --vault-url)')
    const entry = kept.get(path)
    if (entry === undefined) return null
    if (entry.fields === null || clock.monotonic() >= entry.until)
      return entry.reason === '' ? null : missing(`the vault: ${path}: ${entry.reason}`)
    const text = Object.hasOwn(entry.fields, field) ? entry.fields[field] : undefined
    return typeof text === 'string' && text !== ''
      ? { ok: true, text }
      : missing(`the vault: ${path} has no text ${field}`)
  }

  async function ask(entry: Kept, path: string, remote: RemoteVault) {
    try {
      const answer = await remote.read(path)
      const data = isPlain(answer['data']) ? answer['data']['data'] : undefined
      if (!isPlain(data)) throw new FetchFailure('the response is not a secret of version 2', 404)
      const lease = Number(answer['lease_duration'])
      const keptMs = lease > 0 ? Math.min(lease * 1000, KEPT_MS) : KEPT_MS
      const now = clock.monotonic()
      Object.assign(entry, { fields: data, due: now + keptMs, until: now + keptMs + OUTAGE_MS, reason: '' })
    } catch (error) {
      entry.reason = error instanceof FetchFailure ? error.message : 'it cannot be reached'
      entry.due = clock.monotonic() + RETRY_MS
      // A secret that was deleted is no outage.
      if (error instanceof FetchFailure && error.status === 404) entry.fields = null
    }
  }

  return {
    peek(reference) {
      if ('env' in reference) return fromEnv(reference.env)
      if ('file' in reference) return fromFile(settings.directory, reference.file)
      return fromVault(reference.vault)
    },
    async refresh(references) {
      if (vault === null) return
      const paths = new Set(references.flatMap((one) => ('vault' in one ? [one.vault.path] : [])))
      for (const [path, { flight }] of kept) if (flight === null && !paths.has(path)) kept.delete(path)
      if (paths.size === 0) return
      await Promise.all([
        vault.keepUp(),
        ...[...paths].map(async (path) => {
          let entry = kept.get(path)
          if (entry === undefined) {
            entry = { fields: null, due: 0, until: Number.POSITIVE_INFINITY, reason: '', flight: null }
            kept.set(path, entry)
          }
          if (entry.flight === null && clock.monotonic() < entry.due) return
          const asked = entry
          asked.flight ??= ask(asked, path, vault).finally(() => {
            asked.flight = null
          })
          await asked.flight
        }),
      ])
    },
  }
}

function missing(reason: string): Found {
  return { ok: false, reason }
}

/** A file of the directory itself; links that lead out of it are followed by nobody. */
function fromFile(directory: string | null, name: string): Found {
  if (directory === null)
    return missing('no secrets directory is configured (POSTERN_SECRETS_DIR, --secrets-dir)')
  try {
    const home = realpathSync(directory)
    const file = realpathSync(join(home, name))
    if (!file.startsWith(home + sep)) return missing(`the file ${name} is outside of the secrets directory`)
    const facts = statSync(file)
    if (!facts.isFile() || facts.size > FILE_BYTES_MAX)
      return missing(`${name} is not a file of at most ${FILE_BYTES_MAX} bytes`)
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? missing(`the file ${name} is empty`) : { ok: true, text }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    return missing(`the file ${name} cannot be read (${code})`)
  }
}

// Reads secrets from a vault over HTTP. The token of a login is only in the memory of the main thread, and is renewed before
// its lease ends.

/** How the vault knows who asks: a token out of a file, or one that is had by a login. */
type VaultProof = { readonly tokenFile: string } | VaultLogin

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
interface RemoteVault {
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

/** A login that was refused is not repeated with the same proof for as long: vaults lock out who is refused often. */
const REFUSED_MS = 5 * 60_000
/** A path that is denied to a token younger than that is denied to the next one as well. */
const FRESH_MS = 60_000
/** A lease is renewed after that part of it. */
const DUE_PART = 2 / 3

/** @param url of the vault. */
function createRemoteVault(url: string, proof: VaultProof, clock: Clock, fetchJson: FetchJson): RemoteVault {
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
    throw new FetchFailure('the response contains no token')
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
