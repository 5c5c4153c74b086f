import { z } from 'zod'
import { Description, Name, Ref, Slug, Status, Tags } from '../members.ts'
import { CapabilityPolicy } from './capability-policy.ts'

/** Members of one virtual MCP. */
const MEMBERS_MAX = 50

const Member = z.strictObject({
  origin: Ref,
  active: z.boolean().default(true).describe('false: its capabilities are not part of the virtual MCP'),
  required: z
    .boolean()
    .default(false)
    .describe(
      'true: a person must connect an account at the origin before allowing an application, unless the origin cannot be reached',
    ),
  capability_policy: CapabilityPolicy.prefault({}).describe(
    'Which capabilities callers see, and how; {} allows everything that the origin lists now',
  ),
})

const ICONS_MAX = 8
const SIZES_MAX = 8

/** As `server.json` of the MCP registry demands it, but for the spelling of `mime_type`. */
const Icon = z.strictObject({
  src: z
    .string()
    .max(255)
    .regex(/^https:\/\/[^\s]+$/, 'an https URL')
    .describe('URL of the image, with https'),
  mime_type: z
    .enum(['image/png', 'image/jpeg', 'image/jpg', 'image/svg+xml', 'image/webp'])
    .nullable()
    .default(null)
    .describe('Type of the image; null: the type in the response'),
  sizes: z
    .array(z.string().regex(/^([1-9]\d{0,4}x[1-9]\d{0,4}|any)$/, 'a size such as 48x48, or any'))
    .max(SIZES_MAX)
    .default([])
    .describe('Sizes of the image, such as 48x48, or any; empty: all'),
  theme: z
    .enum(['light', 'dark'])
    .nullable()
    .default(null)
    .describe('Background for which the image is made'),
})

/** Images that stand for a virtual MCP in a list. */
export const Icons = z.array(Icon).max(ICONS_MAX).default([])
export type Icons = z.output<typeof Icons>

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
      'Names of capabilities: auto adds the slug of the origin to a name that already exists; always adds it to every name',
    ),
  mcp_view: z
    .enum(['expanded', 'compact'])
    .default('expanded')
    .describe(
      'Listed tools: expanded lists all tools; compact lists only search_tools, describe_tool and call_tool',
    ),
  instructions: z
    .string()
    .max(8000)
    .nullable()
    .default(null)
    .describe('Text that models read before the first call; null: the instructions of the origins'),
  policy: Ref.nullable().default(null).describe('Policy with limits, counted per client'),
  teams: z
    .array(Ref)
    .max(100)
    .default([])
    .describe('Teams whose members, including teams below them, may sign in to it'),
  all_users: z.boolean().default(false).describe('true: every active user may sign in to it'),
  registry: z
    .enum(['public', 'signed_in', 'hidden'])
    .default('hidden')
    .describe(
      'Visibility in the MCP registry: public: anyone; signed_in: people with whom it is shared by teams or all_users; hidden: nobody',
    ),
  icons: Icons.describe(
    'Images for it in the MCP registry, such as [{"src":"https://example.com/desk.png"}]',
  ),
})
export type VirtualMcpSpec = z.output<typeof VirtualMcpSpec>
