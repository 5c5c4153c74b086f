/** The screens that are made by hand. All others derive from the OpenAPI document. */
import type { ComponentType, LazyExoticComponent } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'

interface PartProps {
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
  /** `lazy(() => import(…))`: each part is a chunk of its own. */
  readonly component: LazyExoticComponent<ComponentType<PartProps>>
}

/** Parts of the page of a resource, by its name. */
export const PARTS: Readonly<Record<string, readonly Part[]>> = {}

type Load = () => Promise<{ readonly default: ComponentType }>
/** Pages by path below `/console`, such as `/records` or `/records/$id`. They take the place of the derived page there. */
export const PAGES: Readonly<Record<string, Load>> = {
  '/records': () => import('./records/list.tsx'),
  '/records/$id': () => import('./records/page.tsx'),
  '/run/requests.explain': () => import('./records/why.tsx'),
}
