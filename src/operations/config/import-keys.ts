import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import type { Plain } from '../../base/json/storable.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { MadeKey } from '../../import/converted.ts'
import { fromKong, isKong } from '../../import/kong/kong.ts'
import { DOCUMENT_BYTES_MAX, readConfiguration } from '../../import/text/configuration.ts'
import { tooMuchToRead } from '../../import/text/plain-data.ts'
import { confidential } from '../../model/annotations.ts'
import type { Job } from '../engine/apart.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { readUnread, type UnreadDocument } from '../engine/unread.ts'
import { importInto } from '../profiles/import.ts'
import { type ImportedKey, ImportedKeys, SetName } from './schemas.ts'

/** Keys that one call imports: each is a write, and others wait for it. */
const KEYS_MAX = 20_000

/** Keys that stand in the configuration of another program become tokens of the profiles that its conversion has made. */
export const importKeys = define({
  resource: 'config',
  action: 'import_keys',
  effect: 'act',
  tool: null,
  group: 'manage_config',
  summary:
    'Import the keys in a configuration of Kong as tokens of the profiles that its converted documents made. Apply the documents first',
  input: z.strictObject({
    document: confidential(
      'document',
      z.union([z.string().max(DOCUMENT_BYTES_MAX), z.looseObject({})]),
    ).describe('The configuration, as it was converted'),
    managed_by: SetName.describe(
      'The set that the converted documents were applied as: profiles of other sets get no key',
    ),
  }),
  output: ImportedKeys,
  permission: 'profiles:rotate',
  refuses: ['document_invalid', 'configuration_invalid', 'idempotency_conflict'],
  idempotent: true,
  itemwise: true,
  large: true,
  inMemory: true,
  columns: ['keys.result', 'keys.key', 'keys.profile', 'keys.reason'],
  subject: ({ managed_by }) => ({ type: 'config', id: null, slug: managed_by }),
  prepare: async ({ document, managed_by }, { apart }) => ({
    keys: await apart(keysOfDocument, { document }),
    managed_by,
  }),
  handle: async ({ keys, managed_by }, context) => {
    // Each profile has an entry of its own in the trail
    context.change.planId = newId('pln', context.clock)
    const tried: ImportedKey[] = []
    for (const key of keys) {
      tried.push(await importOne(key, managed_by, context))
      await yieldThread(tried.length)
    }
    const count = (result: string): number => tried.filter((one) => one.result === result).length
    const [imported, present, left_out] = [count('imported'), count('present'), count('left_out')]
    context.change.finding = `Imported ${imported} keys, left ${present} as they were, left out ${left_out}.`
    return { imported, present, left_out, keys: tried }
  },
})

async function importOne(
  { client, profile: slug, clientName, name, text }: MadeKey,
  owner: string,
  context: OperationContext,
): Promise<ImportedKey> {
  const item = { key: name, profile: `${client}:${slug}` }
  const leftOut = (reason: string) => ({ ...item, result: 'left_out' as const, reason })
  const profile = await profileOf(item.profile, context)
  if (profile === null) return leftOut('there is no such profile: apply the converted documents first')
  if (profile.managed_by !== owner) return leftOut(`the set ${owner} does not manage the profile`)
  const parent = await context.whole.byId('clients', profile.parent ?? '')
  // The file may have changed since it was converted: a key is never given to another client
  if (parent?.spec.name !== clientName)
    return leftOut('its client has another name: convert and apply the file again')
  const imported = await importInto(await context.change.actOn(profile), text, context)
  if (!imported.ok) return leftOut(imported.reason)
  return { ...item, result: imported.isNew ? 'imported' : 'present', reason: '' }
}

async function profileOf(ref: string, context: OperationContext) {
  try {
    return await getRef(context.reader, 'profiles', ref)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'not_found') return null
    throw error
  }
}

interface Asked {
  readonly document: string | Plain | UnreadDocument
}

/** The keys of a configuration: a small file may hold very many, and is read apart as for its conversion. */
export const keysOfDocument: Job<Asked, MadeKey[]> = {
  name: 'config.keys',
  tooMuch: tooMuchToRead,
  run: async ({ document }) => {
    const read = await readConfiguration(readUnread(document))
    if (!isKong(read))
      throw refuse('document_invalid', {
        detail: 'It is not a declarative configuration of Kong (_format_version is missing).',
        errors: [{ pointer: '', reason: '_format_version is missing' }],
      })
    const { keys = [] } = fromKong(read)
    if (keys.length > KEYS_MAX)
      throw refuse('document_invalid', {
        detail: `It has ${keys.length} keys; one call imports at most ${KEYS_MAX}. Import it in pieces.`,
        errors: [{ pointer: '', reason: `more than ${KEYS_MAX} keys` }],
      })
    return [...keys]
  },
}
