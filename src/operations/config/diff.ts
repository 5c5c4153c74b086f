import { z } from 'zod'
import { canonicalJson } from '../../base/canonical.ts'
import type { Fields } from '../../store/ports/resource.ts'
import { define } from '../engine/define.ts'
import { diffOf } from '../engine/diff.ts'
import { type Desired, secretMembersOf, toDesired, withoutSecrets } from './desired.ts'
import { shown } from './planned.ts'
import { readDocuments } from './read-documents.ts'
import { createDiffBound, Documents, manner, Shown } from './schemas.ts'
import { toSteps } from './steps.ts'
import { take } from './take.ts'

export const diffConfig = define({
  resource: 'config',
  action: 'diff',
  effect: 'read',
  tool: 'diff_config',
  group: 'manage_config',
  summary: 'Compare documents with the configuration or with other documents; stores no plan',
  input: z.strictObject({
    documents: Documents,
    against: Documents.optional().describe('Other documents to compare with, instead of the configuration'),
    ...manner,
  }),
  output: Shown,
  permission: 'config:read',
  refuses: ['document_invalid', 'managed_elsewhere'],
  itemwise: true,
  large: true,
  posted: true,
  columns: ['action', 'item', 'side'],
  subject: ({ managed_by }) => ({ type: 'config', id: null, slug: managed_by ?? null }),
  handle: async (input, context) => {
    const { desired, manner, warnings } = await take(input, context)
    if (input.against === undefined) return shown({ ...(await toSteps(desired, manner, context)), warnings })
    const against = readDocuments(input.against, input.variables)
    return { ...compared(desired, toDesired(against.documents)), warnings: [...warnings] }
  },
})

/** What is in the documents, from what is in the others. */
function compared(documents: readonly Desired[], others: readonly Desired[]) {
  const bound = createDiffBound()
  const then = new Map(others.map((one) => [one.address, one]))
  const now = new Map(documents.map((one) => [one.address, one]))
  const items = [...new Set([...then.keys(), ...now.keys()])].flatMap((item) => {
    const [was, is] = [then.get(item), now.get(item)]
    const diff = [...diffOf(plain(was), plain(is)), ...secretsOf(was, is)]
    if (diff.length === 0) return []
    const action: 'create' | 'remove' | 'update' =
      was === undefined ? 'create' : is === undefined ? 'remove' : 'update'
    return [{ action, item, managed_by: null, revision: null, side: null, diff: bound(diff) }]
  })
  const count = (action: string): number => items.filter((one) => one.action === action).length
  const [create, update, remove] = [count('create'), count('update'), count('remove')]
  return {
    create,
    update,
    adopt: 0,
    remove,
    unchanged: then.size + create - items.length,
    items,
    drift: [],
  }
}

function plain(one: Desired | undefined): Fields | undefined {
  return one && withoutSecrets(one.kind, one.spec)
}

/** Secrets that stand in both and differ. */
function secretsOf(was: Desired | undefined, is: Desired | undefined) {
  if (was === undefined || is === undefined) return []
  const of = ({ spec }: Desired, field: string): unknown => (spec['auth'] as Fields)[field]
  return secretMembersOf(is.kind, is.spec)
    .filter((field) => isText(of(was, field)) && isText(of(is, field)))
    .filter((field) => canonicalJson(of(was, field)) !== canonicalJson(of(is, field)))
    .map((field) => ({ op: 'replace' as const, path: `/auth/${field}`, value: 'changed' }))
}

function isText(source: unknown): boolean {
  return typeof source === 'object' && source !== null && 'value' in source
}
