import { refuse } from '../../base/refusal.ts'

/** Options of a write that came as headers, under their member names. Refuses with input_invalid. */
export function readOptionHeaders(headers: Headers): Record<string, unknown> {
  const revision = toRevision(headers.get('if-match'))
  const key = headers.get('idempotency-key')
  const reason = headers.get('x-reason')
  return {
    ...(revision !== null && { expected_revision: revision }),
    // An sf-string in quotes (the draft of the header) and the bare text are the same key.
    ...(key !== null && { idempotency_key: key.replace(/^"(.*)"$/, '$1') }),
    ...(reason !== null && { reason }),
  }
}

/** The strong entity tag of a revision (RFC 9110 section 8.8.3). */
export function toEtag(revision: number): string {
  return `"${revision}"`
}

/** The revision of `If-Match: "3"` (also bare); `*` asks for none. A weak tag never matches (RFC 9110 section 13.1.1). */
function toRevision(text: string | null): number | null {
  if (text === null || text.trim() === '*') return null
  const match = /^\s*(?:"([1-9][0-9]{0,14})"|([1-9][0-9]{0,14}))\s*$/.exec(text)
  if (match === null)
    throw refuse('input_invalid', {
      detail: 'If-Match must be the ETag of the resource, such as "3".',
      errors: [{ pointer: '/expected_revision', reason: 'If-Match is not one revision in quotes' }],
    })
  return Number(match[1] ?? match[2])
}
