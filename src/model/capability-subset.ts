/** A part of the capabilities of a virtual MCP, as a token of a binding may be restricted to it. */
import { z } from 'zod'
import type { CapabilityType } from './capability.ts'
import { Fit, faultsOfMatch, Match } from './capability-policy.ts'

/** Entries of one type. */
const ENTRIES_MAX = 500

const Entry = z.union([Fit, Match])

function entriesOf(type: CapabilityType) {
  return z
    .array(Entry)
    .max(ENTRIES_MAX)
    .superRefine((entries, context) => {
      for (const [index, entry] of entries.entries()) {
        if (typeof entry === 'string') continue
        for (const [path, message] of faultsOfMatch(entry, type))
          context.addIssue({ code: 'custom', path: [index, ...path], message })
      }
    })
    .optional()
    .describe(
      'Names, or URIs of resources and templates, as clients of the virtual MCP see them. * in a text stands for any text. Absent: all; []: none',
    )
}

/** By type, the items that are left. A type without a member is whole. */
export const CapabilitySubset = z.strictObject({
  tools: entriesOf('tools'),
  prompts: entriesOf('prompts'),
  resources: entriesOf('resources'),
  resource_templates: entriesOf('resource_templates'),
})
export type CapabilitySubset = z.output<typeof CapabilitySubset>
