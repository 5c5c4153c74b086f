/**
 * The capability policy of a member of a virtual MCP: which tools, prompts, resources and resource templates of an MCP server
 * a caller sees and may use, and how they are shown.
 *
 * Invariants:
 *
 * 1. A type without a key passes as a whole; an empty list passes nothing.
 * 2. An item passes if an entry with `allow` fits and no entry with `deny` fits.
 * 3. If something cannot be decided (a missing claim, an expression that fails), the item does not pass.
 */
import { z } from 'zod'
import { unit } from '../annotations.ts'
import { jsonValue, Ref } from '../members.ts'
import { conditionReader, EXPRESSION_CHARS_MAX } from '../workflow/expression.ts'
import {
  CAPABILITY_TYPES,
  CAPABILITY_VARIABLES,
  type CapabilityType,
  HINTS,
  KEY_OF,
  type MatchField,
} from './capability.ts'

const ENTRIES_MAX = 500
/** Characters of a name, URI or glob. */
const MATCH_CHARS_MAX = 2048
const SUBJECTS_MAX = 100
const ARGUMENTS_MAX = 100
/** Characters of JSON of all fixed arguments of an entry. */
const FIXED_CHARS_MAX = 16_384

const readCondition = conditionReader(CAPABILITY_VARIABLES)

const When = z
  .string()
  .meta(unit('cel'))
  .min(1)
  .max(EXPRESSION_CHARS_MAX)
  .superRefine((text, context) => {
    const read = readCondition(text)
    if (!('program' in read))
      context.addIssue({
        code: 'custom',
        message: `line ${read.line}, column ${read.column}: ${read.reason}`,
      })
  })
  .describe(
    'CEL over arguments, client, profile, user and claims. Numbers in arguments are doubles, claims are strings or lists of strings. An error counts as a refusal',
  )

const Fit = z.string().min(1).max(MATCH_CHARS_MAX)

const Match = z.union([
  z.strictObject({ exact: Fit.describe('Name; for a resource its URI, for a template its URI template') }),
  z.strictObject({
    glob: Fit.describe('* stands for any text'),
    on: z
      .enum(['name', 'uri', 'title', 'description'] satisfies MatchField[])
      .optional()
      .describe('Default: name; uri for resources and templates'),
  }),
  z.strictObject({
    annotation: z
      .enum(HINTS)
      .describe('Hint of a tool; an absent hint has its default of the MCP specification'),
    is: z.boolean(),
  }),
])

const Texts = z.array(z.string().min(1).max(256)).min(1).max(SUBJECTS_MAX)
const Refs = z.array(Ref).min(1).max(SUBJECTS_MAX)

const Subjects = z
  .strictObject({
    clients: Refs.optional(),
    profiles: Refs.optional(),
    users: Texts.optional().describe(
      'Subjects of verified tokens, and slugs or ids of users who have signed in here',
    ),
    teams: Refs.optional().describe('Teams of users who have signed in here, with those below them'),
    groups: Texts.optional().describe(
      'Values of the groups claim, or groups of users who have signed in here',
    ),
    roles: Texts.optional().describe('Values of the roles claim'),
  })
  .refine((subjects) => Object.keys(subjects).length > 0, 'name at least one subject')
  .describe(
    'The entry applies to these callers; one match is enough. If the claim for groups or roles is missing, an allow entry never matches and a deny entry always matches',
  )

const ArgumentName = z.string().min(1).max(128)

const Annotation = z.union([
  z.string().max(256),
  z.number(),
  z.boolean(),
  z.array(z.string().max(64)).max(10),
])

const Projection = z
  .strictObject({
    name: z.string().min(1).max(128).optional(),
    title: z.string().max(256).optional(),
    description: z.string().max(8192).optional(),
    annotations: z
      .record(z.string().min(1).max(64), Annotation)
      .refine((members) => Object.keys(members).length <= 20, 'at most 20 annotations')
      .optional()
      .describe('Replace annotations of the same name'),
    fixed: z
      .record(ArgumentName, jsonValue())
      .refine((members) => Object.keys(members).length <= ARGUMENTS_MAX, `at most ${ARGUMENTS_MAX} arguments`)
      .refine(
        (members) => JSON.stringify(members).length <= FIXED_CHARS_MAX,
        `at most ${FIXED_CHARS_MAX} characters of JSON`,
      )
      .optional()
      .describe('Fixed arguments of every call. They are not listed, and a call that sets one is refused'),
    hidden: z
      .array(ArgumentName)
      .max(ARGUMENTS_MAX)
      .optional()
      .describe('Arguments that are not listed. A call that sets one is refused'),
  })
  .describe('How callers see and call the item')

