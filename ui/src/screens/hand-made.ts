/** The screens that are made by hand. All others derive from the OpenAPI document. */
import { type ComponentType, type LazyExoticComponent, lazy } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import { ADD_SERVER, IMPORT, ROTATE_KEYS } from './ways.ts'

export interface PartProps {
  readonly resource: string
  readonly slug: string
  /** As the operation `get` answers it. */
  readonly value: JsonObject
  readonly schemas: ResourceSchemas
}

export interface Part {
  /** Value of `tab` in the address. `overview` and `edit` take the place of the derived parts. */
  readonly tab: string
  readonly label: string
  /** The part is the first tab: the page opens with it. */
  readonly isFirst?: true
  /** The part is shown to people who may call this operation. */
  readonly needs: string
  /** Actions that the part has buttons for, such as `rotate`. While it is shown, the head of the page leaves them out. */
  readonly actions?: readonly string[]
  /** `lazy(() => import(…))`: each part is a chunk of its own. */
  readonly component: LazyExoticComponent<ComponentType<PartProps>>
}

/** Parts of the page of a resource, by its name. */
export const PARTS: Readonly<Record<string, readonly Part[]>> = {
  bindings: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'bindings.get',
      actions: ['issue_token', 'revoke_token'],
      component: lazy(() => import('./agents/binding.tsx')),
    },
  ],
  collections: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'collections.get',
      actions: ['reimport', 'enforce'],
      component: lazy(() => import('./collections/overview.tsx')),
    },
  ],
  clients: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'clients.get',
      actions: ['assignments', 'assign', 'unassign'],
      component: lazy(() => import('./clients/overview.tsx')),
    },
  ],
  credentials: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'credentials.get',
      actions: ['test', 'rotate', 'revert'],
      component: lazy(() => import('./credentials/overview.tsx')),
    },
  ],
  grants: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'grants.get',
      component: lazy(() =>
        import('./people/overviews.tsx').then(({ GrantOverview }) => ({ default: GrantOverview })),
      ),
    },
  ],
  guardrails: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'guardrails.get',
      component: lazy(() => import('./guardrails/overview.tsx')),
    },
    {
      tab: 'test',
      label: 'Test',
      needs: 'guardrails.test',
      actions: ['test'],
      component: lazy(() => import('./guardrails/tester.tsx')),
    },
  ],
  hosts: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'hosts.get',
      component: lazy(() => import('./agents/host.tsx')),
    },
  ],
  origins: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'origins.get',
      actions: ['test', 'refresh_catalog'],
      component: lazy(() => import('./origins/overview.tsx')),
    },
  ],
  personal_tokens: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'personal_tokens.get',
      component: lazy(() => import('./tokens/overview.tsx')),
    },
  ],
  policies: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'policies.get',
      component: lazy(() => import('./policies/overview.tsx')),
    },
  ],
  proxies: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'proxies.get',
      component: lazy(() => import('./proxies/overview.tsx')),
    },
    {
      tab: 'path',
      label: 'Test a path',
      needs: 'requests.explain',
      component: lazy(() => import('./proxies/path-part.tsx')),
    },
    {
      tab: 'workflow',
      label: 'Workflow',
      needs: 'proxies.workflow',
      actions: ['set_workflow'],
      component: lazy(() => import('./workflows/proxy-part.tsx')),
    },
  ],
  profiles: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'profiles.get',
      actions: ['rotate', 'revoke'],
      component: lazy(() => import('./clients/profile.tsx')),
    },
  ],
  roles: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'roles.get',
      component: lazy(() =>
        import('./people/overviews.tsx').then(({ RoleOverview }) => ({ default: RoleOverview })),
      ),
    },
  ],
  service_identities: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'service_identities.get',
      actions: ['issue_secret'],
      component: lazy(() => import('./service-identities/overview.tsx')),
    },
  ],
  teams: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'teams.list',
      component: lazy(() =>
        import('./people/overviews.tsx').then(({ TeamOverview }) => ({ default: TeamOverview })),
      ),
    },
  ],
  virtual_mcps: [
    {
      tab: 'capabilities',
      label: 'Capabilities',
      needs: 'origins.catalog',
      component: lazy(() => import('./mcp/capabilities-part.tsx')),
    },
    {
      tab: 'preview',
      label: 'Preview',
      needs: 'virtual_mcps.preview',
      component: lazy(() => import('./mcp/preview-part.tsx')),
    },
    {
      tab: 'drift',
      label: 'Drift',
      needs: 'virtual_mcps.list_drift',
      actions: ['resolve_drift'],
      component: lazy(() => import('./mcp/drift-part.tsx')),
    },
    {
      tab: 'test',
      label: 'Test',
      needs: 'virtual_mcps.get',
      component: lazy(() => import('./mcp/tester/tester-part.tsx')),
    },
    {
      tab: 'connect',
      label: 'Connect',
      needs: 'virtual_mcps.connect',
      component: lazy(() => import('./mcp/connect-part.tsx')),
    },
  ],
  workflows: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'workflows.get',
      component: lazy(() => import('./workflows/overview.tsx')),
    },
    {
      tab: 'graph',
      label: 'Graph',
      isFirst: true,
      needs: 'workflows.get',
      component: lazy(() => import('./workflows/workflow-part.tsx')),
    },
  ],
  users: [
    {
      tab: 'access',
      label: 'Access',
      isFirst: true,
      needs: 'users.reach',
      component: lazy(() => import('./people/reach.tsx')),
    },
  ],
}

