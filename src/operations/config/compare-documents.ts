import type { z } from 'zod'
import { canonicalJson } from '../../base/json/canonical.ts'
import { tooMuchToRead } from '../../import/text/plain-data.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Job } from '../engine/apart.ts'
import { diffOf } from '../engine/diff.ts'
import { type Desired, secretMembersOf, toDesired, withoutSecrets } from './desired.ts'
import { readDocuments } from './read-documents.ts'
import { createDiffBound, type Shown } from './schemas.ts'
import type { Given } from './take.ts'

interface Asked extends Pick<Given, 'documents' | 'variables'> {
  readonly against: Given['documents']
}

/** Compares documents with other documents. Refuses as {@link readDocuments} does. */
export const compareDocuments: Job<Asked, z.output<typeof Shown>> = {
  name: 'config.diff',
  tooMuch: tooMuchToRead,
  run: ({ documents, against, variables }) => {
    const { warnings, documents: read } = readDocuments(documents, variables)
    const others = readDocuments(against, variables)
    return { ...compared(toDesired(read), toDesired(others.documents)), warnings: [...warnings] }
  },
}

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
