/** States as shape, word and colour: beside a name, and as a notice that goes by itself. */
import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleSlash,
  Clock,
  Diamond,
  type LucideIcon,
  OctagonAlert,
  TriangleAlert,
  X,
} from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { IconButton } from './controls.tsx'
import { classes } from './style.ts'

export type State = 'ok' | 'warn' | 'bad' | 'draft' | 'off' | 'pending' | 'changed' | 'blocked'

const STATES: Readonly<Record<State, { icon: LucideIcon; color: string }>> = {
  ok: { icon: CircleCheck, color: 'text-ok' },
  warn: { icon: TriangleAlert, color: 'text-warn' },
  bad: { icon: OctagonAlert, color: 'text-bad' },
  draft: { icon: CircleDashed, color: 'text-muted' },
  off: { icon: CircleSlash, color: 'text-muted' },
  pending: { icon: Clock, color: 'text-warn' },
  changed: { icon: Diamond, color: 'text-accent' },
  blocked: { icon: Ban, color: 'text-bad' },
}

/** A state as shape, word and colour, so that none of them has to be seen. */
export function Status({
  state,
  children,
  className = '',
}: {
  state: State
  children: string
  className?: string
}) {
  const { icon: Icon, color } = STATES[state]
  return (
    <span
      className={classes(
        'inline-flex items-baseline gap-1 text-sm font-normal',
        // One line, unless the caller lets it wrap
        !className.includes('whitespace-') && 'whitespace-nowrap',
        color,
        className,
      )}
    >
      <Icon size={14} aria-hidden="true" className="shrink-0 self-center" />
      {children}
    </span>
  )
}

/** The state of a status word of the API; words without a state of their own are shown as text. */
const OF_WORDS: Readonly<Record<string, State>> = {
  published: 'ok',
  active: 'ok',
  healthy: 'ok',
  ok: 'ok',
  connected: 'ok',
  approved: 'ok',
  valid: 'ok',
  done: 'ok',
  up: 'ok',
  draft: 'draft',
  changed: 'changed',
  drift: 'changed',
  inactive: 'off',
  off: 'off',
  disabled: 'off',
  archived: 'off',
  unpublished: 'off',
  never: 'off',
  deprecated: 'off',
  pending: 'pending',
  open: 'pending',
  waiting: 'pending',
  running: 'pending',
  rotating: 'pending',
  expiring: 'warn',
  warning: 'warn',
  stale: 'warn',
  degraded: 'warn',
  expired: 'bad',
  failed: 'bad',
  down: 'bad',
  unhealthy: 'bad',
  rejected: 'bad',
  error: 'bad',
  revoked: 'blocked',
  denied: 'blocked',
}

export function stateOf(word: string): State | null {
  return OF_WORDS[word] ?? null
}

export function Badge({
  children,
  tone = 'plain',
}: {
  children: React.ReactNode
  tone?: 'plain' | 'accent' | 'dashed'
}) {
  const tones = {
    plain: 'border-line bg-raised text-muted',
    accent: 'border-transparent bg-accent-soft text-accent',
    dashed: 'border-dashed border-edge text-muted',
  }
  return (
    <span
      className={classes(
        'inline-flex h-5 items-center rounded-md border px-1.5 text-xs font-normal whitespace-nowrap',
        tones[tone],
      )}
    >
      {children}
    </span>
  )
}

interface Toast {
  readonly id: number
  readonly state: State
  readonly text: string
}

const TOAST_MS = 6000
let toasts: readonly Toast[] = []
let nextToast = 1
const toastListeners = new Set<() => void>()

function setToasts(list: readonly Toast[]): void {
  toasts = list
  for (const tell of toastListeners) tell()
}

/** Says what has happened, for a moment. What a person has to decide or copy belongs on the page instead. */
export function say(state: State, text: string): void {
  const id = nextToast++
  setToasts([...toasts, { id, state, text }])
  setTimeout(() => setToasts(toasts.filter((toast) => toast.id !== id)), TOAST_MS)
}

export function Toasts() {
  const list = useSyncExternalStore(
    (tell) => {
      toastListeners.add(tell)
      return () => toastListeners.delete(tell)
    },
    () => toasts,
  )
  return (
    <div role="status" className="fixed right-4 bottom-4 z-50 flex max-w-100 flex-col gap-2">
      {list.map(({ id, state, text }) => (
        <div key={id} className="flex items-center gap-2 rounded-md bg-page px-3 py-2 shadow-float">
          <Status state={state} className="whitespace-normal">
            {text}
          </Status>
          <IconButton
            icon={X}
            label="Dismiss"
            onClick={() => setToasts(toasts.filter((toast) => toast.id !== id))}
          />
        </div>
      ))}
    </div>
  )
}

const OUTCOMES = { ok: 'ok', denied: 'blocked', failed: 'bad' } as const

/** How an attempt that the audit log has ended. */
export function Outcome({ outcome }: { outcome: keyof typeof OUTCOMES }) {
  return <Status state={OUTCOMES[outcome]}>{outcome}</Status>
}
