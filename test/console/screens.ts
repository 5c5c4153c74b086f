/** All screens of the console, as its code has them: fixed paths of the router, pages made by hand, and what derives from the OpenAPI document. */
import { readFileSync } from 'node:fs'
import { type JsonObject, type OperationRow, rowsOf } from '../../ui/build/document.ts'

export interface Screen {
  /** The path of the router, and the part of the page: `/policies/$id?tab=edit`. */
  readonly name: string
  readonly kind: 'list' | 'form' | 'part' | 'page'
  /** Resource of a derived screen; empty for others. */
  readonly resource: string
  /** Of a part. */
  readonly tab: string
  /** The screen stands in `hand-made.ts` or in the router. */
  readonly isHandMade: boolean
  /** Operations without which the screen shows nothing. */
  readonly needs: readonly string[]
}

interface HandMade {
  readonly PAGES: Readonly<Record<string, unknown>>
  readonly PARTS: Readonly<
    Record<string, readonly { readonly tab: string; readonly isFirst?: true; readonly needs: string }[]>
  >
}

const sources = new URL('../../ui/src/', import.meta.url)
const document = JSON.parse(
  readFileSync(new URL('../golden/openapi.json', import.meta.url), 'utf8'),
) as JsonObject

export const OPERATIONS: Readonly<Record<string, OperationRow>> = rowsOf(document)
// A static import would have the type check of the server read the pages
const { PAGES, PARTS } = (await import(new URL('screens/hand-made.ts', sources).href)) as HandMade
const { PLACES, FURTHER } = (await import(new URL('app/navigation.ts', sources).href)) as Readonly<
  Record<'PLACES' | 'FURTHER', readonly { readonly to: string }[]>
>

/** Paths that the router itself has. */
export const ROUTES: readonly string[] = [
  ...readFileSync(new URL('app/router.tsx', sources), 'utf8').matchAll(/\bpath: '([^']+)'/g),
].map(([, path]) => path!)
/** Paths for which the router finds a page by the name of a resource. */
const DERIVED = ['/$resource', '/$resource/new', '/$resource/$id']

/** Paths that the side bar and the palette lead to. */
export const LINKED: readonly string[] = [...PLACES, ...FURTHER].map(({ to }) => to)

const resources = [...new Set(Object.values(OPERATIONS).map(({ resource }) => resource))]
const fixed = [...ROUTES.filter((path) => !DERIVED.includes(path)), ...Object.keys(PAGES)]
const derived = (path: string): boolean => !fixed.includes(path)
const screen = (
  name: string,
  kind: Screen['kind'],
  needs: readonly string[],
  more: Partial<Screen> = {},
): Screen => ({ name, kind, needs, resource: '', tab: '', isHandMade: false, ...more })

function partsOf(resource: string): Screen[] {
  const get = `${resource}.get`
  const own = PARTS[resource] ?? []
  const usual = [
    { tab: 'overview', needs: get },
    ...(OPERATIONS[`${resource}.update`] === undefined ? [] : [{ tab: 'edit', needs: `${resource}.update` }]),
    { tab: 'history', needs: 'audit.list' },
  ].filter(({ tab }) => own.every((part) => part.tab !== tab))
  return [
    ...usual.map((part) => ({ ...part, isHandMade: false })),
    ...own.map((part) => ({ ...part, isHandMade: true })),
  ].map(({ tab, needs, isHandMade }) =>
    screen(`/${resource}/$id?tab=${tab}`, 'part', [...new Set([get, needs])], { resource, tab, isHandMade }),
  )
}

export const SCREENS: readonly Screen[] = [
  ...fixed.map((path) => screen(path, 'page', [], { isHandMade: true })),
  ...resources.flatMap((resource) => [
    ...(OPERATIONS[`${resource}.list`] !== undefined && derived(`/${resource}`)
      ? [screen(`/${resource}`, 'list', [`${resource}.list`], { resource })]
      : []),
    ...(OPERATIONS[`${resource}.create`] !== undefined && derived(`/${resource}/new`)
      ? [screen(`/${resource}/new`, 'form', [`${resource}.create`], { resource })]
      : []),
    ...(OPERATIONS[`${resource}.get`]?.byId === true && derived(`/${resource}/$id`) ? partsOf(resource) : []),
  ]),
]
