import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { SealingKey } from '../../model/members.ts'
import { keyIdOf } from '../../vault/keys.ts'
import { isRotationUnfinished } from '../../vault/reseal.ts'
import { CannotRotate } from '../../vault/vault.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'

export const rotateKeys = define({
  resource: 'keys',
  action: 'rotate',
  effect: 'act',
  tool: 'rotate_keys',
  group: 'manage_keys',
  summary:
    'Encrypt every secret with a new key without downtime and remove the old keys. Also replaces the signing key of access tokens. Completes an interrupted rotation. Without keep_old, only a copy of the old key file can restore an older backup',
  input: z.strictObject({
    keep_old: z
      .boolean()
      .default(false)
      .describe(
        'Keep the old keys in the key file, to restore older backups with it. Otherwise only a copy of the old key file can restore them',
      ),
  }),
  output: z.object({
    key: z.string().nullable().describe('Key that encrypts from now on; null in a dry run'),
    resealed: z.int().describe('Number of secrets encrypted again'),
    dropped: z
      .array(z.string())
      .describe('Keys that were removed from the key file, because nothing is encrypted with them any more'),
    leaving: z
      .array(z.string())
      .describe(
        'Keys that are still in the key file, because a gateway thread has not confirmed the change yet or the file could not be replaced. The next rotation removes them. For a dry run: all keys that would be removed',
      ),
    closed: z
      .array(z.string())
      .describe(
        'Secrets that no key can decrypt, as owner and field: set them again. Their keys stay in the file',
      ),
  }),
  permission: 'keys:rotate',
  refuses: ['key_file_unusable', 'nodes_running', 'idempotency_conflict'],
  columns: [],
  unscoped: true,
  subject: (_input, output) => ({ type: 'key', id: output?.key ?? null, slug: null }),
  handle: async ({ keep_old }, context) => {
    const { change, reader, vault } = context
    await demandAlone(context)
    if (change.mustWait('keys') || context.options.dryRun === true) return foretell(keep_old, context)
    const before = vault.keys().map(({ id }) => id)
    if (!(await isRotationUnfinished(reader, vault))) {
      attempt(() => vault.addKey())
      change.noteBeside({ op: 'replace', path: '/keys/first', from: before[0], value: vault.keys()[0]!.id })
    }
    await change.secrets.retireOAuthKeys()
    const [first, ...old] = vault.keys().map(({ id }) => id)
    const { count, closed } = await change.secrets.resealAll()
    const needed = new Set(closed.map(({ sealed }) => keyIdOf(sealed)))
    const leaving = keep_old ? [] : old.filter((id) => !needed.has(id))
    for (const id of leaving) change.noteBeside({ op: 'add', path: '/keys/leaving/-', value: id })
    // Only now: until every thread and the last known configuration hold what was sealed anew, the old keys open it.
    if (leaving.length > 0)
      change.afterwards(() => {
        vault.dropKeys(leaving)
        return { dropped: leaving, leaving: [] }
      })
    return {
      key: first!,
      resealed: count,
      dropped: [],
      leaving,
      closed: closed.map(({ owner, field }) => `${owner} ${field}`),
    }
  },
})

/** Other nodes could not decrypt what is encrypted with a key that their key files lack. */
async function demandAlone({ nodes }: OperationContext): Promise<void> {
  const { rows, self } = await nodes.read()
  const names = rows.filter(({ id }) => id !== self).map(({ name }) => name)
  if (names.length === 0) return
  throw refuse('nodes_running', {
    detail: `Other nodes use the database: ${names.join(', ')}. Each has a key file of its own, which would lack the new key. Stop these nodes, rotate, copy the key file to them, and start them.`,
  })
}

/** What it would do; a new key is not made, as it could not be unmade. */
async function foretell(keepOld: boolean, { change, reader, vault }: OperationContext) {
  const { length } = await reader.secrets()
  change.noteBeside({ op: 'replace', path: '/secrets', value: length })
  const leaving = keepOld ? [] : vault.keys().map(({ id }) => id)
  for (const id of leaving) change.noteBeside({ op: 'add', path: '/keys/leaving/-', value: id })
  return { key: null, resealed: length, dropped: [], leaving, closed: [] }
}

/** What keeps the key file from being changed is for whoever keeps it. */
function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof CannotRotate)) throw error
    throw refuse('key_file_unusable', { detail: error.message })
  }
}

export const listKeys = define({
  resource: 'keys',
  action: 'list',
  effect: 'read',
  tool: 'list_keys',
  group: 'manage_keys',
  summary: 'List the encryption keys and the number of secrets that each one encrypts',
  input: z.strictObject({}),
  output: z.object({ items: z.array(SealingKey), next_cursor: z.null() }),
  permission: 'keys:read',
  refuses: [],
  columns: ['id', 'fingerprint', 'seals', 'secrets'],
  unscoped: true,
  subject: () => ({ type: 'key', id: null, slug: null }),
  handle: async (_input, { reader, vault }) => {
    const sealed = Map.groupBy(await reader.secrets(), (secret) => keyIdOf(secret.sealed))
    const items = vault.keys().map(({ id, fingerprint }, index) => ({
      id,
      fingerprint,
      seals: index === 0,
      secrets: sealed.get(id)?.length ?? 0,
    }))
    return { items, next_cursor: null }
  },
})
