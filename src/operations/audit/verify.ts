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
  summary: 'Verify that no entry of the audit trail was changed, removed, inserted or moved',
  input: z.strictObject({
    seq: z.coerce
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Number of a link that you saved outside the instance'),
    hash: Hash.optional().describe('The saved link: `head` of an earlier response'),
  }),
  output: z.object({
    ok: z.boolean(),
    entries: z.int().describe('Number of entries checked'),
    checkpoints: z.int().describe('Number of signed links checked'),
    keyed_from: z
      .int()
      .nullable()
      .describe('Number of the first entry with a keyed link; entries before it are of an older version'),
    mark: z
      .object({ seq: z.int(), hash: z.string() })
      .nullable()
      .describe('Last entry that the mark file of the trail records'),
    removed: z
      .object({ entries: z.int(), time: z.string() })
      .nullable()
      .describe('Entries that retention removed and signed: their number and the last time; null if none'),
    head: z
      .object({ seq: z.int(), hash: z.string() })
      .nullable()
      .describe(
        'Last link. If you save it outside the instance and pass it later, changes to earlier entries are detected',
      ),
    public_key: z.string().describe('Public key of the signatures, PEM'),
    break: z
      .object({ seq: z.int(), id: z.string().nullable(), what: z.string() })
      .nullable()
      .describe('First entry that was changed'),
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
    detail: 'A kept link has both a number and a hash; give both.',
    errors: [{ pointer, reason: 'required beside the other' }],
  })
}
