import type { JsonObject } from '../../../build/document.ts'
import { grantSentence, type Scope } from '../people/grant-sentence.ts'

interface OwnGrant {
  /** Compact form, such as `modifier:proxies@payments`. */
  readonly grant: string
  readonly role: string | null
  readonly scope: Scope
}

/** The grants of a person that a token can be limited to, each with a sentence. One without a role has no name to limit to. */
export function grantChoices(grants: readonly OwnGrant[]): { grant: string; sentence: string }[] {
  return grants.flatMap(({ grant, role, scope }) =>
    role === null
      ? []
      : [{ grant, sentence: grantSentence({ user: 'You', role, scope } as unknown as JsonObject) }],
  )
}

/** Grants that were typed, one a line. */
export function grantLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
