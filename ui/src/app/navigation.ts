import {
  Activity,
  AppWindow,
  Bot,
  Boxes,
  Building2,
  Cable,
  ChartLine,
  Download,
  FileClock,
  Gauge,
  GitCompareArrows,
  GitPullRequestArrow,
  History,
  House,
  Inbox,
  KeyRound,
  Link2,
  List,
  Lock,
  type LucideIcon,
  Network,
  Plug,
  ScrollText,
  Send,
  Server,
  Settings,
  ShieldAlert,
  ShieldCheck,
  SquareUser,
  Ticket,
  UserRoundCog,
  Users,
  UsersRound,
  Waypoints,
  Workflow,
} from 'lucide-react'

export interface Place {
  readonly label: string
  /** Of its page, if that is not the label. */
  readonly title?: string
  /** Below `/console`. */
  readonly to: string
  readonly icon: LucideIcon
  /** The place is shown to people who may call this operation. */
  readonly needs: string
  /** After `g`, this letter goes to the place. */
  readonly letter?: string
}

export interface Group {
  readonly label: string | null
  readonly places: readonly Place[]
}

const GROUPS: readonly Group[] = [
  { label: null, places: [{ label: 'Home', to: '/', icon: House, needs: 'whoami.show', letter: 'h' }] },
  {
    label: 'APIs',
    places: [
      { label: 'Collections', to: '/collections', icon: Boxes, needs: 'collections.list', letter: 'c' },
      { label: 'Proxies', to: '/proxies', icon: Waypoints, needs: 'proxies.list', letter: 'p' },
      { label: 'Workflows', to: '/workflows', icon: Workflow, needs: 'workflows.list', letter: 'w' },
      { label: 'Policies', to: '/policies', icon: Gauge, needs: 'policies.list', letter: 'l' },
      { label: 'Credentials', to: '/credentials', icon: KeyRound, needs: 'credentials.list', letter: 'k' },
    ],
  },
  {
    label: 'Access',
    places: [
      { label: 'Clients', to: '/clients', icon: AppWindow, needs: 'clients.list', letter: 'n' },
      { label: 'Profiles', to: '/profiles', icon: SquareUser, needs: 'profiles.list' },
      {
        label: 'Access requests',
        to: '/access_requests',
        icon: Inbox,
        needs: 'access_requests.list',
        letter: 'i',
      },
      {
        label: 'Change requests',
        to: '/change_requests',
        icon: GitPullRequestArrow,
        needs: 'change_requests.list',
      },
    ],
  },
  {
    label: 'MCP',
    places: [
      { label: 'Origins', to: '/origins', icon: Plug, needs: 'origins.list', letter: 'o' },
      { label: 'Virtual MCPs', to: '/virtual_mcps', icon: Network, needs: 'virtual_mcps.list', letter: 'v' },
      { label: 'Drift', to: '/drift', icon: GitCompareArrows, needs: 'virtual_mcps.drifted' },
      { label: 'Guardrails', to: '/guardrails', icon: ShieldAlert, needs: 'guardrails.list', letter: 'd' },
      { label: 'Hosts', to: '/hosts', icon: Bot, needs: 'hosts.list' },
      { label: 'Bindings', to: '/bindings', icon: Link2, needs: 'bindings.list' },
      { label: 'Connections', to: '/connections', icon: Cable, needs: 'connections.list' },
    ],
  },
  {
    label: 'Observe',
    places: [
      { label: 'Records', to: '/records', icon: ScrollText, needs: 'records.list', letter: 'r' },
      { label: 'Analytics', to: '/analytics', icon: ChartLine, needs: 'metrics.overview', letter: 'y' },
      { label: 'Audit', to: '/audit', icon: FileClock, needs: 'audit.list', letter: 'u' },
      { label: 'Exports', to: '/exports', icon: Download, needs: 'exports.list' },
      { label: 'Sinks', to: '/sinks', icon: Send, needs: 'sinks.list' },
    ],
  },
  {
    label: 'Govern',
    places: [
      { label: 'Revisions', to: '/revisions', icon: History, needs: 'revisions.list', letter: 'e' },
      { label: 'People', to: '/users', icon: Users, needs: 'users.list' },
      { label: 'Teams', to: '/teams', icon: UsersRound, needs: 'teams.list' },
      { label: 'Roles', to: '/roles', icon: ShieldCheck, needs: 'roles.list' },
      { label: 'Grants', to: '/grants', icon: UserRoundCog, needs: 'grants.list' },
      {
        label: 'Machines',
        title: 'Service identities',
        to: '/service_identities',
        icon: Building2,
        needs: 'service_identities.list',
      },
      { label: 'Trust rules', to: '/trust_rules', icon: Lock, needs: 'trust_rules.list' },
      { label: 'Personal tokens', to: '/personal_tokens', icon: Ticket, needs: 'personal_tokens.list' },
      { label: 'Nodes', to: '/nodes', icon: Server, needs: 'nodes.list' },
      { label: 'Keys', to: '/keys', icon: Activity, needs: 'keys.list' },
      { label: 'Settings', to: '/settings', icon: Settings, needs: 'settings.get', letter: 's' },
    ],
  },
]

export const PLACES: readonly Place[] = GROUPS.flatMap(({ places }) => places)

/** Lists that pages of other resources show. */
const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(['mcp_endpoints'])

/**
 * The groups of the side bar. Resources without a place above come last, so that people find each one.
 * @param resources by their names in the API
 */
export function groupsOf(resources: readonly string[]): readonly Group[] {
  const isPlaced = (resource: string): boolean => PLACES.some(({ to }) => to === `/${resource}`)
  const left = resources.filter((one) => !SHOWN_ELSEWHERE.has(one) && !isPlaced(one))
  if (left.length === 0) return GROUPS
  const places = left.map((one) => ({
    label: titleOf(one),
    to: `/${one}`,
    icon: List,
    needs: `${one}.list`,
  }))
  return [...GROUPS, { label: 'More', places }]
}

/** Pages that the palette finds and the side bar leaves out. */
export const FURTHER = [
  { label: 'Problem codes', to: '/problems', needs: 'whoami.show' },
  { label: 'Kit: all parts of the console', to: '/kit', needs: 'whoami.show' },
] as const

/** Title of a resource, such as `Virtual MCPs` of `virtual_mcps`. */
export function titleOf(resource: string): string {
  const place = PLACES.find(({ to }) => to === `/${resource}`)
  if (place !== undefined) return place.title ?? place.label
  const words = resource.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** One item of a resource: `virtual MCP` of `virtual_mcps`. */
export function singularOf(resource: string): string {
  const words = resource.replaceAll('_', ' ').replace(/\bmcps\b/, 'MCPs')
  return words.endsWith('ies') ? `${words.slice(0, -3)}y` : words.replace(/s$/, '')
}
