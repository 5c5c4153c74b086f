import { z } from 'zod'
import { REPORT_RESULTS } from '../../import/converted.ts'
import { confidential, refersTo } from '../../model/annotations.ts'
import { Warning } from '../engine/kind.ts'
import type { DiffEntry } from '../engine/write-options.ts'
import { VARIABLE_NAME } from './read-documents.ts'

const TEXT_CHARS_MAX = 8 * 1024 ** 2
const GIVEN_MAX = 50_000

/** Documents as they are given to an operation. */
export const Documents = z
  .array(confidential('document', z.union([z.string().max(TEXT_CHARS_MAX), z.looseObject({})])))
  .max(GIVEN_MAX)
  .describe(
    'Objects of kind, slug and spec, OpenAPI descriptions with x-postern, or YAML or JSON texts with such documents',
  )

const Variables = z
  .record(
    z.string().regex(VARIABLE_NAME, 'a name of letters, digits, - and _'),
    confidential('secret', z.union([z.string().max(65_536), z.number(), z.boolean()])),
  )
  .default({})
  .describe(`Values of \${var.NAME} in the documents, such as {"STAGE":"test"}`)

export const SetName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,119}$/, 'letters, digits, . _ / and -, at most 120')
  .describe('Name of the set of documents, which manages the resources that it creates')

/** How documents are planned and applied. */
export const manner = {
  variables: Variables,
  managed_by: SetName.default('default'),
  prune: z
    .boolean()
    .default(false)
    .describe('Also delete resources that the set manages and that the documents no longer contain'),
  take_over: z
    .boolean()
    .default(false)
    .describe('Also change resources of another set, and manage them from now on'),
}

const Diff = z.array(
  z.object({
    op: z.enum(['add', 'remove', 'replace']),
    path: z.string(),
    from: z.unknown().optional(),
    value: z.unknown().optional(),
    item: z.string().optional().describe('Id, slug or name of the changed list item'),
  }),
)

export const PlanItem = z.object({
  action: z
    .enum(['create', 'update', 'adopt', 'remove'])
    .describe('adopt: the set now manages the resource; nothing else changes'),
  item: z.string().describe('Such as proxy/orders:get-order'),
  managed_by: z.string().nullable().describe('Set of documents that manages it now'),
  revision: z.int().nullable().describe('Current revision; null for a resource to create'),
  side: z
    .enum(['documents', 'instance', 'both'])
    .nullable()
    .describe('Changes since the documents were last applied; null if they never were'),
  diff: Diff.describe('JSON patch with the old values; secrets as "changed"'),
})

export const counts = {
  create: z.int(),
  update: z.int(),
  adopt: z.int(),
  remove: z.int(),
  unchanged: z.int(),
}

export const DriftItem = z.object({
  item: z.string(),
  side: z.enum(['instance', 'both']),
  diff: Diff.describe('Difference between the last applied and the current state'),
})

export const warnings = z
  .array(Warning)
  .describe('Parts of OpenAPI descriptions in the documents that are imported differently')

/** What a plan or a comparison shows. */
export const Shown = z.object({
  ...counts,
  items: z.array(PlanItem).describe('In the order of execution'),
  drift: z.array(DriftItem).describe('Changes in the instance since the documents were applied'),
  warnings,
})

/** Documents as they are exported. */
export const Exported = z.object({
  documents: z.array(
    z.object({ kind: z.string(), slug: z.string(), spec: z.record(z.string(), z.unknown()) }),
  ),
  set_elsewhere: z
    .array(z.object({ item: z.string(), field: z.string() }))
    .describe('Secrets that only this instance stores. A document without them does not change them'),
})

/** Characters of all differences of one answer. */
const DIFF_CHARS_MAX = 4 * 1024 ** 2

/** Bounds the differences of one answer: later ones are named by their length. */
export function createDiffBound(): (diff: readonly DiffEntry[]) => DiffEntry[] {
  let left = DIFF_CHARS_MAX
  return (diff) => {
    const chars = JSON.stringify(diff).length
    left -= chars
    if (left >= 0 || diff.length === 0) return [...diff]
    left = 0
    return [{ op: 'replace', path: '', value: `${chars} characters of JSON` }]
  }
}

/** What became of each part of a configuration that was converted. */
export const ReportRows = z
  .array(
    z.object({
      part: z.string().describe('Kind of the part, such as service or plugin'),
      name: z.string().describe('Empty for all parts of the kind'),
      result: z
        .enum(REPORT_RESULTS)
        .describe('closed: a draft or inactive, until a person publishes or activates it'),
      reason: z.string().describe('Result of the conversion, or the reason why the part is left out'),
    }),
  )
  .describe(
    'What each part became. Empty for other programs than Kong, because notes then contains everything',
  )

const ImportedKey = z.object({
  key: z.string().describe('Place of the key in the document, without the key itself'),
  profile: z.string().meta(refersTo('profiles')).describe('CLIENT:PROFILE'),
  result: z.enum(['imported', 'present', 'left_out']),
  reason: z.string().describe('Reason why it is left out; otherwise empty'),
})
export type ImportedKey = z.output<typeof ImportedKey>

/** What became of the keys in a configuration. */
export const ImportedKeys = z.object({
  imported: z.int(),
  present: z.int().describe('Keys that their profile had already'),
  left_out: z.int(),
  keys: z.array(ImportedKey).describe('One for each key that is carried over, in the order of the document'),
})
