/**
 * Seals the store with a new key. The new key is written to the key file, then given to the threads, then the store is sealed
 * in one transaction. Old keys leave the file when the threads and `serving.db` have the new one. The canary, sealed in the
 * same transaction, tells a later start whether the transaction has happened.
 */
import { setImmediate } from 'node:timers/promises'
import type { ConfigReader, ConfigWriter, StoredSecret } from '../store/ports/config.ts'
import type { Vault } from './vault.ts'

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
