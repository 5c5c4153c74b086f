import { Secret } from '../../base/crypto/token.ts'
import { isPlain } from '../../base/json/plain.ts'
import { SHOWN_ONCE } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'

type Content = Readonly<Record<string, unknown>>

/** Makes a link to a secret that a person opens; null when there is none to be had. */
export type LinkTo = (secret: Secret, member: string) => Promise<string | null>

const WITHHELD =
  'Created, but not shown here: a model would keep it. Rotate over REST or the CLI to get a secret that only you see.'
const FOR_A_PERSON =
  'Give the link to the person who needs the secret: it opens in a browser, once, within 15 minutes.'

/**
 * The answer with a link in the place of each secret that is shown once, also those of the profiles that a new client
 * came with; all else as it is.
 */
export async function withLinks(
  { revealsOnce }: Operation,
  output: Content,
  linkTo: LinkTo,
): Promise<Content> {
  return revealsOnce === true ? linked(output, linkTo) : output
}

async function linked(output: Content, linkTo: LinkTo): Promise<Content> {
  const content: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(output)) {
    if (SHOWN_ONCE.has(name) && typeof value === 'string') {
      const link = await linkTo(new Secret(value), name)
      content[`${name}_withheld`] = link === null ? WITHHELD : FOR_A_PERSON
      if (link !== null) content[`${name}_link`] = link
    } else if (name === 'profiles' && Array.isArray(value)) {
      const profiles = []
      for (const one of value as unknown[]) profiles.push(isPlain(one) ? await linked(one, linkTo) : one)
      content[name] = profiles
    } else content[name] = value
  }
  return content
}
