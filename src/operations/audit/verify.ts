import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { define } from '../define.ts'

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
  columns: ['ok', 'entries', 'checkpoints', 'head.seq', 'head.hash', 'break.seq', 'break.id', 'break.what'],
  subject: () => ({ type: 'audit', id: null, slug: null }),
  handle: async ({ seq, hash }, context) => {
    if ((seq === undefined) !== (hash === undefined)) throw anchorFault(seq === undefined ? '/seq' : '/hash')
    return context.trail.verify(seq === undefined ? null : { seq, hash: hash! })
  },
})

function anchorFault(pointer: string) {
  return refuse('input_invalid', {
    detail: 'A link that was kept is a number and a hash.',
    errors: [{ pointer, reason: 'required beside the other' }],
  })
}