const Entry = z.union([
  Fit,
  z.strictObject({
    match: Match,
    effect: z.enum(['allow', 'deny']).default('allow'),
    subjects: Subjects.optional(),
    when: When.optional(),
    projection: Projection.optional(),
  }),
])
type Entry = z.output<typeof Entry>

/** Names that models take as names of tools. */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,60}$/

/** What a match asks that its type does not have; each with the path within the match. */
function* faultsOfMatch(match: z.output<typeof Match>, type: CapabilityType): Generator<[string[], string]> {
  if ('annotation' in match && type !== 'tools') yield [['annotation'], 'only tools have hints']
  if ('glob' in match && match.on === 'uri' && KEY_OF[type] === 'name')
    yield [['on'], 'tools and prompts have no URI']
}

/** What an entry says that its type does not have; each with the path within the entry. */
function* faultsOf(entry: Entry, type: CapabilityType): Generator<[string[], string]> {
  if (typeof entry === 'string') return
  const isByName = KEY_OF[type] === 'name'
  const { match, effect, projection } = entry
  for (const [path, message] of faultsOfMatch(match, type)) yield [['match', ...path], message]
  if (projection === undefined) return
  if (effect === 'deny') yield [['projection'], 'a deny entry shows nothing']
  const { name, fixed, hidden } = projection
  if (isByName && name !== undefined && !TOOL_NAME.test(name))
    yield [['projection', 'name'], 'letters, digits, _, . and -, at most 60']
  if (type === 'prompts')
    for (const [argument, value] of Object.entries(fixed ?? {}))
      if (typeof value !== 'string')
        yield [['projection', 'fixed', argument], 'arguments of prompts are strings']
  if (isByName) return
  for (const [member, value] of Object.entries({ fixed, hidden }))
    if (value !== undefined) yield [['projection', member], 'resources have no arguments']
}

function entriesOf(type: CapabilityType) {
  return z
    .array(Entry)
    .max(ENTRIES_MAX)
    .superRefine((entries, context) => {
      for (const [index, entry] of entries.entries())
        for (const [path, message] of faultsOf(entry, type))
          context.addIssue({ code: 'custom', path: [index, ...path], message })
    })
    .optional()
    .describe('Absent: all items; []: none; otherwise items that match an allow entry and no deny entry')
}

export const CapabilityPolicy = z.strictObject({
  tools: entriesOf('tools'),
  prompts: entriesOf('prompts'),
  resources: entriesOf('resources'),
  resource_templates: entriesOf('resource_templates'),
  pin: z
    .enum(['strict', 'warn', 'off'])
    .default('strict')
    .describe(
      'A changed item: strict hides it until the difference is approved, warn shows it, off never hides items',
    ),
  new_items: z
    .enum(['hide', 'show'])
    .default('hide')
    .describe('A new item that nobody has approved. show: visible if its type has no rules'),
})
export type CapabilityPolicy = z.output<typeof CapabilityPolicy>

/** Members of a policy that refer to other resources, as paths from the policy; lists of entries lie between. */
export const CAPABILITY_REFS = CAPABILITY_TYPES.flatMap((type) =>
  (['clients', 'profiles', 'teams'] as const).map((field) => ({
    field,
    type: field,
    many: true,
    within: [type, 'subjects'],
  })),
)

// A part of the capabilities of a virtual MCP, as a token of a binding may be restricted to it.

const SubsetEntry = z.union([Fit, Match])

function subsetEntriesOf(type: CapabilityType) {
  return z
    .array(SubsetEntry)
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
      'Names, or URIs of resources and templates, as clients of the virtual MCP see them. * matches any text. Absent: all; []: none',
    )
}

/** By type, the items that are left. A type without a member is whole. */
export const CapabilitySubset = z.strictObject({
  tools: subsetEntriesOf('tools'),
  prompts: subsetEntriesOf('prompts'),
  resources: subsetEntriesOf('resources'),
  resource_templates: subsetEntriesOf('resource_templates'),
})
export type CapabilitySubset = z.output<typeof CapabilitySubset>