/** Members that a part of the page shows and changes, by resource. The form to edit leaves them out. */
export const EDITED_ELSEWHERE: Readonly<Record<string, readonly string[]>> = { workflows: ['definition'] }

/** The part that a new resource is opened at, where it is not the overview. */
export const FIRST_PARTS: Readonly<Record<string, string>> = { workflows: 'graph' }

type Load = () => Promise<{ readonly default: ComponentType }>
/** Pages by path below `/console`, such as `/records` or `/records/$id`. They take the place of the derived page there. */
export const PAGES: Readonly<Record<string, Load>> = {
  '/records': () => import('./records/list.tsx'),
  '/records/$id': () => import('./records/page.tsx'),
  '/analytics': () => import('./analytics/page.tsx'),
  '/audit': () => import('./audit/list.tsx'),
  '/audit/$id': () => import('./audit/page.tsx'),
  '/change_requests': () => import('./requests/change-requests.tsx'),
  '/change_requests/$id': () => import('./requests/change-request.tsx'),
  '/access_requests': () => import('./requests/access-requests.tsx'),
  '/access_requests/new': () =>
    import('./resources/create.tsx').then(({ NewAccessRequest }) => ({ default: NewAccessRequest })),
  '/access_requests/$id': () => import('./requests/access-request.tsx'),
  '/drift': () => import('./mcp/drift-list.tsx'),
  '/revisions': () => import('./revisions/list.tsx'),
  '/revisions/$id': () => import('./revisions/page.tsx'),
  '/run/config.plan': () => import('./revisions/apply-file.tsx'),
  '/run/config.apply': () => import('./revisions/apply-file.tsx'),
  '/run/config.export': () => import('./revisions/export.tsx'),
  '/run/requests.explain': () => import('./records/why.tsx'),
  '/collections/import': () => import('./collections/import.tsx'),
  '/run/collections.import': () => import('./collections/import.tsx'),
  '/origins/add': () => import('./origins/add.tsx'),
  '/personal_tokens/new': () => import('./tokens/create.tsx'),
  '/problems': () => import('./problems/pages.tsx').then(({ ProblemList }) => ({ default: ProblemList })),
  '/problems/$id': () => import('./problems/pages.tsx').then(({ Problem }) => ({ default: Problem })),
  '/kit': () => import('./kit/page.tsx'),
}

interface ListAction {
  readonly label: string
  readonly to: string
  /** The action is offered to people who may call this operation. */
  readonly needs: string
  /** The usual way to a new item: it stands out in the place of the form. */
  readonly isPrimary?: true
}

/** What the list of a resource offers beside a new item. */
export const LIST_ACTIONS: Readonly<Record<string, readonly ListAction[]>> = {
  collections: [{ ...IMPORT, needs: 'collections.import' }],
  keys: [{ ...ROTATE_KEYS, needs: 'keys.rotate' }],
  origins: [{ ...ADD_SERVER, needs: 'origins.create', isPrimary: true }],
}

/** The next step of a list that is empty, for resources without a form for a new item. */
export const EMPTY_ACTIONS: Readonly<Record<string, ListAction>> = {
  connections: { label: 'Origins', to: '/origins', needs: 'origins.list' },
  mcp_endpoints: { label: 'Virtual MCPs', to: '/virtual_mcps', needs: 'virtual_mcps.list' },
}

/** What the list of a resource shows above its items. */
export const LIST_NOTES: Readonly<Record<string, LazyExoticComponent<ComponentType>>> = {
  roles: lazy(() => import('./people/built-in-roles.tsx')),
}

/** What each row of a list offers, for resources without a page of their own. */
export const ROW_ACTIONS: Readonly<
  Record<string, LazyExoticComponent<ComponentType<{ readonly item: JsonObject }>>>
> = {
  connections: lazy(() => import('./connections/actions.tsx')),
}
