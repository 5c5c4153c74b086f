import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
  redirect,
  useSearch,
} from '@tanstack/react-router'
import { type ComponentType, useEffect } from 'react'
import { faultOf, isSignedIn, sessionQuery } from '../api/client.ts'
import { buttonClasses } from '../kit/controls.tsx'
import { Empty, FaultBox, Page } from '../kit/page.tsx'
import { PAGES } from '../screens/hand-made.ts'
import { one, parseSearch, type Search, stringifySearch } from './search.ts'
import { Shell } from './shell.tsx'

interface Context {
  readonly queries: QueryClient
}

const asSearch = (search: Record<string, unknown>): Search => search as Search

const root = createRootRouteWithContext<Context>()({
  validateSearch: asSearch,
  notFoundComponent: NotFound,
})

/** A page that cannot be shown, within the frame of the console. */
function PageFault({ error }: { error: unknown }) {
  // What a page is made of may have failed to load: only a page that is opened anew asks for it again
  const retry = (): void =>
    void isSignedIn().then(
      () => location.reload(),
      () => {},
    )
  return (
    <div className="p-6">
      <FaultBox fault={faultOf(error)} retry={retry} />
    </div>
  )
}

type Load = () => Promise<{ readonly default: ComponentType }>

/** A page in a file of its own. The router would open the page anew where the file does not come, also while nothing answers. */
function pageOf(load: Load) {
  return lazyRouteComponent(() =>
    load().catch((error: unknown) => {
      throw new Error('Could not load this page.', { cause: error })
    }),
  )
}

const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignIn })
const signedIn = createRoute({
  getParentRoute: () => root,
  path: '/signed-in',
  component: SignedIn,
})

/** All pages behind the sign-in. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    const isKnown = context.queries.getQueryData(sessionQuery.queryKey) !== undefined
    if (!isKnown && !(await isSignedIn()))
      throw redirect({ to: '/sign-in', search: { return_to: location.href } })
    try {
      await context.queries.ensureQueryData(sessionQuery)
    } catch (error) {
      if (faultOf(error).status === 401)
        throw redirect({ to: '/sign-in', search: { return_to: location.href } })
      throw error
    }
  },
})

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  component: pageOf(() => import('../screens/home/home.tsx')),
})
const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: pageOf(() => import('../screens/settings/page.tsx')),
})
const run = createRoute({
  getParentRoute: () => shell,
  path: '/run/$operation',
  component: pageOf(() => import('../screens/resources/run.tsx')),
})
const list = createRoute({
  getParentRoute: () => shell,
  path: '/$resource',
  component: pageOf(() => import('../screens/resources/list.tsx')),
})
const create = createRoute({
  getParentRoute: () => shell,
  path: '/$resource/new',
  component: pageOf(() => import('../screens/resources/create.tsx')),
})
const item = createRoute({
  getParentRoute: () => shell,
  path: '/$resource/$id',
  component: pageOf(() => import('../screens/resources/item.tsx')),
})

const handMade = Object.entries(PAGES).map(([path, load]) =>
  createRoute({ getParentRoute: () => shell, path, component: pageOf(load) }),
)

const tree = root.addChildren([
  signIn,
  signedIn,
  shell.addChildren([home, settings, run, list, create, item, ...(handMade as [])]),
])

export function createConsoleRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    basepath: '/console',
    context: { queries },
    parseSearch: (text) => parseSearch(text),
    stringifySearch: (search) => stringifySearch(search),
    defaultPreload: 'intent',
    scrollRestoration: true,
    defaultErrorComponent: PageFault,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>
  }
}

export function NotFound() {
  return (
    <Page name="Page not found" title="Page not found">
      <p>The address may be mistyped, or the resource was deleted.</p>
      <p>
        <Link to="/" className="text-accent underline">
          Go to Home
        </Link>
      </p>
    </Page>
  )
}

/** Before there is a session: leads to the sign-in of the server, and back to the page that was asked for. */
function SignIn() {
  const search = useSearch({ strict: false })
  const back = one(search['return_to']) ?? '/'
  const target = `/console/login?return_to=${encodeURIComponent(`/console${back}`)}`
  const isPlain =
    location.protocol === 'http:' && !/^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname)
  return (
    <main className="flex min-h-full flex-col items-center justify-center gap-4 p-6 text-center">
      <title>Sign in · Postern</title>
      <h1 className="text-xl font-semibold">Postern</h1>
      {isPlain ? (
        <p className="max-w-[50ch]">
          This page was loaded over plain HTTP, where a session can be stolen. Open the console over HTTPS, or
          on this machine at a loopback address.
        </p>
      ) : (
        <a href={target} className={buttonClasses('primary')}>
          Sign in
        </a>
      )}
    </main>
  )
}

/** The end of a sign-in in another tab: the tab that waits for it goes on. */
function SignedIn() {
  useEffect(() => {
    const channel = new BroadcastChannel('postern-session')
    channel.postMessage('signed-in')
    channel.close()
    close()
  }, [])
  return <Empty title="You are signed in">Go back to the first tab. It still has your entries.</Empty>
}
