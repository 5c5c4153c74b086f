import { z } from 'zod'
import { urlTextFault } from '../base/url-text.ts'
import { Ref } from '../model/slug.ts'

/** What a node is for. */
export const PHASES = ['trigger', 'call', 'decide', 'flow', 'data', 'store', 'send', 'end'] as const
type Phase = (typeof PHASES)[number]

/** A type of node: all that is known of it without running it. */
export interface NodeType {
  readonly name: string
  readonly phase: Phase
  readonly summary: string
  /** What stands in the definition and is the same in every run. */
  readonly config: z.ZodType
  /** What is worked out for each run, by name; a name that ends with `?` may be left out. `*` takes any names. */
  readonly inputs: Readonly<Record<string, string>>
  /** What expressions of later nodes find under its id. `*` are those of the inputs. */
  readonly outputs: Readonly<Record<string, string>>
  /** By which a run leaves it; none for the end of a run. */
  readonly handles: readonly string[]
  /** Those that it has by its settings, where they decide. */
  readonly handlesBy?: (config: Readonly<Record<string, unknown>>) => readonly string[]
}

/** Leaves by one handle. */
export const ONWARD: readonly string[] = ['default']
/** A node that asks others, which may fail: `error` is used with `on_error: handle`. */
export const ASKING: readonly string[] = ['success', 'error']
export const EITHER: readonly string[] = ['true', 'false']

export const NONE = z.strictObject({})
export const Credential = Ref.describe('Credential')
export const Text = z.string().min(1).max(1024)
export const HostName = Text.refine((text) => /^[!-~]+$/.test(text), 'a host name in ASCII (xn--...)')
export const WebUrl = z.url({ protocol: /^https?$/ }).refine((text) => urlTextFault(text) === null, {
  error: ({ input }) => urlTextFault(String(input)) ?? 'a URL',
})
