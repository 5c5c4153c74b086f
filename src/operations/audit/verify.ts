import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { define } from '../engine/define.ts'

const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'a link as verify answers it: 64 hexadecimal digits')

export const verifyAudit = define({
  resource: 'audit',
  action: 'verify',
  effect: 'read',
  tool: 'verify_audit_chain',
  group: 'query_audit',
  summary: 'Find whether an entry of the audit trail was changed, removed, inserted or moved',
  input: z.strictObject({
    seq: z.coerce.number().int().min(1).optional().describe('Number of a link that was kept elsewhere'),
    hash: Hash.optional().describe('That link: the head of an earlier answer'),
  }),
  output: z.object({
    ok: z.boolean(),
    entries: z.int().describe('Entries that were looked at'),
    checkpoints: z.int().describe('Signed links that were looked at'),
    keyed_from: z
      .int()
      .nullable()
      .describe('Number of the first entry with a keyed link; entries before it are of an older version'),
    mark: z
      .object({ seq: z.int(), hash: z.string() })
      .nullable()
      .describe('The last entry that the mark of the trail knows'),
    removed: z
      .object({ entries: z.int(), time: z.string() })
      .nullable()
      .describe(
        'What retention has removed before these, and signed: the first so many entries, and when it last did; null where nothing was',
      ),
    head: z
      .object({ seq: z.int(), hash: z.string() })
      .nullable()
      .describe('The last link; kept elsewhere and given again, it shows what was changed before it'),
    public_key: z.string().describe('Of the signatures, PEM'),
    break: z
      .object({ seq: z.int(), id: z.string().nullable(), what: z.string() })
      .nullable()
      .describe('The first place that is not what it was'),
  }),
  permission: 'audit:verify',
  refuses: [],
  unscoped: true,
  fails: ({ ok }) => ok === false,
  columns: [
    'ok',
    'entries',
    'checkpoints',
    'keyed_from',
    'mark.seq',
    'mark.hash',
    'removed.entries',
    'removed.time',
    'head.seq',
    'head.hash',
    'break.seq',
    'break.id',
    'break.what',
  ],
  subject: () => ({ type: 'audit', id: null, slug: null }),
  handle: async ({ seq, hash }, context) => {
    if ((seq === undefined) !== (hash === undefined)) throw anchorFault(seq === undefined ? '/seq' : '/hash')
    const found = await context.trail.verify(seq === undefined ? null : { seq, hash: hash! })
    const gone = found.removed?.entries ?? 0
    if (seq !== undefined && seq <= gone && found.ok) throw goneFault(seq, gone)
    return found
  },
})

function goneFault(seq: number, gone: number) {
  return refuse('input_invalid', {
    detail: `Number ${seq} was removed by retention, as everything up to ${gone}: nothing can be compared with it.`,
    errors: [{ pointer: '/seq', reason: `above ${gone}` }],
  })
}

function anchorFault(pointer: string) {
  return refuse('input_invalid', {
    detail: 'A link that was kept is a number and a hash.',
    errors: [{ pointer, reason: 'required beside the other' }],
  })
}
