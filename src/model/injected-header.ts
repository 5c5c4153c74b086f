import { z } from 'zod'
import { HeaderName } from './common.ts'
import { isRouting } from './header-names.ts'
import { SecretInput, SecretState } from './secret.ts'

/** RFC 9110 section 5.5 field value: visible ASCII, spaces and tabs inside; never a line break. */
const HeaderValue = z
  .string()
  .max(8192)
  .regex(/^([!-~]([\t -~]*[!-~])?)?$/, 'visible ASCII without line breaks or outer spaces')

/** A header that the gateway adds to the request to the upstream. Without value and secret, the stored secret stays. */
export const InjectedHeader = z
  .strictObject({
    name: HeaderName,
    value: HeaderValue.optional().describe('In plain sight'),
    secret: SecretInput.optional().describe(
      'In the place of value. Never shown again: the text, or where it is read: {"env": name}, {"file": name}, {"vault": {"path", "field"}}. A header without both keeps the secret that is stored under its name',
    ),
  })
  .refine(({ value, secret }) => value === undefined || secret === undefined, {
    error: 'a value or a secret, not both',
    path: ['secret'],
  })
export type InjectedHeader = z.output<typeof InjectedHeader>

/** Headers of a collection or a proxy. A name may stand several times, but not beside a secret. */
export const InjectedHeaders = z
  .array(InjectedHeader)
  .max(50)
  .check((context) => {
    const names = context.value.map(({ name }) => name.toLowerCase())
    for (const [index, { value }] of context.value.entries()) {
      const isAlone = names.filter((name) => name === names[index]).length === 1
      if (value === undefined && !isAlone)
        context.issues.push({
          code: 'custom',
          message: 'the name of a secret header stands once',
          path: [index, 'name'],
          input: names[index],
        })
    }
  })
  .default([])

/** The same as they are read. */
export const HeaderViews = z.array(
  z.object({ name: HeaderName, value: HeaderValue.optional(), secret: SecretState.optional() }),
)

/** What of configured headers decides where a request, and the credential with it, ends up behind the server that it is sent to. */
export function routingHeaders(headers: readonly InjectedHeader[]): readonly InjectedHeader[] {
  return headers.filter(({ name }) => isRouting(name))
}
