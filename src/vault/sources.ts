/**
 * Secrets that are stored elsewhere (environment, files, a vault). The main thread reads them, and seals them for the gateway
 * threads like those of the store. Only references are on disk.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { isPlain } from '../base/json/plain.ts'
import type { FetchJson } from '../base/net/fetch-json.ts'
import { FetchFailure } from '../base/net/guarded-fetch.ts'
import type { SecretReference } from '../model/api/secret.ts'
import { createRemoteVault, type RemoteVault, type VaultProof } from './remote-vault.ts'

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
      if (!isPlain(data)) throw new FetchFailure('the answer is no secret of version 2', 404)
      const lease = Number(answer['lease_duration'])
      const keptMs = lease > 0 ? Math.min(lease * 1000, KEPT_MS) : KEPT_MS
      const now = clock.monotonic()
      Object.assign(entry, { fields: data, due: now + keptMs, until: now + keptMs + OUTAGE_MS, reason: '' })
    } catch (error) {
      entry.reason = error instanceof FetchFailure ? error.message : 'it cannot be asked'
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
    if (!file.startsWith(home + sep)) return missing(`the file ${name} leads out of the secrets directory`)
    const facts = statSync(file)
    if (!facts.isFile() || facts.size > FILE_BYTES_MAX)
      return missing(`the file ${name} is no file of at most ${FILE_BYTES_MAX} bytes`)
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? missing(`the file ${name} is empty`) : { ok: true, text }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    return missing(`the file ${name} cannot be read (${code})`)
  }
}
