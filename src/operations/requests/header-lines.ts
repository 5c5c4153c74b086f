import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'

/** Header lines of a request that is told of or made. */
export const HeaderLines = z
  .array(
    z
      .string()
      .max(8192)
      .regex(/^[^\r\n\0]+$/, 'a line such as Content-Type: application/json'),
  )
  .max(200)

/** What proves a caller has no place in a question about it. */
export function refuseCredentials(headers: readonly string[]): void {
  const index = headers.findIndex((line) => /^(proxy-)?authorization[\t ]*:/i.test(line))
  if (index === -1) return
  throw refuse('input_invalid', {
    detail: 'Name the caller with client and profile; a credential is not accepted here.',
    errors: [{ pointer: `/headers/${index}`, reason: 'must not be a credential' }],
  })
}
