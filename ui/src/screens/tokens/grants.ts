import type { JsonObject } from '../../../build/document.ts'
import { grantSentence } from '../people/grant-sentence.ts'

interface OwnGrant {
  /** Compact form, such as `modifier:proxies@payments`. */
  readonly grant: string
  readonly role: string | null
  readonly scope: {
    readonly resource_types: readonly string[]
    readonly verbs: readonly string[]
    readonly collections: readonly string[]
    readonly virtual_mcps: readonly string[]
    readonly tags: readonly string[]
  }
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
