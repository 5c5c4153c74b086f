import { z } from 'zod'
import { SealingKey } from '../../model/members.ts'
import { keyIdOf } from '../../vault/envelope.ts'
import { define } from '../engine/define.ts'

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
