import about from 'virtual:about'
import { QueryCache, QueryClient, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router'
import { ChevronDown, Keyboard, LogOut, Menu, Moon, Search, X } from 'lucide-react'
import { lazy, Suspense, useEffect, useId, useRef, useState, useSyncExternalStore } from 'react'
import {
  isSignedIn,
  onReach,
  reachNow,
  signInUrl,
  signOut,
  useMay,
  useSession,
  whenSignedOut,
} from '../api/client.ts'
import { Button, buttonClasses, IconButton } from '../kit/controls.tsx'
import { Dialog, Questions } from '../kit/dialog.tsx'
import { mayLeave } from '../kit/leave-guard.ts'
import { Status, say, Toasts } from '../kit/status.tsx'
import { classes } from '../kit/style.ts'
import { ageOf } from '../kit/text.tsx'
import { useKeys } from './keys.ts'
import { type Group, groupsOf, PLACES } from './navigation.ts'

const Palette = lazy(() => import('./palette.tsx'))
const KeyHelp = lazy(() => import('./key-help.tsx'))

/** The frame around every page: the sidebar, the bar with the command palette, and what may lie over the page. */
export function Shell() {
  const [over, setOver] = useState<'palette' | 'keys' | null>(null)
  const [isOpen, setOpen] = useState(false)
  const navigate = useNavigate()
  const { pathname } = useLocation()
  const main = useRef<HTMLElement>(null)
  useEffect(() => {
    setOpen(false)
  }, [pathname])
  useKeys({
    'mod+k': () => setOver('palette'),
    '?': () => setOver('keys'),
    ...Object.fromEntries(
      PLACES.filter(({ letter }) => letter !== undefined).map(({ letter, to }) => [
        `g ${letter}`,
        () => {
          navigate({ to }).catch(() => {})
        },
      ]),
    ),
  })
  return (
    <div className="flex h-full flex-col md:flex-row">
      <button
        type="button"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-page focus:p-2"
        onClick={() => main.current?.focus()}
      >
        Skip to the content
      </button>
      <header className="flex h-12 shrink-0 items-center justify-between border-b border-line bg-raised px-3 md:hidden">
        <IconButton
          icon={isOpen ? X : Menu}
          label={isOpen ? 'Close the menu' : 'Open the menu'}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        />
        <span className="inline-flex items-center gap-2 font-semibold">
          <Mark /> Postern <Environment />
        </span>
        <IconButton icon={Search} label="Search and commands" onClick={() => setOver('palette')} />
      </header>
      <aside
        className={classes(
          'w-full shrink-0 flex-col border-r border-line bg-raised md:flex md:w-54',
          isOpen ? 'flex min-h-0 flex-1 md:flex-none' : 'hidden',
        )}
      >
        <Sidebar openPalette={() => setOver('palette')} openKeys={() => setOver('keys')} />
      </aside>
      <main
        id="main"
        ref={main}
        tabIndex={-1}
        className={classes(
          'relative min-h-0 min-w-0 flex-1 overflow-auto outline-none',
          isOpen && 'hidden md:block',
        )}
      >
        <Suspense>
          <Outlet />
        </Suspense>
      </main>
      <Suspense>
        {over === 'palette' && <Palette onClose={() => setOver(null)} />}
        {over === 'keys' && <KeyHelp onClose={() => setOver(null)} />}
      </Suspense>
      <SignedOut />
      <Questions />
      <Unreached />
      <Toasts />
    </div>
  )
}

/** The name of the environment, in a colour of its own if it is production. */
function Environment() {
  const instance = useSession()?.instance
  if (instance?.environment == null) return null
  return (
    <span
      title={instance.production ? 'Production: type the slug to confirm each change' : 'Environment'}
      className={classes(
        'max-w-30 truncate rounded-md px-1.5 text-xs font-semibold',
        instance.production ? 'bg-bad-soft text-bad' : 'bg-accent-soft text-accent',
      )}
    >
      {instance.environment}
    </span>
  )
}

function Sidebar({ openPalette, openKeys }: { openPalette: () => void; openKeys: () => void }) {
  const session = useSession()
  const may = useMay()
  const [chosen, setChosen] = useState<Theme>(theme())
  const { pathname } = useLocation()
  const list = useRef<HTMLElement>(null)
  const isKnown = session !== null
  useEffect(() => {
    if (isKnown) list.current?.querySelector('[aria-current=page]')?.scrollIntoView({ block: 'nearest' })
  }, [pathname, isKnown])
  const groups = groupsOf(Object.keys(about))
    .map(({ label, places }) => ({
      label,
      places: places.filter(({ needs }) => may(needs)),
    }))
    .filter(({ places }) => places.length > 0)
  return (
    <>
      <div className="hidden h-12 shrink-0 items-center justify-between gap-2 px-4 md:flex">
        <Link to="/" className="inline-flex items-center gap-2 text-md font-semibold no-underline">
          <Mark /> Postern
        </Link>
        <Environment />
      </div>
      <div className="px-2 pb-2 max-md:pt-2">
        <button
          type="button"
          onClick={openPalette}
          className="flex h-8 w-full items-center gap-2 rounded-md border border-edge bg-page px-2 text-sm text-muted hover:text-text"
        >
          <Search size={14} aria-hidden="true" />
          <span className="flex-1 text-left">Search or run</span>
          <kbd className="text-xs">Ctrl K</kbd>
        </button>
      </div>
      <nav ref={list} aria-label="Main" className="min-h-0 flex-1 overflow-auto px-2 pb-4">
        {groups.map((group) => (
          <PlaceGroup key={group.label ?? ''} group={group} />
        ))}
      </nav>
      <footer className="flex shrink-0 items-center gap-1 border-t border-line px-3 py-2">
        <span className="min-w-0 flex-1 truncate text-sm" title={session?.email ?? session?.name}>
          {session?.name}
        </span>
        <IconButton icon={Keyboard} label="Keyboard shortcuts" onClick={openKeys} />
        <IconButton
          icon={Moon}
          label={`Theme: ${chosen}`}
          onClick={() => {
            const next: Theme = chosen === 'system' ? 'dark' : chosen === 'dark' ? 'light' : 'system'
            setTheme(next)
            setChosen(next)
          }}
        />
        <IconButton
          icon={LogOut}
          label="Sign out"
          onClick={() =>
            mayLeave()
              .then((isYes) => (isYes ? signOut() : undefined))
              .catch(() => say('bad', 'Sign-out failed. You may still be signed in. Try again.'))
          }
        />
      </footer>
    </>
  )
}

/** A group of the side bar. It folds, and the browser keeps that. A group whose page is open is unfolded. */
function PlaceGroup({ group: { label, places } }: { group: Group }) {
  const { pathname } = useLocation()
  const isHere = places.some(({ to }) => pathname === to || pathname.startsWith(`${to}/`))
  const [isOpen, setOpen] = useState(() => label === null || isHere || !foldedGroups().has(label))
  const [wasHere, setWasHere] = useState(isHere)
  if (wasHere !== isHere) {
    setWasHere(isHere)
    if (isHere) setOpen(true)
  }
  const id = useId()
  return (
    <div className="mb-2">
      {label !== null && (
        <h2>
          <button
            type="button"
            aria-expanded={isOpen}
            aria-controls={id}
            className="flex w-full items-center gap-1 rounded-md px-2 text-left text-xs font-semibold text-muted hover:bg-sunken"
            onClick={() => {
              setOpen(!isOpen)
              keepFolded(label, isOpen)
            }}
          >
            <span className="flex-1">{label}</span>
            <ChevronDown
              size={14}
              aria-hidden="true"
              className={classes('shrink-0', !isOpen && '-rotate-90')}
            />
          </button>
        </h2>
      )}
      <ul id={id} hidden={!isOpen}>
        {places.map(({ label: name, to, icon: Icon }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: to === '/', includeSearch: false }}
              className="flex h-8 items-center gap-2 rounded-md px-2 no-underline hover:bg-sunken md:h-7"
              activeProps={{
                className: 'bg-accent-soft text-accent font-medium',
                'aria-current': 'page',
              }}
              inactiveProps={{ className: 'text-text' }}
            >
              <Icon size={16} aria-hidden="true" className="shrink-0 opacity-80" />
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}

const FOLDED_KEY = 'postern-folded'
/** Until a person folds or unfolds a group: with all groups open, the last one is below a window of 900 pixels. */
const FOLDED_AT_FIRST: readonly string[] = ['Govern', 'More']

function foldedGroups(): ReadonlySet<string> {
  const stored = localStorage.getItem(FOLDED_KEY)
  return new Set(stored === null ? FOLDED_AT_FIRST : stored.split(','))
}

function keepFolded(label: string, isFolded: boolean): void {
  const folded = new Set(foldedGroups())
  if (isFolded) folded.add(label)
  else folded.delete(label)
  localStorage.setItem(FOLDED_KEY, [...folded].join(','))
}

/** The session has ended while a page was open. A sign-in in another tab keeps what is on this page. */
function SignedOut() {
  const [isOut, setOut] = useState(false)
  useEffect(() => {
    whenSignedOut(() => setOut(true))
    const channel = new BroadcastChannel('postern-session')
    channel.onmessage = () => setOut(false)
    return () => channel.close()
  }, [])
  if (!isOut) return null
  return (
    <Dialog title="You are signed out" onClose={() => setOut(false)}>
      <p>Your session has ended. Sign in again in another tab: this page keeps what you have entered.</p>
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={() => location.assign(signInUrl())}>Sign in here</Button>
        <a
          href="/console/login?return_to=/console/signed-in"
          target="_blank"
          rel="noopener"
          className={buttonClasses('primary')}
        >
          Sign in in another tab
        </a>
      </div>
    </Dialog>
  )
}

const KEY = 'postern-theme'
type Theme = 'system' | 'light' | 'dark'

function theme(): Theme {
  const value = localStorage.getItem(KEY)
  return value === 'light' || value === 'dark' ? value : 'system'
}

/** Colours follow the system unless a person chooses: `light-dark()` in the style sheet reads this attribute. */
function setTheme(next: Theme): void {
  if (next === 'system') localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, next)
  applyTheme()
}

export function applyTheme(): void {
  const value = theme()
  if (value === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = value
}

/** What is on a page stays there while Postern does not respond: the bar of the shell says so, and how old it is. */
export function createQueries(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError(_error, query) {
        if (query.state.data !== undefined && !reachNow().isReached)
          query.setState({ error: null, status: 'success' })
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 5000,
        retry: false,
        refetchOnWindowFocus: true,
        // The browser's own word on the network says nothing of a server on the same machine
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  })
}

/** Postern is asked again this often, milliseconds. */
const AGAIN_MS = 3000

/** While Postern does not respond: how old the page is. It is brought up to date by the first answer. */
function Unreached() {
  const { isReached, lastAnswer } = useSyncExternalStore(onReach, reachNow)
  return isReached ? null : <Bar since={lastAnswer} />
}

function Bar({ since }: { since: number }) {
  const queries = useQueryClient()
  const [isAsking, setAsking] = useState(false)
  const at = new Date(since).toISOString()
  const ask = async (): Promise<void> => {
    setAsking(true)
    try {
      await isSignedIn()
      await queries.refetchQueries({ type: 'active' })
    } catch {
      // The bar stays
    }
    setAsking(false)
  }
  useEffect(() => {
    const timer = setInterval(() => void ask(), AGAIN_MS)
    return () => clearInterval(timer)
  }, [])
  return (
    <div
      role="status"
      className="fixed inset-x-4 bottom-4 z-50 mx-auto flex w-fit flex-wrap items-center gap-x-3 gap-y-1 rounded-md bg-warn-soft px-4 py-2 shadow-float"
    >
      <Status state="warn">Postern does not respond</Status>
      <span>
        Connection lost. Showing data from{' '}
        <time dateTime={at} title={at}>
          {ageOf(Date.now() - since)} ago
        </time>
        .
      </span>
      <Button isSmall isBusy={isAsking} onClick={() => void ask()}>
        Try again
      </Button>
    </div>
  )
}

/** The mark of Postern: a small arched door in a wall, ajar. The favicon has the same shape (`icon.svg`). */
function Mark() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true" className="shrink-0 text-accent">
      <path d={WALL} fill="currentColor" fillRule="evenodd" />
      <path d={DOOR} fill="currentColor" fillRule="evenodd" opacity="0.55" />
    </svg>
  )
}

/** A wall with an arched opening. */
const WALL = 'M7 2h18a5 5 0 0 1 5 5v23h-6V16a8 8 0 0 0-16 0v14H2V7a5 5 0 0 1 5-5z'
/** The door in it, turned away from the one who looks: its handle is a hole. */
const DOOR = 'M11 30V16a5 5 0 0 1 5-5l4 2.2V30zm5.6-9.5a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z'
