import { z } from 'zod'
import { CapabilityPolicy } from './capability-policy.ts'
import { Description, Name, Tags } from './display.ts'
import { Status } from './envelope.ts'
import { Ref, Slug } from './slug.ts'

/** Members of one virtual MCP. */
const MEMBERS_MAX = 50

const Member = z.strictObject({
  origin: Ref,
  active: z.boolean().default(true).describe('false: its capabilities are not part of the virtual MCP'),
  required: z
    .boolean()
    .default(false)
    .describe(
      'true: a person connects an account at the origin before an application is allowed, unless the origin cannot be reached',
    ),
  capability_policy: CapabilityPolicy.prefault({}).describe(
    'Which capabilities are shown to whom, and how; {} passes all that the origin lists now',
  ),
})

/** A published MCP endpoint `/mcp/{slug}` over capabilities of origins. */
export const VirtualMcpSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name; the endpoint is /mcp/{slug}'),
  description: Description.default(''),
  tags: Tags.default([]),
  status: Status.default('draft'),
  members: z
    .array(Member)
    .min(1)
    .max(MEMBERS_MAX)
    .refine(
      (members) => new Set(members.map(({ origin }) => origin)).size === members.length,
      'each origin once',
    )
    .describe('Origins whose capabilities it has, such as [{"origin":"github"}]'),
  prefix: z
    .enum(['auto', 'always'])
    .default('auto')
    .describe(
      'Names of capabilities: auto adds the slug of the origin to a name that is taken already; always adds it to every name',
    ),
  mcp_view: z
    .enum(['expanded', 'compact'])
    .default('expanded')
    .describe(
      'Tools that are listed: expanded lists all of them; compact lists search_tools, describe_tool and call_tool in their place',
    ),
  instructions: z
    .string()
    .max(8000)
    .nullable()
    .default(null)
    .describe('What a model should know before the first call; null: the instructions of the origins'),
  policy: Ref.nullable().default(null).describe('Policy with limits, counted per client'),
  teams: z
    .array(Ref)
    .max(100)
    .default([])
    .describe('Teams whose members may sign in to it, with those of the teams below them'),
  all_users: z.boolean().default(false).describe('true: every active user may sign in to it'),
  registry: z
    .enum(['public', 'signed_in', 'hidden'])
    .default('hidden')
    .describe(
      'Who finds it in the MCP registry: public: anyone; signed_in: people with whom it is shared by teams or all_users; hidden: nobody',
    ),
})
export type VirtualMcpSpec = z.output<typeof VirtualMcpSpec>
