/** The screens that are made by hand. All others derive from the OpenAPI document. */
import { type ComponentType, type LazyExoticComponent, lazy } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'

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
  /** The part is shown to people who may call this operation. */
  readonly needs: string
  /** Actions that the part has buttons for, such as `rotate`. While it is shown, the head of the page leaves them out. */
  readonly actions?: readonly string[]
  /** `lazy(() => import(…))`: each part is a chunk of its own. */
  readonly component: LazyExoticComponent<ComponentType<PartProps>>
}

/** Parts of the page of a resource, by its name. */
export const PARTS: Readonly<Record<string, readonly Part[]>> = {
  clients: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'clients.get',
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
  policies: [
    {
      tab: 'overview',
      label: 'Overview',
      needs: 'policies.get',
      component: lazy(() => import('./policies/overview.tsx')),
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
}

type Load = () => Promise<{ readonly default: ComponentType }>
/** Pages by path below `/console`, such as `/records` or `/records/$id`. They take the place of the derived page there. */
export const PAGES: Readonly<Record<string, Load>> = {}
