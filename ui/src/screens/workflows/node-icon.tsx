import {
  Braces,
  CornerDownLeft,
  Database,
  Globe,
  type LucideIcon,
  Mail,
  Plug,
  Repeat,
  Sparkles,
  Split,
  Waypoints,
  Workflow,
  Zap,
} from 'lucide-react'
import { classes } from '../../kit/style.ts'
import type { Editor } from './use-editor.ts'

/** What a node of each phase looks like: its icon, and a colour that its kind shares. */
const PHASES: Readonly<Record<string, { readonly icon: LucideIcon; readonly color: string }>> = {
  trigger: { icon: Zap, color: 'bg-accent-soft text-accent' },
  decide: { icon: Split, color: 'bg-warn-soft text-warn' },
  data: { icon: Braces, color: 'bg-sunken text-muted' },
  call: { icon: Globe, color: 'bg-ok-soft text-ok' },
  store: { icon: Database, color: 'bg-ok-soft text-ok' },
  send: { icon: Mail, color: 'bg-ok-soft text-ok' },
  flow: { icon: Repeat, color: 'bg-sunken text-muted' },
  end: { icon: CornerDownLeft, color: 'bg-accent-soft text-accent' },
}

/** Types that are told apart within their phase. */
const TYPES: ReadonlyMap<string, LucideIcon> = new Map([
  ['llm_node', Sparkles],
  ['mcp_call_node', Plug],
  ['proxy_node', Waypoints],
  ['subworkflow_node', Workflow],
])

/** The kind of a node as an icon. Its type stands beside it in words. */
export function NodeIcon({ type, kinds }: { type: string; kinds: Editor['kinds'] }) {
  const phase = PHASES[kinds.find((kind) => kind.type === type)?.phase ?? ''] ?? PHASES['data']!
  const Icon = TYPES.get(type) ?? phase.icon
  return (
    <span
      aria-hidden="true"
      className={classes('inline-flex size-6 shrink-0 items-center justify-center rounded-md', phase.color)}
    >
      <Icon size={14} />
    </span>
  )
}
