import { say } from '../kit/toast.tsx'

export const NOT_CONFIRMED = 'Stored. Not all gateway threads have confirmed the change yet.'

/** Says that a change is stored; `done` only once all gateway threads have confirmed it. @param output of the operation */
export function sayStored(output: unknown, done: string): void {
  const isPending = (output as { readonly pending?: unknown }).pending === true
  say(isPending ? 'pending' : 'ok', isPending ? NOT_CONFIRMED : done)
}
