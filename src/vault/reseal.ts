/**
 * Seals the store with a new key. The new key is written to the key file, then given to the threads, then the store is sealed
 * in one transaction. Old keys leave the file when the threads and `serving.db` have the new one. The canary, sealed in the
 * same transaction, tells a later start whether the transaction has happened.
 */
import { setImmediate } from 'node:timers/promises'
import { CannotStart } from '../base/refusal.ts'
import type { ConfigReader, ConfigStore, ConfigWriter, StoredSecret } from '../store/ports/config.ts'
import { keyIdOf, loadKeys, saveKeys } from './keys.ts'
import { CannotRotate, createVault, type KeyStore, type Vault } from './vault.ts'

/** Name of the known text that is sealed with everything else, and last: it tells which key seals. */
export const CANARY = 'vault_canary'

/** Secrets that are sealed at a stretch; then whoever waits for the main thread gets a turn. */
const STRETCH = 200

export interface Resealed {
  readonly count: number
  /** Resources whose secrets were sealed anew. */
  readonly owners: ReadonlySet<string>
  /** Stored secrets that no key opens; they stay as they are. */
  readonly closed: readonly StoredSecret[]
}

/** True when a key was added and not everything has been sealed with it. */
export async function isRotationUnfinished(
  reader: ConfigReader,
  vault: Pick<Vault, 'isCurrent'>,
): Promise<boolean> {
  const canary = await reader.meta(CANARY)
  return canary !== undefined && !vault.isCurrent(canary)
}

/** Seals everything in the store with the first key, inside of a transaction. */
export async function resealSecrets(writer: ConfigWriter, vault: Vault): Promise<Resealed> {
  const owners = new Set<string>()
  const closed: StoredSecret[] = []
  let count = 0
  for (const [index, secret] of (await writer.secrets()).entries()) {
    if (index % STRETCH === STRETCH - 1) await setImmediate()
    if (vault.isCurrent(secret.sealed)) continue
    const sealed = resealed(secret, vault)
    if (sealed === null) {
      closed.push(secret)
      continue
    }
    await writer.putSecret({ ...secret, sealed })
    owners.add(secret.owner)
    count++
  }
  for (const { id } of await writer.pendingChangeRequests()) {
    const whole = await writer.changeRequest(id)
    const sealed = whole?.sealed ?? null
    if (whole === undefined || sealed === null || vault.areArgumentsCurrent(sealed, id)) continue
    const anew = resealedArguments(sealed, id, vault)
    // What no key opens can be rejected alone
    if (anew !== null) await writer.putChangeRequest({ ...whole, sealed: anew })
  }
  const before = await writer.meta(CANARY)
  await writer.setMeta(CANARY, vault.canary(before !== undefined && !vault.saysKeyed(before)))
  return { count, owners, closed }
}

function resealed(
  { sealed, owner, field }: Pick<StoredSecret, 'sealed' | 'owner' | 'field'>,
  vault: Vault,
): string | null {
  try {
    return vault.seal(vault.open(sealed, owner, field), owner, field)
  } catch {
    // Damaged, or its key is lost: it was closed to every thread before.
    return null
  }
}

function resealedArguments(sealed: string, request: string, vault: Vault): string | null {
  try {
    return vault.sealArguments(vault.openArguments(sealed, request), request)
  } catch {
    return null
  }
}

// Opens the vault of a data directory.

/** As {@link openVault}, with no store to hold the key against; secrets that it does not open fail closed. */
export function openVaultAlone(keyFile: string): Vault {
  return createVault(loadKeys(keyFile, false), keyStore(keyFile))
}

/**
 * Opens the vault of a data directory, making the key file on first start. When the first key is not the one that
 * seals, because a rotation was cut off or somebody put a key before it, everything is sealed with it now.
 * Throws CannotStart when the file is missing after the first start, unreadable, open to others, malformed, or does
 * not hold the key the data is sealed with.
 */
export async function openVault(store: ConfigStore, keyFile: string): Promise<Vault> {
  const canary = await store.read.meta(CANARY)
  const vault = createVault(loadKeys(keyFile, canary === undefined), keyStore(keyFile))
  if (canary === undefined) await store.write((writer) => writer.setMeta(CANARY, vault.canary()))
  else if (!vault.opensCanary(canary))
    throw new CannotStart(
      `The key file ${keyFile} does not hold the key ${keyIdOf(canary)} that the secrets are sealed with; restore the right file, or set POSTERN_KEY_FILE.`,
    )
  else if (await isRotationUnfinished(store.read, vault))
    await store.write(async (writer) => {
      await resealSecrets(writer, vault)
      // They hold what was sealed before
      await writer.doubtFragments()
    })
  return vault
}

/**
 * Whether a key file holds the key that a known text was sealed with. Throws CannotStart when the file is missing,
 * unreadable, open to others or malformed.
 */
export function opensCanaryOf(keyFile: string, canary: string): boolean {
  return openVaultAlone(keyFile).opensCanary(canary)
}

/** The canary as the proof that the audit trail of its store has keyed links. */
export function keyedProofOf(vault: Vault): {
  isThere(reader: ConfigReader): Promise<boolean>
  put(writer: ConfigWriter): Promise<void>
} {
  return {
    async isThere(reader) {
      const canary = await reader.meta(CANARY)
      return canary !== undefined && vault.saysKeyed(canary)
    },
    put: (writer) => writer.setMeta(CANARY, vault.canary()),
  }
}

function keyStore(file: string): KeyStore {
  const attempt = <T>(work: () => T, what: string): T => {
    try {
      return work()
    } catch (error) {
      const reason = (error as Error).message
      throw new CannotRotate(error instanceof CannotStart ? reason : `${what}: ${reason}.`, { cause: error })
    }
  }
  return {
    load: () => attempt(() => loadKeys(file, false), `The key file ${file} cannot be read`),
    save: (ring) =>
      attempt(
        () => saveKeys(file, ring),
        `The key file ${file} cannot be replaced; make its directory writable, or put a new key first in it by hand and start again`,
      ),
  }
}
