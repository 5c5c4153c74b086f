import { X } from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { IconButton } from './button.tsx'
import { type State, Status } from './status.tsx'

interface Toast {
  readonly id: number
  readonly state: State
  readonly text: string
}

const SHOWN_MS = 6000
let toasts: readonly Toast[] = []
let next = 1
const listeners = new Set<() => void>()

function set(list: readonly Toast[]): void {
  toasts = list
  for (const tell of listeners) tell()
}

/** Says what has happened, for a moment. What a person has to decide or copy belongs on the page instead. */
export function say(state: State, text: string): void {
  const id = next++
  set([...toasts, { id, state, text }])
  setTimeout(() => set(toasts.filter((toast) => toast.id !== id)), SHOWN_MS)
}

export function Toasts() {
  const list = useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
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
            onClick={() => set(toasts.filter((toast) => toast.id !== id))}
          />
        </div>
      ))}
    </div>
  )
}
